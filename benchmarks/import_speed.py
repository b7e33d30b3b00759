"""Time to read one DICOM series into a volume, compared with other readers.

    python benchmarks/import_speed.py [--slices 160] [--matrix 256] [--rounds 7]

All readers read the same synthetic series in the same process, in turn; the result is the median over the rounds. A
reader that is not installed is shown as absent (null in the JSON of the last line). dcm2niix is a separate program: its
time includes its start and the writing of an uncompressed NIfTI file. Ratios are the reader's time divided by ours:
above 1, ours is faster.
"""

import argparse
import importlib
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np

from brain_cae.scans.dicom import read_series

Reader = Callable[[Path, list[Path], Path], object]


def write_synthetic(folder: Path, *, slices: int, matrix: int) -> list[Path]:
    """Write an axial series of noise, 1 mm, as uncompressed DICOM with the header elements of a real scanner."""
    from pydicom.dataset import FileDataset, FileMetaDataset
    from pydicom.uid import UID, ExplicitVRLittleEndian, MRImageStorage

    rng = np.random.default_rng(0)
    paths = []
    for number in range(slices):
        meta = FileMetaDataset()
        meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = MRImageStorage, UID(f"1.2.3.4.{number + 1}")
        meta.TransferSyntaxUID = ExplicitVRLittleEndian
        header = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
        header.SOPClassUID, header.SOPInstanceUID = MRImageStorage, f"1.2.3.4.{number + 1}"
        header.StudyInstanceUID, header.SeriesInstanceUID, header.FrameOfReferenceUID = "1.2.3", "1.2.3.4", "1.2.5"
        header.Modality, header.ImageType = "MR", ["ORIGINAL", "PRIMARY", "M", "ND"]
        header.StudyDate, header.StudyTime, header.SeriesNumber, header.InstanceNumber = "20200101", "0", 3, number + 1
        header.Manufacturer, header.ManufacturerModelName, header.MagneticFieldStrength = "SIEMENS", "Skyra", 3.0
        header.PatientID, header.PatientName, header.SeriesDescription = "1", "none", "t1"
        header.ScanningSequence, header.SequenceVariant, header.ScanOptions = ["GR", "IR"], "MP", ""
        header.MRAcquisitionType, header.SliceThickness, header.SpacingBetweenSlices = "3D", 1.0, 1.0
        header.RepetitionTime, header.EchoTime, header.InversionTime, header.FlipAngle = 2000.0, 2.5, 900.0, 9.0
        header.ImagePositionPatient = [-matrix / 2, -matrix / 2, float(number)]
        header.ImageOrientationPatient, header.PixelSpacing = [1, 0, 0, 0, 1, 0], [1.0, 1.0]
        header.Rows = header.Columns = matrix
        header.SamplesPerPixel, header.PhotometricInterpretation, header.PixelRepresentation = 1, "MONOCHROME2", 0
        header.BitsAllocated, header.BitsStored, header.HighBit = 16, 12, 11
        header.RescaleSlope, header.RescaleIntercept = 1, 0
        header.PixelData = rng.integers(0, 2000, (matrix, matrix), dtype=np.uint16).tobytes()
        paths.append(folder / f"Image-{number + 1}.dcm")
        header.save_as(paths[-1], enforce_file_format=True)
    return paths


def read_ours(folder: Path, files: list[Path], out: Path) -> object:
    """Read the series with this project."""
    return read_series(files).array


def read_raw(folder: Path, files: list[Path], out: Path) -> object:
    """Read only the bytes of the files: the lower bound."""
    return [path.read_bytes() for path in files]


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


def read_dcm2niix(folder: Path, files: list[Path], out: Path) -> object:
    """Convert the folder with dcm2niix, uncompressed."""
    command = [_dcm2niix() or "dcm2niix", "-z", "n", "-b", "n", "-w", "1", "-f", "volume", "-o", str(out), str(folder)]
    return subprocess.run(command, check=True, capture_output=True)


def _dcm2niix() -> str | None:
    try:
        return str(importlib.import_module("dcm2niix").bin)
    except ImportError:
        return shutil.which("dcm2niix")


def is_installed(module: str) -> bool:
    """Return whether a reader can be imported (for dcm2niix: whether the program is installed)."""
    if module == "dcm2niix":
        return _dcm2niix() is not None
    try:
        importlib.import_module(module)
    except ImportError:
        return False
    return True


PEERS: dict[str, tuple[str, Reader]] = {
    "dicom2nifti": ("dicom2nifti.convert_dicom", read_dicom2nifti),
    "monai": ("monai.data.image_reader", read_monai),
    "simpleitk": ("SimpleITK", read_simpleitk),
    "dcm2niix": ("dcm2niix", read_dcm2niix),
    "pydicom": ("pydicom", read_pydicom),
    "raw_read": ("pathlib", read_raw),
}


def measure(slices: int, matrix: int, rounds: int) -> dict[str, float | None]:
    """Return the median seconds of each reader, None for one that is not installed."""
    readers: dict[str, Reader] = {"ours": read_ours}
    readers |= {name: reader for name, (module, reader) in PEERS.items() if is_installed(module)}
    times: dict[str, list[float]] = {name: [] for name in readers}
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as out:
        files = write_synthetic(Path(folder), slices=slices, matrix=matrix)
        for number in range(rounds + 1):
            for name, reader in readers.items():
                start = time.perf_counter()
                reader(Path(folder), files, Path(out))
                if number:  # the first round warms caches and imports
                    times[name].append(time.perf_counter() - start)
    return {name: statistics.median(times[name]) if name in times else None for name in ("ours", *PEERS)}


def main() -> None:
    """Print a table, and the ratios as JSON in the last line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--slices", type=int, default=160)
    parser.add_argument("--matrix", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    import logging

    logging.disable(logging.WARNING)
    seconds = measure(options.slices, options.matrix, options.rounds)
    ours = seconds["ours"]
    assert ours is not None
    print(f"{options.slices} slices of {options.matrix}x{options.matrix}, median of {options.rounds} rounds")
    print(f"{'reader':<14}{'seconds':>10}{'times ours':>12}")
    for name, value in seconds.items():
        cells = f"{value:>10.4f}{value / ours:>12.2f}" if value is not None else f"{'absent':>10}{'':>12}"
        print(f"{name:<14}{cells}")
    ratios = {
        f"vs_{name}": round(value / ours, 3) if value else None for name, value in seconds.items() if name != "ours"
    }
    sys.stdout.flush()
    print(json.dumps({"name": "import_speed", "ratios": ratios}))


if __name__ == "__main__":
    main()
