"""Time and memory of each stage on cohorts of real size, and how they grow with the number of subjects.

Cohorts are simulated: T1 and FLAIR of 240 x 240 x 155 voxels of 1 mm, stripped, a third with a lesion, as a folder of
NIfTI files. Whole runs are made of the first two sizes, import and preparation alone of the last one. Runs lie in
``outputs/scale/<subjects>``; finished ones are not repeated, so a killed benchmark goes on when it is called again.

    python benchmarks/scale.py [--subjects 24 96] [--prepared 384] [--epochs 2] [--minutes 120] [--choices model=cae]
"""

import argparse
import json
import math
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from pathlib import Path

import nibabel
import numpy as np
import torch
from nilearn import datasets
from scipy import ndimage

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from brain_cae.arrays.separable import along_axes, resizing
from brain_cae.files.atomic import whole, write_text
from brain_cae.files.locks import exclusive

ROOT = Path(__file__).resolve().parents[1]
SHAPE = (240, 240, 155)
"""Dimensions of a scan of BraTS."""
HEAD = (slice(40, 200), slice(20, 220), slice(0, 155))
"""What lies outside is air in each of them."""


@cache
def template() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return grey matter, white matter and brain of MNI152 at 1 mm, (X, Y, Z) float32."""
    grey, white, brain = (
        np.asarray(load(resolution=1).dataobj, np.float32)
        for load in (
            datasets.load_mni152_gm_template,
            datasets.load_mni152_wm_template,
            datasets.load_mni152_brain_mask,
        )
    )
    return grey * brain, white * brain, brain


def simulated(number: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Return t1 and flair (240, 240, 155) int16 of one person, and the lesion (empty in two of three persons)."""
    generator = np.random.default_rng([9, number])
    scale = generator.normal(1.0, 0.04, 3)
    coarse = generator.normal(0, 2.5, (3, 6, 6, 5))
    centre = np.array(template()[2].shape) / 2 + generator.normal(0, 2, 3)
    axes = [np.arange(side.start, side.stop, dtype=np.float32) for side in HEAD]
    sizes = [len(axis) for axis in axes]
    grid = np.meshgrid(*axes, indexing="ij", sparse=True)
    places = [
        (grid[axis] - SHAPE[axis] / 2) * scale[axis] + centre[axis] + _spread(warp, sizes)
        for axis, warp in enumerate(coarse)
    ]
    grey, white, brain = (ndimage.map_coordinates(tissue, places, order=1) for tissue in template())
    mask = brain > 0.5
    lesion = np.zeros(SHAPE, bool)
    if number % 3 == 0:
        middle = np.argwhere(ndimage.binary_erosion(white > 0.6, iterations=2))
        spot, radius = middle[generator.integers(len(middle))], generator.uniform(8, 20)
        distances = (((axis - axis[0] - place) ** 2) for axis, place in zip(axes, spot, strict=True))
        x, y, z = np.meshgrid(*distances, indexing="ij", sparse=True)
        lesion[HEAD] = (x + y + z < radius**2) & mask
    fluid = np.clip(1 - grey - white, 0, 1)
    bias = 1 + 0.1 * _spread(generator.normal(size=(3, 3, 3)), sizes)
    scans = {}
    for name, (of_grey, of_white, of_fluid, of_lesion) in {
        "t1": (300, 420, 120, 220),
        "flair": (330, 260, 60, 520),
    }.items():
        signal = of_grey * grey + of_white * white + of_fluid * fluid
        signal = np.where(lesion[HEAD], of_lesion, signal) * bias
        signal += 8 * generator.standard_normal(signal.shape, np.float32)
        scans[name] = np.zeros(SHAPE, np.int16)
        scans[name][HEAD] = np.where(mask, np.maximum(signal, 1), 0)
    return scans, lesion


def _spread(coarse: np.ndarray, sizes: Sequence[int]) -> np.ndarray:
    """Return smooth values on a fine grid."""
    matrices = [resizing(size, new) for size, new in zip(coarse.shape, sizes, strict=True)]
    return along_axes(torch.from_numpy(coarse.astype(np.float32))[None], matrices)[0].numpy()


def write_cohort(folder: Path, subjects: int, workers: int) -> None:
    """Write the first persons that the folder lacks, in the layout of ``dataset=folder``."""
    missing = [number for number in range(subjects) if not (folder / _name(number)).exists()]
    with ProcessPoolExecutor(workers) as pool:
        for _ in pool.map(write_person, [folder] * len(missing), missing):
            pass
    rows = [f"{_name(number)},{'healthy' if number % 3 else 'abnormal'}" for number in range(subjects)]
    write_text(folder / "labels.csv", "\n".join(["subject,label", *rows]) + "\n")


def write_person(folder: Path, number: int) -> None:
    """Write the scans of one person, and the lesion's mask first: who has a folder is complete."""
    affine = np.diag([1.0, 1.0, 1.0, 1.0])
    affine[:3, 3] = -np.array(SHAPE) / 2
    scans, lesion = simulated(number)
    if lesion.any():
        with whole(folder / "masks" / f"{_name(number)}.nii.gz") as path:
            nibabel.save(nibabel.Nifti1Image(lesion.astype(np.uint8), affine), path)
    with whole(folder / _name(number)) as aside:
        aside.mkdir()
        for contrast, values in scans.items():
            nibabel.save(nibabel.Nifti1Image(values, affine), aside / f"{contrast}.nii.gz")


def _name(number: int) -> str:
    return f"p{number:04d}"


class Memory(threading.Thread):
    """Watches the memory of a process and its children: the largest sum in MB of their proportional set sizes.

    A page that several processes share counts in parts. Mapped files count, the cache of the operating system does not.
    """

    def __init__(self, process: int) -> None:
        super().__init__(daemon=True)
        self.process, self.peak = process, 0.0

    def run(self) -> None:
        """Look five times a second until the process ends."""
        while (now := self._now()) is not None:
            self.peak = max(self.peak, now)
            time.sleep(0.2)

    def _now(self) -> float | None:
        members, total = [self.process], 0.0
        while members:
            member = members.pop()
            try:
                status = Path(f"/proc/{member}/smaps_rollup").read_text(encoding="ascii", errors="replace")
                for task in Path(f"/proc/{member}/task").iterdir():
                    members += map(int, (task / "children").read_text(encoding="ascii").split())
            except OSError:
                continue
            if found := re.search(r"^Pss:\s+(\d+) kB", status, re.MULTILINE):
                total += int(found[1]) / 1024
        return total or None


def run(folder: Path, scans: Path, subjects: int, choices: Sequence[str]) -> dict[str, float]:
    """Run the program in a new process with a cache of its own; return seconds of each stage and the peak in MB."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    command = [
        sys.executable, str(ROOT / "train.py"), "dataset=folder", f"dataset.root={scans}", "dataset.skull=stripped",
        f"limit={subjects}", "trainer.progress=false", "logger=csv", f"cache={folder / 'cache'}",
        f"hydra.run.dir={folder / 'run'}", *choices,
    ]  # fmt: skip
    begin = time.monotonic()
    with (folder / "log.txt").open("w", encoding="utf-8") as log:
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log, env=environment)
        memory = Memory(process.pid)
        memory.start()
        code = process.wait()
    memory.join()
    if code:
        raise SystemExit(f"The run failed: {folder / 'log.txt'}")
    seconds = {"total": time.monotonic() - begin, "peak_mb": memory.peak}
    status = json.loads((folder / "run" / "status.json").read_text(encoding="utf-8"))
    seconds |= status.get("seconds", {})
    shutil.rmtree(folder / "cache")
    return {name: round(float(value), 1) for name, value in seconds.items()}


def measured(folder: Path, scans: Path, subjects: int, choices: Sequence[str], workers: int) -> dict[str, float]:
    """Return the figures of a run, which is made unless the folder has them."""
    result = folder / "figures.json"
    if not result.exists():
        write_cohort(scans, subjects, workers)
        write_text(result, json.dumps(run(folder / "work", scans, subjects, choices)))
    return json.loads(result.read_text(encoding="utf-8"))


def main(arguments: Sequence[str] | None = None) -> None:
    """Make the missing runs and print a table of stages, then one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--subjects", type=int, nargs="*", default=[24, 96], help="of whole runs (%(default)s)")
    parser.add_argument("--prepared", type=int, default=384, help="of import and preparation; 0: none (%(default)s)")
    parser.add_argument("--epochs", type=int, default=2, help="of training (%(default)s)")
    parser.add_argument("--choices", nargs="*", default=[], help="further overrides of every run")
    parser.add_argument("--workers", type=int, default=2, help="processes (%(default)s)")
    parser.add_argument("--minutes", type=float, default=120.0, help="start no run after that (%(default)s)")
    parser.add_argument("--out", type=Path, default=ROOT / "outputs" / "scale", help="(%(default)s)")
    chosen = parser.parse_args(arguments)
    out, end = chosen.out.resolve(), time.monotonic() + 60 * chosen.minutes
    settings = [f"trainer.max_epochs={chosen.epochs}", f"workers={chosen.workers}"]
    settings += ["transfer.compare=[]", *chosen.choices]
    jobs = [(subjects, [*settings, "evaluation.maps=false", "evaluation.views=4"]) for subjects in chosen.subjects]
    if chosen.prepared:
        jobs.append((chosen.prepared, [*settings, "stop_after=prepare"]))
    figures: dict[str, dict[str, float]] = {}
    with exclusive(out / ".lock"):
        for subjects, choices in jobs:
            if time.monotonic() < end or (out / str(subjects) / "figures.json").exists():
                figures[str(subjects)] = measured(out / str(subjects), out / "scans", subjects, choices, chosen.workers)
    stages = list(dict.fromkeys(stage for found in figures.values() for stage in found))
    print("| subjects | " + " | ".join(stages) + " |\n" + "|---" * (len(stages) + 1) + "|")
    for subjects, found in figures.items():
        print(f"| {subjects} | " + " | ".join(str(found.get(stage, "-")) for stage in stages) + " |")
    exponents = {}
    if len(chosen.subjects) > 1 and all(str(size) in figures for size in chosen.subjects):
        first, last = (str(chosen.subjects[place]) for place in (0, -1))
        growth = math.log(int(last) / int(first))
        for stage in stages:
            if figures[first].get(stage) and figures[last].get(stage):
                exponents[stage] = round(math.log(figures[last][stage] / figures[first][stage]) / growth, 2)
        print("Exponent of growth: " + ", ".join(f"{stage} {value}" for stage, value in exponents.items()))
    print(json.dumps({"name": "scale", "figures": figures, "exponents": exponents}))


if __name__ == "__main__":
    main()
