"""Do images that cannot show the disease predict the label: mask alone, background alone, histogram alone?"""

import numpy as np
import pandas as pd

from brain_cae.audit.protocol_label import needed_for_auroc
from brain_cae.audit.result import CANNOT_TELL, CONCERN, NO_CONCERN, AuditTest, unable
from brain_cae.audit.smoother import read_label, standardised
from brain_cae.audit.table import AuditTable

KINDS = {
    "mask": "The outline of the brain or head, without anything inside it,",
    "background": "What lies outside the brain or head",
    "histogram": "The histogram of the intensities, without their positions,",
}
READINGS = {
    "mask": "Possible causes: skull stripping, field of view, matrix size, or the mass effect of a tumour.",
    "background": "There is no disease there, so this reflects the scanner or the processing.",
    "histogram": "A real tumour also changes the histogram, so this alone is not evidence against the result.",
}
FEW = 20


def nuisance_images(
    cohort: AuditTable, nuisance: pd.DataFrame | None, *, margin: float, seed: int = 0, permutations: int = 499
) -> list[AuditTest]:
    """Estimate the cross-fitted AUROC of a classifier that sees only one kind of nuisance image; one test per kind.

    Explanatory: it never changes the verdict, since a large tumour changes outline and histogram as well. Idea:
    Bissoto et al. 2019 (CVPR workshops, "(De)constructing bias on skin lesion datasets"); for brains, skull-stripping
    outlines alone kept an Alzheimer classifier's accuracy (Tinauer et al. 2025, arXiv 2501.15831).

    Args:
        cohort: Labels.
        nuisance: One row per subject; columns ``mask_…``, ``background_…``, ``histogram_…``. A kind without columns is
            skipped.
        margin: AUROC below which an image counts as uninformative.
        seed: Of folds and permutations.
        permutations: Their number.
    """
    if nuisance is None:
        return []
    tests = []
    for kind in KINDS:
        columns = [name for name in nuisance if str(name).startswith(f"{kind}_")]
        if columns:
            tests.append(_test(kind, cohort, nuisance[columns], margin, seed, permutations))
    return tests


def _test(kind: str, cohort: AuditTable, table: pd.DataFrame, margin: float, seed: int, permutations: int) -> AuditTest:
    name = f"nuisance_{kind}"
    values = table.reindex(cohort.table.index).to_numpy(dtype=float)
    keep = np.isfinite(values).all(axis=1)
    truth, n = cohort.truth[keep], int(keep.sum())
    positives = int(truth.sum())
    if n < FEW or min(positives, n - positives) < 5:
        return unable(name, "Fewer than twenty subjects with images, or than five of a class.", n=n, n_needed=2 * FEW)
    columns = standardised(values[keep])
    if columns.shape[1] == 0:
        text = f"{KINDS[kind].rstrip(',')} is the same for all subjects, so it cannot predict the label."
        return AuditTest(name, 0.5, 0.5, 0.5, None, NO_CONCERN, text, n, upper_bound=0.5)
    reading = read_label(truth, columns, seed=seed, permutations=permutations)
    estimate = reading.estimate
    text = f"{KINDS[kind]} alone predicts the label with an AUROC of {estimate.value:.2f}"
    text += f" (95 % interval {estimate.low:.2f} to {estimate.high:.2f}; shuffled labels give {reading.chance:.2f};"
    text += f" p = {reading.p:.3f})."
    verdict, needed = NO_CONCERN, None
    if reading.p <= 0.05:
        verdict = CONCERN
        text += f" {READINGS[kind]}"
    elif reading.bound >= margin:
        verdict, needed = CANNOT_TELL, needed_for_auroc(positives, n - positives, margin)
        text += f" An AUROC of {margin:.2f} or more is not excluded; about {needed} subjects would be needed."
    return AuditTest(
        name, estimate.value, estimate.low, estimate.high, reading.p, verdict, text, n, needed, reading.bound
    )
