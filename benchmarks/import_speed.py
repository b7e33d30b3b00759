"""Time to import a cohort of DICOM as a whole command, and to read one series in one process, beside other programs.

    python benchmarks/import_speed.py [--series 240] [--files 15000] [--layout folder|dicom] [--rounds 3] [--cold]

The cohort is synthetic: noise under the headers of a scanner, T1 and FLAIR of each subject. Whole commands take turns,
in reversed order in every second round; ours and the others use two processes:

- ``import``: `train.py … stop_after=import` into an empty store;
- ``dcm2niix``: the converter without compression, one call per series, two at a time;
- ``pydicom``: every file read with pydicom and stacked in file order, without any check or output;
- ``raw_read``: the bytes of every file, the lower bound of any reader;
- ``copy``: these bytes hashed (SHA-256) and written, one file per series: the lower bound of an import that recognises
  files by their content.

With ``--cold`` (Linux, as root), none of the files is in the system's memory when one of these starts, as in the first
import of an export; otherwise all are.

Then `train.py … stop_after=import` once more, which finds everything in the store (``again``), and `train.py
inspect=true` (``inspect``). CPU time is that of user and system, of all processes; on a busy machine it says more than
the clock.

The second table is the median time of readers that take turns in this process on one series of 160 slices. A program
that is not installed is shown as absent (null in the JSON of the last line). Ratios are the other's time divided by
ours: above 1, ours is faster. ``vs_dcm2niix`` and ``import_vs_…`` compare whole commands, the others readers.
"""

import argparse
import ctypes
import hashlib
import importlib
import io
import json
import logging
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
PROCESSES = 2
PR_SET_CHILD_SUBREAPER = 36
SLICES = 160
# TR, TE, TI (ms), flip angle and codes.
PROTOCOLS = {"t1": (2300.0, 2.98, 900.0, 9.0, ["GR", "IR"]), "flair": (9000.0, 81.0, 2500.0, 150.0, ["SE", "IR"])}
FIELD, HEIGHT = 256.0, 160.0
"""Extent of a series in its plane and along its normal (mm)."""

Reader = Callable[[Path, list[Path], Path], object]


def write_cohort(folder: Path, *, series: int, files: int, matrix: int) -> None:
    """Write ``labels.csv`` and ``<subject>/<modality>/<slice>.dcm``: this number of series, and of files in total."""
    subjects = [f"p{number:04d}" for number in range((series + 1) // 2)]
    folder.mkdir(parents=True, exist_ok=True)
    labels = "".join(f"{subject},{('healthy', 'abnormal')[n % 4 == 3]}\n" for n, subject in enumerate(subjects))
    (folder / "labels.csv").write_text(f"subject,label\n{labels}")
    for number in range(series):
        modality = list(PROTOCOLS)[number % 2]
        slices = files * (number + 1) // series - files * number // series
        write_series(folder / subjects[number // 2] / modality, number, modality, slices=slices, matrix=matrix)


def write_series(folder: Path, number: int, modality: str, *, slices: int, matrix: int) -> list[Path]:
    """Write an axial series of noise as uncompressed DICOM, and return its files."""
    rng = np.random.default_rng(number)
    template = _template(number, modality, slices=slices, matrix=matrix)
    folder.mkdir(parents=True)
    paths = []
    for position in range(slices):
        content = template.replace(b"+000.00", f"{position * HEIGHT / slices - HEIGHT / 2:+07.2f}".encode())
        content = content.replace(b"900000", f"{position + 1:06d}".encode())
        content = content.replace(b"1.2.8.777.100000", f"1.2.8.777.1{position:05d}".encode())
        pixels = rng.integers(0, 2000, (matrix, matrix), dtype=np.uint16).tobytes()
        paths.append(folder / f"Image-{position + 1}.dcm")
        paths[-1].write_bytes(content[: -len(pixels)] + pixels)
    return paths


def _template(number: int, modality: str, *, slices: int, matrix: int) -> bytes:
    from pydicom.dataset import FileDataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage

    tr, te, ti, flip, codes = PROTOCOLS[modality]
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = MRImageStorage, f"1.2.8.777.100000.{number}"
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    header = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    header.SOPClassUID, header.SOPInstanceUID = MRImageStorage, f"1.2.8.777.100000.{number}"
    header.StudyInstanceUID, header.SeriesInstanceUID = (
        f"1.2.8.{number // 2 + 1}",
        f"1.2.8.{number // 2 + 1}.{number + 1}",
    )
    header.FrameOfReferenceUID = "1.2.5"
    header.Modality, header.ImageType = "MR", ["ORIGINAL", "PRIMARY", "M", "ND"]
    header.StudyDate, header.StudyTime, header.SeriesNumber, header.InstanceNumber = (
        "20200101",
        "101500",
        number % 2 + 1,
        900000,
    )
    header.Manufacturer, header.ManufacturerModelName, header.MagneticFieldStrength = "SIEMENS", "Skyra", 3.0
    header.PatientID, header.PatientName, header.SeriesDescription = f"p{number // 2:04d}", "none", "brain"
    header.ScanningSequence, header.SequenceVariant, header.ScanOptions = codes, "SK", ""
    header.MRAcquisitionType, header.SliceThickness = "3D", HEIGHT / slices
    header.SpacingBetweenSlices = HEIGHT / slices
    header.RepetitionTime, header.EchoTime, header.InversionTime, header.FlipAngle = tr, te, ti, flip
    header.ImagePositionPatient = [f"{-FIELD / 2:.1f}", f"{-FIELD / 2:.1f}", "+000.00"]
    header.ImageOrientationPatient, header.PixelSpacing = [1, 0, 0, 0, 1, 0], [FIELD / matrix, FIELD / matrix]
    for group in (0x0019, 0x0021, 0x0051):
        block = header.private_block(group, "BENCHMARK", create=True)
        for element in range(20):
            block.add_new(element, "LO", f"value {element}")
    header.Rows = header.Columns = matrix
    header.SamplesPerPixel, header.PhotometricInterpretation, header.PixelRepresentation = 1, "MONOCHROME2", 0
    header.BitsAllocated, header.BitsStored, header.HighBit = 16, 12, 11
    header.RescaleSlope, header.RescaleIntercept = 1, 0
    header.PixelData = bytes(2 * matrix * matrix)
    stream = io.BytesIO()
    header.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


def read_ours(folder: Path, files: list[Path], out: Path) -> object:
    """Read the series with this project."""
    from brain_cae.scans.dicom import read_series

    return read_series(files).array


def read_raw(folder: Path, files: list[Path], out: Path) -> object:
    """Read only the bytes of the files: the lower bound."""
    return [path.read_bytes() for path in files]


def copy(folder: Path, files: list[Path], out: Path) -> object:
    """Read, hash and write the bytes of the files, without looking at them."""
    contents = [path.read_bytes() for path in files]
    (out / f"{folder.parent.name}_{folder.name}").write_bytes(b"".join(contents))
    return [hashlib.sha256(content).digest() for content in contents]


def read_pydicom(folder: Path, files: list[Path], out: Path) -> object:
    """Read each file with pydicom and stack the pixel arrays in file order, without any check."""
    pydicom = importlib.import_module("pydicom")
    return np.stack([pydicom.dcmread(path).pixel_array for path in files])


def read_monai(folder: Path, files: list[Path], out: Path) -> object:
    """Read the folder with MONAI's PydicomReader."""
    reader = importlib.import_module("monai.data.image_reader").PydicomReader()
    return reader.get_data(reader.read(str(folder)))[0]


def read_simpleitk(folder: Path, files: list[Path], out: Path) -> object:
    """Read the folder with SimpleITK's ImageSeriesReader."""
    itk = importlib.import_module("SimpleITK")
    reader = itk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(folder)))
    return itk.GetArrayFromImage(reader.Execute())


def read_dicom2nifti(folder: Path, files: list[Path], out: Path) -> object:
    """Convert the folder with dicom2nifti, without reorientation."""
    convert = importlib.import_module("dicom2nifti.convert_dicom").dicom_series_to_nifti
    return convert(str(folder), str(out / "volume.nii"), reorient_nifti=False)


PEERS: dict[str, tuple[str, Reader]] = {
    "dicom2nifti": ("dicom2nifti.convert_dicom", read_dicom2nifti),
    "monai": ("monai.data.image_reader", read_monai),
    "simpleitk": ("SimpleITK", read_simpleitk),
    "pydicom": ("pydicom", read_pydicom),
    "raw_read": ("pathlib", read_raw),
}
WHOLE: dict[str, Reader] = {"pydicom": read_pydicom, "raw_read": read_raw, "copy": copy}
"""Readers that are also measured as whole commands, on the whole cohort."""


def is_installed(module: str) -> bool:
    """Return whether a reader can be imported."""
    try:
        importlib.import_module(module)
    except ImportError:
        return False
    return True


def measure_readers(matrix: int, rounds: int) -> dict[str, float | None]:
    """Return the median seconds of each reader on one series, None for one that is not installed."""
    readers: dict[str, Reader] = {"ours": read_ours}
    readers |= {name: reader for name, (module, reader) in PEERS.items() if is_installed(module)}
    times: dict[str, list[float]] = {name: [] for name in readers}
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as out:
        series = Path(folder) / "series"
        files = write_series(series, 0, "t1", slices=SLICES, matrix=matrix)
        for number in range(rounds + 1):
            for name, reader in readers.items():
                start = time.perf_counter()
                reader(series, files, Path(out))
                if number:  # the first round warms caches and imports
                    times[name].append(time.perf_counter() - start)
    return {name: statistics.median(times[name]) if name in times else None for name in ("ours", *PEERS)}


def train(root: Path, layout: str, cache: Path, *more: str) -> int:
    """Run `train.py` on the cohort, and return its process group."""
    arguments = [f"dataset={layout}", f"dataset.root={root}", f"cache={cache}", f"workers={PROCESSES}", *more]
    arguments += [f"dataset.key_file={root.parent / 'key'}"] if layout == "dicom" else []
    arguments += ["scoring.alpha=0.2", "trainer=cpu", "trainer.progress=false"]
    return run([sys.executable, str(ROOT / "train.py"), *arguments], cwd=root.parent)


def convert(program: str, root: Path, work: Path) -> None:
    """Convert every series with dcm2niix, uncompressed and without JSON files."""
    options = [program, "-z", "n", "-b", "n", "-w", "1", "-f", "%i_%s", "-o", str(work)]
    with ThreadPoolExecutor(PROCESSES) as pool:
        calls = [
            pool.submit(subprocess.run, [*options, folder], check=True, capture_output=True) for folder in _series(root)
        ]
        for call in calls:
            call.result()


def read_all(reader: str, root: Path, out: Path) -> None:
    """Read every series of the cohort with one of ``WHOLE`` in processes of this one."""
    with ProcessPoolExecutor(PROCESSES) as pool:
        list(pool.map(partial(_read_one, reader, out), _series(root), chunksize=4))


def _read_one(reader: str, out: Path, folder: Path) -> None:
    WHOLE[reader](folder, sorted(folder.iterdir()), out)


def run(command: Sequence[str], cwd: Path | None = None) -> int:
    """Run a command, and return the process group that it and all processes that it starts belong to."""
    with subprocess.Popen(
        command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, process_group=0
    ) as started:
        output, _ = started.communicate()
    if started.returncode:
        raise SystemExit(f"{' '.join(command)}\nended with code {started.returncode}:\n{output[-2000:]}")
    return started.pid


def _series(root: Path) -> list[Path]:
    return sorted(path for path in root.glob("*/*") if path.is_dir())


def _dcm2niix() -> str | None:
    try:
        return str(importlib.import_module("dcm2niix").bin)
    except ImportError:
        return shutil.which("dcm2niix")


def forget_files() -> None:
    """Let the system forget the content of files that it keeps in memory."""
    os.sync()
    Path("/proc/sys/vm/drop_caches").write_text("3")


def measure_commands(
    root: Path, work: Path, layout: str, rounds: int, *, cold: bool = False
) -> dict[str, dict[str, float] | None]:
    """Return the median wall and CPU seconds of each command, None for one that is not installed."""
    program = _dcm2niix()
    other = [sys.executable, str(Path(__file__).resolve()), "--folder", str(root)]
    ours = partial(train, root, layout)
    commands: dict[str, Callable[[Path], int | None]] = {
        "import": lambda folder: ours(folder, "stop_after=import"),
    }
    for reader in WHOLE:
        commands[reader] = lambda folder, reader=reader: run([*other, "--read", reader, "--out", str(folder)])
    if program is not None:
        commands["dcm2niix"] = lambda folder: convert(program, root, folder)
    times: dict[str, list[dict[str, float]]] = {name: [] for name in (*commands, "again", "inspect")}
    commands["raw_read"](work)  # into the operating system's cache
    for number in range(rounds):
        for name in list(commands)[:: (-1) ** number]:
            folder = work / name
            folder.mkdir(parents=True)
            if cold:
                forget_files()
            times[name].append(timed(partial(commands[name], folder)))
            if name == "import":
                times["again"].append(timed(partial(ours, folder, "stop_after=import")))
                times["inspect"].append(timed(partial(ours, folder, "inspect=true")))
            shutil.rmtree(folder)
    names = ("import", "dcm2niix", *WHOLE, "again", "inspect")
    return {name: _median(times[name]) if name in times else None for name in names}


def timed(work: Callable[[], int | None]) -> dict[str, float]:
    """Return wall and CPU seconds of a function, with all processes of the group that it returns."""
    os.sync()  # what another command wrote is not written on our time
    cpu, start = _cpu(), time.perf_counter()
    group = work()
    wall = time.perf_counter() - start
    # Only processes of the command: the caller may have other children, which live longer.
    with suppress(ChildProcessError):
        while group is not None and sys.platform == "linux":
            os.waitpid(-group, 0)
    return {"wall": wall, "cpu": _cpu() - cpu}


@contextmanager
def adopting_orphans() -> Iterator[None]:
    """Let processes that outlive the command that started them count with it, where the system can (Linux)."""
    if sys.platform != "linux":
        yield
        return
    system = ctypes.CDLL(None)
    system.prctl(PR_SET_CHILD_SUBREAPER, 1)
    try:
        yield
    finally:
        system.prctl(PR_SET_CHILD_SUBREAPER, 0)


def _cpu() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def _median(times: list[dict[str, float]]) -> dict[str, float]:
    return {key: statistics.median(one[key] for one in times) for key in ("wall", "cpu")}


def main(arguments: Sequence[str] | None = None) -> None:
    """Print two tables, and the ratios as JSON in the last line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--series", type=int, default=240)
    parser.add_argument("--files", type=int, default=15000)
    parser.add_argument("--matrix", type=int, default=256)
    parser.add_argument("--layout", choices=("folder", "dicom"), default="folder")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--cold", action="store_true", help="read all files from the disk")
    parser.add_argument("--folder", type=Path, help="where the cohort is written, by default a temporary folder")
    parser.add_argument("--read", choices=WHOLE, help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.read:
        read_all(options.read, options.folder, options.out)
        return
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        root = Path(name) / "scans"
        write_cohort(root, series=options.series, files=options.files, matrix=options.matrix)
        work = Path(name) / "work"
        with adopting_orphans():
            commands = measure_commands(root, work, options.layout, options.rounds, cold=options.cold)
    readers = measure_readers(options.matrix, options.rounds)
    size = f"{options.series} series, {options.files} files of {options.matrix}x{options.matrix}"
    print(
        f"{size}, dataset={options.layout}, {PROCESSES} processes, median of {options.rounds}"
        + (", files read from the disk" if options.cold else "")
    )
    print(f"{'command':<14}{'wall, s':>10}{'CPU, s':>10}{'wall / import':>15}{'CPU / import':>14}")
    ours = commands["import"]
    assert ours is not None
    for command, used in commands.items():
        cells = [f"{'absent':>10}"]
        if used is not None:
            cells = [f"{used['wall']:>10.2f}{used['cpu']:>10.2f}"]
            cells += [f"{used['wall'] / ours['wall']:>15.2f}{used['cpu'] / ours['cpu']:>14.2f}"]
        print(f"{command:<14}{''.join(cells)}")
    print(f"\none series of {SLICES} slices\n{'reader':<14}{'seconds':>10}{'times ours':>12}")
    own = readers["ours"]
    assert own is not None
    for reader, value in readers.items():
        row = f"{value:>10.4f}{value / own:>12.2f}" if value is not None else f"{'absent':>10}"
        print(f"{reader:<14}{row}")
    ratios = {f"vs_{reader}": round(value / own, 3) if value else None for reader, value in readers.items()}
    del ratios["vs_ours"]
    for command in ("dcm2niix", *WHOLE):
        name = "vs_dcm2niix" if command == "dcm2niix" else f"import_vs_{command}"
        used = commands[command]
        ratios[name] = round(used["wall"] / ours["wall"], 3) if used else None
        ratios[f"{name}_cpu"] = round(used["cpu"] / ours["cpu"], 3) if used else None
    seconds = {
        command: used and {key: round(value, 2) for key, value in used.items()} for command, used in commands.items()
    }
    print(json.dumps({"name": "import_speed", "ratios": ratios, "seconds": seconds}))


if __name__ == "__main__":
    main()
