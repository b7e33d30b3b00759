"""Which acquisition parameter differs between the classes, and by how much?"""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import rankdata

from brain_cae.audit.result import CANNOT_TELL, CONCERN, NO_CONCERN, AuditTest, unable
from brain_cae.audit.smoother import shuffled_rows
from brain_cae.audit.table import AuditTable, as_codes, as_numbers, one_hot
from brain_cae.estimates import newcombe_interval
from brain_cae.vocabulary import MODALITIES

FEW = 20


def header_comparison(cohort: AuditTable, *, seed: int = 0, permutations: int = 999, resamples: int = 300) -> AuditTest:
    """Compare every acquisition parameter of every modality between healthy and abnormal subjects.

    Effect: Cliff's delta for numbers (share of pairs in which the abnormal subject's is larger, minus the share in
    which it is smaller; Cliff 1993), Cramér's V for categories and for "known or missing". p: labels permuted,
    two-sided; ``p_corrected`` by the smallest p of each permutation over all parameters (Westfall and Young 1993),
    which loses little power where parameters are correlated. The value is the largest effect among those with the
    smallest corrected p; its interval is a bootstrap over subjects within each class. The largest of many effects is
    biased upwards, and so is its interval.

    Args:
        cohort: Its ``acquisition`` holds columns such as ``flair_echo_time_ms``; parameters that never vary are left
            out.
        seed: Of the permutations.
        permutations: Their number.
        resamples: Of the bootstrap.
    """
    truth = cohort.truth
    if truth.all() or not truth.any():
        return unable("header_comparison", "Only one class is present, so there is nothing to compare.", n=cohort.n)
    rows = np.vstack([truth, shuffled_rows(truth, permutations=permutations, seed=seed)]).astype(float)
    compared = [one for name, column in cohort.acquisition.items() for one in _compare(str(name), column, truth, rows)]
    if not compared:
        text = "No acquisition parameter varies between the subjects."
        return AuditTest("header_comparison", 0.0, None, None, None, NO_CONCERN, text, cohort.n)
    p_values = permuted_p_values(np.stack([statistic for _, statistic in compared]))
    corrected = smallest_p_correction(p_values)
    details = [
        row | {"p": float(p_row[0]), "p_corrected": float(p_corrected)}
        for (row, _), p_row, p_corrected in zip(compared, p_values, corrected, strict=True)
    ]
    details.sort(key=lambda row: (row["p_corrected"], -abs(row["effect"])))
    first = details[0]
    different = [row for row in details if row["p_corrected"] <= 0.05]
    text = f"{len(different)} of {len(details)} acquisition parameters differ between healthy and abnormal subjects"
    text += f" (corrected for multiple testing); the clearest is {_words(first)}: {first['effect_name']}"
    text += f" {first['effect']:.2f}, corrected p = {first['p_corrected']:.3f}."
    verdict = CONCERN if different else NO_CONCERN if cohort.n >= FEW else CANNOT_TELL
    return AuditTest(
        "header_comparison",
        abs(first["effect"]),
        *_interval(cohort, first, seed=seed, resamples=resamples),
        first["p_corrected"],
        verdict,
        text,
        cohort.n,
        2 * FEW if verdict == CANNOT_TELL else None,
        details=details,
    )


def _interval(
    cohort: AuditTable, first: dict[str, Any], *, seed: int, resamples: int
) -> tuple[float | None, float | None]:
    """Return the 95 % interval of the absolute effect of one row of the table.

    The bootstrap of classes that a parameter separates completely has no width; the interval is then that of an AUROC
    of 1 (Newcombe 2006) of as many subjects.
    """
    name = "_".join(part for part in (first["modality"], first["parameter"]) if part)
    column = {str(key): values for key, values in cohort.acquisition.items()}[name]
    rng = np.random.default_rng(seed)
    kinds = [np.flatnonzero(cohort.truth == value) for value in (False, True)]
    effects = []
    for _ in range(resamples):
        drawn = np.concatenate([rng.choice(kind, len(kind)) for kind in kinds])
        truth = cohort.truth[drawn]
        compared = _compare(name, column.iloc[drawn], truth, truth[None].astype(float))
        # A parameter that does not vary in a resample has no effect there.
        effects.append(next((abs(row["effect"]) for row, _ in compared if row["what"] == first["what"]), 0.0))
    low, high = (float(bound) for bound in np.quantile(effects, [0.025, 0.975]))
    effect = abs(float(first["effect"]))
    if low < high:
        return min(low, effect), max(high, effect)
    used = np.ones(cohort.n, dtype=bool) if first["what"] != "value" else column.map(str).ne("") & column.notna()
    positives, negatives = int((cohort.truth & used).sum()), int((~cohort.truth & used).sum())
    if not positives or not negatives:
        return None, None
    low, high = newcombe_interval((1 + effect) / 2, positives, negatives)
    return max(2 * low - 1, 0.0), 2 * high - 1


def permuted_p_values(statistics: NDArray) -> NDArray:
    """Return each entry's p value within its row; (k, permutations + 1), observed first, larger is more extreme."""
    # Ranks from the largest; ties count as at least as extreme, in both directions of rounding.
    return rankdata(-np.round(statistics, 9), axis=1, method="max") / statistics.shape[1]


def smallest_p_correction(p_values: NDArray) -> NDArray:
    """Return the p values (k,) of the first column, corrected by the smallest p of each column (Westfall and Young)."""
    smallest = p_values.min(axis=0)
    return (smallest[None, :] <= p_values[:, :1] + 1e-12).mean(axis=1)


def _compare(name: str, column: pd.Series, truth: NDArray, rows: NDArray) -> list[tuple[dict[str, Any], NDArray]]:
    """Return table row and permuted statistic of the values, and a second pair where some values are missing."""
    values = as_numbers(column)
    if values is None:
        names, codes = as_codes(column)
        known = np.array([bool(word) for word in names])[codes]
        known_values = _categories(name, codes[known], rows[:, known])
        described = _frequent(column.astype(str), truth, known)
    else:
        known = np.isfinite(values)
        known_values = _numbers(name, values[known], rows[:, known])
        described = _median(values, truth, known)
    missing = _categories(name, known.astype(int), rows)
    if missing is not None:
        counts = {label: f"{int(known[kind].sum())} of {int(kind.sum())} known" for label, kind in _kinds(truth)}
        missing = missing[0] | {"what": "known or missing"} | counts, missing[1]
    if known_values is not None:
        known_values = known_values[0] | described, known_values[1]
    return [one for one in (known_values, missing) if one is not None]


def _numbers(name: str, values: NDArray, rows: NDArray) -> tuple[dict[str, Any], NDArray] | None:
    if len(values) < 2 or np.ptp(values) < 1e-9:
        return None
    ranks = rankdata(np.round(values, 9))
    positives = rows.sum(axis=1)
    negatives = len(values) - positives
    pairs = positives * negatives
    wins = rows @ ranks - positives * (positives + 1) / 2
    delta = np.divide(2 * wins, pairs, out=np.ones_like(wins), where=pairs > 0) - 1
    # Where values are missing the classes' sizes differ between permutations; their spread makes them comparable.
    scaled = np.abs(delta) * np.sqrt(pairs)
    return _row(name, "Cliff's delta", float(delta[0])), scaled


def _categories(name: str, codes: NDArray, rows: NDArray) -> tuple[dict[str, Any], NDArray] | None:
    groups = one_hot(codes) if len(codes) else np.zeros((0, 0))
    if groups.shape[1] < 2:
        return None
    share = rows.mean(axis=1, keepdims=True)
    expected = groups.sum(axis=0) * share
    spread = share * (1 - share)
    squared = ((rows @ groups - expected) ** 2 / groups.sum(axis=0)).sum(axis=1, keepdims=True)
    chi = np.divide(squared, spread, out=np.zeros_like(squared), where=spread > 0)[:, 0]
    return _row(name, "Cramér's V", float(np.sqrt(min(chi[0] / len(codes), 1.0)))), chi


def _row(name: str, effect_name: str, effect: float) -> dict[str, Any]:
    modality = next((one for one in MODALITIES if name.startswith(f"{one}_")), "")
    parameter = name.removeprefix(f"{modality}_") if modality else name
    return {
        "modality": modality,
        "parameter": parameter,
        "what": "value",
        "healthy": "",
        "abnormal": "",
        "effect_name": effect_name,
        "effect": effect,
    }


def _kinds(truth: NDArray) -> list[tuple[str, NDArray]]:
    return [("healthy", ~truth), ("abnormal", truth)]


def _median(values: NDArray, truth: NDArray, known: NDArray) -> dict[str, str]:
    described = {}
    for label, kind in _kinds(truth):
        chosen = values[kind & known]
        described[label] = (
            f"{np.median(chosen):.4g} ({chosen.min():.4g} to {chosen.max():.4g})" if len(chosen) else "none known"
        )
    return described


def _frequent(words: pd.Series, truth: NDArray, known: NDArray) -> dict[str, str]:
    described = {}
    for label, kind in _kinds(truth):
        counts = words[kind & known].value_counts().head(3)
        described[label] = ", ".join(f"{word} ({count})" for word, count in counts.items()) or "none known"
    return described


def _words(row: dict[str, Any]) -> str:
    words = f"{row['modality']} {row['parameter'].replace('_', ' ')}".strip()
    return words if row["what"] == "value" else f"whether {words} is known"
