"""The partial confounder test: does the score depend on any single acquisition parameter, given the label?"""

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import rankdata

from brain_cae.audit.header_comparison import permuted_p_values, smallest_p_correction
from brain_cae.audit.result import CANNOT_TELL, CONCERN, NO_CONCERN, AuditTest, unable
from brain_cae.audit.score_dependence import LARGE, aligned_ranks, needed_for_share, share_interval
from brain_cae.audit.smoother import shuffled_rows
from brain_cae.audit.table import AuditTable, as_codes, as_numbers, one_hot


def partial_confounder(cohort: AuditTable, *, seed: int = 0, permutations: int = 999) -> AuditTest:
    """Test the score against each parameter within the labels (R²); null: independent of it given the label.

    Spisak (2022, GigaScience 11:giac082), with the conditional permutation of Berrett et al. (2020, J R Stat Soc B
    82:175). With two classes, permuting within the classes draws exactly from the conditional distribution, without a
    model. All parameters use the same permutations; p is corrected by the smallest p over the parameters (Westfall and
    Young 1993). It explains condition B and does not change the verdict.
    """
    keep = cohort.scored
    truth = cohort.truth[keep]
    n = len(truth)
    if n < 10:
        return unable("partial_confounder", "Fewer than ten scored subjects.", n=n, n_needed=40)
    aligned = aligned_ranks(truth, cohort.scores[keep])
    rows = np.vstack([aligned, shuffled_rows(aligned, permutations=permutations, seed=seed, within=truth.astype(int))])
    directions = {}
    for name, column in cohort.acquisition.loc[keep].items():
        basis = _directions(column, truth)
        if basis.shape[1]:
            directions[str(name)] = basis
    if not directions:
        text = "No acquisition parameter varies among subjects of the same label, so none can affect the score."
        return AuditTest("partial_confounder", 0.0, None, None, None, NO_CONCERN, text, n)
    shares = np.stack([((rows @ one) ** 2).sum(axis=1) / n for one in directions.values()])
    p_values = permuted_p_values(shares)
    corrected = smallest_p_correction(p_values)
    details = [
        {
            "parameter": name,
            "degrees_of_freedom": one.shape[1],
            "share": float(share[0]),
            "p": float(p_row[0]),
            "p_corrected": float(p_corrected),
        }
        for (name, one), share, p_row, p_corrected in zip(directions.items(), shares, p_values, corrected, strict=True)
    ]
    details.sort(key=lambda row: (row["p_corrected"], row["p"], -row["share"]))
    first = details[0]
    df, share = int(first["degrees_of_freedom"]), float(first["share"])
    low, high = share_interval(share * (n - 2), df, n)
    upper = share_interval(share * (n - 2), df, n, level=0.90)[1]
    text = f"Among subjects of the same label, {first['parameter'].replace('_', ' ')} accounts for {100 * share:.0f} %"
    text += f" of the score's variance, the clearest of {len(details)} parameters"
    text += f" (corrected p = {first['p_corrected']:.3f})."
    verdict, needed = NO_CONCERN, None
    if first["p_corrected"] <= 0.05:
        verdict = CONCERN
        text += " The score depends on how the scan was made."
    elif upper >= LARGE:
        verdict, needed = CANNOT_TELL, needed_for_share(n, df)
        text += f" A large share is not excluded; about {needed} subjects would be needed."
    return AuditTest(
        "partial_confounder",
        share,
        min(low, share),
        max(high, share),
        first["p_corrected"],
        verdict,
        text,
        n,
        needed,
        upper,
        details,
    )


def _directions(column: pd.Series, truth: NDArray) -> NDArray:
    """Return orthonormal columns (n, df) that span a parameter's variation within the labels."""
    values = as_numbers(column)
    if values is None:
        columns = one_hot(as_codes(column)[1])
    else:
        missing = ~np.isfinite(values)
        ranks = np.zeros(len(values))
        ranks[~missing] = rankdata(np.round(values[~missing], 9))
        ranks[~missing] -= ranks[~missing].mean() if (~missing).any() else 0.0
        columns = np.column_stack([ranks, missing])
    centred = columns.astype(float)
    for kind in (truth, ~truth):
        if kind.any():
            centred[kind] -= centred[kind].mean(axis=0)
    left, strength, _ = np.linalg.svd(centred, full_matrices=False)
    return left[:, strength > 1e-8 * max(len(values) if values is not None else len(column), 1)]
