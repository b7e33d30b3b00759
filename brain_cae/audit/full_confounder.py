"""The full confounder test: does the score predict the label beyond what the acquisition predicts?"""

import math

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from brain_cae.audit.result import CANNOT_TELL, CONCERN, NO_CONCERN, AuditTest, unable
from brain_cae.audit.smoother import auroc_rows, permutation_p
from brain_cae.audit.table import AuditTable
from brain_cae.estimates import auroc

RELEVANT_DIFFERENCE = 0.15
PENALTY = 1.0


def full_confounder(cohort: AuditTable, *, seed: int = 0, permutations: int = 999) -> AuditTest:
    """Test the score against labels drawn from the acquisition; null: score independent of label given acquisition.

    Spisak (2022, GigaScience 11:giac082), with the conditional permutation of Berrett et al. (2020, J R Stat Soc B
    82:175). A ridge logistic regression gives each subject's probability of being abnormal from the acquisition alone;
    label vectors with the same number of abnormal subjects are drawn from the product of these (the conditional
    Bernoulli distribution, exactly; Chen and Liu 1997, Stat Sin 7:875). A small p means that the score carries
    more information about the label than the acquisition. Where the acquisition determines the label, all draws are
    the same and the test cannot tell. It complements condition C and does not change the verdict.
    """
    keep = cohort.scored
    truth, scores = cohort.truth[keep], cohort.scores[keep]
    n, positives = len(truth), int(truth.sum())
    if min(positives, n - positives) < 5:
        return unable("full_confounder", "Fewer than five scored subjects in a class.", n=n, n_needed=40)
    odds = np.log(positives / (n - positives)) * np.ones(n)
    if cohort.metadata.shape[1]:
        odds = (
            LogisticRegression(C=PENALTY, max_iter=1000)
            .fit(cohort.metadata[keep], truth)
            .decision_function(cohort.metadata[keep])
        )
    drawn = draw_labels(odds, positives, draws=permutations, seed=seed)
    null = auroc_rows(drawn, np.tile(scores, (permutations, 1)))
    estimate = auroc(truth, scores, seed=seed)
    value = float(estimate.value or 0.0)
    p, expected, spread = permutation_p(value, null), float(null.mean()), float(null.std())
    text = f"Labels drawn from the acquisition alone would give this score an AUROC of {expected:.2f}"
    text += f" (at most {np.quantile(null, 0.95):.2f} in 95 % of draws); with the true labels it is {value:.2f}"
    text += f" (p = {p:.3f})."
    same = float((drawn == truth).mean())
    verdict, needed = NO_CONCERN, None
    if p <= 0.05:
        text += " The score carries more information about the label than the acquisition."
    elif same > 0.95:
        verdict = CANNOT_TELL
        text += " The acquisition determines the label here, so the score cannot add anything."
    elif (1.645 + 0.842) * spread <= RELEVANT_DIFFERENCE:
        verdict = CONCERN
        text += " The acquisition can explain the whole effect."
    else:
        verdict = CANNOT_TELL
        needed = max(math.ceil(n * ((1.645 + 0.842) * spread / RELEVANT_DIFFERENCE) ** 2), math.ceil(1.25 * n))
        text += f" A difference of {RELEVANT_DIFFERENCE:.2f} cannot be detected;"
        text += f" about {needed} subjects would be needed."
    return AuditTest("full_confounder", value, estimate.low, estimate.high, p, verdict, text, n, needed)


def draw_labels(log_odds: NDArray, positives: int, *, draws: int, seed: int) -> NDArray:
    """Draw label vectors (draws, n) with ``positives`` true each, with probability proportional to the product of odds.

    Subjects are visited one by one; with k positives left to place, subject i becomes positive with probability
    ``w_i e(k-1; i+1..n) / e(k; i..n)``, where e are elementary symmetric polynomials of the odds w.
    """
    n = len(log_odds)
    # Row i, column k: log of the elementary symmetric polynomial of degree k of the odds of subjects i..n-1.
    table = np.full((n + 1, positives + 1), -np.inf)
    table[:, 0] = 0.0
    for i in range(n - 1, -1, -1):
        table[i, 1:] = np.logaddexp(table[i + 1, 1:], log_odds[i] + table[i + 1, :-1])
    rng = np.random.default_rng(seed)
    left = np.full(draws, positives)
    labels = np.zeros((draws, n), dtype=bool)
    for i in range(n):
        open_draws = left > 0
        chance = np.zeros(draws)
        chance[open_draws] = np.exp(log_odds[i] + table[i + 1, left[open_draws] - 1] - table[i, left[open_draws]])
        labels[:, i] = rng.random(draws) < chance
        left -= labels[:, i]
    return labels
