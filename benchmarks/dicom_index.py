"""Time to find the series of a large tree of DICOM by its headers, and how it grows with the number of files.

    python benchmarks/dicom_index.py [--files 20000 100000] [--folder /tmp] [--workers 1]

Writes small files (pixels of 1 KB, the header elements of a scanner, some private) in series of 160, three series to a
study, and deletes them afterwards. Three passes are timed in the current process: the first, one that finds everything
in the store, and one with every series judged and named as ``dataset=dicom`` does it. The exponent is the slope of the
logarithms: 1 means twice the time for twice the files. The last line holds every figure as JSON.
"""

import argparse
import json
import math
import resource
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from brain_cae.scans.catalogue import read_catalogue
from brain_cae.scans.pseudonym import Pseudonyms, read_key
from brain_cae.scans.sources.dicom import Dicom

SLICES, SERIES = 160, 3
# TR, TE, TI (ms), flip angle and codes of the three series of a study.
PROTOCOLS = (
    (2300.0, 2.98, 900.0, 9.0, ["GR", "IR"]),
    (9000.0, 81.0, 2500.0, 150.0, ["SE", "IR"]),
    (5000.0, 93.0, 0.0, 150.0, ["SE"]),
)


def write_tree(folder: Path, files: int) -> None:
    """Write files in folders named after patient, study and series; each header differs in its UIDs and position."""
    for start in range(0, files, SLICES):
        number = start // SLICES
        patient, series = divmod(number, SERIES)
        template = _template(series)
        place = folder / f"PATIENT{patient:05d}" / "BRAIN" / f"SERIES{series}"
        place.mkdir(parents=True, exist_ok=True)
        for position in range(min(SLICES, files - start)):
            content = template.replace(b"PAT00000", f"PAT{patient:05d}".encode())
            content = content.replace(b"1.2.8.100000", f"1.2.8.1{patient:05d}".encode())
            content = content.replace(b"+000.0", f"{position - 80:+06.1f}".encode())
            (place / f"IM{position:06d}").write_bytes(content)


def _template(series: int) -> bytes:
    from io import BytesIO

    from pydicom.dataset import FileDataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage

    tr, te, ti, flip, codes = PROTOCOLS[series]
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = MRImageStorage, "1.2.8.100000.1"
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    header = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    header.SOPClassUID, header.SOPInstanceUID = MRImageStorage, "1.2.8.100000.1"
    header.Modality, header.ImageType = "MR", ["ORIGINAL", "PRIMARY", "M", "ND"]
    header.StudyDate, header.StudyTime, header.SeriesDate = "20200101", "101500", "20200101"
    header.Manufacturer, header.ManufacturerModelName, header.MagneticFieldStrength = "SIEMENS", "Skyra", 3.0
    header.PatientID, header.PatientName, header.PatientBirthDate = "PAT00000", "PAT00000^X", "19500101"
    header.StudyInstanceUID, header.SeriesInstanceUID = "1.2.8.100000", f"1.2.8.100000.{series + 1}"
    header.SeriesNumber, header.InstanceNumber, header.SeriesDescription = series + 1, 1, "brain"
    header.ScanningSequence, header.SequenceVariant, header.ScanOptions = codes, "SK", ""
    header.MRAcquisitionType, header.SliceThickness, header.SpacingBetweenSlices = "3D", 1.0, 1.0
    header.RepetitionTime, header.EchoTime, header.InversionTime, header.FlipAngle = tr, te, ti, flip
    header.ImagePositionPatient = ["-11.0", "-11.0", "+000.0"]
    header.ImageOrientationPatient, header.PixelSpacing = [1, 0, 0, 0, 1, 0], [10.0, 10.0]
    for group in (0x0019, 0x0021, 0x0051):
        block = header.private_block(group, "BENCHMARK", create=True)
        for element in range(20):
            block.add_new(element, "LO", f"value {element}")
    header.Rows, header.Columns = 22, 23
    header.SamplesPerPixel, header.PhotometricInterpretation, header.PixelRepresentation = 1, "MONOCHROME2", 0
    header.BitsAllocated, header.BitsStored, header.HighBit = 16, 12, 11
    header.PixelData = np.random.default_rng(series).integers(0, 2000, (22, 23), dtype=np.uint16).tobytes()
    stream = BytesIO()
    header.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


def timed(work: Callable[[], Any]) -> dict[str, float]:
    """Return wall and processor time (s) of a function; the latter does not depend on other work of the machine."""
    start, cpu = time.perf_counter(), time.process_time()
    work()
    return {"wall_s": round(time.perf_counter() - start, 2), "cpu_s": round(time.process_time() - cpu, 2)}


def measure(folder: Path, files: int, workers: int) -> dict[str, Any]:
    """Write a tree, time the three passes, and delete the tree."""
    root, store, key = folder / "tree", folder / "cache", folder / "key"
    try:
        write_tree(root, files)
        names = Pseudonyms(read_key(key, create=True)[0])
        found: list[int] = []

        def catalogue() -> None:
            result = read_catalogue(root, names, store=store / "catalogue", workers=workers, progress=False)
            found.append(len(result.series))

        source = Dicom(root=str(root), key_file=str(key), cache=str(store), workers=workers, progress=False)
        passes = {"first": timed(catalogue), "again": timed(catalogue), "source": timed(source.locate)}
        kept = sum(path.stat().st_size for path in store.rglob("*.npz"))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        return {"files": files, "series": found[0], **passes, "store_mb": round(kept / 1e6, 2), "peak_mb": round(peak)}
    finally:
        shutil.rmtree(root, ignore_errors=True)
        shutil.rmtree(store, ignore_errors=True)


def exponent(sizes: Sequence[int], seconds: Sequence[float]) -> float:
    """Return the slope of the logarithms of time and size."""
    logs = np.log(np.maximum(seconds, 1e-3))
    return round(float(np.polyfit([math.log(size) for size in sizes], logs, 1)[0]), 2)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure every size and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, nargs="+", default=[20_000, 100_000])
    parser.add_argument("--folder", type=Path, default=None)
    parser.add_argument("--workers", type=int, default=1)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        rows = [measure(Path(folder), files, options.workers) for files in options.files]
    for row in rows:
        print(row)
    result: dict[str, Any] = {"name": "dicom_index", "workers": options.workers, "rows": rows}
    if len(rows) > 1:
        for name in ("first", "again", "source"):
            result[f"exponent_{name}"] = exponent(options.files, [row[name]["cpu_s"] for row in rows])
    print(json.dumps(result))


if __name__ == "__main__":
    main()
