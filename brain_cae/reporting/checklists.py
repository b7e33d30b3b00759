"""Items of CLAIM 2024 and TRIPOD+AI with what the run answers; the others are left open for the authors.

The items are given in our own short words, with the numbers of the published checklists (Tejani et al. 2024; Collins et
al. 2024), which say what each asks for.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from brain_cae.reporting import formatting
from brain_cae.reporting.content import ReportContent
from brain_cae.reporting.evidence import (
    at,
    column,
    division,
    is_known,
    is_of_the_study,
    label_counts,
    learner,
    outer_folds,
)
from brain_cae.reporting.subject_tables import flow_table
from brain_cae.reporting.tables import Cell, Table

Answer = str | Callable[[ReportContent], str]
OPEN = ""


def _estimate(*path: str) -> Callable[[ReportContent], str]:
    def answer(content: ReportContent) -> str:
        text = formatting.estimate(at(content.metrics, *path))
        return OPEN if text == formatting.NOT_DEFINED else text

    return answer


def _auroc(content: ReportContent) -> str:
    auroc = _estimate("detection", "auroc")(content)
    return f"AUROC {auroc}; all figures in section Metrics and metrics.json" if auroc else OPEN


def _versions(content: ReportContent) -> str:
    versions = at(content.metrics, "environment", "versions") or {}
    return ", ".join(f"{name} {version}" for name, version in versions.items())


def _sources(content: ReportContent) -> str:
    return ", ".join(sorted({str(name) for name in column(content.index, "source").dropna()}))


def _lost(content: ReportContent) -> str:
    report = content.import_report
    if report.empty:
        return OPEN
    kept = int((column(report, "status").astype(str) == "imported").sum())
    return f"{kept} of {len(report)} series imported; reasons in section Import and import_report.csv"


def _flow(content: ReportContent) -> str:
    table, lost = flow_table(content), _lost(content)
    return f"flow of subjects: table in section Subjects; {lost}" if table and lost else lost


def _ensemble(content: ReportContent) -> str:
    members = at(content.settings, "model", "members") or []
    if at(content.metrics, "scoring", "calibration") == "crossfit":
        folds = at(content.settings, "calibration", "folds")
        return f"means over {folds} {learner(content)}s, one for each fold of healthy brains"
    joined = (
        f"residual joined with that of {len(members)} further model{'' if len(members) == 1 else 's'}: paragraph above"
    )
    return joined if members else "none: one model" if at(content.settings, "model", "name") else OPEN


def _external(content: ReportContent) -> str:
    if is_of_the_study(content):
        return "external/report.html" if at(content.settings, "external") else OPEN
    auroc = _auroc(content)
    return f"all subjects of this report are new to the model: {auroc}" if auroc else OPEN


def _imbalance(content: ReportContent) -> str:
    text = "the score learns from healthy brains only"
    if not _estimate("transfer", "auroc")(content):
        return text
    balancing = at(content.settings, "balancing", "name")
    return f"{text}; classifier: balancing={balancing}, inside each training part" if balancing else text


def _roles(content: ReportContent) -> str:
    roles = at(content.metrics, "subjects") or {}
    if outer_folds(content):
        return f"test {roles.get('test')}, each once"
    return ", ".join(f"{name} {count}" for name, count in roles.items() if count)


def _partition(content: ReportContent) -> str:
    roles = _roles(content)
    where = "outer/*/splits.csv" if outer_folds(content) else "splits.csv"
    if roles and not is_of_the_study(content):
        return f"all are new: none of them trained or calibrated the model ({roles})"
    return f"by subject, {division(content)}: {roles}; {where}" if roles else OPEN


def _disjoint(content: ReportContent) -> str:
    tests = at(content.metrics, "audit", "tests") or []
    found = [test for test in tests if test.get("name") == "leakage" and test.get("verdict") == "no concern"]
    return "subject; also no series and no pixel content is shared" if found else OPEN


def _sample(content: ReportContent) -> str:
    counts = label_counts(content)
    text = f"{counts['healthy']} healthy and {counts['abnormal']} abnormal evaluated; no calculation was made"
    return text if any(counts.values()) else OPEN


def _has_network(content: ReportContent) -> bool:
    return learner(content) == "network"


def _network(content: ReportContent) -> str:
    name = at(content.settings, "model", "name")
    kind = "3D U-Net" if name == "translation" else "3D convolutional autoencoder"
    kind = kind if _has_network(content) else "linear space of healthy brains, without a network,"
    return f"{kind} '{name}': paragraph above and section Configuration" if name else OPEN


def _training(content: ReportContent) -> str:
    if not _has_network(content):
        return "no network; paragraph above"
    epochs = at(content.settings, "trainer", "max_epochs")
    return f"{epochs} epochs; paragraph above, section Training, training.csv" if epochs else OPEN


def _selection(content: ReportContent) -> str:
    return "the last epoch; nothing is selected" if _has_network(content) else "nothing is selected"


def _seed(content: ReportContent) -> str:
    if not _has_network(content):
        return "no network"
    seed = at(content.settings, "seed")
    return OPEN if seed is None else f"random, seed {seed}; no pretrained weights"


def _audit(content: ReportContent) -> str:
    verdict = at(content.metrics, "audit", "verdict")
    return f"audit of acquisition: {str(verdict).replace('_', ' ')}; section Acquisition" if verdict else OPEN


def _by_protocol(content: ReportContent) -> str:
    rows = at(content.metrics, "detection", "by_protocol") or []
    return f"by protocol ({len(rows)}): section ROC and scores" if rows else OPEN


def _demographics(content: ReportContent) -> str:
    known = [name for name in ("age", "sex") if is_known(content.index, name)]
    return f"{' and '.join(known)}: table in section Subjects; by subject in index.csv" if known else OPEN


def _acquired(content: ReportContent) -> str:
    known = [name for name in ACQUISITION if is_known(content.index, name)]
    text = "index.csv lists the parameters of each scan; section Acquisition compares the classes"
    return text if known else OPEN


def _accuracy(content: ReportContent) -> str:
    rates = {name: _estimate("detection", name)(content) for name in ("sensitivity", "specificity")}
    text = ", ".join(f"{name} {rate}" for name, rate in rates.items() if rate)
    return f"{text}; counts in section Metrics" if text else OPEN


def _false_alarms(content: ReportContent) -> str:
    return "worst false alarms in section Subjects" if any(view.label == "healthy" for view in content.views) else OPEN


def _hashes(content: ReportContent) -> str:
    split = at(content.metrics, "environment", "split_hash")
    return (
        f"code: commit {at(content.metrics, 'environment', 'git')}; model/ and splits.csv of the run" if split else OPEN
    )


PREPARED = "paragraph above and section Configuration"
ACQUISITION = ("manufacturer", "field_strength_t", "repetition_time_ms", "echo_time_ms")
"""Columns of ``index.csv`` that headers fill; geometry is known of every scan."""
CONFORMAL = "threshold from healthy brains only; section Calibration"
MAPS = "anomaly maps against healthy brains, clusters with p-values: sections Lesions and Subjects"
INTERVALS = "95 % intervals over subjects beside every figure"

CLAIM: list[tuple[str, str, Answer]] = [
    ("1", "title or abstract names the AI method", OPEN),
    ("2", "structured abstract", OPEN),
    ("3", "background, intended use and role of the method", OPEN),
    ("4", "aims and hypotheses", OPEN),
    ("5", "prospective or retrospective", OPEN),
    ("6", "goal of the study", OPEN),
    ("7", "sources of data", _sources),
    ("8", "inclusion and exclusion", _lost),
    ("9", "preprocessing", PREPARED),
    ("10", "selection of subsets of data", OPEN),
    ("11", "de-identification", OPEN),
    ("12", "missing data", _lost),
    ("13", "acquisition protocol", _acquired),
    ("14", "definition of the reference standard", OPEN),
    ("15", "rationale of the reference standard", OPEN),
    ("16", "who made the reference annotations", OPEN),
    ("17", "annotation of the test set", OPEN),
    ("18", "variability between and within annotators", OPEN),
    ("19", "how data were assigned to partitions", _partition),
    ("20", "level at which partitions are disjoint", _disjoint),
    ("21", "sample size", _sample),
    ("22", "description of the model", _network),
    ("23", "software and its versions", _versions),
    ("24", "initialisation of parameters", _seed),
    ("25", "training", _training),
    ("26", "selection of the final model", _selection),
    ("27", "ensembling", _ensemble),
    ("28", "metrics of performance", "section Metrics"),
    ("29", "uncertainty and significance", INTERVALS),
    ("30", "robustness or sensitivity", _audit),
    ("31", "explainability", MAPS),
    ("32", "evaluation on internal data", _auroc),
    ("33", "testing on external data", _external),
    ("34", "registration of a clinical trial", OPEN),
    ("35", "numbers included and excluded", _flow),
    ("36", "demographics and clinical characteristics by partition", _demographics),
    ("37", "performance with uncertainty", _auroc),
    ("38", "diagnostic accuracy and its precision", _accuracy),
    ("39", "analysis of failures", _false_alarms),
    ("40", "limitations", OPEN),
    ("41", "implications for practice", OPEN),
    ("42", "protocol or further technical details", OPEN),
    ("43", "availability of software, model and data", _hashes),
    ("44", "funding", OPEN),
]  # fmt: skip

TRIPOD: list[tuple[str, str, Answer]] = [
    ("1", "title", OPEN), ("2", "abstract", OPEN),
    ("3a", "healthcare context", OPEN), ("3b", "target population and users", OPEN),
    ("3c", "known health inequalities", OPEN), ("4", "objectives", OPEN),
    ("5a", "sources of data", _sources), ("5b", "dates of the data", OPEN),
    ("6a", "setting", OPEN), ("6b", "eligibility", OPEN), ("6c", "treatments", OPEN),
    ("7", "preparation of data", PREPARED),
    ("8a", "outcome", OPEN), ("8b", "assessors of the outcome", OPEN), ("8c", "blinding to predictors", OPEN),
    ("9a", "choice of predictors", OPEN), ("9b", "definition of predictors", _acquired),
    ("9c", "assessors of predictors", OPEN),
    ("10", "sample size", _sample), ("11", "missing data", _lost),
    ("12a", "use of the data, partition", _partition), ("12b", "handling of predictors", PREPARED),
    ("12c", "type of model, building, internal validation", _network),
    ("12d", "heterogeneity between clusters", _by_protocol),
    ("12e", "measures of performance", "section Metrics"), ("12f", "updating of the model", OPEN),
    ("12g", "how predictions are calculated", CONFORMAL),
    ("13", "class imbalance", _imbalance), ("14", "fairness", OPEN),
    ("15", "output and thresholds of the model", CONFORMAL),
    ("16", "differences between development and evaluation", _audit), ("17", "ethical approval", OPEN),
    ("18a", "funding", OPEN), ("18b", "conflicts of interest", OPEN), ("18c", "protocol", OPEN),
    ("18d", "registration", OPEN), ("18e", "data sharing", OPEN), ("18f", "code sharing", _hashes),
    ("19", "involvement of patients and public", OPEN),
    ("20a", "flow of participants", _flow), ("20b", "characteristics of participants", _demographics),
    ("20c", "comparison of development and evaluation data", _audit),
    ("21", "numbers in each analysis", _roles),
    ("22", "full specification of the model", "model/ of the run, section Configuration"),
    ("23a", "performance with intervals", _auroc), ("23b", "heterogeneity of performance", _by_protocol),
    ("24", "results of updating", OPEN), ("25", "interpretation", OPEN), ("26", "limitations", OPEN),
    ("27a", "poor or missing input data in use", "refused with a reason: section Import"),
    ("27b", "interaction and expertise of users", OPEN), ("27c", "next steps", OPEN),
]  # fmt: skip


def tables(content: ReportContent) -> list[tuple[str, Table, int]]:
    """Return name, table and number of answered items of each checklist."""
    return [_table("CLAIM 2024", CLAIM, content), _table("TRIPOD+AI", TRIPOD, content)]


def _table(name: str, items: list[tuple[str, str, Answer]], content: ReportContent) -> tuple[str, Table, int]:
    answers = [_answered(answer, content) for _, _, answer in items]
    rows = [
        [Cell(number), Cell(what), Cell(text) if text else Cell("open", tone="missing")]
        for (number, what, _), text in zip(items, answers, strict=True)
    ]
    return name, Table(["item", "asks for", "answer"], rows, caption=name), sum(map(bool, answers))


def _answered(answer: Any, content: ReportContent) -> str:
    return answer(content) if callable(answer) else answer
