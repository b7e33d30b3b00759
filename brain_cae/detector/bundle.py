"""A bundle: the model of a run as one file for another hospital, without pickles and without names of subjects.

``docs/bundle.md`` describes the format. A bundle is checked before anything in it is used, and only then unpacked, to a
temporary folder.
"""

import hashlib
import io
import json
import re
import stat
import tempfile
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import OmegaConf

from brain_cae.configuration import Config, read_option, read_stored, validate
from brain_cae.detector.card import card_of, card_text
from brain_cae.errors import DatasetError, RunError
from brain_cae.files.atomic import write_bytes
from brain_cae.files.system_errors import explain
from brain_cae.files.tables import read_csv
from brain_cae.files.zips import MIB, UNREADABLE, Limits, excess

if TYPE_CHECKING:
    from brain_cae.detector.detector import Detector  # needs PyTorch, which an inspection does not load

FORMAT, VERSION = "brain_cae bundle", 1
MANIFEST, CARD, CARD_TEXT = "manifest.json", "card.json", "card.md"
ENTRY = re.compile(r"card\.(md|json)|model/[A-Za-z0-9_][A-Za-z0-9_.-]*\.(ckpt|npz|skops|yaml|json|safetensors)")
"""Names of files in a bundle; read as :mod:`brain_cae.detector.storage` reads them, none of them runs code."""
LIMITS = Limits(entries=200, bytes=4096 * MIB, entry_bytes=4096 * MIB)
MAX_TEXT = 4 * MIB
EPOCH = (1980, 1, 1, 0, 0, 0)
"""Time of every entry, the earliest that a zip can hold: the same model gives the same bytes."""
KEPT = ("classifier", "balancing", "transfer", "evaluation", "trainer")
OMITTED = "(not in the bundle)"
PATH = re.compile(r"(?<![\w.])(?:[A-Za-z]:)?[\w.~-]*[/\\][^\s,;:()'\"]*[^\s,;:()'\".]")


def is_bundle(path: Path) -> bool:
    """Return whether ``run=`` names a bundle: it ends with ``.zip``, and is not a folder."""
    return path.suffix.lower() == ".zip" and not path.is_dir()


def require_run(source: Path) -> None:
    """Refuse a bundle where the subjects of its run are needed.

    Raises:
        DatasetError: This is a bundle.
    """
    if is_bundle(source):
        raise DatasetError(
            "A bundle has no subjects to score.",
            expected="new subjects",
            found="no dataset",
            where=str(source),
            advice="Choose them: dataset=folder dataset.root=…",
        )


def digest(path: Path) -> str:
    """Return the SHA-256 of a file (64 hexadecimal digits), by which results name the bundle they come from."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def pack(detector: "Detector", run: Path, path: Path) -> None:
    """Write a bundle, atomically; the same model gives the same bytes.

    Configuration and facts are written anew, without paths of this machine and names of subjects.

    Args:
        detector: The detector of the run; its ``scoring`` may differ from the stored one.
        run: Folder with ``model/`` and, if it was evaluated, ``index.csv``, ``splits.csv`` and ``metrics.json``; or a
            bundle.
        path: File to write.

    Raises:
        RunError: The file exists and is not a bundle, or ``run`` holds no model.
        StorageError: The file cannot be written.
    """
    from brain_cae.detector.storage import save  # loads PyTorch

    if path.exists() and not _has_manifest(path):
        raise RunError(
            "This file exists and is not a bundle.",
            expected="a new file, or a bundle to replace",
            where=str(path),
            advice="Name another file: export=model.zip.",
        )
    with unpacked(run) as folder, tempfile.TemporaryDirectory() as temporary:
        names = subject_names(folder)
        public = replace(
            detector,
            config=without_paths(detector.config, read_stored(folder)),
            cautions=[type(caution)(without_names(caution, names)) for caution in detector.cautions],
            prints=detector.prints[:0],  # they are coarse pictures of single brains
        )
        classifier = folder / "model" / "classifier.skops"
        save(public, Path(temporary) / "model", classifier=classifier if classifier.is_file() else None)
        files = {f"model/{file.name}": file.read_bytes() for file in sorted((Path(temporary) / "model").iterdir())}
        card = card_of(replace(public, config=detector.config), folder)
    files |= {CARD: _json(card), CARD_TEXT: card_text(card).encode()}
    write_bytes(path, _archive(files))


def without_paths(config: Config, stored: dict[str, Any]) -> Config:
    """Return a configuration that scores the same, without the run's data set, folders, and services.

    What an evaluation may choose for itself (``KEPT``) is as stored: the stored classifier is handed on, not another.

    The data set becomes ``folder`` with a placeholder: a bundle scores other subjects only.
    """
    plain = asdict(config) | {key: stored[key] for key in KEPT if key in stored}
    plain["classifier"]["tuning"]["storage"] = None
    plain["audit"]["healthy_means"] = None
    if "file" in plain["split"]:
        plain["split"]["file"] = None
    plain |= {
        "dataset": read_option("dataset", "folder") | {"root": OMITTED},
        "external": None,
        "logger": read_option("logger", "csv"),
        "executor": read_option("executor", "processes"),
        "cache": ".cache",
        "workers": 1,
        "resume": None,
    }
    # The packages stay as long as the classes are checked; a bundle has no say in which are trusted.
    return replace(validate(OmegaConf.create(plain)), extensions=[])


def subject_names(run: Path) -> set[str]:
    """Return the names of subjects in the tables of a run, as far as it has them."""
    names: set[str] = set()
    for table in ("index.csv", "splits.csv", "import_report.csv", "calibration/index.csv"):
        if (run / table).is_file():
            names |= set(read_csv(run / table, dtype=str, keep_default_na=False)["subject"])
    return names - {""}


def without_names(text: str, names: Iterable[str]) -> str:
    """Return a caution with paths and names of subjects replaced by ``…``.

    A name is replaced where it cannot be a number before a word: ``12`` in ``12 brains`` stays.

    Example:
        >>> without_names("12 subjects have no role: 12, p07 (/scans/p07.nii).", ["12", "p07"])
        '12 subjects have no role: …, … (…).'
    """
    text = PATH.sub("…", text)
    for name in sorted(names, key=len, reverse=True):
        text = re.sub(rf"(?<![\w.-]){re.escape(name)}(?![\w-])(?! [a-z%])", "…", text)
    return text


def _archive(files: dict[str, bytes]) -> bytes:
    listed = {
        name: {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()} for name, data in sorted(files.items())
    }
    manifest = _json({"format": FORMAT, "version": VERSION, "files": listed})
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, data in ((MANIFEST, manifest), *sorted(files.items())):
            entry = zipfile.ZipInfo(name, EPOCH)
            entry.create_system, entry.external_attr = 3, (stat.S_IFREG | 0o644) << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, data)
    return stream.getvalue()


def _json(content: dict[str, Any]) -> bytes:
    return (json.dumps(content, indent=2, allow_nan=False, ensure_ascii=False) + "\n").encode()


@contextmanager
def unpacked(run: Path) -> Iterator[Path]:
    """Yield a folder with the ``model/`` of a run or bundle; that of a bundle is temporary.

    Raises:
        RunError: The bundle is damaged, of another version, or holds what a bundle does not; nothing of it was used.
    """
    if not is_bundle(run) or not run.exists():
        yield run
        return
    files = read(run)
    with tempfile.TemporaryDirectory(prefix="brain_cae-") as temporary:
        folder = Path(temporary) / run.stem
        for name, data in files.items():
            write_bytes(folder / name, data)
        try:
            yield folder
        except RunError as error:
            # The reader knows the bundle, not the folder that it was unpacked to.
            if error.where and error.where.startswith(str(folder)):
                where = str(run) + error.where.removeprefix(str(folder))
                advice = str(error.advice).replace("Copy the whole folder model/ again", "Ask for the bundle again")
                details = {
                    "expected": error.expected,
                    "found": error.found,
                    "advice": advice.replace(", or train again", ""),
                }
                raise RunError(error.problem, where=where, **details) from error
            raise


def read(path: Path) -> dict[str, bytes]:
    """Return the files of a bundle by name, after all checks; the manifest is left out.

    Raises:
        RunError: See :func:`unpacked`.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            _check(path, entries)
            listed = _manifest(path, archive)
            names = [entry.filename for entry in entries if entry.filename != MANIFEST]
            if missing := sorted(set(listed) ^ set(names)):
                raise _refused(path, "exactly the files that its manifest lists", f"a difference: {missing[0]}")
            files = {name: archive.read(name) for name in names}
    except OSError as error:
        raise explain(error, path) or error from error
    except UNREADABLE as error:
        raise _refused(path, "a zip file", "a file that is damaged, truncated or of another kind") from error
    for name, data in files.items():
        if listed[name] != {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}:
            raise _refused(path, "files as its manifest lists them", f"{name} with another content")
    return files


def _check(path: Path, entries: list[zipfile.ZipInfo]) -> None:
    """Refuse an archive by its directory, before anything is unpacked."""
    names = [entry.filename for entry in entries]
    for entry in entries:
        if stat.S_ISLNK(entry.external_attr >> 16):
            raise _refused(path, "files", f"a link: {entry.filename}")
        if entry.filename != MANIFEST and not ENTRY.fullmatch(entry.filename):
            raise _refused(path, "card.md, card.json and files in model/", entry.filename)
    if len(set(names)) < len(names):
        raise _refused(path, "one file of each name", f"several: {max(names, key=names.count)}")
    if found := excess(entries, path.stat().st_size, LIMITS):
        raise _refused(path, *found)


def _manifest(path: Path, archive: zipfile.ZipFile) -> dict[str, dict[str, Any]]:
    """Return the listed files, with size (bytes) and SHA-256."""
    if MANIFEST not in archive.namelist() or archive.getinfo(MANIFEST).file_size > MAX_TEXT:
        raise _refused(path, f"a file {MANIFEST}", "none, as in a zip file of another program")
    try:
        content = json.loads(archive.read(MANIFEST))
        kind, version, listed = content["format"], content["version"], dict(content["files"])
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise _refused(path, f"{MANIFEST} as `export=` writes it", "other content") from error
    if (kind, version) != (FORMAT, VERSION):
        raise RunError(
            "The bundle has a format that this version of the program does not read.",
            expected=f"{FORMAT}, version {VERSION}",
            found=f"{str(kind)[:50]}, version {str(version)[:20]}",
            where=str(path),
            advice="Update the program, or ask for a bundle of this version.",
        )
    return listed


def _has_manifest(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            return bool(_manifest(path, archive))
    except (RunError, OSError, *UNREADABLE):
        return False


def _refused(path: Path, expected: str, found: str) -> RunError:
    return RunError(
        "This is not a bundle that can be used.",
        expected=expected,
        found=found,
        where=str(path),
        advice="Ask for it again; compare its SHA-256 with the one of whoever wrote it.",
    )
