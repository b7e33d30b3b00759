import pytest

from brain_cae.errors import ConfigurationError
from brain_cae.phantom import PhantomSettings


@pytest.mark.parametrize(
    ("subjects", "fraction", "abnormal"), [(160, 1 / 3, 53), (10, 0.5, 5), (7, 0.0, 0), (3, 1.0, 3)]
)
def test_labels_have_exactly_the_requested_number(subjects: int, fraction: float, abnormal: int) -> None:
    assert PhantomSettings(subjects=subjects, abnormal_fraction=fraction).labels().sum() == abnormal


def test_key_follows_every_setting() -> None:
    variants = [
        PhantomSettings(),
        PhantomSettings(subjects=159),
        PhantomSettings(seed=1),
        PhantomSettings(confounding=0.5),
        PhantomSettings(abnormal_fraction=0.5),
        PhantomSettings(lesions=False),
        PhantomSettings(head_shell=True),
        PhantomSettings(misalignment_mm=15.0),
        PhantomSettings(anatomy="varied"),
    ]
    assert len({v.key() for v in variants}) == len(variants)
    assert PhantomSettings().key() == PhantomSettings().key()


def test_a_cohort_without_later_additions_keeps_its_key() -> None:
    """Cohorts written before a setting existed are found again."""
    assert PhantomSettings(subjects=2, seed=3, abnormal_fraction=0.5).key() == "1d6cdecdcf0c551a"
    varied = PhantomSettings(subjects=2, seed=3, abnormal_fraction=0.5, dimensions="varied", misalignment_mm=0.0)
    assert varied.key() == "9826dd97c563b163"


@pytest.mark.parametrize(
    "wrong",
    [
        {"subjects": 0},
        {"confounding": 1.2},
        {"abnormal_fraction": -0.1},
        {"seed": -1},
        {"misalignment_mm": 51.0},
        {"anatomy": "wild"},
    ],
)
def test_values_out_of_range_name_their_key(wrong: dict) -> None:
    with pytest.raises(ConfigurationError, match=next(iter(wrong))):
        PhantomSettings(**wrong)
