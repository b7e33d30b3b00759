"""Roles of subjects with a held-out protocol."""

import pandas as pd
import pytest

from brain_cae.configuration import dataset_option
from brain_cae.errors import ConfigurationError, DatasetError, RunError
from brain_cae.files.tables import to_csv
from brain_cae.scans.index import make_index
from brain_cae.stages.cautions import protocol_cautions
from brain_cae.stages.cohort import Cohort
from brain_cae.stages.roles import calibrating, draw_roles, evaluation_cautions, fold_roles, labelling, learning, split

SCANNERS = {
    "a": {"manufacturer": "SIEMENS", "model": "Skyra", "field_strength_t": 3.0},
    "b": {"manufacturer": "GE MEDICAL SYSTEMS", "model": "SIGNA", "field_strength_t": 1.5},
    "c": {"manufacturer": "Philips", "model": "Ingenia", "field_strength_t": 1.5},
    "silent": {},
}


@pytest.fixture
def index():
    """Return 30 subjects of each of two scanners, a third with a glioma; 4 of a third scanner, 6 of an unknown one."""
    row = {
        "modality": "t1", "path": "x", "skull": "on", "rows": 5, "columns": 5, "slices": 5, "spacing_row_mm": 1,
        "spacing_column_mm": 1, "spacing_slice_mm": 1, "orientation": "axial", "sequence": "SE", "dimensionality": "2D",
    }  # fmt: skip
    rows = []
    for name, count in (("a", 30), ("b", 30), ("c", 4), ("silent", 6)):
        for number in range(count):
            label = "healthy" if number % 3 else "unknown" if number == 0 else "abnormal"
            subject = f"{name}{number:02d}"
            rows.append(row | SCANNERS[name] | {"subject": subject, "label": label, "series_hash": subject})
    return make_index(rows)


@pytest.fixture
def leave_out(make_config):
    return lambda choice: make_config(
        "modality=t1", "scoring.alpha=0.3", "split=leave_protocol_out", f"split.protocol={choice}"
    )


@pytest.mark.parametrize(
    "choice", ["ge_medical_systems_signa_1.5_t_axial_1", "'GE MEDICAL SYSTEMS SIGNA 1.5 T axial #1'"]
)
def test_only_the_specified_protocol_is_tested(index, leave_out, choice):
    config = leave_out(choice)
    splits = draw_roles(config, index)
    roles = splits.set_index("subject")["role"]
    assert sorted(roles.index[roles == "test"]) == [f"b{number:02d}" for number in range(30)]
    assert set(roles) == {"train", "validation", "classifier", "test"}
    held_out, unknown = protocol_cautions(config, index, splits)
    assert "GE MEDICAL SYSTEMS SIGNA 1.5 T axial #1 is held out" in held_out
    assert "20 healthy and 9 abnormal" in held_out
    assert unknown.startswith("6 subjects have an unknown protocol")


def test_small_protocols_are_held_out_together(index, leave_out):
    roles = draw_roles(leave_out("pooled_small_groups"), index).set_index("subject")["role"]
    assert sorted(roles.index[roles == "test"]) == ["c00", "c01", "c02", "c03"]


@pytest.mark.parametrize("choice", ["null", "unknown", "philips_ingenia_1.5_t_axial_1", "ge"])
def test_an_unknown_protocol_is_an_error_that_lists_all_protocols(index, leave_out, choice):
    with pytest.raises(ConfigurationError) as caught:
        draw_roles(leave_out(choice), index)
    assert caught.value.expected == (
        "ge_medical_systems_signa_1.5_t_axial_1 (20 healthy, 9 abnormal) | "
        "siemens_skyra_3.0_t_axial_1 (20 healthy, 9 abnormal) | pooled_small_groups (2 healthy, 1 abnormal)"
    )


def test_other_splits_have_no_caution_about_a_held_out_protocol(index, make_config):
    config = make_config("modality=t1", "scoring.alpha=0.3")
    assert protocol_cautions(config, index, draw_roles(config, index)) == []


def test_test_only_parts_cannot_be_combined_with_a_held_out_protocol(make_config):
    with pytest.raises(ConfigurationError, match="only the held-out protocol is tested"):
        make_config(
            "dataset=combined", "dataset.parts.ixi.root=/x", "dataset.test_only=[ixi]", "split=leave_protocol_out"
        )


@pytest.mark.parametrize(
    ("healthy", "abnormal", "options", "missing"),
    [
        (20, 10, [], []),
        (20, 0, [], ["AUROC", "transfer"]),
        (4, 10, [], ["False alarms", "AUROC", "transfer"]),
        (20, 1, [], ["transfer"]),
        (4, 10, ["evaluation=nested"], []),
    ],
)
def test_figures_that_cannot_be_computed_are_said_with_the_number_that_they_take(
    make_config, healthy, abnormal, options, missing
):
    labels = ["healthy"] * healthy + ["abnormal"] * abnormal
    index = pd.DataFrame({"subject": [f"s{n}" for n in range(len(labels))], "label": labels, "source": "folder"})
    config = make_config("modality=t1", "scoring.alpha=0.5", *options)
    cautions = evaluation_cautions(config, index, draw_roles(config, index))
    assert len(cautions) == len(missing) and all(name in text for name, text in zip(missing, cautions, strict=True))
    if "AUROC" in missing:
        assert "at least 1 healthy and 1 abnormal" in cautions[-2]


def test_nobody_left_to_evaluate_is_an_error_unless_nothing_is_trained(make_config):
    index = pd.DataFrame({"subject": list("abcd"), "label": "healthy", "source": "folder"})
    with pytest.raises(DatasetError, match=r"at least 5 healthy brains(.|\n)*2 in train, 2 in validation"):
        draw_roles(make_config("modality=t1", "scoring.alpha=0.5"), index)
    assert len(draw_roles(make_config("modality=t1", "scoring.alpha=0.5", "stop_after=prepare"), index)) == 4
    more = pd.DataFrame({"subject": list("abcde"), "label": "healthy", "source": "folder"})
    assert "test" in set(draw_roles(make_config("modality=t1", "scoring.alpha=0.5"), more)["role"])


@pytest.mark.parametrize(
    ("options", "advice"),
    [
        (["dataset=folder", "dataset.root=/scans"], "labels.csv in /scans"),
        (["dataset=folder", "dataset.table=/scans.csv"], "column label of /scans.csv"),
        (["dataset=bids", "dataset.root=/bids"], "dataset.label_column"),
        (["dataset=combined", "dataset.parts.bids.root=/bids"], "Part bids: .*dataset.parts.bids.label_column"),
    ],
)
@pytest.mark.parametrize("healthy", [0, 2])
def test_missing_labels_are_to_be_given_not_replaced_by_another_data_set(make_config, options, advice, healthy):
    labels = ["healthy"] * healthy + ["unknown"] * 30
    index = pd.DataFrame({"subject": [f"s{n}" for n in range(len(labels))], "label": labels, "source": "folder"})
    with pytest.raises(DatasetError, match=advice) as caught:
        draw_roles(make_config("modality=t1", "scoring.alpha=0.5", *options), index)
    assert "another data set" not in str(caught.value)


def test_labels_for_a_zip_lie_beside_it(tmp_path):
    (tmp_path / "export.zip").touch()
    assert "dataset.label=healthy labels all" in labelling(dataset_option("bids", root=str(tmp_path)))
    assert f"labels.csv in {tmp_path}:" in labelling(dataset_option("dicom", root=str(tmp_path / "export.zip")))


def test_every_healthy_brain_calibrates_in_one_fold_and_trains_in_the_others(make_config, index):
    config = make_config("modality=t1", "scoring.alpha=0.3", "split=protocol", "calibration=crossfit")
    roles = draw_roles(config, index)
    folds = fold_roles(config, index, roles)
    drawn = roles.set_index("subject")["role"]
    healthy = drawn.index[drawn.isin(["train", "validation"])]
    assert len(folds) == 5 and calibrating(config, roles) == len(healthy) > (drawn == "validation").sum()
    table = pd.concat([one.set_index("subject")["role"] for one in folds], axis=1)
    assert table.loc[healthy].eq("validation").sum(axis=1).eq(1).all()
    assert table.loc[healthy].eq("train").sum(axis=1).eq(4).all()
    assert learning(config, roles) == table.eq("train").sum().min()
    config.overfit_subjects = 2
    assert learning(config, roles) == 2
    assert table.drop(healthy).eq(drawn.drop(healthy), axis=0).all(axis=None)


def test_a_training_is_resumed_with_the_brains_it_began_with(make_config, index, tmp_path):
    def roles(table, *choices):
        return split(make_config("modality=t1", *choices), Cohort(table, pd.DataFrame(), [], ["t1"], "t1"))

    before = roles(index)
    (tmp_path / "splits.csv").write_text(to_csv(before))
    (tmp_path / "index.csv").write_text(to_csv(index))
    resume = f"resume={tmp_path}"
    assert roles(index, resume).equals(before)

    def rescanned(role):
        subject = before["subject"][before["role"] == role].iloc[0]
        return subject, index.assign(series_hash=index["series_hash"].mask(index["subject"] == subject, "another"))

    assert roles(rescanned("test")[1], resume).equals(before)
    subject, changed = rescanned("train")
    with pytest.raises(RunError, match=f"differ from those of the run to resume[\\s\\S]*1 subject differs: {subject}"):
        roles(changed, resume)
