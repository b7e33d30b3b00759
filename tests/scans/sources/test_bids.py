"""BIDS: names, sessions, several runs, sidecars, participants, derivatives."""

import pytest

from brain_cae.errors import DatasetError
from brain_cae.errors.reasons import advice_for
from brain_cae.scans.sessions import one_session
from brain_cae.scans.sources.bids import Bids
from brain_cae.scans.store import import_series

from .layouts import lock, touch, write_json, write_volume


@pytest.fixture
def root(tmp_path):
    root = tmp_path / "bids"
    write_volume(root / "sub-01" / "anat" / "sub-01_T1w.nii.gz", 1)
    write_volume(root / "sub-01" / "anat" / "sub-01_ce-gadolinium_T1w.nii.gz", 2)
    write_volume(root / "sub-01" / "anat" / "sub-01_FLAIR.nii", 3)
    for number, name in enumerate(("acq-se_run-1_T1w", "run-2_T1w", "run-1_T1w", "FLAIR"), 4):
        write_volume(root / "sub-02" / "ses-a" / "anat" / f"sub-02_ses-a_{name}.nii.gz", number)
    touch(root, "sub-01/func/sub-01_task-rest_bold.nii.gz", "sub-03/func/sub-03_task-rest_bold.nii.gz")
    touch(root, "sub-01/anat/sub-01_part-phase_T2w.nii.gz", "sub-01/anat/sub-01_ce-x_FLAIR.nii.gz")
    write_json(root / "T1w.json", RepetitionTime=2.3, EchoTime=0.003, MagneticFieldStrength=3, Manufacturer="Siemens")
    (root / "participants.tsv").write_text(
        "participant_id\tage\tsex\tsite\tgroup\nsub-01\t61\tF\tn/a\tControl\nsub-02\t44.5\tmale\tBonn\tglioma\n"
    )
    return root


def located(root, **options):
    return {(one.subject, one.modality): one for one in Bids(root, **options).locate()}


def test_names_are_subjects_sessions_and_modalities(root):
    scans = located(root)
    assert {key: [path.name for path in one.files] for key, one in scans.items()} == {
        ("sub-01", "t1"): ["sub-01_T1w.nii.gz"],
        ("sub-01", "t1ce"): ["sub-01_ce-gadolinium_T1w.nii.gz"],
        ("sub-01", "flair"): ["sub-01_FLAIR.nii"],
        ("sub-01", "t2"): [],
        ("sub-02", "t1"): ["sub-02_ses-a_run-1_T1w.nii.gz"],
        ("sub-02", "t1ce"): [],
        ("sub-02", "flair"): ["sub-02_ses-a_FLAIR.nii.gz"],
        ("sub-02", "t2"): [],
    }
    assert {(one.subject, one.session) for one in scans.values()} == {("sub-01", ""), ("sub-02", "ses-a")}
    assert {(one.skull, one.source, one.label) for one in scans.values()} == {("on", "bids", "unknown")}


def test_of_several_scans_one_is_used_and_the_others_are_listed(root):
    left = [(path.name, reason) for path, reason in located(root)["sub-02", "t1"].left_out]
    assert left == [
        ("sub-02_ses-a_run-2_T1w.nii.gz", "another scan was taken: it has the lower run"),
        ("sub-02_ses-a_acq-se_run-1_T1w.nii.gz", "another scan was taken: its name has fewer entities"),
    ]


def test_processed_copies_are_taken_last_and_a_brain_is_not_called_a_head(tmp_path):
    """As in a folder that fMRIPrep wrote."""
    names = ("desc-brain", "space-MNI152NLin6Asym", "desc-preproc_run-1_rec-norm")
    for number, name in enumerate(names):
        write_volume(tmp_path / "sub-01" / "anat" / f"sub-01_{name}_T1w.nii.gz", number)
    write_volume(tmp_path / "sub-02" / "anat" / "sub-02_rec-skullstripped_T1w.nii.gz", 9)
    scans = located(tmp_path, modalities=["t1"])
    assert [path.name for path in scans["sub-01", "t1"].files] == [f"sub-01_{names[2]}_T1w.nii.gz"]
    assert [reason for _, reason in scans["sub-01", "t1"].left_out] == [
        "another scan was taken: the other is in another space by its name",
        "another scan was taken: the other is without skull by its name",
    ]
    assert {subject: one.skull for (subject, _), one in scans.items()} == {"sub-01": "on", "sub-02": "unknown"}
    assert located(tmp_path, modalities=["t1"], skull="stripped")["sub-02", "t1"].skull == "stripped"


def test_names_with_an_underscore_belong_to_the_folder_that_is_called_so(tmp_path):
    for name in ("sub-a_1", "sub-a_2"):
        write_volume(tmp_path / name / "anat" / f"{name}_T1w.nii.gz", int(name[-1]))
    touch(tmp_path, "derivatives/m/sub-a_2/anat/sub-a_2_desc-brain_mask.nii.gz", "sub-a_3/anat/sub-a_4_T1w.nii.gz")
    scans = located(tmp_path, modalities=["t1"], derivatives=["m"])
    assert {name: [path.name for path in one.files] for (name, _), one in scans.items()} == {
        "sub-a_1": ["sub-a_1_T1w.nii.gz"],
        "sub-a_2": ["sub-a_2_T1w.nii.gz"],
        "sub-a_3": [],
    }
    assert [reason for _, reason in scans["sub-a_3", "t1"].left_out] == ["contradictory name: sub-a in sub-a_3"]
    assert [one.brain_mask is not None for one in scans.values()] == [False, True, False]


def test_if_no_image_can_be_used_the_reasons_are_named(tmp_path):
    touch(tmp_path, "sub-1/anat/sub-2_T1w.nii.gz", "sub-1/anat/sub-1_T1W.nii.gz")
    with pytest.raises(DatasetError) as raised:
        Bids(tmp_path).locate()
    assert "sub-1_T1W.nii.gz (another suffix: T1W is none of T1w, T2w, FLAIR)" in str(raised.value)
    assert "sub-2_T1w.nii.gz (contradictory name: sub-2 in sub-1)" in str(raised.value)


def test_unusable_images_are_listed_with_the_reason(root, tmp_path):
    for name in ("UNIT1", "part-phase_T1w", "PDw"):
        write_volume(root / "sub-03" / "anat" / f"sub-03_{name}.nii.gz")
    touch(root, "sub-04/anat/sub-04_ce-gd_FLAIR.nii.gz", "sub-05/anat/sub-05_PDw.nii.gz")
    source = Bids(root, modalities=["t1", "flair"])
    report = import_series(source.locate(), tmp_path / "store", progress=False, root=root).report
    lines = report[report["subject"].isin(["sub-03", "sub-04", "sub-05"])]
    assert lines[["subject", "modality", "status", "reason", "path"]].to_numpy().tolist() == [
        ["sub-03", "flair", "missing", "no files", ""],
        ["sub-03", "t1", "missing", "no usable scan", ""],
        [
            "sub-03", "t1", "refused", "another suffix: UNIT1 is none of T1w, T2w, FLAIR",
            "sub-03/anat/sub-03_UNIT1.nii.gz",
        ],
        ["sub-03", "t1", "refused", "phase image", "sub-03/anat/sub-03_part-phase_T1w.nii.gz"],
        ["sub-04", "flair", "missing", "no usable scan", ""],
        ["sub-04", "flair", "refused", "after contrast agent", "sub-04/anat/sub-04_ce-gd_FLAIR.nii.gz"],
        ["sub-04", "t1", "missing", "no files", ""],
    ]  # fmt: skip
    assert all(advice_for(reason) for reason in lines["reason"])
    text = " ".join(source.notes())
    assert "1 subject has no anatomical scan and is left out: sub-05." in text
    assert "or similar, and left out: sub-03_PDw.nii.gz, sub-05_PDw.nii.gz." in text


def test_unusable_images_are_listed_beside_a_used_scan(root):
    touch(root, "sub-01/anat/sub-01_UNIT1.nii.gz")
    (one,) = [one for one in Bids(root, modalities=["t1"]).locate() if one.subject == "sub-01"]
    assert [path.name for path, _ in one.left_out] == ["sub-01_UNIT1.nii.gz"]


def test_a_line_of_the_report_selects_a_scan(root, tmp_path):
    def run_import():
        locations = one_session(Bids(root, modalities=["t1"]).locate(), ["t1"])
        return import_series(locations, tmp_path / "store", progress=False, root=root)

    by_rule = run_import().report
    left = by_rule[by_rule["path"].str.contains("acq-se")]
    left[["subject", "modality", "path"]].to_csv(root / "series.csv", index=False)
    chosen = run_import().report
    taken = chosen[(chosen["subject"] == "sub-02") & (chosen["status"] == "imported")]
    assert taken["path"].tolist() == left["path"].tolist()
    assert chosen[chosen["status"] == "refused"]["reason"].tolist() == ["another scan was taken: it was chosen"] * 2


def test_the_earlier_session_by_its_table_is_taken(root):
    touch(root, *(f"sub-03/ses-{name}/anat/sub-03_ses-{name}_T1w.nii.gz" for name in "ab"))
    (root / "sub-03" / "sub-03_sessions.tsv").write_text("session_id\tacq_time\nses-a\t2020-05-01\nses-b\t2019-01-01\n")
    kept = one_session(Bids(root, modalities=["t1"]).locate(), ["t1"])
    assert [one.session for one in kept if one.subject == "sub-03"] == ["ses-b"]


def test_sidecars_reach_the_index_in_its_units(root, tmp_path):
    write_json(root / "sub-02" / "sub-02_T1w.json", EchoTime=0.0042, InversionTime=0.9, FlipAngle=9)
    index = import_series(Bids(root, modalities=["t1"]).locate(), tmp_path / "store", progress=False).index
    columns = ["repetition_time_ms", "echo_time_ms", "field_strength_t"]
    assert index[columns].to_numpy().tolist() == [[2300.0, 3.0, 3.0], [2300.0, 4.2, 3.0]]
    assert index.loc[1, ["inversion_time_ms", "flip_angle_deg"]].tolist() == [900.0, 9.0]
    assert index["manufacturer"].tolist() == ["Siemens", "Siemens"]
    assert index["spacing_slice_mm"].tolist() == [3.0, 3.0]


def test_labels_ages_and_sites_of_the_participants(root):
    scans = located(root, label_column="group", healthy=["control"], abnormal=["glioma"])
    facts = {subject: (one.label, one.age, one.sex, one.site) for (subject, _), one in scans.items()}
    assert facts == {"sub-01": ("healthy", 61, "F", ""), "sub-02": ("abnormal", 44.5, "M", "Bonn")}


def test_one_label_for_all(root):
    assert {one.label for one in located(root, label="healthy").values()} == {"healthy"}


def test_masks_of_derivatives_are_in_the_space_of_the_scan(root):
    touch(
        root,
        "derivatives/masks/sub-01/anat/sub-01_desc-brain_mask.nii.gz",
        "derivatives/masks/sub-01/anat/sub-01_space-MNI152NLin6Asym_desc-brain_mask.nii.gz",
        "derivatives/masks/sub-02/ses-a/anat/sub-02_ses-a_space-orig_label-lesion_mask.nii.gz",
        "derivatives/masks/sub-02/ses-a/anat/sub-02_ses-a_space-MNI152NLin6Asym_desc-brain_mask.nii.gz",
        "derivatives/masks/sub-02/ses-a/anat/sub-02_ses-a_label-GM_mask.nii.gz",
    )
    assert not any(one.brain_mask or one.lesion_mask for one in located(root).values())
    scans = located(root, derivatives=["masks"], modalities=["t1"])
    first, second = scans["sub-01", "t1"], scans["sub-02", "t1"]
    assert (first.brain_mask.name, first.lesion_mask) == ("sub-01_desc-brain_mask.nii.gz", None)
    assert (second.brain_mask, second.lesion_mask.name) == (None, "sub-02_ses-a_space-orig_label-lesion_mask.nii.gz")
    with pytest.raises(DatasetError, match=r"nothing-here in the root"):
        located(root, derivatives=["nothing-here"])


def test_a_scan_of_a_part_of_the_head_is_taken_last(root):
    touch(root, *(f"sub-05/anat/sub-05_acq-{name}_T2w.nii.gz" for name in ("HighResHippo", "tse")))
    (one,) = [one for one in Bids(root, modalities=["t2"]).locate() if one.subject == "sub-05"]
    assert one.files[0].name == "sub-05_acq-tse_T2w.nii.gz"
    assert one.left_out[0][1] == "another scan was taken: the other may be of another kind by its name"


def test_masks_in_anat_are_named_with_the_key_that_reads_them(root):
    touch(root, "sub-01/anat/sub-01_label-lesion_roi.nii.gz")
    source = Bids(root, modalities=["t1"])
    assert not any(one.lesion_mask for one in source.locate())
    text = "1 mask in anat/ is not read; dataset.derivatives=[.] reads masks of lesions and brains"
    assert f"{text}: sub-01_label-lesion_roi.nii.gz." in source.notes()
    source = Bids(root, modalities=["t1"], derivatives=["."])
    assert [one.subject for one in source.locate() if one.lesion_mask] == ["sub-01"]
    assert not any("label-lesion" in note for note in source.notes())


def test_a_mask_without_session_is_used_for_sessions_without_a_mask(root):
    write_volume(root / "sub-02" / "ses-b" / "anat" / "sub-02_ses-b_T1w.nii.gz", 20)
    touch(
        root,
        "derivatives/masks/sub-02/anat/sub-02_desc-brain_mask.nii.gz",
        "derivatives/masks/sub-02/ses-b/anat/sub-02_ses-b_desc-brain_mask.nii.gz",
    )
    source = Bids(root, derivatives=["masks"], modalities=["t1"])
    assert {(one.subject, one.session): one.brain_mask and one.brain_mask.name for one in source.locate()} == {
        ("sub-01", ""): None,
        ("sub-02", "ses-a"): "sub-02_desc-brain_mask.nii.gz",
        ("sub-02", "ses-b"): "sub-02_ses-b_desc-brain_mask.nii.gz",
    }
    assert any("no brain mask" in note and note.endswith(": sub-01.") for note in source.notes())


def test_unusable_data_are_noted(root):
    (root / "sub-01" / "anat" / "sub-01_FLAIR.json").write_text("{broken")
    source = Bids(root)
    source.locate()
    text = " ".join(source.notes())
    assert "1 subject has no anatomical scan and is left out: sub-03." in text
    assert "sub-01/anat/sub-01_FLAIR.json" in text
    assert "set dataset.label_column to one of the columns (age, sex, site, group)" in text


def test_scans_that_were_not_downloaded_are_refused_by_name(root, tmp_path):
    scan = root / "sub-01" / "anat" / "sub-01_FLAIR.nii"
    scan.unlink()
    scan.symlink_to(root / ".git" / "annex" / "not-here")
    report = import_series(Bids(root, modalities=["flair"]).locate(), tmp_path / "store", progress=False).report
    assert report[["subject", "status", "reason"]].to_numpy().tolist() == [
        ["sub-01", "refused", "no such file"], ["sub-01", "refused", "after contrast agent"],
        ["sub-02", "imported", ""],
    ]  # fmt: skip


def test_a_wrong_root_says_what_was_expected_and_what_is_there(root):
    with pytest.raises(DatasetError, match="does not exist"):
        located(root / "nowhere")
    with pytest.raises(DatasetError, match="sub-<name>") as raised:
        located(root / "sub-01")
    assert "Found: anat, func" in str(raised.value)
    touch(root / "other", "sub-01/anat/sub-01_UNIT1.nii.gz")
    with pytest.raises(DatasetError, match=r"cannot be used: sub-01_UNIT1\.nii\.gz \(another suffix"):
        located(root / "other")


def test_header_and_image_of_a_pair_are_one_scan(tmp_path):
    touch(tmp_path, "sub-01/anat/sub-01_T1w.hdr", "sub-01/anat/sub-01_T1w.img")
    (one,) = Bids(tmp_path, modalities=["t1"]).locate()
    assert [path.suffix for path in one.files] == [".hdr", ".img"] and one.left_out == ()


def test_every_entry_is_read_or_named(root, monkeypatch):
    touch(root, "sub-01/anat/sub-01_T1w.mgz", "sub-01/sub-01_T1w.nii.gz", "sub-01/dwi/x.bvec", "stray.nii.gz", "README")
    touch(root, "sub-02/ses-b/anat/sub-02_ses-b_T1w.nii.gz", "sub-01/anat/.old/x", "sub-01/anat/._sub-01_T1w.nii.gz")
    write_volume(root / "sub-04/anat/sub-04_T1w.nii.gz/sub-04_T1w.nii")
    lock(monkeypatch, root / "sub-02" / "ses-b" / "anat")
    source = Bids(root, modalities=["t1"])
    scans = {one.subject: one for one in source.locate()}
    assert scans["sub-04"].files[0].name == "sub-04_T1w.nii"
    notes = source.notes()
    for note in (
        "2 kinds of data besides anat are not read: dwi, func.",
        "1 file has a format that is not read; convert it to .nii.gz, or unpack it: sub-01/anat/sub-01_T1w.mgz.",
        "1 folder cannot be read and is left out; check the permissions: sub-02/ses-b/anat.",
        "1 hidden file or folder is not read: sub-01/anat/.old.",
        "1 file of a subject is not an image in anat/ and is left out: sub-01/sub-01_T1w.nii.gz.",
        "1 file or folder beside the subjects is not read: stray.nii.gz.",
    ):
        assert note in notes


def test_folders_that_may_be_of_one_subject_are_named(tmp_path):
    touch(tmp_path, "sub-01/anat/sub-01_T1w.nii.gz", "sub-1/anat/sub-1_T1w.nii.gz")
    source = Bids(tmp_path, modalities=["t1"])
    source.locate()
    assert "count as different subjects: sub-01 and sub-1." in " ".join(source.notes())


def test_a_folder_of_a_subject_that_cannot_be_read_is_named_and_the_others_are_read(root, monkeypatch):
    lock(monkeypatch, root / "sub-03")
    source = Bids(root, modalities=["t1"])
    assert [one.subject for one in source.locate()] == ["sub-01", "sub-02"]
    text = " ".join(source.notes())
    assert "1 folder cannot be read and is left out; check the permissions: sub-03." in text
    assert "no anatomical scan" not in text


def test_a_contrast_agent_is_known_by_the_sidecar_or_the_name(tmp_path):
    names = {
        "01": ("T1w",), "02": ("acq-post_T1w", "acq-pre_T1w"), "03": ("ce-none_T1w", "ce-no_FLAIR"),
        "04": ("acq-T1wPostGd_T1w",), "05": ("T1w",), "06": ("FLAIR",), "07": ("acq-posterior_T1w",),
    }  # fmt: skip
    touch(tmp_path, *(f"sub-{key}/anat/sub-{key}_{name}.nii.gz" for key, all_ in names.items() for name in all_))
    write_json(tmp_path / "sub-01/anat/sub-01_T1w.json", ContrastBolusIngredient="GADOLINIUM")
    write_json(tmp_path / "sub-05/anat/sub-05_T1w.json", ContrastBolusAgent="NONE", ContrastBolusVolume=0)
    write_json(tmp_path / "sub-06/anat/sub-06_FLAIR.json", ContrastBolusAgent="Gadovist", ContrastBolusVolume=7.5)
    source = Bids(tmp_path, modalities=["t1", "t1ce", "flair"])
    scans = {(one.subject, one.modality): one for one in source.locate()}
    assert {key: one.files[0].name[7:] for key, one in scans.items() if one.files} == {
        ("sub-01", "t1ce"): "T1w.nii.gz", ("sub-02", "t1"): "acq-pre_T1w.nii.gz",
        ("sub-03", "t1"): "ce-none_T1w.nii.gz", ("sub-03", "flair"): "ce-no_FLAIR.nii.gz",
        ("sub-04", "t1"): "acq-T1wPostGd_T1w.nii.gz", ("sub-05", "t1"): "T1w.nii.gz",
        ("sub-07", "t1"): "acq-posterior_T1w.nii.gz",
    }  # fmt: skip
    assert scans["sub-06", "flair"].left_out[0][1] == "after contrast agent"
    assert scans["sub-02", "t1"].left_out[0][1] == "another scan was taken: the other may be after contrast agent"
    text = " ".join(source.notes())
    assert "is t1ce by a contrast agent in the sidecar: sub-01_T1w.nii.gz." in text
    assert "1 scan in use may be after contrast agent by its name: sub-04_" in text


def of_sessions(root, text="session_id\tdiagnosis\tage\n"):
    """Add two subjects with two sessions each, labelled per session."""
    for subject, labels in {"11": ("control", "glioma"), "12": ("control", "other")}.items():
        lines = []
        for number, label in enumerate(labels, start=1):
            touch(root, f"sub-{subject}/ses-{number}/anat/sub-{subject}_ses-{number}_T1w.nii.gz")
            lines.append(f"ses-{number}\t{label}\t{50 + number}\n")
        (root / f"sub-{subject}" / f"sub-{subject}_sessions.tsv").write_text(text + "".join(lines))


KEYS = {"label_column": "diagnosis", "healthy": ["control"], "abnormal": ["glioma"]}


def labels_of(locations):
    return {
        (one.subject, one.session): (one.label, one.age) for one in locations if one.subject in ("sub-11", "sub-12")
    }


@pytest.mark.parametrize("participants", [None, "participant_id\tage\nsub-11\t40\nsub-12\t41\n"])
def test_labels_and_ages_of_sessions_are_read(tmp_path, participants):
    of_sessions(tmp_path)
    if participants:
        (tmp_path / "participants.tsv").write_text(participants)
    source = Bids(str(tmp_path), modalities=["t1"], **KEYS)
    assert labels_of(source.locate()) == {
        ("sub-11", "ses-1"): ("healthy", 51.0), ("sub-11", "ses-2"): ("abnormal", 52.0),
        ("sub-12", "ses-1"): ("healthy", 51.0), ("sub-12", "ses-2"): ("unknown", 52.0),
    }  # fmt: skip
    assert any(
        "1 session has a diagnosis that is in neither" in note and "other (1)" in note for note in source.notes()
    )


def test_columns_of_sessions_are_named_where_no_label_column_is_chosen(tmp_path):
    of_sessions(tmp_path)
    source = Bids(str(tmp_path), modalities=["t1"])
    source.locate()
    assert any("tables of sessions (diagnosis, age)" in note for note in source.notes())
    (tmp_path / "participants.tsv").write_text("participant_id\tsex\nsub-11\tF\n")
    source.locate()
    assert any("(sex; in the tables of sessions diagnosis, age)" in note for note in source.notes())
    with pytest.raises(DatasetError, match="sex; in the tables of sessions diagnosis"):
        Bids(str(tmp_path), modalities=["t1"], label_column="group").locate()


def test_a_label_of_the_session_goes_before_that_of_the_subject(tmp_path):
    of_sessions(tmp_path)
    (tmp_path / "participants.tsv").write_text("participant_id\tdiagnosis\nsub-11\tcontrol\nsub-12\tglioma\n")
    source = Bids(str(tmp_path), modalities=["t1"], **KEYS)
    labels = {place: label for place, (label, _) in labels_of(source.locate()).items()}
    assert labels == {
        ("sub-11", "ses-1"): "healthy", ("sub-11", "ses-2"): "abnormal",
        ("sub-12", "ses-1"): "healthy", ("sub-12", "ses-2"): "abnormal",
    }  # fmt: skip
    assert any("2 sessions have another label than participants.tsv gives" in note for note in source.notes())


def test_tables_of_sessions_that_cannot_be_used_are_named(tmp_path):
    of_sessions(tmp_path)
    (tmp_path / "sub-11" / "sub-11_sessions.tsv").write_text("session_id\tdiagnosis\nses-1\tcontrol\tx\n")
    (tmp_path / "sub-12" / "sub-12_sessions.tsv").write_text("session\tdiagnosis\n1\tcontrol\nses-7\tglioma\n")
    source = Bids(str(tmp_path), modalities=["t1"], **KEYS)
    assert labels_of(source.locate())["sub-12", "ses-1"] == ("healthy", None)
    notes = " ".join(source.notes())
    assert "1 table of sessions cannot be read and is ignored: sub-11/sub-11_sessions.tsv." in notes
    assert "1 session of a table has no scans and is left out: sub-12 ses-7." in notes
    assert "3 sessions have no label and are treated as unknown: sub-11 ses-1, sub-11 ses-2, sub-12 ses-2." in notes
    with pytest.raises(DatasetError, match="No value of the label column"):
        Bids(str(tmp_path), modalities=["t1"], **KEYS | {"healthy": ["x"], "abnormal": []}).locate()


def test_chunks_of_a_scan_are_not_taken_for_the_whole_unless_one_is_chosen(tmp_path):
    names = [f"sub-01/anat/sub-01_chunk-{number}_T1w.nii.gz" for number in (1, 2)]
    touch(tmp_path, *names, "sub-02/anat/sub-02_chunk-1_T1w.nii.gz", "sub-03/anat/sub-03_chunk-1_T1w.nii.gz")
    touch(tmp_path, "sub-03/anat/sub-03_acq-x_T1w.nii.gz")

    def found():
        return {one.subject: one for one in Bids(str(tmp_path), modalities=["t1"]).locate()}

    first = found()["sub-01"]
    assert first.files == ()
    assert first.left_out == tuple((tmp_path / name, "several candidates: chunks of one scan") for name in names)
    assert advice_for(first.left_out[0][1])
    assert [path.name for path in found()["sub-02"].files] == ["sub-02_chunk-1_T1w.nii.gz"]
    assert [path.name for path in found()["sub-03"].files] == ["sub-03_acq-x_T1w.nii.gz"]
    (tmp_path / "series.csv").write_text(f"subject,modality,path\nsub-01,t1,{names[1]}\n")
    assert found()["sub-01"].files == (tmp_path / names[1],)


def test_a_name_that_contradicts_its_folder_is_refused(tmp_path):
    touch(
        tmp_path, "sub-09/anat/sub-10_T1w.nii.gz", "sub-11/ses-1/anat/sub-11_ses-2_T1w.nii.gz",
        "sub-12/ses-1/anat/sub-12_T1w.nii.gz", "sub-13/anat/T1w.nii.gz", "sub-014/ses-01/anat/sub-14_ses-1_T1w.nii.gz",
    )  # fmt: skip
    found = {one.subject: one for one in Bids(str(tmp_path), modalities=["t1"]).locate()}
    assert {name for name, one in found.items() if one.files} == {"sub-12", "sub-13", "sub-014"}
    assert found["sub-09"].left_out[0][1] == "contradictory name: sub-10 in sub-09"
    assert found["sub-11"].left_out[0][1] == "contradictory name: ses-2 in ses-1"
    assert advice_for(found["sub-09"].left_out[0][1])
