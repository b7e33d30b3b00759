"""What is promised about false alarms, and the decision that keeps the promise.

A threshold at the k-th highest of n calibration scores has a false-alarm rate that depends on which healthy brains
happened to calibrate. If they are exchangeable with new healthy brains and scores have no ties, it is distributed as
Beta(k, n + 1 - k) over draws of the calibration brains (Vovk 2012, "Conditional validity of inductive conformal
predictors"; Bates et al. 2023, Annals of Statistics 51:149). Its mean is k / (n + 1), the conformal p-value: this is
what holds on average over hospitals. Its upper quantile is what one hospital can rely on.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv, betaln

GUARANTEES = ("probable", "average")
LARGEST = 100_000
"""Number of calibration brains up to which :func:`Guarantee.needed` searches."""


def p_value(rank: int, brains: int) -> float:
    """Return the conformal p-value rank / (n + 1).

    Args:
        rank: 1 + number of calibration scores at least as high.
        brains: Number n of calibration scores.
    """
    return rank / (brains + 1)


def rate_bound(rank: int, brains: int, confidence: float) -> float:
    """Return the false-alarm rate that a threshold at this rank exceeds with probability 1 - ``confidence`` only.

    Args:
        rank: 1 + number of calibration scores at least as high.
        brains: Number n of calibration scores.
        confidence: Probability over draws of the calibration brains.

    Example:
        >>> round(rate_bound(1, 29, 0.95), 3), round(rate_bound(2, 46, 0.95), 3)
        (0.098, 0.099)
    """
    return float(betaincinv(rank, brains + 1 - rank, confidence)) if rank <= brains else 1.0


@dataclass(frozen=True)
class Guarantee:
    """A decision rule for a false-alarm rate.

    Attributes:
        kind: ``probable`` flags if ``rate_bound`` <= alpha: with probability ``confidence`` over the calibration
            brains, the rate of this hospital is at most alpha. ``average`` flags if the p-value is <= alpha: the mean
            over hospitals is at most alpha.
        alpha: Accepted false-alarm rate.
        confidence: See :func:`rate_bound`.
    """

    kind: str
    alpha: float
    confidence: float = 0.95

    def value(self, rank: int, brains: int) -> float:
        """Return what is compared with alpha, see :func:`p_value` and :func:`rate_bound`."""
        return rate_bound(rank, brains, self.confidence) if self.kind == "probable" else p_value(rank, brains)

    def rank(self, brains: int) -> int:
        """Return the highest rank that is flagged with n calibration brains; 0 if they are too few to flag anything."""
        low, high = 0, brains + 1
        while low < high:
            middle = (low + high + 1) // 2
            low, high = (middle, high) if self.value(middle, brains) <= self.alpha + 1e-12 else (low, middle - 1)
        return low

    def expected_rate(self, brains: int) -> float:
        """Return the mean false-alarm rate over draws of n calibration brains."""
        return p_value(self.rank(brains), brains)

    def needed(self, rank: int = 1) -> int:
        """Return the smallest number of calibration brains with which this rank is flagged.

        Example:
            >>> [Guarantee("probable", 0.10).needed(rank) for rank in (1, 2)], Guarantee("average", 0.10).needed()
            ([29, 46], 9)
        """
        low, high = rank, LARGEST
        while low < high:
            middle = (low + high) // 2
            low, high = (low, middle) if self.value(rank, middle) <= self.alpha + 1e-12 else (middle + 1, high)
        return low

    def alarms(self, *parts: tuple[int, int]) -> tuple[float, int]:
        """Return the false alarms among healthy brains: how many are expected, and how many at most.

        Their number is beta-binomial over draws of the calibration brains and of the scored ones; of several sets of
        calibration brains it is the sum, as if they were independent.

        Args:
            parts: For each set of calibration brains their number, and that of the healthy brains scored with it.

        Returns:
            The mean, and the smallest number that is not exceeded with probability ``confidence``.

        Example:
            >>> Guarantee("probable", 0.10).alarms((46, 24))
            (1.0212765957446808, 3)
        """
        expected, chances = 0.0, np.ones(1)
        for brains, scored in parts:
            if rank := self.rank(brains):
                expected += scored * p_value(rank, brains)
                chances = np.convolve(chances, _alarm_chances(rank, brains, scored))
        at_most = int(np.searchsorted(chances.cumsum(), self.confidence - 1e-12))
        return expected, min(at_most, len(chances) - 1)

    def other(self) -> "Guarantee":
        """Return the same rate with the other rule."""
        kind = next(kind for kind in GUARANTEES if kind != self.kind)
        return Guarantee(kind, self.alpha, self.confidence)


def _alarm_chances(rank: int, brains: int, scored: int) -> NDArray:
    """Return the chance of each number of false alarms, from none to all that are scored (beta-binomial)."""
    number = np.arange(scored + 1)
    choices = -betaln(number + 1, scored - number + 1) - np.log(scored + 1)
    chances = betaln(number + rank, scored - number + brains + 1 - rank) - betaln(rank, brains + 1 - rank)
    return np.exp(choices + chances)


@dataclass(frozen=True)
class Outlook:
    """What a number of calibration brains allows.

    Attributes:
        brains: Number of calibration brains.
        probable_rate: Mean false-alarm rate of ``probable``, whose bound is alpha; None if it flags nobody.
        average_rate: Mean false-alarm rate of ``average``; None if it flags nobody.
        average_bound: Bound of the rate of ``average``, see :func:`rate_bound`; None if it flags nobody.
    """

    brains: int
    probable_rate: float | None
    average_rate: float | None
    average_bound: float | None


def outlook(brains: int, alpha: float, confidence: float) -> list[Outlook]:
    """Return what the given number of calibration brains allows, and what more of them would."""
    probable, average = (Guarantee(kind, alpha, confidence) for kind in GUARANTEES)
    more = {probable.needed(rank) for rank in (1, 2, 3, 5, 10)}
    rows = []
    for number in sorted({brains} | {n for n in more if n > brains}):
        rank = average.rank(number)
        rows.append(
            Outlook(
                number,
                probable.expected_rate(number) if probable.rank(number) else None,
                average.expected_rate(number) if rank else None,
                rate_bound(rank, number, confidence) if rank else None,
            )
        )
    return rows
