"""What a choice contributes to detection, paired over the subjects of phantom cohorts.

``--study preparation``: people with skull and scalp whose scans are up to 15 mm apart, as they come from a scanner:
aligned by their headers alone (``affine``) or by rigid registration (``rigid``), with and without skull stripping by
deepbet. ``ceiling`` is the same people, stripped and aligned by construction; with them, ``box`` compares brains in the
box of the mask instead of MNI152, and ``n4`` removes the bias field.

``--study scores``: one run of the defaults for each cohort, its score and the baselines. Cohorts 501 to 503 are for
choosing, 601 to 605 are kept for one look at the end: ``--subjects 240 --seeds 601 602 603 604 605``. With
``--anatomy varied`` people differ at fine scales, as real heads do.

``--study network``: the networks. ``--study crop``: each reshape strategy on whole volumes and on a window around the
brain, with dimensions that vary as in a data set from many hospitals.

Runs lie in ``outputs/detection/<study>/<subjects>[/varied]/<variant>/<seed>``. Finished ones are not repeated; delete a
run to repeat it. A call starts no run after ``--minutes``, and the next one continues from there. Run from the
project's root: ``python benchmarks/detection.py --minutes 600``, or a part with ``--variants ceiling rigid --seeds
501``.
"""

import argparse
import itertools
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from brain_cae import estimates
from brain_cae.estimates import Estimate, Weighted
from brain_cae.files.locks import exclusive
from brain_cae.reporting.configurations import read_subjects

ROOT = Path(__file__).resolve().parents[1]
HEADS = ("dataset.head_shell=true", "dataset.misalignment_mm=15")
BY_HEADER, RIGID = "preprocess.align=affine_only", "preprocess.align=rigid"
NOT_STRIPPED, DEEPBET = "preprocess.skull_strip=none", "preprocess.skull_strip=deepbet"
STRATEGIES = ("fixed", "modal", "clustered", "isotropic")
PREPARATION = {
    "ceiling": (BY_HEADER, NOT_STRIPPED),
    "box": (BY_HEADER, NOT_STRIPPED, "preprocess.space=box"),
    "n4": (BY_HEADER, NOT_STRIPPED, "preprocess.bias_correction=n4"),
    "affine": (*HEADS, BY_HEADER, NOT_STRIPPED),
    "rigid": (*HEADS, RIGID, NOT_STRIPPED),
    "affine_deepbet": (*HEADS, BY_HEADER, DEEPBET),
    "rigid_deepbet": (*HEADS, RIGID, DEEPBET),
}
SCORES = ("residual", "healthy_subspace", "healthy_mean", "intensity")
"""Variants of the study of scores: those of one run. ``healthy_subspace`` is the default without its network."""
STUDIES: dict[str, dict[str, tuple[str, ...]]] = {
    "scores": dict.fromkeys(SCORES, ()),
    "preparation": PREPARATION,
    "network": {name: (f"model={name}",) for name in ("cae", "strided")},
    "crop": {
        f"{strategy}{suffix}": ("dataset.dimensions=varied", f"reshape={strategy}", f"reshape.crop={crop}")
        for strategy in STRATEGIES
        for suffix, crop in (("_cropped", "foreground"), ("", "none"))
    },
}
DIFFERENCES: dict[str, tuple[tuple[str, str], ...]] = {
    "scores": tuple(("residual", other) for other in SCORES[1:]),
    "preparation": (
        ("ceiling", "box"),
        ("n4", "ceiling"),
        ("rigid", "affine"),
        ("rigid_deepbet", "affine_deepbet"),
        ("affine_deepbet", "affine"),
        ("rigid_deepbet", "rigid"),
        ("rigid_deepbet", "affine"),
        *((variant, "ceiling") for variant, choices in PREPARATION.items() if set(HEADS) <= set(choices)),
    ),
    "network": (("cae", "strided"),),
    "crop": tuple((f"{strategy}_cropped", strategy) for strategy in STRATEGIES),
}
# The transfer classifier, maps and pictures are not compared here.
CHOICES = (
    "dataset=phantom", "trainer.progress=false", "evaluation.maps=false", "evaluation.views=0",
    "evaluation.permutations=1", "transfer.compare=[]", "logger=csv",
)  # fmt: skip


class Run(NamedTuple):
    """Figures of a finished run, and its subjects: seed, subject, label, score, average_precision, dice, false_alarm.

    ``epoch`` is the time of an epoch in s; None if it was not measured.
    """

    auroc: float
    average_precision: float
    dice: float
    epoch: float | None
    table: pd.DataFrame


def read(folder: Path, seed: int, score: str = "residual") -> Run | None:
    """Return one score of a finished run; None if the folder does not hold one."""
    try:
        if json.loads((folder / "status.json").read_text(encoding="utf-8"))["status"] != "finished":
            return None
        metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    subjects = read_subjects(folder)
    assert subjects is not None, f"{folder} has no subjects.csv"
    healthy = subjects["label"] == "healthy"
    table = pd.DataFrame(
        {
            "seed": seed,  # the same number is another person in another cohort
            "subject": subjects["subject"],
            "label": subjects["label"],
            "score": subjects[f"score.{score}"],
            "average_precision": subjects[f"{score}.average_precision"],
            "dice": subjects[f"{score}.dice"],
            "false_alarm": (subjects[f"p_value.{score}"] <= metrics["scoring"]["alpha"]).astype(float).where(healthy),
        }
    )
    return Run(
        estimates.auroc((~healthy).astype(int).to_numpy(), table["score"].to_numpy(), resamples=2).value,
        float(table["average_precision"].mean()),
        float(table["dice"].mean()),
        metrics.get("reshape", {}).get("seconds_per_epoch"),
        table,
    )


def train(folder: Path, choices: Sequence[str]) -> None:
    """Train the program in a new process; an unfinished run in the folder is replaced. The log lies next to it."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, str(ROOT / "train.py"), *CHOICES, *choices, f"hydra.run.dir={folder}"]
    begin, log = time.monotonic(), folder.with_suffix(".log")
    with log.open("w", encoding="utf-8") as file:
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        done = subprocess.run(command, cwd=ROOT, env=environment, stdout=file, stderr=file, check=False)
    state = f"failed, see {log}" if done.returncode else "finished"
    print(
        f"{folder.parent.name} {folder.name}: {state} after {(time.monotonic() - begin) / 60:.1f} min", file=sys.stderr
    )


def auroc_within(seeds: np.ndarray) -> Weighted:
    """Return the AUROC over pairs of subjects of the same seed: scores of different networks are not compared."""

    def metric(truth: np.ndarray, scores: np.ndarray, counts: np.ndarray) -> np.ndarray:
        same = (seeds[truth][:, None] == seeds[~truth][None, :]).astype(float)
        wins = same * estimates.pair_wins(scores[truth], scores[~truth])
        positive, negative = counts[:, truth], counts[:, ~truth]
        return ((positive @ wins) * negative).sum(1) / ((positive @ same) * negative).sum(1)

    return metric


def paired(first: pd.DataFrame, second: pd.DataFrame, figure: str) -> Estimate:
    """Return the difference of two variants in one figure, over the subjects of the same seeds that both judged.

    ``auroc`` is a mean over seeds; ``average_precision`` and ``dice`` are means over lesions; ``false_alarm`` is the
    share of the healthy with a p-value of at most alpha.
    """
    column = "score" if figure == "auroc" else figure
    rows = first.merge(second, on=["seed", "subject", "label"], suffixes=("", "_other"))
    rows = rows.dropna(subset=[column, f"{column}_other"])
    metric: str | Weighted = auroc_within(rows["seed"].to_numpy()) if figure == "auroc" else "mean"
    return estimates.paired_difference(rows["label"], rows[column], rows[f"{column}_other"], metric=metric)


def differences(first: pd.DataFrame, second: pd.DataFrame) -> dict[str, Estimate]:
    """Return :func:`paired` for every figure."""
    return {name: paired(first, second, name) for name in ("auroc", "average_precision", "dice", "false_alarm")}


def report(runs: dict[str, dict[int, Run]], seeds: Sequence[int], study: str = "preparation") -> dict:
    """Print figures and differences of the finished runs; return the ratios of AUROC and the figures."""
    each_seed = " | ".join(f"seed {seed}" for seed in seeds)
    print(f"| variant | subjects | AUROC | {each_seed} | voxel AP | Dice | false alarms | s per epoch |")
    print("|" + "---|" * (7 + len(seeds)))
    figures, tables = {}, {}
    for variant, finished in runs.items():
        if not finished:
            continue
        tables[variant] = table = pd.concat([run.table for run in finished.values()], ignore_index=True)
        alarms = table["false_alarm"].dropna()
        share = estimates.proportion(int(alarms.sum()), len(alarms))
        each = {seed: run.auroc for seed, run in finished.items()}
        auroc = float(np.mean(list(each.values())))
        precision = float(np.mean([run.average_precision for run in finished.values()]))
        dice = float(np.mean([run.dice for run in finished.values()]))
        cells = " | ".join(f"{each[seed]:.3f}" if seed in each else "-" for seed in seeds)
        epochs = [run.epoch for run in finished.values() if run.epoch is not None]
        epoch = f"{np.mean(epochs):.2f}" if epochs else "-"
        local = f"{precision:.3f} | {dice:.3f}"
        print(f"| {variant} | {len(table)} | {auroc:.3f} | {cells} | {local} | {shown(share)} | {epoch} |")
        figures[variant] = {"auroc": auroc, "average_precision": precision, "dice": dice, "false_alarms": share.value}
    print("\nDifferences, paired over subjects (95 % confidence interval).\n")
    print("| difference | subjects | AUROC | voxel AP | Dice | false alarms |\n|---|---|---|---|---|---|")
    ratios = {}
    for first, second in DIFFERENCES[study]:
        common = [seed for seed in runs.get(first, {}) if seed in runs.get(second, {})]
        if not common:
            continue
        found = differences(tables[first], tables[second])
        cells = " | ".join(shown(estimate, sign="+") for estimate in found.values())
        print(f"| {first} - {second} | {found['auroc'].n} | {cells} |")
        means = [np.mean([runs[variant][seed].auroc for seed in common]) for variant in (first, second)]
        ratios[f"{first}_vs_{second}"] = round(float(means[0] / means[1]), 3)
    return {"ratios": ratios, "figures": figures}


def shown(estimate: Estimate, sign: str = "") -> str:
    """Return an estimate with its interval, or a dash."""
    if estimate.value is None or estimate.low is None or estimate.high is None:
        return "-"
    return f"{estimate.value:{sign}.3f} [{estimate.low:{sign}.3f}, {estimate.high:{sign}.3f}]"


def main(arguments: Sequence[str] | None = None) -> None:
    """Train the missing runs, and print the table of the finished ones, then one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--study", choices=tuple(STUDIES), default="preparation", help="(%(default)s)")
    parser.add_argument("--variants", nargs="+", help="of the study (all)")
    parser.add_argument("--seeds", type=int, nargs="+", default=(501, 502, 503), help="of the cohorts (%(default)s)")
    parser.add_argument("--subjects", type=int, default=160, help="in each cohort (%(default)s)")
    parser.add_argument("--anatomy", choices=("smooth", "varied"), default="smooth", help="(%(default)s)")
    parser.add_argument("--minutes", type=float, default=60.0, help="start no run after that (%(default)s)")
    parser.add_argument("--out", type=Path, default=ROOT / "outputs" / "detection", help="(%(default)s)")
    chosen = parser.parse_args(arguments)
    end = time.monotonic() + 60 * chosen.minutes
    variants = STUDIES[chosen.study]
    names = chosen.variants or list(variants)
    if unknown := set(names) - set(variants):
        parser.error(f"no variant {', '.join(sorted(unknown))} in the study {chosen.study}: {', '.join(variants)}")
    cohort = [f"dataset.subjects={chosen.subjects}", f"dataset.anatomy={chosen.anatomy}"]
    place = chosen.out.resolve() / chosen.study / str(chosen.subjects)
    if chosen.anatomy != "smooth":
        place /= chosen.anatomy
    place.mkdir(parents=True, exist_ok=True)
    runs: dict[str, dict[int, Run]] = {variant: {} for variant in names}
    with exclusive(place / ".lock"):
        # Every variant of one cohort before the next, so that they can be compared whenever the time is up.
        for seed, variant in itertools.product(chosen.seeds, names):
            shared = chosen.study == "scores"
            folder = place / ("default" if shared else variant) / str(seed)
            score = variant if shared else "residual"
            run = read(folder, seed, score)
            if run is None and time.monotonic() < end:
                train(folder, [*variants[variant], f"dataset.seed={seed}", *cohort])
                run = read(folder, seed, score)
            if run is not None:
                runs[variant][seed] = run
    result = report(runs, chosen.seeds, chosen.study)
    missing = len(chosen.seeds) * len(names) - sum(map(len, runs.values()))
    print(f"\n{missing} runs missing: call again." if missing else "\nComplete.")
    print(json.dumps({"name": f"detection of {chosen.study}", **result, "missing": missing}))


if __name__ == "__main__":
    main()
