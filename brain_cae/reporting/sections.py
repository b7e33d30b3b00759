"""The sections of the report below its headline, each a list of blocks that the template knows how to show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from brain_cae.reporting import evidence, formatting, headline, performance, subject_tables
from brain_cae.reporting.content import ReportContent
from brain_cae.reporting.evidence import at
from brain_cae.reporting.figures import Chart
from brain_cae.reporting.formatting import finite
from brain_cae.reporting.pictures import Gallery
from brain_cae.reporting.tables import Cell, Table, anything, figure, label, of_records

MEASURES = {
    "strategy": ("strategy", ""),
    "scale_ratio": ("scale ratio", "largest over smallest scale factor of the three axes, in voxels; 1: no distortion"),
    "anisotropy_mm": ("anisotropy", "longest over shortest side in mm of a voxel that the network sees"),
    "size_spread_mm": ("size spread", "how much the size in mm of such a voxel differs between subjects"),
    "round_trip_l1": ("round trip", "mean absolute error after reshape and back, in the scan's own space"),
    "reconstruction": (
        "reconstruction",
        "mean absolute error of the network on healthy brains, in the scan's own space",
    ),
    "voxels": ("voxels", "of one brain as the network sees it, padding included"),
    "seconds_per_epoch": ("seconds per epoch", "median over the epochs, validation included"),
    "memory_mb": ("memory", "MiB that the largest batch keeps for the way back through the network"),
}

VERDICT_TONES = {
    "confounded": "red", "at risk": "amber", "clear": "green", "concern": "amber", "no concern": "green",
    "no evidence": "red", "read with care": "amber", "stands": "green",
}  # fmt: skip


@dataclass(frozen=True)
class Block:
    """Something to show: ``kind`` is table, charts, gallery or code."""

    kind: str
    value: Any


@dataclass(frozen=True)
class Part:
    """One section: its anchor, heading, a sentence on how to read it, and its blocks.

    A section without blocks is shown with the reason why it is left out.
    """

    anchor: str
    heading: str
    intro: str
    blocks: list[Block] = field(default_factory=list)
    left_out: str = ""
    caveat: str = ""


def parts(content: ReportContent, charts: dict[str, Chart], gallery: Gallery) -> list[Part]:
    """All sections in the order of the page."""
    return [
        detection(content, charts),
        calibration(content, charts),
        localisation(content),
        subjects(content, gallery),
        transfer(content, charts),
        audit(content, charts),
        reshape(content),
        imported(content),
        people(content),
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
    """Detection of abnormal subjects, beside the two baselines that learn nothing."""
    blocks = _blocks(
        performance.detection_table(content),
        performance.difference_table(content),
        [charts.get("roc"), charts.get("scores")],
        of_records(at(content.metrics, "detection", "by_protocol") or [], first=("protocol",), caption="By protocol"),
    )
    sign = at(content.metrics, "scoring", "sign")
    intro = "Volume score of each subject: does it separate abnormal brains from healthy ones? "
    if isinstance(sign, Mapping) and sign:
        directions = ", ".join(f"{name} {_direction(way)}" for name, way in sign.items())
        intro += f"Signs of the residual ({directions}) are a glioma prior; the absolute score does without. "
    intro += "Intervals are 95 %."
    caveat = headline.caveat_of(content, "detection")
    return Part("detection", "Detection", intro, blocks, evidence.why_undefined(content), caveat)


def _direction(way: Any) -> str:
    value = finite(way)
    if value is None:
        return str(way)
    return "brighter" if value > 0 else "darker" if value < 0 else "two-sided"


def calibration(content: ReportContent, charts: dict[str, Chart]) -> Part:
    """Whether the p-values and probabilities mean what they say."""
    intro = (
        "Left: of healthy brains, a share of alpha should be flagged at every alpha; the band holds what chance gives "
        "with that many calibration and test brains. Right: among subjects with the same predicted probability, that "
        "share should be abnormal."
    )
    drawn = [charts.get("alarms"), charts.get("reliability")]
    if drawn[0] is None or drawn[1] is None:
        intro = "Do the p-values and probabilities mean what they say?"
    why = "too few labelled subjects with p-values or probabilities"
    return Part("calibration", "Calibration", intro, _blocks(drawn), why)


def localisation(content: ReportContent) -> Part:
    """Localisation of lesions."""
    intro = (
        "Voxels inside the mask, in the scan's own space; mean over subjects with a lesion mask. Dice counts at the "
        "threshold that healthy brains gave. Oracle Dice picks the best threshold with the answer known: an upper "
        "bound, not a result."
    )
    return Part("localisation", "Localisation", intro, _blocks(performance.localisation_table(content)),
                evidence.why_no_localisation(content))  # fmt: skip


def subjects(content: ReportContent, gallery: Gallery) -> Part:
    """Brains with the highest scores in three planes."""
    side = "left" if gallery.convention == "radiological" else "right"
    intro = (
        f"Planes through the maximum of the anomaly map, {gallery.convention} convention (the patient's right is on "
        f"the {side} of coronal and axial pictures). The map is the joint z of the residual against healthy "
        "brains, on one colour scale for all. Cyan: outline of the lesion, where known."
    )
    shown = gallery.suspects or gallery.healthy
    return Part("subjects", "Subjects with the highest scores", intro, [Block("gallery", gallery)] if shown else [],
                "no subject was given to be shown")  # fmt: skip


def transfer(content: ReportContent, charts: dict[str, Chart]) -> Part:
    """The transfer classifier on the encoder's features, what it is compared with, and how it was tuned."""
    blocks = _blocks(
        performance.transfer_table(content),
        performance.comparison_table(content),
        [charts.get("tuning")],
        performance.tuning_table(content),
    )
    intro = "Classifier on features of the frozen autoencoder; every prediction is of a subject it never saw."
    intro = " ".join([intro, *(str(note) for note in at(content.metrics, "transfer", "notes") or [])])
    caveat = headline.caveat_of(content, "transfer")
    return Part("transfer", "Transfer", intro, blocks, evidence.why_no_transfer(content), caveat)


def audit(content: ReportContent, charts: dict[str, Chart]) -> Part:
    """Tests of whether acquisition explains the result."""
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
    table = Table(["test", "value", "p", "p corrected", "answer", "in words"], rows, caption="Tests") if rows else None
    intro = "Is it the disease or the scanner? Each test asks for one way in which acquisition could make the result."
    left_out = "the audit was not run, or had no labelled subjects"
    blocks = _blocks(
        _standing_table(content),
        table,
        [charts.get("protocols")],
        subject_tables.compared_headers(content) or subject_tables.header_table(content),
        _leaks(tests),
    )
    return Part("audit", "Audit of acquisition", intro, blocks, left_out)


def _standing_table(content: ReportContent) -> Table | None:
    """Which figures are evidence under the verdict; None where nothing was scored."""
    figures = [] if at(content.metrics, "audit", "kind") == "headers" else at(content.metrics, "audit", "figures") or []
    rows = [[label(row.get("figure")), _verdict(row.get("standing")), label(row.get("why"))] for row in figures]
    return Table(["figure", "as evidence", "why"], rows, caption="Which figures are evidence") if rows else None


def _leaks(tests: list[Mapping[str, Any]]) -> Table | None:
    found = [row for test in tests if test.get("name") == "leakage" for row in test.get("details") or []]
    return of_records(found, first=("subject", "other"), caption="What stands there twice")


def _p(value: Any) -> Cell:
    """A test need not have a p-value: then the cell is a dash, not an undefined figure."""
    return Cell("\N{EN DASH}" if finite(value) is None else formatting.p_value(value), True)


def _verdict(value: Any) -> Cell:
    text = str(value or "").replace("_", " ")
    return Cell(text or "\N{EN DASH}", tone=VERDICT_TONES.get(text, ""))


def reshape(content: ReportContent) -> Part:
    """How much the reshape strategy distorts."""
    part = at(content.metrics, "reshape")
    measures = None
    if isinstance(part, Mapping):
        known = [(key, *told) for key, told in MEASURES.items() if key in part]
        rows = [[label(name), anything(part[key]), Cell(meaning)] for key, name, meaning in known]
        measures = Table(["measure", "value", "meaning"], rows) if rows else None
    groups = at(part, "groups")
    groups = [{"group": name, **group} if isinstance(group, Mapping) else {"group": name, "members": group}
              for name, group in groups.items()] if isinstance(groups, Mapping) else groups or []  # fmt: skip
    table = of_records(groups, first=("group", "number", "dimensions", "target", "members"), caption="Groups")
    intro = "What was done to the volumes' dimensions before the network saw them."
    return Part("reshape", "Reshape", intro, _blocks(measures, table), "the run reported no reshape")


def imported(content: ReportContent) -> Part:
    """Losses of the import by reason."""
    why = "no series was lost" if len(content.import_report) else "there is no import report"
    blocks = _blocks(subject_tables.loss_table(content))
    return Part("import", "Import", subject_tables.import_sentence(content), blocks, why)


def people(content: ReportContent) -> Part:
    """Who was in which role."""
    return Part("cohort", "Cohort", "Subjects, not scans.", _blocks(*subject_tables.cohort_tables(content)),
                "no subjects are known")  # fmt: skip


def provenance(content: ReportContent) -> Part:
    """Environment and configuration of the run."""
    environment = at(content.metrics, "environment") or {}
    rows = []
    for key, value in environment.items():
        nested = value.items() if isinstance(value, Mapping) else [("", value)]
        rows += [[label(f"{key.replace('_', ' ')} {name}".strip()), label(item)] for name, item in nested]
    blocks = _blocks(Table(["", ""], rows) if rows else None)
    if content.configuration:
        blocks.append(Block("code", content.configuration))
    return Part("environment", "Environment", "", blocks, "the run reported neither")
