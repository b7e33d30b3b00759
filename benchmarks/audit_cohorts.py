"""How often the audit's verdicts are correct on whole cohorts: simulated as DICOM, imported, trained on, scored.

``audit_power.py`` audits thousands of tables. Here each verdict comes from a complete run, for the residual score and
for the transfer classifier, on a different cohort (``dataset.seed``); the files of the run are deleted afterwards. The
network is trained for only four epochs. Every row is written to ``--out`` when its run ends, and a later call continues
from there. Run from the project's root; by default it uses as many processes as there are cores:
``python benchmarks/audit_cohorts.py``.
"""

import argparse
import csv
import itertools
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from pathlib import Path

from audit_power import VERDICTS, share
from joblib import Parallel, delayed

from brain_cae.files.locks import exclusive

ROOT = Path(__file__).resolve().parents[1]
COLUMNS = ("confounding", "cohort", "judged", "verdict", "classifier_verdict", "auroc", "classifier_auroc")
PLAN = {0.0: 60, 1.0: 60, 0.25: 7, 0.5: 7, 0.75: 7}
"""Number of cohorts at each degree of confounding."""
FIRST_SEED = 1000
"""Cohort seeds from here on were not used during development."""
CHOICES = (
    "trainer.max_epochs=4", "trainer.progress=false", "evaluation.maps=false", "evaluation.views=0",
    "evaluation.permutations=1", "evaluation.resamples=200", "transfer.compare=[]", "logger=csv", "workers=1",
)  # fmt: skip


def judge(confounding: float, cohort: int, out: Path) -> None:
    """Run the program on one cohort and append its verdicts to the results."""
    with tempfile.TemporaryDirectory() as place:
        command = [
            sys.executable, str(ROOT / "train.py"), *CHOICES, f"dataset.confounding={confounding}",
            f"dataset.seed={FIRST_SEED + cohort}", f"cache={place}/cache", f"hydra.run.dir={place}/run",
        ]  # fmt: skip
        environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"cohort {cohort} at {confounding}: {done.stderr.strip()[-2000:]}")
        metrics = json.loads((Path(place) / "run" / "metrics.json").read_text(encoding="utf-8"))
    classifier = metrics["audit"]["classifier"]
    row = (
        confounding,
        cohort,
        metrics["detection"]["auroc"]["n"],
        metrics["audit"]["verdict"],
        classifier["verdict"] if classifier else "",
        round(metrics["detection"]["auroc"]["value"], 4),
        round(metrics["transfer"]["auroc"]["value"], 4),
    )
    with exclusive(out.with_name(f".{out.name}.lock")), out.open("a", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerow(row)


def read(out: Path) -> list[dict[str, str]]:
    """Return the rows written so far; create the file if it does not exist."""
    if not out.exists():
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(",".join(COLUMNS) + "\n", encoding="utf-8")
    with out.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def main() -> None:
    """Run the missing cohorts until the time is up, and print the results so far."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks/results/audit_cohorts.csv", help="(%(default)s)")
    parser.add_argument("--minutes", type=float, default=60.0, help="start no cohort after that (%(default)s)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="number of parallel jobs (%(default)s)")
    chosen = parser.parse_args()
    end = time.monotonic() + 60 * chosen.minutes
    known = {(float(row["confounding"]), int(row["cohort"])) for row in read(chosen.out)}
    # Interleaved, so that every degree of confounding has its share of the results whenever the time is up.
    plan = sorted(itertools.chain(*([(n / count, c, n) for n in range(count)] for c, count in PLAN.items())))
    missing = [(confounding, cohort) for _, confounding, cohort in plan if (confounding, cohort) not in known]

    def one(confounding: float, cohort: int) -> None:
        if time.monotonic() < end:
            judge(confounding, cohort, chosen.out)

    Parallel(n_jobs=chosen.jobs, backend="threading", batch_size=1)(delayed(one)(*cell) for cell in missing)
    rows = read(chosen.out)
    print("Percentage of whole cohorts with each verdict (95 % confidence interval).\n")
    print(f"| verdict on | confounding | cohorts | {' | '.join(VERDICTS)} |")
    print("|" + "---|" * (3 + len(VERDICTS)))
    for name, column in (("score", "verdict"), ("classifier", "classifier_verdict")):
        counts: dict[float, Counter[str]] = defaultdict(Counter)
        for row in rows:
            counts[float(row["confounding"])][row[column]] += 1
        for confounding in sorted(counts):
            total = counts[confounding].total()
            shares = " | ".join(share(counts[confounding][verdict], total) for verdict in VERDICTS)
            print(f"| {name} | {confounding:g} | {total} | {shares} |")
    print(f"\n{len(rows)} cohorts audited, {sum(PLAN.values()) - len(rows)} remaining.")


if __name__ == "__main__":
    main()
