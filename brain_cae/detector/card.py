"""The model card of a bundle: what the model learned from, how well it did, what it promises, what it is not for.

The sections are those of Mitchell et al. 2019, "Model Cards for Model Reporting", with the verdict of the audit.
"""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from brain_cae import __version__
from brain_cae.files.documents import read_json
from brain_cae.files.names import printable
from brain_cae.files.tables import read_csv
from brain_cae.vocabulary import ROLES

if TYPE_CHECKING:
    from brain_cae.detector.detector import Detector

KIND, VERSION = "brain_cae model card", 1
SHOWN = {
    "detection": ("auroc", "average_precision", "sensitivity", "specificity", "false_alarms"),
    "localisation": ("average_precision", "dice"),
    "transfer": ("auroc", "balanced_accuracy"),
    "reconstruction": ("l1", "ssim"),
}
"""Sections of ``metrics.json`` and the estimates of them that a card has. Names of protocols and sites are in none."""
INTENDED = (
    "Research: finding brains in MRI that differ from healthy ones as a glioma does, showing where, and studying "
    "whether that can be believed; for scans of the contrasts, the skull state and the protocols below."
)
LIMITS = (
    "Not a medical device, and not for decisions about patients.",
    "The false-alarm rate holds for healthy brains scanned and prepared like those that calibrated it. For another "
    "scanner, calibrate with local healthy scans (calibrate=…).",
    "The figures below are of the run's own subjects. They say nothing about another hospital.",
    "A low score does not mean that a brain is healthy: small, faint and other lesions are missed.",
    "Subjects marked out_of_calibration were scanned otherwise than the calibration brains, or nothing shows where.",
)


def card_of(detector: "Detector", run: Path) -> dict[str, Any]:
    """Return the card as plain values for JSON.

    Args:
        detector: The detector as it is handed on.
        run: Folder of the run, whose tables and metrics are read where it has them; of an unpacked bundle, its card is.
    """
    config, rule = detector.config, detector.guarantee
    earlier = _stored(run / "card.json")
    metrics = _stored(run / "metrics.json")
    calibration = detector.scorers["residual"].calibration
    brains = len(calibration.scores)
    return {
        "kind": KIND,
        "version": VERSION,
        "program": f"brain_cae {__version__}",
        "model": {
            "name": config.model.name,
            "network": None if config.model.network is None else config.model.network["_target_"],
            "members": list(config.model.members),
            "weights": sum(weight.numel() for network in detector.networks for weight in network.parameters()),
            "contrasts": list(config.modality.names),
            "reference": config.modality.reference,
            "reshape": config.reshape.name,
            "preprocess": {
                name: getattr(config.preprocess, name) for name in ("align", "skull_strip", "space", "scaling")
            },
            "classifier": config.classifier.name if detector.classifier is not None else None,
        },
        "intended_use": INTENDED,
        "limits": list(LIMITS),
        "data": earlier.get("data") or _data(config.dataset.name, metrics, run),
        "calibration": {
            "skull": list(detector.skull),
            "protocols": list(detector.known_protocols),
            "brains": brains,
            "how": detector.calibration,
            "guarantee": rule.kind,
            "alpha": rule.alpha,
            "confidence": rule.confidence,
            "flags": bool(rule.rank(brains)),
            "expected_false_alarm_rate": rule.expected_rate(brains),
            "brains_needed": rule.needed(),
        },
        "figures": earlier.get("figures") or _figures(metrics),
        "audit": earlier.get("audit") or _audit(metrics.get("audit") or {}),
        "cautions": list(detector.cautions),
        "environment": earlier.get("environment") or _environment(metrics.get("environment") or {}),
    }


def _stored(path: Path) -> dict[str, Any]:
    content = read_json(path) if path.is_file() else {}
    return content if isinstance(content, dict) else {}


def _data(name: str, metrics: dict[str, Any], run: Path) -> dict[str, Any]:
    """Return roles as numbers, and hashes of roles and scans; nothing that names a subject."""
    environment = metrics.get("environment") or {}
    counts: dict[str, Any] = dict(metrics.get("subjects") or {})
    if not counts and (run / "splits.csv").is_file():
        found = read_csv(run / "splits.csv", dtype=str, keep_default_na=False)["role"].value_counts()
        counts = {role: int(found.get(role, 0)) for role in ROLES}
    return {
        "dataset": name,
        "subjects": counts,
        "split_hash": environment.get("split_hash"),
        "data_hash": environment.get("data_hash"),
    }


def _figures(metrics: dict[str, Any]) -> dict[str, Any] | None:
    if not metrics:
        return None
    scoring = metrics.get("scoring") or {}
    figures: dict[str, Any] = {
        "decided_with": {name: scoring.get(name) for name in ("guarantee", "alpha", "confidence")},
        "baseline": {
            name: {"auroc": values.get("auroc")} for name, values in (metrics.get("baseline") or {}).items() if values
        },
    }
    for section, names in SHOWN.items():
        values = metrics.get(section) or {}
        figures[section] = {name: values[name] for name in names if isinstance(values.get(name), dict)}
    return figures


def _audit(audit: dict[str, Any]) -> dict[str, Any] | None:
    """Return the verdict and the tests as numbers; their sentences may name sites."""
    if not audit:
        return None
    kept = ("name", "verdict", "value", "low", "high", "p", "n")
    return {
        "verdict": audit.get("verdict"),
        "classifier": (audit.get("classifier") or {}).get("verdict"),
        "figures": [
            {name: row.get(name) for name in ("figure", "keys", "standing")} for row in audit.get("figures") or []
        ],
        "tests": [{name: test.get(name) for name in kept} for test in audit.get("tests") or []],
    }


def _environment(environment: dict[str, Any]) -> dict[str, Any]:
    return {name: environment.get(name) for name in ("git", "seed", "versions")}


def card_text(card: dict[str, Any]) -> str:
    """Return the card as Markdown."""
    model, data, calibration = card["model"], card["data"], card["calibration"]
    roles = ", ".join(f"{number} {role}" for role, number in (data.get("subjects") or {}).items())
    lines = [
        "# Model card",
        "",
        f"Written by {card['program']}. The same as numbers: `card.json`.",
        "",
        f"- **Network**: {model['name']} ({model['weights']:,} weights), reshape {model['reshape']}",
        f"- **Contrasts**: {', '.join(model['contrasts'])}, on the grid of {model['reference']}",
        f"- **Preparation**: {', '.join(f'{name} {value}' for name, value in model['preprocess'].items())}",
        f"- **Classifier for new patients**: {model['classifier'] or 'none'}",
        "",
        "## Intended use",
        "",
        card["intended_use"],
        "",
        "## Limits",
        "",
        *(f"- {limit}" for limit in card["limits"]),
        "",
        "## Data",
        "",
        f"- **Data set**: {data.get('dataset')}; subjects: {roles or 'not recorded'}",
        f"- **Hashes**: roles `{data.get('split_hash')}`, scans `{data.get('data_hash')}`",
        "",
        "## Calibration and guarantee",
        "",
        f"- **Calibrated with** {calibration['brains']} healthy brains ({calibration['how'].replace('_', ' ')}); "
        f"skull: {', '.join(calibration['skull'])}; protocols: {'; '.join(calibration['protocols'])}",
        f"- **Guarantee**: {_guarantee(calibration)}",
        "- The calibration scores are inside, so `scoring.alpha`, `scoring.guarantee` and `scoring.confidence` may be "
        "chosen anew.",
        "",
        "## Figures",
        "",
        *_figure_lines(card["figures"], (card["audit"] or {}).get("figures") or []),
        "",
        "## Audit",
        "",
        *_audit_lines(card["audit"]),
        "",
        "## Cautions",
        "",
        *([f"- {caution}" for caution in card["cautions"]] or ["None."]),
    ]
    return printable("\n".join(map(_plain, lines)), lines=True) + "\n"


def _plain(line: str) -> str:
    """Return a line in which text from files is not HTML and no image or link."""
    return re.sub(r"([<\[])", r"\\\1", line)


def _guarantee(calibration: dict[str, Any]) -> str:
    alpha, confidence = calibration["alpha"], calibration["confidence"]
    if not calibration["flags"]:
        return (
            f"none: no brain is flagged with guarantee {calibration['guarantee']} and alpha {alpha:g}; at least "
            f"{calibration['brains_needed']} calibration brains would be needed"
        )
    expected = f"{calibration['expected_false_alarm_rate']:.1%} are expected"
    if calibration["guarantee"] == "probable":
        return (
            f"of healthy brains at most {alpha:.0%} are flagged in one hospital, with {confidence:.0%} probability "
            f"over the calibration brains; {expected}"
        )
    return f"of healthy brains at most {alpha:.0%} are flagged on average over hospitals; {expected}"


def _figure_lines(figures: dict[str, Any] | None, standings: list[dict[str, Any]]) -> list[str]:
    """Return the table of figures; under some verdicts of the audit, figures between the classes are not evidence."""
    if not figures:
        return ["The run was not evaluated."]
    decided = figures["decided_with"]
    estimates = {
        f"{section}.{name}": estimate for section in SHOWN for name, estimate in figures.get(section, {}).items()
    } | {f"baseline.{name}.auroc": values["auroc"] for name, values in figures["baseline"].items() if values["auroc"]}
    standing = {key: row["standing"] for row in standings for key in row["keys"] or []}
    lines = [
        f"With guarantee {decided['guarantee']}, alpha {decided['alpha']}; 95 % intervals. The last column is "
        "the answer of the audit.",
        "",
        "| figure | value | from | to | subjects | stands |",
        "|---|---|---|---|---|---|",
    ]
    for key, estimate in estimates.items():
        known = [stem for stem in standing if f"{key}.".startswith(f"{stem}.")]
        cells = [
            key.replace(".", " ").replace("_", " "),
            *(_number(estimate, name) for name in ("value", "low", "high")),
            str(estimate.get("n")),
            str(standing[max(known, key=len)]) if known else "",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def _audit_lines(audit: dict[str, Any] | None) -> list[str]:
    if not audit:
        return ["The run was not audited."]
    return [
        f"**Verdict: {audit['verdict']}**"
        + (f"; on the classifier: {audit['classifier']}" if audit["classifier"] else "")
        + ". What the words mean: docs/audit.md.",
        "",
        *(f"- {row['figure']}: {row['standing']}" for row in audit["figures"]),
    ]


def _number(estimate: dict[str, Any], name: str) -> str:
    value = estimate.get(name)
    return f"{value:.3f}" if isinstance(value, (int, float)) else ""
