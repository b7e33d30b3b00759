"""Import of a cohort: several sources, missing modalities, and which subjects are kept."""

import shutil

import pytest

from brain_cae.data import strippers
from brain_cae.errors import ConfigurationError, DatasetError
from brain_cae.executor import Processes
from brain_cae.scans.sources.base import SeriesLocation
from brain_cae.scans.sources.build import make_source
from brain_cae.stages.cautions import serious
from brain_cae.stages.cohort import import_cohort, limited, part_cautions

from ..scans.sources.layouts import write_volume

IXI = ("IXI002-Guys-0828", "IXI012-HH-1211")


@pytest.fixture
def root(tmp_path):
    for number, name in enumerate(IXI):
        write_volume(tmp_path / "ixi" / f"{name}-T1.nii.gz", seed=number)
        write_volume(tmp_path / "ixi" / f"{name}-T2.nii.gz", seed=10 + number)
    for number, subject in enumerate(("a", "b")):
        write_volume(tmp_path / "clinic" / subject / "t1.nii.gz", seed=20 + number)
    write_volume(tmp_path / "clinic" / "a" / "t2.nii.gz", seed=30)
    return tmp_path


@pytest.fixture
def import_scans(make_config, root):
    def call(*overrides, modality="t1_t2", limit=None):
        config = make_config(
            f"modality={modality}",
            "dataset=combined",
            f"dataset.parts.ixi.root={root / 'ixi'}",
            "+dataset@dataset.parts.clinic=folder",
            f"dataset.parts.clinic.root={root / 'clinic'}",
            "dataset.parts.clinic.label=abnormal",
            "trainer.progress=false",
            *overrides,
        )
        return import_cohort(config.dataset, config, cache=str(root / "cache"), executor=Processes(1), limit=limit)

    return call


def test_subjects_of_all_parts_with_every_modality_are_kept(import_scans):
    cohort = import_scans("dataset.parts.clinic.skull=on")
    table = cohort.index.groupby("subject")[["source", "label", "skull", "site"]].first()
    assert table.to_dict("index") == {
        "clinic-a": {"source": "clinic", "label": "abnormal", "skull": "on", "site": ""},
        "ixi-IXI002": {"source": "ixi", "label": "healthy", "skull": "on", "site": "Guys"},
        "ixi-IXI012": {"source": "ixi", "label": "healthy", "skull": "on", "site": "HH"},
    }
    missing = cohort.report[cohort.report["status"] == "missing"]
    assert missing[["subject", "modality"]].to_numpy().tolist() == [["clinic-b", "t2"]]
    assert any("clinic-b without t2" in caution for caution in cohort.cautions)
    slab = next(caution for caution in cohort.cautions if "less than 100 mm along one axis" in caution)
    assert "clinic-a t1 covers 120 x 117 x 12 mm" in slab


def test_different_skull_states_are_an_error_and_unknown_ones_a_caution(import_scans):
    with pytest.raises(DatasetError, match=r"skull on: ixi \(2 subjects\); skull stripped: clinic"):
        import_scans("dataset.parts.clinic.skull=stripped", "preprocess.skull_strip=none")
    cautions = import_scans("preprocess.skull_strip=none").cautions
    assert any("unknown for clinic" in caution for caution in cautions)
    import_scans("dataset.parts.clinic.skull=stripped", "preprocess.skull_strip=synthstrip")


def test_heads_without_deepbet_stop_the_run_before_the_import(import_scans, root, monkeypatch):
    monkeypatch.setattr(strippers, "deepbet_installed", lambda: False)
    with pytest.raises(ConfigurationError, match="2 subjects to strip, such as ixi-IXI002, ixi-IXI012"):
        import_scans("dataset.parts.clinic.skull=stripped", "preprocess.skull_strip=deepbet")
    assert not (root / "cache").exists()


def test_a_part_without_a_modality_is_an_error_with_its_name(import_scans, root):
    with pytest.raises(DatasetError, match="Part ixi: IXI has no scan of the modality `flair`"):
        import_scans(modality="t1_flair")
    (root / "clinic" / "a" / "t2.nii.gz").unlink()
    with pytest.raises(DatasetError, match="t1 in clinic"):
        import_scans()


@pytest.mark.parametrize(("trained", "advice"), [(False, "Choose another modality="), (True, "Add the scans")])
def test_a_missing_modality_is_an_error_that_lists_what_is_there(make_config, tmp_path, trained, advice):
    """With a trained model, the modality cannot be chosen."""
    write_volume(tmp_path / "scans/a/t1.nii.gz")
    write_volume(tmp_path / "scans/a/t2.nii.gz", seed=1)
    config = make_config("modality=t1_flair", "dataset=folder", f"dataset.root={tmp_path / 'scans'}")
    with pytest.raises(DatasetError, match="no scan of the modality `flair`") as caught:
        import_cohort(config.dataset, config, cache=str(tmp_path), executor=Processes(1), trained=trained)
    assert caught.value.found == "t1, t2 in folder"
    assert advice in caught.value.advice and ("modality=" in caught.value.advice) != trained


def test_a_home_folder_in_quotes_is_expanded(import_scans, root, monkeypatch):
    monkeypatch.setenv("HOME", str(root))
    cohort = import_scans('dataset.parts.ixi.root="~/ixi"', 'dataset.parts.clinic.root="~/clinic"')
    assert sorted(set(cohort.index["subject"])) == ["clinic-a", "ixi-IXI002", "ixi-IXI012"]


def test_a_modality_whose_scans_were_all_left_out_is_missing_with_the_reason(import_scans, root):
    write_volume(root / "clinic" / "a" / "T2.nii", seed=31)
    with pytest.raises(
        DatasetError, match=r"t1 in clinic; its scans of t2 were left out: several candidates"
    ) as raised:
        import_scans()
    assert "Keep one of the files" in str(raised.value)


def test_a_part_can_be_a_phantom(make_config):
    config = make_config(
        "dataset=combined", "+dataset@dataset.parts.phantom=phantom", "dataset.parts.phantom.subjects=9"
    )
    source = make_source(config.dataset, modalities=["t1"], workers=1, limit=4, progress=False)
    assert (source.parts["phantom"].subjects, source.parts["phantom"].modalities) == (4, ("t1",))
    assert source.left_out == 5, "the rest is not even written"


@pytest.mark.parametrize(("limit", "part"), [(None, False), (3, True), (4, False), (500, False)])
def test_a_limit_is_a_serious_caution_only_if_it_leaves_somebody_out(import_scans, limit, part):
    """Four subjects are found, one of which lacks a modality."""
    cautions = serious(import_scans("dataset.parts.clinic.skull=on", limit=limit).cautions)
    assert cautions == [
        "Only 3 of the 4 subjects of the data set were used (limit=3): this is not the result for the data set."
    ] * int(part)


@pytest.mark.parametrize(("limit", "total"), [(None, None), (40, 160), (160, None), (500, None)])
def test_a_limit_counts_the_simulated_brains_that_are_not_written(make_config, tmp_path, limit, total):
    dataset = make_config().dataset
    source = make_source(dataset, modalities=["t1"], workers=1, limit=limit, progress=False)
    written = [SeriesLocation(f"s{number}", "t1", (tmp_path,)) for number in range(source.subjects)]
    cautions = part_cautions(source, written, limit)
    assert [f"of the {total} subjects" in caution for caution in cautions] == [True] * bool(total)


def test_a_run_with_a_limit_finds_its_subjects_again_when_others_have_changed():
    def scan(subject, label="healthy"):
        return SeriesLocation(subject, "flair", label=label)

    before = [scan(f"s{number}") for number in range(10)]
    drawn = {location.subject for location in limited(before, 5)}
    after = [scan("s2", "abnormal"), *before[3:], scan("new")]
    assert {location.subject for location in limited(after, 5, drawn)} == drawn - {"s0"}


def test_a_test_only_part_has_only_the_role_test(make_config):
    from brain_cae.scans.index import make_index
    from brain_cae.stages.cohort import Cohort
    from brain_cae.stages.roles import split

    row = {
        "modality": "t1", "path": "x", "skull": "on", "rows": 5, "columns": 5, "slices": 5, "spacing_row_mm": 1,
        "spacing_column_mm": 1, "spacing_slice_mm": 1, "orientation": "axial", "sequence": "SE", "dimensionality": "2D",
    }  # fmt: skip
    names = [("ixi", f"ixi-{number}", "healthy") for number in range(30)]
    names += [("clinic", f"clinic-{number}", "abnormal" if number % 2 else "healthy") for number in range(20)]
    rows = [
        row | {"subject": subject, "source": source, "label": label, "series_hash": subject}
        for source, subject, label in names
    ]
    roots = ["dataset.parts.ixi.root=/ixi", "+dataset@dataset.parts.clinic=folder", "dataset.parts.clinic.root=/c"]

    def roles(*overrides):
        config = make_config("dataset=combined", "modality=t1", *roots, *overrides)
        cohort = Cohort(make_index(rows), None, [], ["t1"], "t1")
        return split(config, cohort).set_index("subject")["role"]

    tested = roles("dataset.test_only=[clinic]")
    assert len(tested) == 50 and set(tested[tested.index.str.startswith("clinic")]) == {"test"}
    assert set(roles()[tested.index.str.startswith("clinic")]) > {"test", "train"}


def test_two_contrasts_that_are_one_image_are_a_serious_caution(import_scans, root):
    shutil.copy(root / "clinic" / "a" / "t1.nii.gz", root / "clinic" / "a" / "t2.nii.gz")
    (caution,) = serious(import_scans("dataset.parts.clinic.skull=on").cautions)
    assert caution.startswith("1 subject has one image as several contrasts") and caution.endswith(
        ": clinic-a (t1 and t2)."
    )
