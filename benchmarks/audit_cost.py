"""Run time of the audit: seconds for simulated cohorts of increasing size, with all tests.

The comparison is scikit-learn's ``permutation_test_score`` with the same acquisition, labels and number of
permutations: the usual way to get the p-value of a classifier of headers alone. Run from the project's root:
``python benchmarks/audit_cost.py``.
"""

import argparse
import json
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.kernel_ridge import KernelRidge
from sklearn.model_selection import KFold, permutation_test_score

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from brain_cae.audit import LabelMeaning, audit
from brain_cae.audit.smoother import read_label
from brain_cae.audit.table import make_table

ALLOWED_S = 60.0
PERMUTATIONS = 99


def simulate(subjects: int, seed: int = 0) -> dict:
    """Return the arguments of an audit: two modalities' headers, features, nuisance images, fingerprints, scans."""
    rng = np.random.default_rng(seed)
    index = pd.Index([f"{number:05d}" for number in range(subjects)], name="subject")
    truth = rng.random(subjects) < 0.5
    protocol = np.where(
        rng.random(subjects) < 0.4, rng.integers(0, 3, subjects) + 3 * truth, rng.integers(0, 6, subjects)
    )
    score = rng.normal(size=subjects) + truth + 0.3 * protocol
    table = pd.DataFrame(
        {
            "label": np.where(truth, "abnormal", "healthy"),
            "score": score,
            "protocol": [f"protocol {number}" for number in protocol],
            "reshape_group": protocol // 2,
            "flagged": score > 2,
        },
        index=index,
    )
    acquisition = pd.DataFrame(
        {
            f"{modality}_{name}": np.arange(6)[protocol] * scale + rng.normal(0, scale / 10, subjects)
            for modality in ("t1", "flair")
            for name, scale in {
                "repetition_time_ms": 1000,
                "echo_time_ms": 10,
                "rows": 64,
                "spacing_slice_mm": 1,
            }.items()
        },
        index=index,
    ).assign(manufacturer=np.array(["A", "B", "C"])[protocol % 3])
    kinds = [f"{kind}_{number}" for kind in ("mask", "background", "histogram") for number in range(10)]
    return {
        "subjects": table,
        "acquisition": acquisition,
        "features": pd.DataFrame(rng.normal(size=(subjects, 70)), index=index),
        "nuisance": pd.DataFrame(rng.normal(size=(subjects, len(kinds))), index=index, columns=kinds),
        "fingerprints": pd.DataFrame(rng.normal(size=(subjects, 512)), index=index),
        "scans": pd.DataFrame({"subject": index, "role": "test", "series_hash": index}),
        "meaning": LabelMeaning("simulated", "simulated", True),
    }


def seconds(run) -> tuple[float, float]:
    """Return wall time and CPU time of a call; they differ if other processes share the machine."""
    start, processor = time.perf_counter(), time.process_time()
    run()
    return time.perf_counter() - start, time.process_time() - processor


def peer(table: dict) -> tuple[float, float]:
    """Return CPU seconds for the p-value of headers alone: with the audit, and with scikit-learn for the same folds."""
    cohort = make_table(table["subjects"], table["acquisition"])
    ours = seconds(lambda: read_label(cohort.truth, cohort.metadata, seed=0, permutations=PERMUTATIONS))[1]
    # Five repetitions of five folds, as in the audit.
    theirs = seconds(
        lambda: [
            permutation_test_score(
                KernelRidge(alpha=1.0, kernel="rbf"), cohort.metadata, cohort.truth.astype(float),
                cv=KFold(5, shuffle=True, random_state=number), n_permutations=PERMUTATIONS, random_state=number,
            )
            for number in range(5)
        ]
    )[1]  # fmt: skip
    return ours, theirs


def main() -> None:
    """Time the audits and print a table, then one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--subjects", type=int, nargs="+", default=[50, 100, 200, 400, 800])
    sizes = sorted({*parser.parse_args().subjects, 200})
    audit(**simulate(50))
    taken, used = {}, {}
    print(f"{'subjects':>9} {'seconds':>9} {'processor':>10} {'tests':>6}")
    for size in sizes:
        table = simulate(size)
        results = []
        taken[size], used[size] = seconds(lambda table=table, results=results: results.append(audit(**table)))
        tests = len(results[0].tests)
        print(f"{size:>9} {taken[size]:>9.2f} {used[size]:>10.2f} {tests:>6}", flush=True)
    large = [size for size in sizes if size >= 200]
    growth = float(np.polyfit(np.log(large), np.log([used[size] for size in large]), 1)[0]) if len(large) > 1 else None
    if growth is not None:
        print(f"growth from 200 subjects on: CPU seconds ~ subjects^{growth:.1f}")
    ours, theirs = peer(simulate(200))
    print(
        f"p-value of headers alone, 200 subjects, {PERMUTATIONS} permutations:"
        f" {ours:.2f} s; scikit-learn {theirs:.2f} s"
    )
    ratios = {"vs_allowed_60_s": ALLOWED_S / taken[200], "vs_sklearn_permutation_test": theirs / ours}
    result = {
        "name": "audit_cost",
        "ratios": {name: round(value, 2) for name, value in ratios.items()},
        "seconds": {str(size): round(value, 2) for size, value in taken.items()},
        "processor_seconds": {str(size): round(value, 2) for size, value in used.items()},
        "growth": growth and round(growth, 2),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
