"""Sections of the report below the headline, each a list of blocks for the template."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from brain_cae.reporting import evidence, formatting, headline, performance, preparation_tables, subject_tables
from brain_cae.reporting.content import ReportContent
from brain_cae.reporting.evidence import at
from brain_cae.reporting.figures import Chart
from brain_cae.reporting.formatting import finite
from brain_cae.reporting.pictures import Gallery
from brain_cae.reporting.tables import Cell, Table, anything, figure, label, of_records

MEASURES = {
    "strategy": ("strategy", ""),
    "scale_ratio": (
        "scale ratio",
        "ratio of the largest to the smallest per-axis scale factor, in voxels; 1: no distortion",
    ),
    "anisotropy_mm": (
        "anisotropy",
        "ratio of the longest to the shortest side, in mm, of a voxel of the network input",
    ),
    "size_spread_mm": ("size spread", "variation between subjects of the size, in mm, of a voxel of the network input"),
    "round_trip_l1": (
        "round trip",
        "mean absolute error after reshaping and reversing it, in the native space of the scan",
    ),
    "reconstruction": (
        "reconstruction",
        "mean absolute error of the network on healthy brains, in the native space of the scan",
    ),
    "voxels": ("voxels", "number of voxels of one brain at the network input, including padding"),
    "seconds_per_epoch": ("seconds per epoch", "median over the epochs"),
    "data_wait": ("share of an epoch spent waiting for data", "median over the epochs"),
    "memory_mb": ("memory", "MiB that the largest batch keeps for the backward pass"),
}

VERDICT_TONES = {
    "confounded": "red", "at risk": "amber", "clear": "green", "concern": "amber", "no concern": "green",
    "no evidence": "red", "read with care": "amber", "stands": "green",
}  # fmt: skip


@dataclass(frozen=True)
class Block:
    """Element of a section; ``kind`` is table, charts, gallery or code."""

    kind: str
    value: Any


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
    """Return all sections in the order of the page."""
    return [
        detection(content, charts),
        calibration(content, charts),
        localisation(content),
        lesions(content),
        subjects(content, gallery),
        transfer(content, charts),
        audit(content, charts),
        reshape(content),
        imported(content),
        cohort(content),
        provenance(content),
    ]


def _blocks(*values: Table | list[Chart | None] | None) -> list[Block]:
    blocks = []
    for value in values:
        if isinstance(value, Table) and value.rows:
            blocks.append(Block("table", value))
        elif isinstance(value, list) and (drawn := [chart for chart in value if chart is not None]):
            blocks.append(Block("charts", drawn))
    return blocks


def detection(content: ReportContent, charts: dict[str, Chart]) -> Part:
    """Return the section on the detection of abnormal subjects, compared with the two baselines."""
    blocks = _blocks(
        performance.detection_table(content),
        performance.difference_table(content),
        [charts.get("roc"), charts.get("scores")],
        of_records(at(content.metrics, "detection", "by_protocol") or [], first=("protocol",), caption="By protocol"),
    )
    sign = at(content.metrics, "scoring", "sign")
    intro = "Does the volume score separate abnormal brains from healthy ones? "
    if isinstance(sign, Mapping) and sign:
        directions = ", ".join(f"{name} {_direction(value)}" for name, value in sign.items())
        intro += f"The signs of the residual ({directions}) are prior knowledge about gliomas. "
        intro += "The absolute score does not use them. "
    intro += "Intervals are 95 %."
    caution = headline.caution_for(content, "detection")
    return Part("detection", "Detection", intro, blocks, evidence.why_undefined(content), caution)


def _direction(value: Any) -> str:
    number = finite(value)
    if number is None:
        return str(value)
    return "brighter" if number > 0 else "darker" if number < 0 else "two-sided"


def calibration(content: ReportContent, charts: dict[str, Chart]) -> Part:
    """Return the section on the calibration of p-values and probabilities."""
    intro = (
        "Left: at every alpha, a fraction alpha of the healthy brains should be flagged; the band is the 95 % range "
        "expected by chance with this number of calibration and test brains. Right: among subjects with the same "
        "predicted probability, that fraction should be abnormal."
    )
    if at(content.metrics, "scoring", "calibration") == "leave_one_out":
        intro += (
            " The brains that calibrate are also the healthy reference, each compared with the others: p-values and "
            "bounds are approximations."
        )
    drawn = [charts.get("alarms"), charts.get("reliability")]
    if drawn[0] is None or drawn[1] is None:
        intro = "Are the p-values and probabilities calibrated?"
    why = "too few labelled subjects with p-values or probabilities"
    tables = [performance.decision_table(content), performance.outlook_table(content)]
    return Part("calibration", "Calibration", intro, _blocks(*tables, drawn), why)


def localisation(content: ReportContent) -> Part:
    """Return the section on the localisation of lesions."""
    intro = (
        "Voxels inside the foreground mask, in the native space of the scan; mean over subjects with a lesion mask. "
        "Dice is computed at the threshold set on healthy brains. Oracle Dice uses the best threshold, chosen with the "
        "lesions known: it is an upper bound, not a result."
    )
    return Part("localisation", "Localisation", intro, _blocks(performance.localisation_table(content)),
                evidence.why_no_localisation(content))  # fmt: skip


def lesions(content: ReportContent) -> Part:
    """Return the section on the clusters of the flagged brains."""
    intro = (
        "Connected voxels above the voxel threshold, in brains that are flagged: the largest cluster, and others that "
        "few healthy brains have. The p-value counts the calibration brains whose largest cluster has at least this "
        "mass; it holds for all clusters of a brain together. Places are in mm, right, anterior and superior positive; "
        "the tissue is what most of the cluster is in the template. lesions.csv holds the same table."
    )
    tables = (performance.lesion_measures(content), performance.lesion_rows(content))
    flagged = evidence.flags(evidence.scored(content))
    why = "no brain is flagged" if flagged.notna().any() else "no brain can be flagged"
    return Part("lesions", "Lesions", intro, _blocks(*tables), why)


def subjects(content: ReportContent, gallery: Gallery) -> Part:
    """Return the section that shows the brains with the highest scores in three planes."""
    side = "left" if gallery.convention == "radiological" else "right"
    intro = (
        f"Planes through the maximum of the anomaly map, {gallery.convention} convention (the patient's right is on "
        f"the {side} of coronal and axial images). The map is the joint z-score of the residual relative to healthy "
        "brains; all maps share one colour scale. Cyan: contour of the lesion, where known."
    )
    shown = gallery.suspects or gallery.healthy
    return Part("subjects", "Subjects with the highest scores", intro, [Block("gallery", gallery)] if shown else [],
                "no subjects were selected for display")  # fmt: skip


def transfer(content: ReportContent, charts: dict[str, Chart]) -> Part:
    """Return the section on the transfer classifier, its comparison with others and its tuning."""
    blocks = _blocks(
        performance.transfer_table(content),
        performance.comparison_table(content),
        [charts.get("tuning")],
        performance.tuning_table(content),
    )
    intro = (
        "Classifier on features of the frozen autoencoder. Every prediction is for a subject not used in training it."
    )
    intro = " ".join([intro, *(str(note) for note in at(content.metrics, "transfer", "notes") or [])])
    caution = headline.caution_for(content, "transfer")
    return Part("transfer", "Transfer", intro, blocks, evidence.why_no_transfer(content), caution)


def audit(content: ReportContent, charts: dict[str, Chart]) -> Part:
    """Return the section on the tests of whether acquisition explains the result."""
    tests = [test for test in at(content.metrics, "audit", "tests") or [] if isinstance(test, Mapping)]
    rows = [
        [
            label(str(test.get("name") or "").replace("_", " ")),
            figure({key: test.get(key) for key in ("value", "low", "high", "n")}),
            _p(test.get("p")),
            _p(test.get("p_corrected")),
            _verdict(test.get("verdict")),
            label(test.get("sentence")),
        ]
        for test in tests
    ]
    table = (
        Table(["test", "value", "p", "p corrected", "verdict", "interpretation"], rows, caption="Tests")
        if rows
        else None
    )
    intro = (
        "Is it the disease or the scanner? Each test examines one way in which acquisition could produce the result."
    )
    left_out = "the audit was not run, or had no labelled subjects"
    blocks = _blocks(
        _evidence_table(content),
        table,
        [charts.get("protocols")],
        subject_tables.compared_headers(content) or subject_tables.header_table(content),
        _leakage_table(tests),
    )
    return Part("audit", "Audit of acquisition", intro, blocks, left_out)


def _evidence_table(content: ReportContent) -> Table | None:
    """Return which figures are evidence under the verdict; None if nothing was scored."""
    figures = [] if at(content.metrics, "audit", "kind") == "headers" else at(content.metrics, "audit", "figures") or []
    rows = [[label(row.get("figure")), _verdict(row.get("standing")), label(row.get("why"))] for row in figures]
    return Table(["figure", "as evidence", "why"], rows, caption="Which figures are evidence") if rows else None


def _leakage_table(tests: list[Mapping[str, Any]]) -> Table | None:
    duplicates = [row for test in tests if test.get("name") == "leakage" for row in test.get("details") or []]
    return of_records(duplicates, first=("subject", "other"), caption="Duplicate subjects and scans")


def _p(value: Any) -> Cell:
    """Return a cell with a p-value, or a dash for a test that has none."""
    return Cell("\N{EN DASH}" if finite(value) is None else formatting.p_value(value), True)


def _verdict(value: Any) -> Cell:
    text = str(value or "").replace("_", " ")
    return Cell(text or "\N{EN DASH}", tone=VERDICT_TONES.get(text, ""))


def reshape(content: ReportContent) -> Part:
    """Return the section on the distortion by the reshape strategy."""
    part = at(content.metrics, "reshape")
    measures = None
    if isinstance(part, Mapping):
        rows = [
            [label(name), anything(part[key]), Cell(meaning)]
            for key, (name, meaning) in MEASURES.items()
            if key in part
        ]
        measures = Table(["measure", "value", "meaning"], rows) if rows else None
    groups = at(part, "groups")
    groups = [{"group": name, **group} if isinstance(group, Mapping) else {"group": name, "members": group}
              for name, group in groups.items()] if isinstance(groups, Mapping) else groups or []  # fmt: skip
    table = of_records(groups, first=("group", "number", "dimensions", "target", "members"), caption="Groups")
    intro = "How the dimensions of the volumes were changed for the network input."
    return Part("reshape", "Reshape", intro, _blocks(measures, table), "the run has no reshape metrics")


def imported(content: ReportContent) -> Part:
    """Return the section on series that were not imported, by reason, and on what was done to the others."""
    why = "no series was lost" if len(content.import_report) else "there is no import report"
    blocks = _blocks(
        subject_tables.loss_table(content),
        *preparation_tables.movement_tables(content),
        preparation_tables.stripper_table(content),
    )
    return Part("import", "Import", subject_tables.import_sentence(content), blocks, why)


def cohort(content: ReportContent) -> Part:
    """Return the section on subjects by role and protocol."""
    return Part("cohort", "Cohort", "Numbers are subjects, not scans.", _blocks(*subject_tables.cohort_tables(content)),
                "there are no subjects")  # fmt: skip


def provenance(content: ReportContent) -> Part:
    """Return the section on environment and configuration."""
    environment = at(content.metrics, "environment") or {}
    rows = []
    for key, value in environment.items():
        nested = value.items() if isinstance(value, Mapping) else [("", value)]
        rows += [[label(f"{key.replace('_', ' ')} {name}".strip()), label(item)] for name, item in nested]
    blocks = _blocks(Table(["", ""], rows) if rows else None)
    if content.configuration:
        blocks.append(Block("code", content.configuration))
    return Part("environment", "Environment", "", blocks, "the run recorded neither")
