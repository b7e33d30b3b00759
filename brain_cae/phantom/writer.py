"""Write a whole cohort once, subject by subject, so that an interrupted simulation can be resumed."""

import gzip
import json
from collections.abc import Iterable
from pathlib import Path

import nibabel
from joblib import Parallel, delayed, parallel_config

from brain_cae.errors import ConfigurationError
from brain_cae.files.atomic import remove_leftovers, whole, write_bytes, write_text
from brain_cae.files.locks import exclusive
from brain_cae.phantom.dicom import FOLDERS, write_series
from brain_cae.phantom.motion import motion_of
from brain_cae.phantom.protocol import MODALITIES
from brain_cae.phantom.settings import VERSION, PhantomSettings
from brain_cae.phantom.subject import Subject, simulate_subject
from brain_cae.progress import counter


def write_cohort(settings: PhantomSettings, folder: Path, *, workers: int = 1, progress: bool = True) -> Path:
    """Write the cohort into ``<folder>/<key>`` in the RSNA-MICCAI layout, unless it already exists.

    Writes ``train/<id>/<FLAIR|T1w|T1wCE|T2w>/Image-<n>.dcm``, ``train_labels.csv`` (BraTS21ID, MGMT_value: here
    0 = healthy, 1 = tumour), ``masks/<id>.nii.gz`` (whole tumour on the FLAIR's grid) and finally a file ``complete``.
    If the head moves between scans, ``motion.csv`` lists the motion of every series but the FLAIR.

    Args:
        settings: What to simulate.
        folder: Folder of all cohorts.
        workers: Processes to use, each with one thread.
        progress: Draw a progress bar if this is a terminal.

    Returns:
        The cohort's folder.

    Raises:
        ConfigurationError: If ``workers`` is below 1.
    """
    if workers < 1:
        raise ConfigurationError("A cohort needs at least one worker.", expected="1 or more", found=str(workers))
    target = Path(folder) / settings.key()
    if (target / "complete").exists():
        return target
    with exclusive(target / ".lock"):  # of several jobs that start together, the first one writes and the others wait
        if not (target / "complete").exists():
            _write_missing(settings, target, workers, progress=progress)
    return target


def _write_missing(settings: PhantomSettings, target: Path, workers: int, *, progress: bool) -> None:
    for name in ("train", "masks"):
        (target / name).mkdir(parents=True, exist_ok=True)
    missing = [n for n in range(settings.subjects) if not (target / "train" / f"{n:05d}").exists()]
    done = settings.subjects - len(missing)
    with counter("simulate", settings.subjects, done=done, bar=progress) as advance:
        for _ in _run(settings, target, missing, workers):
            advance()
    rows = "".join(f"{number:05d},{label}\n" for number, label in enumerate(settings.labels()))
    write_text(target / "train_labels.csv", "BraTS21ID,MGMT_value\n" + rows)
    if settings.misalignment_mm:
        write_text(target / "motion.csv", _motion_table(settings))
    for name in ("train", "masks"):
        remove_leftovers(target / name)
    write_bytes(target / "complete", json.dumps({"version": VERSION, **settings.to_dict()}, indent=2).encode())


def _run(settings: PhantomSettings, target: Path, missing: list[int], workers: int) -> Iterable[int]:
    if workers == 1 or len(missing) < 2:
        return (_write_subject(settings, target, number) for number in missing)
    with parallel_config(backend="loky", inner_max_num_threads=1):
        pool = Parallel(n_jobs=workers, return_as="generator_unordered")
        return pool(delayed(_write_subject)(settings, target, number) for number in missing)


def _write_subject(settings: PhantomSettings, target: Path, number: int) -> int:
    subject = simulate_subject(settings, number)
    write_bytes(target / "masks" / f"{subject.identifier}.nii.gz", _mask_file(subject))
    folder = target / "train" / subject.identifier
    with whole(folder) as aside:  # last: a subject's folder exists only with all its files
        for modality, series in subject.series.items():
            (aside / FOLDERS[modality]).mkdir(parents=True)
            write_series(subject, series, aside / FOLDERS[modality], f"{settings.key()}/{number}")
    return number


def _motion_table(settings: PhantomSettings) -> str:
    lines = ["subject,modality,x_mm,y_mm,z_mm,x_deg,y_deg,z_deg,displacement_mm"]
    for number in range(settings.subjects):
        for modality in MODALITIES:
            motion = motion_of(settings, number, modality)
            if motion is not None:
                values = (*motion.translation_mm, *motion.rotation_deg, motion.displacement_mm)
                lines.append(",".join([f"{number:05d}", modality, *(f"{value:.6f}" for value in values)]))
    return "\n".join(lines) + "\n"


def _mask_file(subject: Subject) -> bytes:
    mask, affine = subject.mask_volume()
    image = nibabel.Nifti1Image(mask, affine)
    image.header.set_xyzt_units("mm")
    return gzip.compress(image.to_bytes(), 6, mtime=0)
