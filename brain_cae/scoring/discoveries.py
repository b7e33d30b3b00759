"""How many of the patients at the top of a list are false discoveries, at most: closed testing with Simes' tests.

A patient is a false discovery if it comes from the healthy population that calibrates. With probability 1 - alpha the
bounds hold for all lists at once, so a reader may stop at any row, whatever the scores are (Goeman and Solari 2011,
Statistical Science 26:584). Simes' tests are valid because conformal p-values of one calibration are positively
dependent (Bates et al. 2023, Annals of Statistics 51:149). The shortcut is exact: Goeman, Meijer, Krebs and Solari
2019, Biometrika 106:841.
"""

import numpy as np

ROUNDING = 1e-12
"""p-values are ranks divided by a number; those equal to a bound count as below it."""


def hommel(p_values: np.ndarray, alpha: float) -> int:
    """Return the number of hypotheses in the largest intersection that Simes' test does not reject.

    Args:
        p_values: (m,), in any order.
        alpha: Level of the tests.
    """
    rising = np.sort(p_values)

    def rejected(number: int) -> bool:
        # The largest p-values are the last intersection of this size to be rejected.
        largest = rising[len(rising) - number :]
        return bool((number * largest <= alpha * np.arange(1, number + 1) + ROUNDING).any())

    low, high = 0, len(rising)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (low, middle - 1) if rejected(middle) else (middle, high)
    return low


def false_discoveries(p_values: np.ndarray, alpha: float) -> np.ndarray:
    """Return for each row of a list how many of the patients down to this row are false discoveries at most.

    Args:
        p_values: (m,), in the order of the list; 1 for a patient about whom its p-value says nothing: it counts as
            false.
        alpha: Probability with which any of the bounds may fail.

    Returns:
        (m,) whole numbers that never fall; a bound equal to the number of rows says nothing.

    Example:
        >>> false_discoveries(np.array([0.001, 0.002, 0.02, 0.3, 0.9]), 0.05).tolist()
        [0, 0, 1, 2, 3]
    """
    rows = np.arange(1, len(p_values) + 1)
    # Of the rows down to k with hommel * p <= u * alpha, all but u - 1 are true discoveries, for every u.
    needed = np.ceil(hommel(p_values, alpha) * np.asarray(p_values) / alpha - ROUNDING).clip(min=1)
    true, counts = np.zeros(len(rows), int), np.zeros(len(rows), int)
    for row, u in enumerate(needed):
        counts[rows >= u] += 1
        true[row] = max(0, int((1 - rows + counts)[: row + 1].max()))
    return rows - true
