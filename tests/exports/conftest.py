"""A few scored brains of the tiny run, and the same under other names."""

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from brain_cae.detector.findings_cache import FindingsCache
from brain_cae.detector.storage import load
from brain_cae.executor import HERE
from brain_cae.exports import Export
from brain_cae.files.run_folder import RunFolder
from brain_cae.files.tables import read_csv
from brain_cae.stages.cohort import import_cohort
from brain_cae.stages.prediction import Assessment, classify_new, score
from brain_cae.stages.preparation import make_preparation, prepare


@pytest.fixture(scope="session")
def scored(tiny_run: Path, tiny_overrides: list[str]) -> Assessment:
    """Three brains: the two with the highest scores, which are flagged, and the one with the lowest."""
    cache = next(item for item in tiny_overrides if item.startswith("cache=")).removeprefix("cache=")
    predictions = read_csv(tiny_run / "predictions.csv", dtype={"subject": str}).sort_values("score")["subject"]
    names = sorted([*predictions.iloc[-2:], predictions.iloc[0]])
    detector = load(tiny_run)
    config = detector.config
    cohort = import_cohort(config.dataset, config, cache=cache, executor=HERE, limit=config.limit, trained=True)
    cohort = replace(cohort, index=cohort.index[cohort.index["subject"].isin(names)].reset_index(drop=True))
    cohort = prepare(cohort, make_preparation(config, cache, HERE), progress=False)
    known = FindingsCache(Path(cache) / "examined", detector)
    return classify_new(detector, score(detector, cohort, names, pd.Series("test", index=names), known=known))


@pytest.fixture
def work(scored: Assessment, tiny_run: Path, tmp_path: Path) -> Export:
    """An export of these brains to an empty folder."""
    return work_of(scored, tiny_run, tmp_path / "out")


def work_of(scored: Assessment, run: Path, folder: Path) -> Export:
    return Export(next(iter(scored.detectors.values())), run, RunFolder(folder), assessment=scored)


def renamed(scored: Assessment, names: dict[str, str]) -> Assessment:
    """Return the assessment with subjects called otherwise."""
    cohort = scored.cohort
    return replace(
        scored,
        table=scored.table.rename(index=names),
        findings={names[name]: one for name, one in scored.findings.items()},
        detectors={names[name]: one for name, one in scored.detectors.items()},
        cohort=replace(
            cohort,
            index=cohort.index.assign(subject=cohort.index["subject"].map(names)),
            prepared={names[name]: replace_name(one, names[name]) for name, one in cohort.prepared.items()},
            locations=[replace(one, subject=names[one.subject]) for one in cohort.locations if one.subject in names],
        ),
    )


def replace_name(subject, name):
    other = subject.in_memory()
    object.__setattr__(other, "subject", name)
    return other


HOSTILE = ("../../outside", "=1+1\tx", "P 1")
