"""Storage of a detector: weights, arrays and plain text; loading never executes code from a file."""

import hashlib
import io
import json
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from torch import nn

from brain_cae.configuration import UNREADABLE, Config, read_stored, validate_stored
from brain_cae.configuration.kinds import prefixes
from brain_cae.detector.build import (
    make_harmoniser,
    make_network,
    make_reshape,
    make_scorer,
    member_networks,
    network_stride,
)
from brain_cae.detector.bundle import digest
from brain_cae.detector.detector import Detector
from brain_cae.errors import BrainCaeError, RunError
from brain_cae.files.run_folder import RunFolder
from brain_cae.scans.protocol import ProtocolGroups
from brain_cae.scoring.reference import HealthyReference
from brain_cae.transfer.pipeline import load_pipeline, save_pipeline
from brain_cae.vocabulary import Serious

CLASSIFIER = "classifier.skops"


def save(detector: Detector, folder: Path, *, classifier: Path | None = None) -> None:
    """Write ``network.ckpt`` (weights only), ``calibration.npz``, ``config.yaml`` and ``classifier.skops``.

    Further members have files of their own, ``1_translation.ckpt``; a model without network has none. The files of
    cross-fitted detectors after the first begin with ``fold1_``. ``calibration.npz`` knows the SHA-256 of weights and
    classifier.

    Args:
        detector: The fitted detector.
        folder: Folder of the model.
        classifier: File with the classifier, to be copied: written anew it would differ in bytes, since skops stores
            addresses of memory.
    """
    files = RunFolder(folder)
    # Written last: a folder with a config.yaml contains a complete model.
    (folder / "config.yaml").unlink(missing_ok=True)
    if classifier is not None:
        files.write(CLASSIFIER, partial(shutil.copyfile, classifier))
    elif detector.classifier is not None:
        save_pipeline(detector.classifier, folder / CLASSIFIER)
    for number, one in enumerate((detector, *detector.folds)):
        _save_fitted(one, files, _prefix(number))
    text = yaml.safe_dump(asdict(detector.config), sort_keys=False)
    files.write("config.yaml", lambda path: path.write_text(text))


def _prefix(fold: int) -> str:
    """Return how the names of the files of a cross-fitted detector begin; those of the first, or only, have none."""
    return f"fold{fold}_" if fold else ""


def _save_fitted(detector: Detector, files: RunFolder, prefix: str) -> None:
    others = [] if prefix or detector.classifier is None else [CLASSIFIER]
    for name, network in {"network": detector.network, **detector.members}.items():
        if network is not None:
            others.append(f"{prefix}{name}.ckpt")
            files.write(others[-1], partial(_save_weights, network))
    arrays, facts = detector.learnt()
    facts |= {
        "files": {name: digest(files / name) for name in others},
        "protocols": detector.protocols.to_dict(),
        "known_protocols": detector.known_protocols,
        "skull": detector.skull,
        "sites": detector.sites,
        "local": detector.local,
        "seen": detector.seen,
        "cautions": detector.cautions,
        "serious": [str(caution) for caution in detector.cautions if isinstance(caution, Serious)],
        "cost": detector.cost,
        "calibration": detector.calibration,
        "harmonise": detector.harmoniser.state(),
        "folds": len(detector.folds),
    }
    arrays, facts["same"] = _once(arrays | {"prints": detector.prints})
    arrays["facts"] = np.asarray(json.dumps(facts))
    files.write(f"{prefix}calibration.npz", lambda path: np.savez(path, **arrays))  # type: ignore[arg-type]


def _once(arrays: dict[str, np.ndarray]) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Return arrays without those that equal an earlier one, and the name of the earlier one for each of these.

    Scores that look at the same maps have the same spaces and references.
    """
    kept: dict[str, np.ndarray] = {}
    same: dict[str, str] = {}
    by_content: dict[bytes, str] = {}
    for name, array in arrays.items():
        content = hashlib.sha256(
            f"{array.dtype}{array.shape}".encode() + np.ascontiguousarray(array).tobytes()
        ).digest()
        if content in by_content:
            same[name] = by_content[content]
        else:
            by_content[content], kept[name] = name, array
    return kept, same


def _save_weights(network: nn.Module, path: Path) -> None:
    # torch.save does not report a full disk as such.
    weights = io.BytesIO()
    torch.save(network.state_dict(), weights)
    path.write_bytes(weights.getvalue())


def load(run: Path, extensions: Sequence[str] = ()) -> Detector:
    """Load the model of a run; no code in it is executed, and only networks of this package and MONAI are built.

    Args:
        run: The run's folder.
        extensions: Further packages whose classes may be built; the stored configuration has no say in this.

    Raises:
        RunError: The folder contains no model, or the model is damaged or was written by another program.
    """
    folder = run / "model"
    read_stored(run)  # raises an error if there is no model
    with _readable(folder / "config.yaml"):
        config = validate_stored(run, extensions)
    detector, facts = _load_fitted(config, folder, "")
    files, further = dict(facts.get("files", {})), int(facts.get("folds", 0))
    for number in range(1, further + 1):
        fold, facts = _load_fitted(config, folder, _prefix(number))
        detector.folds.append(fold)
        files |= facts.get("files", {})
    with _readable(folder / "calibration.npz"):
        if any(scorer.calibration.folds.max(initial=0) > further for scorer in detector.scorers.values()):
            raise ValueError("a score of a detector that is not stored")
    if (folder / CLASSIFIER).is_file():
        with _readable(folder / CLASSIFIER):
            detector.classifier = load_pipeline(folder / CLASSIFIER, prefixes(list(extensions)))
    for name, expected in files.items():
        with _readable(folder / name):
            _require_same(folder / name, expected)
    return detector


def _load_fitted(config: Config, folder: Path, prefix: str) -> tuple[Detector, dict[str, Any]]:
    """Return a detector without classifier, and the facts that are stored with it."""
    with _readable(folder / "config.yaml"):
        networks = {"network": make_network(config)}
        networks |= {name: make_network(chosen) for name, chosen in member_networks(config).items()}
    for name, network in networks.items():
        if network is not None:
            path = folder / f"{prefix}{name}.ckpt"
            with _readable(path):
                network.load_state_dict(torch.load(path, weights_only=True, map_location="cpu"))
            network.eval()
    network = networks.pop("network")
    path = folder / f"{prefix}calibration.npz"
    with _readable(path):
        with np.load(path, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
        facts = json.loads(str(arrays.pop("facts")))
        arrays |= {name: arrays[stored] for name, stored in facts.get("same", {}).items()}
        detector = Detector(
            config=config,
            network=network,
            members={name: member for name, member in networks.items() if member is not None},
            reshape=make_reshape(config, network_stride(network, *networks.values())).restore(facts["reshape"]),
            scorers={},
            protocols=ProtocolGroups.from_dict(facts["protocols"]),
            known_protocols=list(facts["known_protocols"]),
            skull=list(facts.get("skull", [])),
            sites=list(facts.get("sites", [])),
            local=bool(facts.get("local", False)),
            seen=dict(facts["seen"]),
            **({"prints": arrays["prints"]} if "prints" in arrays else {}),
            cautions=[Serious(one) if one in facts.get("serious", []) else one for one in facts["cautions"]],
            cost=dict(facts.get("cost", {})),
            harmoniser=make_harmoniser(config).restore(facts.get("harmonise", {})),
            calibration=str(facts.get("calibration", "leave_one_out")),
        )
        for name in config.scoring.scores:
            state = {key.split(".", 1)[1]: value for key, value in arrays.items() if key.startswith(f"{name}.")}
            detector.scorers[name] = make_scorer(name, config).restore(state, facts[name])
        detector.encoder_references = {
            level: HealthyReference(arrays[f"encoder:{level}.mean"], arrays[f"encoder:{level}.spread"], factors)
            for level, factors in facts.get("encoder_factors", {}).items()
        }
        return detector, facts


def _require_same(path: Path, expected: str) -> None:
    """Refuse weights or a classifier of another model: thresholds and references hold for those they were fitted with.

    Args:
        path: A file of the model.
        expected: SHA-256 of the file that the model was stored with.
    """
    if not path.is_file():
        raise RunError("no such file")
    if digest(path) != expected:
        raise RunError("a file of another model")


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Raise an error that names the file of a stored model if it is damaged or was written by another program."""
    try:
        yield
    except Exception as error:
        if isinstance(error, RunError) and error.problem == UNREADABLE:
            raise
        problem = f"a damaged file, or a file of another program ({type(error).__name__})"
        advice: str | None = "Copy the whole folder model/ again, or train again."
        if isinstance(error, BrainCaeError):
            problem = error.problem
            if (error.where or "").endswith("_target_"):  # the file is whole, its class is not one of ours
                advice = error.advice
        raise RunError(
            UNREADABLE,
            expected=f"{path.name} as `train.py` writes it",
            found=problem,
            where=str(path),
            advice=advice,
        ) from error
