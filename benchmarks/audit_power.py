"""How often the audit's verdict is correct: false alarms and power on simulated tables, without images.

Labels and protocols of each table are drawn as in the phantom, independently for every subject. The effect of the
disease on the score gives an AUROC of 0.85 within a protocol. If the score depends on the scanner, the means of the
protocols have a standard deviation of 1, that of the noise. With ``--headers-stripped`` the audit gets only what images
show on their original grids (plane, spacing, noise, smoothness), with ``--one-grid`` only what remains after resampling
to one grid: noise and smoothness.

Every verdict is written to ``--out`` immediately. A call ends after ``--minutes``, and the next one continues from
there; verdicts from another version of the audit's source are kept but not counted. Run from the project's root:
``python benchmarks/audit_power.py --minutes 20``.
"""

import argparse
import csv
import hashlib
import io
import itertools
import json
import os
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.stats import binomtest, norm

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import brain_cae
from brain_cae.audit import audit
from brain_cae.files.locks import exclusive
from brain_cae.phantom import PhantomSettings
from brain_cae.phantom.dimensions import vary_dimensions
from brain_cae.phantom.protocol import PROTOCOLS, Protocol, SeriesProtocol, draw_protocol
from brain_cae.phantom.settings import Stream
from brain_cae.scans.headerless import group_without_headers
from brain_cae.scans.protocol import ProtocolGroups

SIMULATION = 1
"""Raise this number with every change of the simulation: older verdicts are then no longer counted."""

KNOWN = ("headers", "images", "one grid")
MODALITIES = ("flair", "t1")
CONFOUNDING = (0.0, 0.25, 0.5, 0.75, 1.0)
SUBJECTS = (40, 80, 160, 320)
VERDICTS = ("confounded", "at risk", "clear", "cannot tell")
MOST_FALSE_ALARMS, LEAST_DETECTED, MOST_CANNOT_TELL = 0.05, 0.95, 0.20

EFFECT = float(np.sqrt(2) * norm.ppf(0.85))
"""Effect of the disease on a score with noise 1, for an AUROC of 0.85 within a protocol."""

# Four equally spaced values with a standard deviation of 1; the two protocols of the tumours raise the score.
SHIFT = np.array([-3.0, -1.0, 1.0, 3.0]) / np.sqrt(5)
# Standard deviation of the logarithm of noise and smoothness within a protocol, as measured on simulated brains.
SCATTER = 0.15


class Setting(NamedTuple):
    """One cell of the experiment; ``depends``: whether the score depends on the scanner."""

    known: str
    depends: bool
    confounding: float
    subjects: int

    def seed(self, table: int) -> int:
        """Return the seed of one table."""
        parts = (KNOWN.index(self.known), int(self.depends), round(1000 * self.confounding), self.subjects, table)
        return int(np.random.SeedSequence(parts).generate_state(1)[0])

    @property
    def rank(self) -> int:
        """Return a rank by importance; settings with a low rank are run first."""
        return (not self.depends) + (self.confounding not in (0, 1)) + (self.subjects not in (80, 160))


def simulate(setting: Setting, table: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return subjects and acquisition of one table, with protocols named as in an evaluation."""
    phantom = PhantomSettings(
        subjects=setting.subjects, seed=setting.seed(table), confounding=setting.confounding, abnormal_fraction=1 / 3
    )
    labels = phantom.labels()
    drawn = [
        draw_protocol(int(label), setting.confounding, phantom.generator(number, Stream.PROTOCOL))
        for number, label in enumerate(labels)
    ]
    rng = np.random.default_rng((phantom.seed, setting.subjects))
    score = rng.normal(size=setting.subjects) + EFFECT * labels
    if setting.depends:
        score += SHIFT[[PROTOCOLS.index(protocol) for protocol in drawn]]
    index = pd.Index([f"{number:05d}" for number in range(setting.subjects)], name="subject")
    subjects = pd.DataFrame({"label": np.where(labels == 1, "abnormal", "healthy"), "score": score}, index=index)
    acquisition = pd.DataFrame([scan(protocol, setting.known, rng) for protocol in drawn], index=index)
    if setting.known == "headers":
        return subjects.assign(protocol=ProtocolGroups.fit(acquisition).assign(acquisition)), acquisition
    looks = acquisition[[name for name in acquisition if name.endswith(("_noise", "_smoothness_mm"))]]
    groups = group_without_headers(acquisition, looks, pd.Series("simulated", index=index))
    return subjects.assign(protocol=groups), acquisition


def scan(protocol: Protocol, known: str, rng: np.random.Generator) -> dict:
    """Return one subject's acquisition parameters; unknown ones are left out."""
    if known == "headers":
        row = {"manufacturer": protocol.manufacturer, "model": protocol.model, "field_strength_t": protocol.field_t}
        row["orientation"] = protocol.series["flair"].plane
        parts = [headers(protocol.series[name], rng) for name in MODALITIES]
    else:
        # Spacings vary, as in data from many hospitals, so that without headers they do not identify a protocol.
        series = [vary_dimensions(protocol.series[name], rng) for name in MODALITIES]
        row = {"orientation": "axial" if known == "one grid" else series[0].plane}
        parts = [appearance(one, known, rng) for one in series]
    named = zip(MODALITIES, parts, strict=True)
    return row | {f"{modality}_{name}": value for modality, part in named for name, value in part.items()}


def headers(series: SeriesProtocol, rng: np.random.Generator) -> dict:
    """Return the header values of one series; slices and columns vary between subjects, as in the phantom."""
    return {
        "repetition_time_ms": series.tr_ms,
        "echo_time_ms": series.te_ms,
        "inversion_time_ms": np.nan if series.ti_ms is None else series.ti_ms,
        "flip_angle_deg": series.flip_angle_deg,
        "rows": series.rows,
        "columns": series.columns - 4 * int(rng.random() < 0.25),
        "slices": int(rng.integers(series.slices[0], series.slices[1] + 1)),
        "spacing_row_mm": series.pixel_mm,
        "spacing_column_mm": series.pixel_mm,
        "spacing_slice_mm": series.slice_step_mm,
        "orientation": series.plane,
        "sequence": series.sequence,
        "dimensionality": series.dimensionality,
    }


def appearance(series: SeriesProtocol, known: str, rng: np.random.Generator) -> dict:
    """Return the properties of one image; noise and smoothness vary so much that the protocols overlap."""
    noise, smoothness = np.exp(SCATTER * rng.normal(size=2))
    looks = {
        "noise": noise / series.snr,
        "smoothness_mm": smoothness * np.cbrt(series.pixel_mm**2 * series.thickness_mm),
    }
    native = known == "images"
    return looks | {
        "spacing_row_mm": series.pixel_mm if native else 1.0,
        "spacing_column_mm": series.pixel_mm if native else 1.0,
        "spacing_slice_mm": series.slice_step_mm if native else 1.0,
    }


def source_key() -> str:
    """Return a hash (8 hexadecimal digits) of the source code of the audit, the protocols and their grouping."""
    package = Path(brain_cae.__file__).parent
    others = [
        *(package / "scans" / f"{name}.py" for name in ("headerless", "linkage", "protocol")),
        *(package / "phantom" / f"{name}.py" for name in ("dimensions", "protocol", "settings")),
    ]
    content = b"".join(path.read_bytes() for path in [*sorted((package / "audit").glob("*.py")), *others])
    return hashlib.sha256(str(SIMULATION).encode() + content).hexdigest()[:8]


def read(out: Path, key: str) -> dict[Setting, dict[int, str]]:
    """Return the verdicts of this version of the audit; an incomplete last line, left by a kill, is removed."""
    verdicts: dict[Setting, dict[int, str]] = defaultdict(dict)
    if not out.exists():
        return verdicts
    content = out.read_bytes()
    whole = content.rfind(b"\n") + 1
    if whole < len(content):
        os.truncate(out, whole)
    for row in csv.reader(io.StringIO(content[:whole].decode())):
        written, known, depends, confounding, subjects, table, verdict = row
        if written == key:
            setting = Setting(known, depends == "True", float(confounding), int(subjects))
            verdicts[setting][int(table)] = verdict
    return verdicts


def run(settings: Sequence[Setting], out: Path, *, tables: int, minutes: float) -> dict[Setting, dict[int, str]]:
    """Audit the missing tables until the time is up; return the verdicts by setting and number of the table."""
    end, key = time.monotonic() + 60 * minutes, source_key()
    with exclusive(out.with_name(out.name + ".lock")):
        verdicts = read(out, key)
        with out.open("a") as file:
            for setting, table in itertools.product(settings, range(tables)):
                if table in verdicts[setting]:
                    continue
                if time.monotonic() >= end:
                    break
                subjects, acquisition = simulate(setting, table)
                verdict = audit(subjects, acquisition=acquisition, seed=table, explain=False).verdict
                verdicts[setting][table] = verdict
                file.write(",".join(map(str, (key, *setting, table, verdict))) + "\n")
                file.flush()
    return verdicts


def share(count: int, total: int) -> str:
    """Return a percentage with its 95 % confidence interval (Clopper and Pearson)."""
    low, high = binomtest(count, total).proportion_ci(method="exact")
    return f"{100 * count / total:.1f} ({100 * low:.1f} to {100 * high:.1f})"


def aims(setting: Setting, counts: Counter) -> dict[str, float]:
    """Return the ratio of result and target for each aim that applies to the setting; 1 or more is reached."""
    total = counts.total()
    alarms = counts["confounded"] + counts["at risk"]
    ratios = {}
    if setting.confounding == 0:
        ratios["no_false_alarm"] = (1 - alarms / total) / (1 - MOST_FALSE_ALARMS)
    if setting.confounding == 1 and setting.depends:
        ratios["detected"] = counts["confounded"] / total / LEAST_DETECTED
    if setting.subjects == 80:
        ratios["can_tell_at_80_subjects"] = (1 - counts["cannot tell"] / total) / (1 - MOST_CANNOT_TELL)
    return ratios


def main(arguments: Sequence[str] | None = None) -> None:
    """Audit tables and print the counts, then one JSON object with the worst ratio over settings for each aim."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    cache = Path(os.environ.get("BRAIN_CAE_CACHE", ".cache"))
    parser.add_argument("--out", type=Path, default=cache / "audit_power.csv", help="verdicts so far (%(default)s)")
    parser.add_argument("--tables", type=int, default=400, help="tables per setting (%(default)s)")
    parser.add_argument("--minutes", type=float, default=5.0, help="time limit of this call (%(default)s)")
    known = parser.add_mutually_exclusive_group()
    known.set_defaults(known="headers")
    known.add_argument("--headers-stripped", dest="known", action="store_const", const="images")
    known.add_argument("--one-grid", dest="known", action="store_const", const="one grid")
    parser.add_argument("--confounding", type=float, nargs="+", default=CONFOUNDING)
    parser.add_argument("--subjects", type=int, nargs="+", default=SUBJECTS)
    chosen = parser.parse_args(arguments)
    chosen.out.parent.mkdir(parents=True, exist_ok=True)
    cells = itertools.product([chosen.known], [True, False], chosen.confounding, chosen.subjects)
    settings = sorted((Setting(*cell) for cell in cells), key=lambda setting: setting.rank)
    verdicts = run(settings, chosen.out, tables=chosen.tables, minutes=chosen.minutes)
    print("Percentage of tables with each verdict (95 % confidence interval).\n")
    print(f"| score depends on scanner | confounding | subjects | tables | {' | '.join(VERDICTS)} | aims missed |")
    print("|" + "---|" * (5 + len(VERDICTS)))
    reached: dict[str, list[float]] = defaultdict(list)
    for setting in sorted(settings, key=lambda setting: (not setting.depends, *setting[2:])):
        counts = Counter(verdicts[setting][table] for table in range(chosen.tables) if table in verdicts[setting])
        if not (total := counts.total()):
            continue
        parts = aims(setting, counts)
        for name, value in parts.items():
            reached[name].append(value)
        missed = ", ".join(name.replace("_", " ") for name, value in parts.items() if value < 1)
        shares = " | ".join(share(counts[verdict], total) for verdict in VERDICTS)
        depends = "yes" if setting.depends else "no"
        print(f"| {depends} | {setting.confounding:g} | {setting.subjects} | {total} | {shares} | {missed or '-'} |")
    audited = sum(sum(table < chosen.tables for table in verdicts[setting]) for setting in settings)
    missing = len(settings) * chosen.tables - audited
    print(f"\n{audited} tables audited, {missing} remaining: {'call again' if missing else 'complete'}.")
    result = {
        "name": "audit_power",
        "ratios": {name: round(min(values), 3) for name, values in sorted(reached.items())},
        "tables": audited,
        "missing": missing,
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
