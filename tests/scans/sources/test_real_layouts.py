"""Names of public data sets, with real scans linked in place, or none."""

from pathlib import Path

from brain_cae.scans.sources.bids import Bids
from brain_cae.scans.sources.brats import Brats
from brain_cae.scans.sources.ixi import Ixi
from brain_cae.scans.store import import_series

from .layouts import touch, write_json


def link(target: Path, source: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    target.symlink_to(source)


def test_a_tumour_as_brats(real_data, tmp_path):
    scans, folder = real_data / "nifti" / "brats2013-pat0005", tmp_path / "data" / "BraTS-GLI-00005-000"
    for ending, name in {"t2f": "Flair_subtrMeanDivStd", "t1c": "T1c_subtrMeanDivStd", "seg": "OTMultiClass"}.items():
        link(folder / f"{folder.name}-{ending}.nii.gz", scans / f"{name}.nii.gz")
    result = import_series(Brats(tmp_path / "data").locate(), tmp_path / "store", progress=False)
    assert result.index[["modality", "label", "skull"]].to_numpy().tolist() == [
        ["flair", "abnormal", "stripped"], ["t1ce", "abnormal", "stripped"]
    ]  # fmt: skip
    assert set(result.index["lesion_mask_path"]) == {str(folder / f"{folder.name}-seg.nii.gz")}
    missing = result.report[result.report["status"] == "missing"]
    assert missing["modality"].tolist() == ["t1", "t2"]


def test_a_head_as_ixi_and_as_bids(real_data, tmp_path):
    heads = real_data / "nifti" / "nichart-demo"
    link(tmp_path / "ixi" / "IXI002-Guys-0828-T1.nii.gz", heads / "t1" / "Subj1_T1.nii.gz")
    anat = tmp_path / "bids" / "sub-1" / "anat"
    link(anat / "sub-1_T1w.nii.gz", heads / "t1" / "Subj1_T1.nii.gz")
    link(anat / "sub-1_FLAIR.nii.gz", heads / "fl" / "Subj1_FL.nii.gz")
    write_json(tmp_path / "bids" / "FLAIR.json", RepetitionTime=9.0, InversionTime=2.5)
    locations = [*Ixi(tmp_path / "ixi", ["t1"]).locate(), *Bids(tmp_path / "bids", ["t1", "flair"]).locate()]
    index = import_series(locations, tmp_path / "store", progress=False).index
    # One picture under two names has one hash, by which the splits find it.
    assert index["subject"].tolist() == ["IXI002", "sub-1", "sub-1"]
    assert index.loc[index["modality"] == "t1", "series_hash"].nunique() == 1
    assert index["spacing_slice_mm"].tolist() == [2.0, 2.0, 2.0]
    assert index.set_index(["subject", "modality"]).loc[("sub-1", "flair"), "inversion_time_ms"] == 2500


def test_localisers_are_taken_last_and_named(tmp_path):
    touch(
        tmp_path,
        *(f"sub-1/anat/sub-1_acq-{acq}_T1w.nii" for acq in ("localizer", "mprage")),
        "sub-2/anat/sub-2_acq-cspine_T1w.nii",
    )
    source = Bids(tmp_path, modalities=["t1"])
    taken = [one.files[0].name for one in source.locate()]
    assert taken == ["sub-1_acq-mprage_T1w.nii", "sub-2_acq-cspine_T1w.nii"]
    assert [note[-27:] for note in source.notes() if "of another kind" in note] == [f": {taken[1]}."]
