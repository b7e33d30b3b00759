"""Sections of the report below the verdict, each a list of blocks for the template."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from brain_cae.reporting import (
    audit_tables,
    evidence,
    formatting,
    headline,
    performance,
    preparation_tables,
    subject_tables,
    training_tables,
)
from brain_cae.reporting.content import ReportContent
from brain_cae.reporting.evidence import at
from brain_cae.reporting.figures import Chart
from brain_cae.reporting.formatting import finite
from brain_cae.reporting.pictures import Gallery
from brain_cae.reporting.tables import Table, label, of_records

ANCHORS = (
    "verdict", "metrics", "roc", "calibration", "lesions", "acquisition", "subjects", "training", "import", "methods",
    "configuration",
)  # fmt: skip
"""Anchors of the sections in the order of the page; other programs look for them."""


@dataclass(frozen=True)
class Block:
    """Element of a section; ``kind`` is heading, text, table, folded, charts, gallery or code."""

    kind: str
    value: Any
    heading: str = ""


@dataclass(frozen=True)
class Part:
    """Section of the report: anchor, heading, introduction and blocks.

    A section without blocks is shown with the reason why it is left out.
    """

    anchor: str
    heading: str
    intro: str
    blocks: list[Block] = field(default_factory=list)
    left_out: str = ""
    caution: str = ""


def parts(content: ReportContent, charts: dict[str, Chart], gallery: Gallery) -> list[Part]:
    """Return the sections in the order of the page, except the verdict and the methods."""
    return [
        metrics(content),
        roc(content, charts),
        calibration(content, charts),
        lesions(content, charts),
        acquisition(content, charts),
        subjects(content, gallery),
        training(content, charts),
        imported(content),
        configuration(content),
    ]


def blocks_of(*values: Table | list[Chart | None] | None) -> list[Block]:
    """Return blocks of the tables that have rows and of the charts that were drawn."""
    blocks = []
    for value in values:
        if isinstance(value, Table) and value.rows:
            blocks.append(Block("table", value))
        elif isinstance(value, list) and (drawn := [chart for chart in value if chart is not None]):
            blocks.append(Block("charts", drawn))
    return blocks


def _titled(heading: str, text: str, blocks: list[Block]) -> list[Block]:
    """Return blocks under a heading, with an introduction; nothing if there are none."""
    return [Block("heading", heading), Block("text", text), *blocks] if blocks else []


def metrics(content: ReportContent) -> Part:
    """Return the section of figures: detection next to the baselines, localisation, transfer classifier."""
    sign = at(content.metrics, "scoring", "sign")
    intro = "Does the volume score separate abnormal brains from healthy ones? "
    if isinstance(sign, Mapping) and sign:
        directions = ", ".join(f"{name} {_direction(value)}" for name, value in sign.items())
        intro += f"The signs of the residual ({directions}) are prior knowledge about gliomas. "
        intro += "The absolute score does not use them. "
    intro += "Intervals are 95 %."
    detection = blocks_of(
        performance.detection_table(content), performance.count_table(content), performance.difference_table(content)
    )
    overlap = (
        "Voxels inside the foreground mask, in the native space of the scan; mean over subjects with a lesion mask. "
        "Dice is that of the clusters above the threshold set on healthy brains, whether or not the brain is flagged. "
        "Oracle Dice is that of all voxels above the best threshold, chosen with the lesions known: not a result, but "
        "what a threshold alone can reach."
    )
    blocks = [
        *detection,
        *_titled("Localisation", overlap, blocks_of(performance.localisation_table(content))),
        *_transfer(content, scored=bool(detection)),
    ]
    caution = headline.caution_for(content, "detection") if detection else ""
    return Part("metrics", "Metrics", intro if detection else "", blocks, evidence.why_undefined(content), caution)


def _transfer(content: ReportContent, *, scored: bool) -> list[Block]:
    """Return what is said of the transfer classifier: its tables, or for scored subjects why it has none."""
    tables = blocks_of(performance.transfer_table(content), performance.comparison_table(content))
    notes = [str(note) for note in at(content.metrics, "transfer", "notes") or []]
    if not tables and not (scored and notes):
        return []
    if tables:
        said = ["Every prediction is for a subject not used in training it.", *notes]
        said += filter(None, [headline.caution_for(content, "transfer")])
    else:
        why = formatting.reason(at(content.metrics, "transfer", "auroc")) or evidence.why_no_transfer(content)
        said = [f"Its figures are not defined: {why}.", *notes]
    text = " ".join(["Classifier on features of the frozen autoencoder.", *said])
    return [Block("heading", "Transfer classifier"), Block("text", text), *tables]


def _direction(value: Any) -> str:
    number = finite(value)
    if number is None:
        return str(value)
    return "brighter" if number > 0 else "darker" if number < 0 else "two-sided"


def roc(content: ReportContent, charts: dict[str, Chart]) -> Part:
    """Return the section of ROC curves and of all scores."""
    by_protocol = of_records(
        at(content.metrics, "detection", "by_protocol") or [], first=("protocol",), caption="By protocol"
    )
    patients = evidence.unlabelled(content)
    blocks = blocks_of([charts.get("roc"), charts.get("scores")], None if patients else by_protocol)
    intro = "Each point of the scores is one brain; the threshold comes from healthy brains alone."
    if patients:
        intro = "Where the scores lie among those of the healthy brains that calibrate. A ROC curve needs labels."
    return Part("roc", "Scores" if patients else "ROC and scores", intro, blocks, evidence.why_undefined(content))


def calibration(content: ReportContent, charts: dict[str, Chart]) -> Part:
    """Return the section on the calibration of p-values and probabilities."""
    intro = (
        "Left: at every alpha, a fraction alpha of the healthy brains should be flagged; the band is the 95 % range "
        "expected by chance with this number of calibration and test brains. Right: among subjects with the same "
        "predicted probability, that fraction should be abnormal."
    )
    drawn = [charts.get("alarms"), charts.get("reliability")]
    if drawn[0] is None or drawn[1] is None:
        intro = "Are the p-values and probabilities calibrated?"
    how = at(content.metrics, "scoring", "calibration")
    if how == "leave_one_out":
        intro += (
            " The brains that calibrate are also the healthy reference, each compared with the others: p-values and "
            "bounds are approximations."
        )
    if how == "crossfit":
        intro += (
            f" Each brain that calibrates is scored by the {evidence.learner(content)} that did not learn from it, and "
            "a patient by all of them (cross-conformal): p-values and bounds are approximations. A brain is flagged by "
            "its rank; the threshold, the score at this rank among all calibration scores, only shows about where that "
            "is."
        )
    why = "too few labelled subjects with p-values or probabilities"
    tables = [performance.decision_table(content), performance.outlook_table(content)]
    return Part("calibration", "Calibration", intro, blocks_of(*tables, drawn), why)


def lesions(content: ReportContent, charts: dict[str, Chart]) -> Part:
    """Return the section on clusters: those of flagged brains, and folded those of the others."""
    intro = (
        "Connected voxels above the voxel threshold, in brains that are flagged: the largest cluster, and others that "
        "few healthy brains have and that are not small beside it. The p-value counts the calibration brains whose "
        "largest cluster has at least this mass; it holds for all clusters of a brain together. Places are in mm, "
        "right, anterior and superior positive; the tissue is what most of the cluster is in the template. lesions.csv "
        "holds the same table."
    )
    tables = (performance.lesion_measures(content), performance.lesion_rows(content.lesions))
    blocks = blocks_of(tables[0], [charts.get("volumes")], tables[1])
    flagged = evidence.flags(evidence.scored(content))
    why = "no brain is flagged" if flagged.notna().any() else "no brain can be flagged"
    others = performance.lesion_rows(content.other_lesions)
    if others is not None:
        if not blocks:
            intro = f"{why.capitalize()}: there is no cluster to report."
        count = content.other_lesions["subject"].nunique()
        folded = (
            f"Clusters of {count} brain{'' if count == 1 else 's'} that {'is' if count == 1 else 'are'} not flagged"
        )
        blocks.append(Block("folded", [others], folded))
    return Part("lesions", "Lesions", intro, blocks, why)


def acquisition(content: ReportContent, charts: dict[str, Chart]) -> Part:
    """Return the section on the tests of whether acquisition explains the result."""
    intro = (
        "Is it the disease or the scanner? Each test examines one way in which acquisition could produce the result."
    )
    left_out = "the audit was not run, or had no labelled subjects"
    if evidence.unlabelled(content):
        return Part("acquisition", "Acquisition", intro, [], "an audit compares the classes, which needs labels")
    blocks = blocks_of(
        audit_tables.evidence_table(content),
        audit_tables.tests_table(content),
        [charts.get("protocols")],
        subject_tables.compared_headers(content) or subject_tables.header_table(content),
        audit_tables.duplicate_table(content),
    )
    return Part("acquisition", "Acquisition", intro, blocks, left_out)


def subjects(content: ReportContent, gallery: Gallery) -> Part:
    """Return the section of all subjects; it shows those with the highest scores in three planes."""
    side = "left" if gallery.convention == "radiological" else "right"
    shown = bool(gallery.suspects or gallery.healthy)
    intro = ""
    if shown:
        several = len(gallery.suspects) + len(gallery.healthy) > 1
        scale = "all maps share one colour scale" if several else "the colour scale is that of this brain alone"
        intro = (
            f"Planes through the maximum of the anomaly map, {gallery.convention} convention (the patient's right is "
            f"on the {side} of coronal and axial images). The map is the joint z-score of the residual relative to "
            f"healthy brains; {scale}. Cyan: contour of the lesion, where known."
        )
    blocks = [Block("gallery", gallery)] if shown else []
    table = subject_tables.subject_table(content)
    if table is not None:
        folds = len(table.rows) > subject_tables.FOLDED_FROM
        whole = Block("folded", [table], f"All {len(table.rows)} subjects") if folds else Block("table", table)
        blocks.append(whole)
    blocks += blocks_of(subject_tables.flow_table(content))
    if not evidence.unlabelled(content):
        blocks += blocks_of(*subject_tables.cohort_tables(content))
    return Part("subjects", "Subjects", intro, blocks, "there are no subjects")


def training(content: ReportContent, charts: dict[str, Chart]) -> Part:
    """Return the section on training: loss, reshape and its cost, search for the classifier."""
    intro = ""
    if content.learnt is not None:
        intro = f"The {evidence.learner(content)} {headline.learnt(content)}. "
    if charts.get("loss"):
        intro += "Nothing is chosen during training: the weights are those of the last epoch. "
    reshape = blocks_of(*training_tables.reshape_tables(content))
    tuning = blocks_of(performance.tuning_table(content))
    blocks = [
        *blocks_of([charts.get("loss"), charts.get("tuning")]),
        *_titled("Reshape", "How the dimensions of the volumes were changed for the network input.", reshape),
        *tuning,
    ]
    return Part("training", "Training", intro, blocks, "nothing is recorded of the training")


def imported(content: ReportContent) -> Part:
    """Return the section on series that were not imported, by reason, and on what was done to the others."""
    why = "no series was lost" if len(content.import_report) else "there is no import report"
    blocks = blocks_of(
        subject_tables.loss_table(content),
        *preparation_tables.movement_tables(content),
        preparation_tables.stripper_table(content),
    )
    return Part("import", "Import", subject_tables.import_sentence(content), blocks, why)


def configuration(content: ReportContent) -> Part:
    """Return the section on environment and configuration."""
    environment = at(content.metrics, "environment") or {}
    rows = []
    for key, value in environment.items():
        if value is None:
            continue
        # A folder's place on a disk is nobody's business; its name identifies the run.
        shown = Path(str(value)).name if key == "model_run" and value else value
        nested = shown.items() if isinstance(shown, Mapping) else [("", shown)]
        rows += [[label(name or key.replace("_", " ")), label(item)] for name, item in nested]
    blocks = blocks_of(Table(["of the run", "value"], rows, caption="Environment") if rows else None)
    if content.configuration:
        blocks.append(Block("code", content.configuration, "Resolved configuration (YAML)"))
    return Part("configuration", "Configuration", "", blocks, "the run recorded neither environment nor configuration")
