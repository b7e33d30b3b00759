"""Whether the promised rate of false alarms holds: many healthy brains, many draws of those that calibrate.

Each network is trained with its own cohort of phantom brains, in which one scanner is held out. Further healthy brains
are scored once by each network. Of those from the other scanners some calibrate, drawn again and again, and the rest
shows how many false alarms the threshold gives: in all, by protocol, by age, and for the scanner that is new. At last
``calibrate=`` is repeated with brains of the new scanner.

Scores lie in ``outputs/false_alarms/``, and what is there is not computed again. A call starts nothing after
``--minutes``, and the next one continues from there. Run from the project's root:
``python benchmarks/false_alarms.py --networks 6 --brains 1000``.

With ``--runs``, folders of whole runs, nothing is trained: their ``predictions.csv`` is counted. Each run has a
network, calibration brains and tested brains of its own, so the number of healthy brains that it flags is
beta-binomial if the whole way through the command keeps the promise.
"""

import argparse
import itertools
import json
import logging
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pandas as pd
from scipy.stats import betabinom

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from brain_cae.configuration import Config
from brain_cae.data.preprocess import prepare_subject
from brain_cae.data.subject import PreparedSubject
from brain_cae.detector.detector import Detector
from brain_cae.detector.storage import load
from brain_cae.executor import HERE
from brain_cae.files.atomic import write_text
from brain_cae.files.locks import exclusive
from brain_cae.phantom import PhantomSettings, simulate_subject
from brain_cae.scoring.guarantee import GUARANTEES, Guarantee
from brain_cae.stages.calibration import calibrate
from brain_cae.stages.recalibration import halves

ROOT = Path(__file__).resolve().parents[1]
ALPHA, CONFIDENCE = 0.10, 0.95
SIZES, LOCAL = (29, 40, 46, 80), (40, 58)
NEW = "coronal-1.5t"
POOL_SEED, FIRST_SEED = 90_000, 1
CHUNK = 20
"""Scores after which the table is written."""
# The phantom's scans of one subject are aligned; nothing but the model is needed of a run.
CHOICES = (
    "dataset=phantom", "dataset.abnormal_fraction=0", "preprocess.align=affine_only", "trainer.progress=false",
    "logger=csv", "evaluation.maps=false", "evaluation.views=0", "evaluation.permutations=1", "evaluation.resamples=10",
    "transfer.compare=[]", "split=leave_protocol_out", "split.protocol=siemens_borealis_15_1.5_t_coronal_1",
)  # fmt: skip


def train(folder: Path, overrides: Sequence[str]) -> bool:
    """Train a network in a new process, unless the folder has one; return whether it has one now."""
    if not (folder / "model" / "config.yaml").is_file():
        folder.parent.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, str(ROOT / "train.py"), *CHOICES, *overrides, f"hydra.run.dir={folder}"]
        with folder.with_suffix(".log").open("w", encoding="utf-8") as log:
            environment = os.environ | {"PYTHONPATH": str(ROOT)}
            subprocess.run(command, cwd=ROOT, env=environment, stdout=log, stderr=log, check=False)
    return (folder / "model" / "config.yaml").is_file()


def brain(number: int, config: Config) -> tuple[PreparedSubject, dict[str, Any]]:
    """Simulate a healthy brain that no network has seen, prepared as a run does; and its number, protocol and age."""
    settings = PhantomSettings(subjects=number + 1, seed=POOL_SEED, abnormal_fraction=0)
    person = simulate_subject(settings, number, modalities=tuple(config.modality.names))
    with tempfile.TemporaryDirectory() as folder:
        rows = []
        for modality, series in person.series.items():
            path = Path(folder) / f"{modality}.nii"
            nibabel.save(nibabel.Nifti1Image(*series.volume()), path)
            rows.append({"subject": person.identifier, "modality": modality, "path": str(path), "skull": "stripped"})
        subject = prepare_subject(
            pd.DataFrame(rows).assign(brain_mask_path="", lesion_mask_path=""),
            modalities=config.modality.names,
            reference=config.modality.reference,
            scaling=config.preprocess.scaling,
            bias_correction=config.preprocess.bias_correction,
        )
    return subject, {"number": number, "protocol": person.protocol.name, "age": person.age}


def score_of(detector: Detector, subject: PreparedSubject) -> float:
    """Return the residual score of a brain."""
    scorer = detector.scorers["residual"]
    signal = detector.signals(subject, detector.reconstruct(subject))[scorer.signal]
    return scorer.score(scorer.joint(signal), signal)


def scored(detectors: dict[int, Detector], brains: int, path: Path, end: float) -> pd.DataFrame:
    """Return network, number, protocol, age and score of the brains, as far as there was time to score them."""
    columns = ["network", "number", "protocol", "age", "score"]
    known = pd.read_csv(path) if path.is_file() else pd.DataFrame(columns=columns)
    done = set(zip(known["network"], known["number"], strict=True))
    rows: list[dict[str, Any]] = []
    for number in range(brains):
        missing = [network for network in detectors if (network, number) not in done]
        if missing and time.monotonic() < end:
            subject, facts = brain(number, detectors[missing[0]].config)
            rows += [
                facts | {"network": network, "score": score_of(detectors[network], subject)} for network in missing
            ]
        if rows and (number + 1 == brains or len(rows) >= CHUNK):
            known, rows = pd.DataFrame([*known.to_dict("records"), *rows], columns=columns), []
            write_text(path, known.to_csv(index=False))
    return known[known["network"].isin(list(detectors)) & (known["number"] < brains)]


def recalibrated(detector: Detector, local: list[PreparedSubject]) -> Detector:
    """Return the detector after ``calibrate=`` on these brains."""
    calibrating, reference = halves(local, detector.guarantee)
    reshape = deepcopy(detector.reshape)
    reshape.know([subject.native_shape for subject in local])
    detector = replace(detector, reshape=reshape, scorers={}, encoder_references={})
    calibrate(detector, calibrating, HERE, reference=reference)
    return detector


def local_rates(
    detectors: dict[int, Detector], numbers: Sequence[int], path: Path, *, repeats: int, end: float
) -> pd.DataFrame:
    """Return the rate of each rule after ``calibrate=`` on some brains, on the others of them.

    Args:
        detectors: By number of the network.
        numbers: Brains of the new scanner.
        path: Of the table, which is continued.
        repeats: Draws for each network.
        end: Start nothing after this time.
    """
    columns = ["network", "brains", "repeat", "rest", *GUARANTEES]
    known = pd.read_csv(path) if path.is_file() else pd.DataFrame(columns=columns)
    done = set(zip(known["network"], known["brains"], known["repeat"], strict=True))
    subjects: dict[int, PreparedSubject] = {}
    for repeat, (network, detector), brains in itertools.product(range(repeats), detectors.items(), LOCAL):
        if (network, brains, repeat) in done or len(numbers) <= brains or time.monotonic() > end:
            continue
        subjects = subjects or {number: brain(number, detector.config)[0] for number in sorted(numbers)}
        order = np.random.default_rng([network, brains, repeat]).permutation(sorted(numbers))
        local = recalibrated(detector, [subjects[number] for number in order[:brains]])
        scores = np.array([score_of(local, subjects[number]) for number in order[brains:]])
        calibration = local.scorers["residual"].calibration
        rates = {kind: float((scores > calibration.threshold(rule(kind))).mean()) for kind in GUARANTEES}
        row = {"network": network, "brains": brains, "repeat": repeat, "rest": len(scores)} | rates
        known = pd.DataFrame([*known.to_dict("records"), row], columns=columns)
        write_text(path, known.to_csv(index=False))
    return known[known["network"].isin(list(detectors))]


def rule(kind: str) -> Guarantee:
    """Return the rule of this kind."""
    return Guarantee(kind, ALPHA, CONFIDENCE)


def thresholds(scores: np.ndarray, size: int, kind: str, order: np.ndarray) -> np.ndarray:
    """Return the threshold of each draw; ``order`` (draws, brains) has the calibrating brains first."""
    rank = rule(kind).rank(size)
    return np.sort(scores[order[:, :size]], axis=1)[:, -rank] if rank else np.full(len(order), np.inf)


def drawn(table: pd.DataFrame, sizes: Sequence[int], draws: int) -> pd.DataFrame:
    """Return the rates of false alarms over draws of calibration brains, for each network, size and rule.

    Args:
        table: Scores of all networks: network, number, protocol, age, score.
        sizes: Numbers of calibration brains.
        draws: Number of draws for each network.

    Returns:
        Columns network, brains, kind, draw, rest, rate, new (of the new scanner), ``protocol: …`` and ``age: …``.
    """
    parts = []
    for network, rows in table.groupby("network"):
        old, new = rows[rows["protocol"] != NEW], rows[rows["protocol"] == NEW]
        scores, generator = old["score"].to_numpy(), np.random.default_rng(int(network))
        strata = {f"protocol: {name}": (old["protocol"] == name).to_numpy() for name in sorted(set(old["protocol"]))}
        third = pd.cut(old["age"], [0, 40, 60, 200], labels=["below 40", "40 to 60", "above 60"])
        strata |= {f"age: {name}": (third == name).to_numpy() for name in third.cat.categories}
        order = np.argsort(generator.random((draws, len(scores))), axis=1)
        for size in [size for size in sizes if size < len(scores)]:
            rest = np.ones((draws, len(scores)), bool)
            np.put_along_axis(rest, order[:, :size], False, axis=1)
            for kind in GUARANTEES:
                limits = thresholds(scores, size, kind, order)
                above = rest & (scores[None] > limits[:, None])
                part = pd.DataFrame({"network": network, "brains": size, "kind": kind, "draw": range(draws)})
                part["rest"], part["rate"] = rest.sum(axis=1), above.sum(axis=1) / rest.sum(axis=1)
                part["new"] = (new["score"].to_numpy()[None] > limits[:, None]).mean(axis=1) if len(new) else np.nan
                for name, inside in strata.items():
                    part[name] = above[:, inside].sum(axis=1) / np.maximum(rest[:, inside].sum(axis=1), 1)
                parts.append(part)
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=["brains", "kind"])


def exceeding(size: int, kind: str, rest: int) -> float:
    """Return the probability, by theory, that more than alpha of the rest are false alarms."""
    rank = rule(kind).rank(size)
    return float(betabinom.sf(np.floor(ALPHA * rest + 1e-9), rest, rank, size + 1 - rank)) if rank else 0.0


def report(rates: pd.DataFrame, local: pd.DataFrame) -> dict:
    """Print the tables; return the figures and, of ``probable``, alpha divided by the rate that 95 % of draws keep."""
    figures: dict[str, float] = {}
    ratios: dict[str, float] = {}
    print("| calibration brains | rule | mean rate | above alpha, share of draws | by theory | new scanner |")
    print("|---|---|---|---|---|---|")
    for (brains, kind), rows in rates.groupby(["brains", "kind"]):
        above = float((rows["rate"] > ALPHA + 1e-9).mean())
        theory = np.mean([exceeding(brains, kind, int(rest)) for rest in rows.groupby("network")["rest"].first()])
        new = f"{rows['new'].mean():.1%}" if rows["new"].notna().any() else "-"
        print(f"| {brains} | {kind} | {rows['rate'].mean():.1%} | {above:.1%} | {theory:.1%} | {new} |")
        figures |= {f"{kind}_{brains}": round(float(rows["rate"].mean()), 4), f"{kind}_{brains}_above": round(above, 4)}
        if kind == "probable" and (kept := float(rows["rate"].quantile(CONFIDENCE))) > 0:
            ratios[f"{kind}_{brains}"] = round(ALPHA / kept, 3)
    strata = [name for name in rates if ": " in str(name)]
    if strata and (at := max((size for size in set(rates["brains"]) if size <= 46), default=0)):
        print(f"\n| mean rate with {at} calibration brains | {' | '.join(GUARANTEES)} |\n|---|---|---|")
        for name in strata:
            rows = rates[rates["brains"] == at].groupby("kind")[name].mean()
            print(f"| {name} | {' | '.join(f'{rows[kind]:.1%}' for kind in GUARANTEES)} |")
    if len(local):
        print(f"\n| after calibrate= on | repeats | brains scored | {' | '.join(GUARANTEES)} |\n|---|---|---|---|---|")
        for brains, rows in local.groupby("brains"):
            means = [float(np.average(rows[kind], weights=rows["rest"])) for kind in GUARANTEES]
            shown = " | ".join(f"{mean:.1%}" for mean in means)
            print(f"| {brains} | {len(rows)} | {int(rows['rest'].sum())} | {shown} |")
            figures |= {f"local_{kind}_{brains}": round(m, 4) for kind, m in zip(GUARANTEES, means, strict=True)}
    return {"ratios": ratios, "figures": figures}


def whole_runs(folders: Sequence[Path]) -> pd.DataFrame:
    """Return the false alarms of whole runs, for each rule, beside those that are expected.

    Returns:
        Columns run, calibration, healthy, kind, alarms, expected and p (beta-binomial, twice the smaller tail);
        the rows of run ``all`` are sums over runs.
    """
    rows = []
    for kind in GUARANTEES:
        pmf, alarms, healthy, expected = np.ones(1), 0, 0, 0.0
        for folder in folders:
            table = pd.read_csv(folder / "predictions.csv")
            tested = table[(table["label"] == "healthy") & table["p_value"].notna()]
            brains = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))["scoring"]["n_calibration"]
            rank, number, mean = rule(kind).rank(brains), len(tested), len(tested) * rule(kind).expected_rate(brains)
            flagged = int((tested["p_value"] <= rank / (brains + 1) + 1e-9).sum())
            chances = betabinom.pmf(np.arange(number + 1), number, rank, brains + 1 - rank) if rank else np.eye(1)[0]
            pmf, alarms = np.convolve(pmf, chances), alarms + flagged
            healthy, expected = healthy + number, expected + mean
            rows.append([folder.name, brains, number, kind, flagged, mean, _two_sided(chances, flagged)])
        rows.append(["all", "", healthy, kind, alarms, expected, _two_sided(pmf, alarms)])
    return pd.DataFrame(rows, columns=["run", "calibration", "healthy", "kind", "alarms", "expected", "p"])


def _two_sided(chances: np.ndarray, seen: int) -> float:
    return float(min(1.0, 2 * min(chances[: seen + 1].sum(), chances[seen:].sum())))


def show_runs(table: pd.DataFrame) -> dict[str, float]:
    """Print the table of :func:`whole_runs`; return the p-values of its sums."""
    print("| run | calibration brains | healthy tested | rule | false alarms | expected | p |")
    print("|---|---|---|---|---|---|---|")
    for row in table.itertuples():
        numbers = f"{row.alarms} | {row.expected:.1f} | {row.p:.2f}"
        print(f"| {row.run} | {row.calibration} | {row.healthy} | {row.kind} | {numbers} |")
    total = table[table["run"] == "all"].set_index("kind")
    return {f"{kind}_p": round(float(total.loc[kind, "p"]), 3) for kind in GUARANTEES}


def main(arguments: Sequence[str] | None = None) -> None:
    """Train and score what is missing, and print the tables, then one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", type=int, default=6, help="each with a cohort of its own (%(default)s)")
    parser.add_argument("--brains", type=int, default=1000, help="healthy, scored by each network (%(default)s)")
    parser.add_argument("--subjects", type=int, default=160, help="in the cohort of a network (%(default)s)")
    parser.add_argument("--epochs", type=int, help="of the training (as configured)")
    parser.add_argument("--draws", type=int, default=2000, help="of the brains that calibrate (%(default)s)")
    parser.add_argument("--repeats", type=int, default=20, help="of calibrate= for each network (%(default)s)")
    parser.add_argument("--minutes", type=float, default=600.0, help="start nothing after that (%(default)s)")
    parser.add_argument("--out", type=Path, default=ROOT / "outputs" / "false_alarms", help="(%(default)s)")
    parser.add_argument("overrides", nargs="*", help="of the training: trainer=cpu")
    parser.add_argument("--runs", type=Path, nargs="+", help="folders of whole runs, whose false alarms are counted")
    chosen = parser.parse_args(arguments)
    if chosen.runs:
        figures = show_runs(whole_runs(chosen.runs))
        print(json.dumps({"name": "false alarms of whole runs", "figures": figures}))
        return
    logging.getLogger("brain_cae").setLevel(logging.ERROR)
    end = time.monotonic() + 60 * chosen.minutes
    epochs = [f"trainer.max_epochs={chosen.epochs}"] if chosen.epochs else []
    place = chosen.out.resolve() / f"{chosen.subjects}-{chosen.epochs or 'configured'}"
    place.mkdir(parents=True, exist_ok=True)
    detectors: dict[int, Detector] = {}
    with exclusive(place / ".lock"):
        for number in range(chosen.networks):
            seed, folder = FIRST_SEED + number, place / f"network-{number}"
            keys = [f"dataset.seed={seed}", f"dataset.subjects={chosen.subjects}", f"seed={seed}"]
            if time.monotonic() < end and train(folder, [*keys, *epochs, *chosen.overrides]):
                detectors[number] = load(folder)
        table = scored(detectors, chosen.brains, place / "scores.csv", end)
        new = table.loc[table["protocol"] == NEW, "number"].unique().tolist()
        path = place / f"local-{chosen.brains}.csv"
        local = local_rates(detectors, new, path, repeats=chosen.repeats, end=end)
    missing = chosen.networks * chosen.brains - len(table)
    rates = drawn(table, SIZES, chosen.draws)
    result = report(rates, local)
    print(
        f"\n{len(table)} scores; {missing} are missing: call again." if missing else f"\nComplete: {len(table)} scores."
    )
    print(json.dumps({"name": "false alarms", **result, "missing": missing}))


if __name__ == "__main__":
    main()
