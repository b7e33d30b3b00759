"""Harmonisation options: on a cohort, in a complete run on a small phantom, and in an evaluation of this run."""

import json
from dataclasses import replace

import nibabel
import numpy as np
import pandas as pd
import pytest

from brain_cae.detector.build import carried_columns, make_feature_harmoniser
from brain_cae.detector.detector import Detector
from brain_cae.detector.storage import load
from brain_cae.scans.protocol import ProtocolGroups
from brain_cae.stages.cohort import Cohort
from brain_cae.stages.harmonisation import carried, harmonise_images, out_of_reach
from brain_cae.transfer.features import CARRIED
from brain_cae.workflows import evaluation, training

from ..conftest import compose_config
from ..workflows.test_evaluation import evaluate_config


@pytest.fixture
def cohort(make_subject, tmp_path):
    """Return four prepared brains of one modality with their files; the last one has slices of 8 mm."""
    prepared, rows = {}, []
    for number, slices_mm in enumerate((3.0, 4.0, 3.0, 8.0)):
        name = f"s{number}"
        prepared[name] = make_subject(name, channels=1, seed=number)
        # Stored as sagittal: the slice axis runs from right to left.
        affine = np.array([[0, 0, slices_mm, 0], [2.0, 0, 0, 0], [0, -2.0, 0, 0], [0, 0, 0, 1]])
        nibabel.save(nibabel.Nifti1Image(np.zeros((3, 3, 3), np.float32), affine), tmp_path / f"{name}.nii")
        rows.append({"subject": name, "modality": "flair", "path": str(tmp_path / f"{name}.nii")})
    index = pd.DataFrame(rows)
    return Cohort(index, pd.DataFrame(), [], ["flair"], "flair", prepared=prepared)


def test_target_spacing_comes_from_the_training_role_along_the_axes_of_the_scan(make_config, cohort):
    harmoniser, after = harmonise_images(make_config("modality=flair", "harmonise=spacing"), cohort, ["s0", "s1"])
    assert harmoniser.state() == {"target_mm": [[4.0, 2.0, 2.0]]}
    assert out_of_reach(harmoniser, cohort, list(cohort.prepared)) == ["s3"]
    changed = [name for name in after.prepared if not np.array_equal(*volumes(cohort, after, name))]
    assert changed == ["s0", "s2"]


@pytest.mark.parametrize("option", ["spacing", "histogram"])
def test_brains_of_other_roles_do_not_affect_the_harmonisation(make_config, cohort, option):
    config = make_config("modality=flair", f"harmonise={option}")
    other = replace(cohort, prepared=dict(cohort.prepared))
    other.prepared["s2"] = replace(cohort.prepared["s2"], volume=cohort.prepared["s2"].volume * 3)
    first, second = (harmonise_images(config, one, ["s0", "s1"])[0] for one in (cohort, other))
    assert first.state() == second.state()


def test_the_input_is_not_changed_and_the_histogram_is_measured_again(make_config, cohort):
    before = {name: subject.volume.copy() for name, subject in cohort.prepared.items()}
    _, after = harmonise_images(make_config("modality=flair", "harmonise=histogram"), cohort, ["s0", "s1"])
    for name, volume in before.items():
        np.testing.assert_array_equal(cohort.prepared[name].volume, volume)
    medians = {subject.appearance["histogram_flair_q50"] for subject in after.prepared.values()}
    assert np.ptp(list(medians)) < 1e-3


@pytest.mark.parametrize("option", ["none", "combat", "residualise"])
def test_options_that_do_not_harmonise_images_leave_the_cohort(make_config, cohort, option):
    assert harmonise_images(make_config(f"harmonise={option}"), cohort, ["s0"])[1] is cohort


def volumes(before: Cohort, after: Cohort, name: str) -> tuple[np.ndarray, np.ndarray]:
    return before.prepared[name].volume, after.prepared[name].volume


def test_columns_carried_to_the_harmonisation_of_features(make_config):
    acquisition = pd.DataFrame(
        {
            "manufacturer": "A",
            "model": "B",
            "field_strength_t": [1.5] * 9 + [3.0, np.nan],
            "orientation": "axial",
            **{f"flair_{name}": 1.0 for name in ("flip_angle_deg", "repetition_time_ms", "echo_time_ms")},
            "flair_inversion_time_ms": np.nan,
            **{f"flair_spacing_{name}_mm": 2.0 for name in ("row", "column", "slice")},
            "flair_orientation": ["axial"] * 10 + [""],
        },
        index=[f"s{number}" for number in range(11)],
    )
    protocols = ProtocolGroups.fit(acquisition)

    def table(option: str) -> pd.DataFrame:
        config = make_config("modality=flair", f"harmonise={option}")
        detector = Detector(config, None, None, {}, protocols, [])
        columns = carried(detector, acquisition, protocols.assign(acquisition))
        step = make_feature_harmoniser(config)
        assert list(columns) == [f"{CARRIED}{name}" for name in carried_columns(config)] and columns.shape[1] == (
            step.carried if step else 0
        )
        return columns

    assert table("none").shape == (11, 0)
    assert table("combat")["acquisition_protocol"].tolist() == [0] * 9 + [-1, -1]  # a protocol of one subject is pooled
    columns = table("residualise")
    assert columns.loc["s0", "acquisition_field_strength_t"] == pytest.approx(np.log(1.5), abs=1e-4)
    assert columns["acquisition_flair_axial"].tolist()[:10] == [1] * 10
    assert columns.loc["s10", ["acquisition_flair_axial", "acquisition_field_strength_t"]].isna().all()


@pytest.fixture(
    scope="module",
    params=[
        "combat",
        pytest.param("spacing", marks=pytest.mark.extras),
        *(pytest.param(name, marks=pytest.mark.soak) for name in ("histogram", "residualise")),
    ],
)
def run(request, tiny_overrides, tmp_path_factory):
    """Return a complete run with one harmonisation option."""
    output = tmp_path_factory.mktemp(request.param) / "run"
    faster = ("trainer.max_epochs=1", "evaluation.maps=false", "evaluation.views=0")
    training.run(compose_config(*tiny_overrides, *faster, f"harmonise={request.param}"), output)
    return output


@pytest.mark.extras
def test_a_stored_model_gives_the_predictions_of_the_run(run, tiny_overrides, tmp_path):
    cache = next(item for item in tiny_overrides if item.startswith("cache="))
    evaluation.run(evaluate_config(f"run={run}", cache), tmp_path / "again")
    first, second = (pd.read_csv(folder / "predictions.csv") for folder in (run, tmp_path / "again"))
    pd.testing.assert_frame_equal(first, second)
    metrics = json.loads((run / "metrics.json").read_text())
    assert metrics["transfer"]["auroc"]["value"] is not None
    assert metrics["harmonise"]["name"] == load(run).config.harmonise.name
    for note in metrics["transfer"]["notes"]:
        assert note in (run / "report.html").read_text()
