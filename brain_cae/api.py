"""What a notebook or another program imports: fit, score, hand on, audit. ``docs/python.md`` has the examples.

The functions are those of the commands. The names are also in ``brain_cae`` itself, which imports this module only when
one of them is asked for.
"""

import os
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Self

import nibabel
import numpy as np
import pandas as pd
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from brain_cae.configuration import (
    Config,
    conf_folder,
    dataset_option,
    option_names,
    unknown_option,
    validate,
    validate_evaluate,
    write_choices,
)
from brain_cae.errors import ConfigurationError
from brain_cae.files.tables import to_csv
from brain_cae.workflows.table_audit import TableAudit, audit_table

if TYPE_CHECKING:
    from brain_cae.detector.detector import Detector as Model
    from brain_cae.detector.lesions import Lesion

__all__ = ["Detector", "Findings", "TableAudit", "audit_table", "fit", "simulate"]

Scan = str | Path | nibabel.Nifti1Image | tuple[np.ndarray, np.ndarray]
"""A NIfTI file or a folder of DICOM; an image; or voxels (X, Y, Z) with their affine (4, 4) to RAS+ mm."""
NAME = "subject"


@dataclass(frozen=True)
class Findings:
    """What a detector says of one brain.

    Attributes:
        score: Higher means more abnormal.
        p_value: Share of healthy brains that would score at least as high, on average over hospitals.
        rate_bound: The same for this hospital, exceeded with probability 1 - ``confidence`` only.
        flagged: The decision; None if too few healthy brains calibrate the detector.
        map: Joint z map in the space of the reference scan, directed: higher means more abnormal.
        maps: The same for each contrast.
        clusters: What to look at, the largest first: volume (mL), place (RAS+ mm), p-value.
        probability: Of the transfer classifier; None without one.
        out_of_calibration: Whether scanner, site, protocol, dimensions or skull state differ from the calibration.
        cautions: What a reader must know first.
    """

    score: float
    p_value: float
    rate_bound: float
    flagged: bool | None
    map: nibabel.Nifti1Image
    maps: "dict[str, nibabel.Nifti1Image]"
    clusters: "list[Lesion]"
    probability: float | None
    out_of_calibration: bool
    cautions: list[str]


class Detector:
    """A fitted detector: network, healthy reference, calibration scores, classifier. See :func:`fit` and :meth:`load`.

    Attributes:
        path: The run's folder, or the bundle.
        model: The detector of :mod:`brain_cae.detector.detector`.
    """

    def __init__(self, model: "Model", path: Path) -> None:
        self.model, self.path = model, path

    @classmethod
    def load(
        cls,
        path: Path | str,
        *,
        alpha: float | None = None,
        guarantee: str | None = None,
        confidence: float | None = None,
        extensions: Sequence[str] = (),
    ) -> Self:
        """Load the detector of a run or bundle; nothing in either is executed.

        Args:
            path: Folder of a run, or a bundle (``.zip``).
            alpha: Accepted false-alarm rate; default: as stored.
            guarantee: ``probable`` or ``average``, see ``docs/calibration.md``; default: as stored.
            confidence: Probability over draws of the calibration brains; default: as stored.
            extensions: Packages that you trust, whose classes may be built.

        Raises:
            RunError: There is no model, or it is damaged or of another program.
            ConfigurationError: A value is out of range, or of the wrong type.
        """
        from brain_cae.workflows.evaluation import load_detector  # loads PyTorch

        if not isinstance(path, (str, os.PathLike)):
            raise ConfigurationError(
                "This is not the path of a run.",
                expected="the folder of a run, or a bundle (.zip)",
                found=type(path).__name__,
                where="path",
                advice="Give it as text: Detector.load('outputs/<date>/<time>').",
            )
        run = Path(path).expanduser() if str(path) else path
        rule = {"alpha": alpha, "guarantee": guarantee, "confidence": confidence}
        asked = {"run": str(run), "cache": ".cache", "workers": 1, "extensions": extensions}
        composed = OmegaConf.create({})
        _update(composed, asked | {f"scoring.{name}": value for name, value in rule.items()})
        model = load_detector(validate_evaluate(composed), Path(run))
        quiet = replace(model.config, trainer=replace(model.config.trainer, progress=False))
        return cls(replace(model, config=quiet), Path(run))

    @property
    def contrasts(self) -> list[str]:
        """The contrasts that every subject must have."""
        return list(self.model.config.modality.names)

    def score(self, scans: Mapping[str, Scan], *, brain_mask: Scan | None = None, skull: str | None = None) -> Findings:
        """Score one brain as ``evaluate.py dataset=folder`` does: import, align, strip, prepare, compare.

        Args:
            scans: The scan of each of :attr:`contrasts`, by name.
            brain_mask: 1 inside the brain, on any grid; default: found as for the training data.
            skull: ``on`` or ``stripped``; default: found from the image.

        Raises:
            ConfigurationError: A contrast is missing or unknown, or what was given for it is not a scan.
            ScanError: A scan cannot be used; the message gives the reason and what to do.
            LeakageError: The network was trained on these scans, or calibrated with them.
        """
        from brain_cae.workflows.evaluation import reading_cautions, refuse_seen  # loads PyTorch
        from brain_cae.workflows.scoring import score_one

        if not isinstance(scans, Mapping) or set(scans) != set(self.contrasts):
            raise ConfigurationError(
                "The detector needs one scan of each of its contrasts.",
                expected=", ".join(self.contrasts),
                found=", ".join(map(str, scans)) or "none" if isinstance(scans, Mapping) else type(scans).__name__,
                where="scans",
                advice="Name the scans by contrast: {'t1': 't1.nii.gz', 'flair': 'flair.nii.gz'}.",
            )
        with TemporaryDirectory(prefix="brain_cae-") as temporary:
            folder = Path(temporary)
            mask = None if brain_mask is None else _file(brain_mask, folder / "brain_mask.nii")
            rows = [
                {
                    "subject": NAME, "modality": name, "path": str(_file(scan, folder / f"{name}.nii")),
                    "brain_mask": str(mask or ""), "skull": skull or "",
                }
                for name, scan in scans.items()
            ]  # fmt: skip
            table = folder / "scans.csv"
            table.write_text(to_csv(pd.DataFrame(rows)), encoding="utf-8")
            dataset = dataset_option("folder", table=str(table))
            assessment, maps = score_one(self.model, dataset, cache=temporary, refuse=refuse_seen)
        row, lesions = dict(assessment.table.loc[NAME]), assessment.findings[NAME].lesions
        flagged, probability = row["flagged"], row["classifier_probability"]
        return Findings(
            score=float(row["score"]),
            p_value=float(row["p_value"]),
            rate_bound=float(row["rate_bound"]),
            flagged=None if pd.isna(flagged) else bool(flagged),
            map=maps.pop("all"),
            maps=maps,
            clusters=list(lesions),
            probability=None if pd.isna(probability) else float(probability),
            out_of_calibration=bool(row["out_of_calibration"]),
            cautions=list(dict.fromkeys(map(str, reading_cautions(self.model, assessment)))),
        )

    def save(self, path: Path | str) -> Path:
        """Write a bundle, see ``docs/bundle.md``: one file with all that scoring needs, and no name of a subject.

        Raises:
            RunError: The file exists and is not a bundle.
            ConfigurationError: The name does not end with ``.zip``.
        """
        from brain_cae.detector.bundle import pack

        target = Path(path).expanduser()
        if target.suffix.lower() != ".zip":
            raise ConfigurationError("A bundle is a zip file.", expected="a name such as model.zip", found=target.name)
        pack(self.model, self.path, target)
        return target

    def __repr__(self) -> str:
        config = self.model.config
        return f"Detector({config.model.name}, {'+'.join(self.contrasts)}, {self.path})"


def _file(scan: Scan, path: Path) -> Path:
    """Return the path of a scan; an image in memory is written to ``path``, with the same voxels and affine."""
    if isinstance(scan, (str, os.PathLike)):
        given = Path(scan).expanduser()
        if not str(scan) or not given.exists():
            raise ConfigurationError(
                "This is not a scan.",
                expected="the path of a NIfTI file or of a folder of DICOM",
                found="no such file or folder" if str(scan) else "an empty path",
                where=f"{path.stem}: {scan}",
            )
        return given.resolve()
    voxels, affine = _voxels(scan, path.stem)
    # NIfTI has neither truth values nor half precision, and nibabel no long double of every machine.
    known = {"bool": np.uint8, "float16": np.float32, np.dtype(np.longdouble).name: np.float64}
    stored = known.get(voxels.dtype.name, voxels.dtype)
    image = nibabel.Nifti1Image(voxels.astype(stored), affine, dtype=stored)
    image.header.set_xyzt_units("mm")
    nibabel.save(image, path)
    return path


def _voxels(scan: Any, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the voxels and the affine of a scan in memory."""
    if hasattr(scan, "dataobj"):
        scan = (np.asanyarray(scan.dataobj), scan.affine)
    found = type(scan).__name__
    if isinstance(scan, (tuple, list)) and len(scan) == 2:
        voxels, affine = (np.asarray(part) for part in scan)
        numbers = voxels.dtype.kind in "biuf" and affine.dtype.kind in "iuf"
        square = numbers and affine.shape == (4, 4)
        if square and np.isfinite(affine).all() and np.linalg.det(affine[:3, :3]):
            return voxels, affine
        found = f"voxels {voxels.shape} of type {voxels.dtype} with an affine {affine.shape}"
        found += " that is not finite or not invertible" if square else ""
    raise ConfigurationError(
        "This is not a scan.",
        expected="a path, a nibabel image, or (voxels, affine) with an affine of shape (4, 4) to RAS+ mm",
        found=found,
        where=name,
        advice="Give an array together with its affine: (image.get_fdata(), image.affine).",
    )


def fit(dataset: str | Path = "phantom", *, output: Path | str | None = None, **choices: Any) -> Detector:
    """Import, train, calibrate, evaluate and audit as ``train.py`` does, and return the detector.

    Args:
        dataset: A data set of ``conf/dataset`` (``phantom``, ``ixi``, …), or a folder with scans
            (``<subject>/<contrast>.nii.gz``, ``labels.csv``).
        output: Folder of the run, with report and metrics; default, or if empty: ``outputs/<date>/<time>``, as for the
            command.
        choices: Any key of ``train.py``, with ``__`` for the dot: ``modality="flair"``, ``trainer__max_epochs=20``.

    Raises:
        BrainCaeError: A key or value is wrong, or the data cannot be used; the message says what to do.
    """
    from brain_cae.workflows import training

    options, values = _options_and_values(dataset, choices)
    config = _validated(options, values)
    if config.inspect or config.stop_after is not None:
        raise ConfigurationError(
            "A detector is fitted only by a whole run.",
            expected="neither inspect nor stop_after",
            found=f"inspect={config.inspect}, stop_after={config.stop_after}",
            where="fit",
            advice="Use the command for both: python train.py inspect=true.",
        )
    new = f"{datetime.now():%Y-%m-%d/%H-%M-%S}-{secrets.token_hex(3)}"
    run = Path(output).expanduser() if output else Path("outputs", new)
    write_choices(run, asdict(config), options, values)
    training.run(config, run)
    return Detector.load(run, extensions=config.extensions)


def composed(dataset: str | Path, choices: Mapping[str, Any]) -> Config:
    """Return the configuration of a training run.

    Example:
        >>> composed("phantom", {"modality": "flair", "trainer__max_epochs": 3}).trainer.max_epochs
        3
    """
    return _validated(*_options_and_values(dataset, choices))


def _options_and_values(dataset: str | Path, choices: Mapping[str, Any]) -> tuple[dict[str, str], dict[str, Any]]:
    """Return the chosen option of each group, and the values of the other keys."""
    options, values = {"dataset": str(dataset)}, dict[str, Any]()
    if str(dataset) not in option_names("dataset"):
        options, values = {"dataset": "folder"}, {"dataset.root": str(dataset)}
    for name, value in choices.items():
        key = name.replace("__", ".")
        known = option_names(key.replace(".", "/"))
        if not known:
            values[key] = _plain(value)
        elif value not in known:
            raise unknown_option(key, str(value), known)
        else:
            options[key] = value
    return options, values


def _validated(options: Mapping[str, str], values: Mapping[str, Any]) -> Config:
    with initialize_config_dir(str(conf_folder()), version_base="1.3"):
        config = compose("train", overrides=[f"{name}={value}" for name, value in options.items()])
    OmegaConf.set_struct(config, False)
    _update(config, values)
    return validate(config)


def _update(config: DictConfig, values: Mapping[str, Any]) -> None:
    """Set the values of keys such as ``scoring.alpha``; their types are checked by the schema.

    Raises:
        ConfigurationError: A value is of a type that no configuration holds.
    """
    for key, value in values.items():
        try:
            OmegaConf.update(config, key, _plain(value), force_add=True)
        except OmegaConfBaseException as error:
            raise ConfigurationError(
                f"The value of `{key}` has the wrong type.",
                expected="text, a number, true or false, or a list of them",
                found=type(value).__name__,
                where=key,
            ) from error


def _plain(value: Any) -> Any:
    """Return a value as a configuration holds it: paths are text, and numbers of NumPy are those of Python.

    Example:
        >>> _plain((Path("scans"), np.int64(3), np.arange(2)))
        ['scans', 3, [0, 1]]
    """
    if isinstance(value, (np.generic, np.ndarray)):
        return value.tolist()
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    return os.fspath(value) if isinstance(value, os.PathLike) else value


def simulate(
    folder: Path | str,
    *,
    subjects: int = 20,
    seed: int = 0,
    confounding: float = 0.0,
    workers: int = 1,
    **settings: Any,
) -> pd.DataFrame:
    """Write simulated heads as DICOM, healthy and with a glioma, in T1, T2, FLAIR and T1 with contrast.

    Args:
        folder: Folder of the cohorts; the same settings give the same files, which are written once.
        subjects: Number of subjects.
        seed: Seed of everything random.
        confounding: From 0 (scanner independent of disease) to 1 (scanner decided by it).
        workers: Processes.
        settings: Those of :class:`brain_cae.phantom.PhantomSettings`.

    Returns:
        One row per scan: subject, label, modality, path (a folder of DICOM files), lesion_mask. Written as CSV it is
        what ``dataset=folder dataset.table=…`` reads.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     scans = simulate(folder, subjects=3)
        >>> scans["label"].groupby(scans["subject"]).first().tolist()
        ['healthy', 'healthy', 'abnormal']
    """
    from brain_cae.phantom import PhantomSettings, write_cohort
    from brain_cae.phantom.dicom import FOLDERS

    chosen = PhantomSettings(subjects=subjects, seed=seed, confounding=confounding, **settings)
    root = write_cohort(chosen, Path(folder).expanduser(), workers=workers, progress=False).resolve()
    rows = []
    for number, label in enumerate(chosen.labels()):
        name = f"{number:05d}"
        for modality, series in FOLDERS.items():
            rows.append(
                {
                    "subject": name,
                    "label": "abnormal" if label else "healthy",
                    "modality": modality,
                    "path": str(root / "train" / name / series),
                    "lesion_mask": str(root / "masks" / f"{name}.nii.gz") if label else "",
                }
            )
    return pd.DataFrame(rows)
