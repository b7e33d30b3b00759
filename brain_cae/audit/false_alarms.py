"""Does the false-alarm rate on healthy brains differ between protocols?"""

import numpy as np

from brain_cae.audit.result import CANNOT_TELL, CONCERN, NO_CONCERN, AuditTest, unable
from brain_cae.audit.smoother import permutation_p, shuffled_rows
from brain_cae.audit.table import AuditTable, one_hot
from brain_cae.estimates import proportion


def false_alarms(cohort: AuditTable, *, seed: int = 0, permutations: int = 1999) -> AuditTest | None:
    """Test whether the share of flagged healthy subjects differs between protocols; ``None`` without flags.

    The share per protocol has a Wilson interval. For p, the flags are permuted among the healthy subjects and the
    chi-square over protocols is compared (Monte Carlo form of the test of Freeman and Halton 1951). The test is
    explanatory: it does not change the verdict.
    """
    if "flagged" not in cohort.table or cohort.table["flagged"].isna().all():
        return None
    healthy = ~cohort.truth & cohort.table["flagged"].notna().to_numpy()
    n = int(healthy.sum())
    if n == 0:
        return unable("false_alarms", "No healthy subject was scored against a threshold.", n=0)
    flags = cohort.table.loc[healthy, "flagged"].astype(str).isin(("True", "1", "1.0", "true")).to_numpy()
    codes = cohort.protocols[healthy]
    details = []
    for number in np.unique(codes):
        member = codes == number
        details.append(
            {"protocol": cohort.names[number], **proportion(int(flags[member].sum()), int(member.sum())).to_dict()}
        )
    rate = proportion(int(flags.sum()), n)
    text = f"{int(flags.sum())} of {n} healthy subjects were flagged ({100 * flags.mean():.0f} %)."
    groups = one_hot(codes)
    if groups.shape[1] < 2:
        return AuditTest("false_alarms", rate.value, rate.low, rate.high, None, NO_CONCERN, text, n, details=details)
    rows = np.vstack([flags, shuffled_rows(flags, permutations=permutations, seed=seed)]).astype(float)
    sizes = groups.sum(axis=0)
    statistic = ((rows @ groups - sizes * flags.mean()) ** 2 / sizes).sum(axis=1)
    p = permutation_p(float(statistic[0]), statistic[1:])
    verdict = CONCERN if p <= 0.05 else NO_CONCERN if n >= 10 * groups.shape[1] else CANNOT_TELL
    text += {
        CONCERN: f" The rate differs between protocols (p = {p:.3f}): the threshold does not hold for all of them.",
        NO_CONCERN: f" No difference between protocols was found (p = {p:.3f}).",
        CANNOT_TELL: f" There are too few subjects per protocol to compare them (p = {p:.3f}).",
    }[verdict]
    needed = 10 * groups.shape[1] if verdict == CANNOT_TELL else None
    return AuditTest("false_alarms", rate.value, rate.low, rate.high, p, verdict, text, n, needed, details=details)
