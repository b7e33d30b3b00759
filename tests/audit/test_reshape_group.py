"""The reshape group reveals the scanner: the audit detects it if the phantom ties the scanner to the label."""

import numpy as np
import pandas as pd
import pytest

from brain_cae.audit.reshape_group import reshape_group
from brain_cae.audit.table import make_table
from brain_cae.phantom import PhantomSettings
from brain_cae.phantom.dimensions import vary_dimensions
from brain_cae.phantom.protocol import SeriesProtocol, draw_protocol
from brain_cae.phantom.settings import Stream
from brain_cae.reshape import Clustered, NativeGrid

AXES = {"axial": (0, 1, 2), "coronal": (0, 2, 1), "sagittal": (1, 2, 0)}  # of columns, rows and slices in R, A, S


def test_a_group_that_equals_the_label_predicts_it(simulate) -> None:
    subjects, acquisition = simulate(1)
    free = reshape_group(make_table(subjects, acquisition))
    tied = reshape_group(make_table(subjects.assign(reshape_group=subjects["label"] == "healthy"), acquisition))
    assert tied.value == 1.0 and tied.p <= 0.01 and tied.verdict == "concern"
    assert free.value < 0.65
    assert reshape_group(make_table(subjects.assign(reshape_group=1), acquisition)).value == 0.5
    assert reshape_group(make_table(subjects.drop(columns="reshape_group"), acquisition)) is None


def native_grid(series: SeriesProtocol, generator: np.random.Generator) -> NativeGrid:
    """Return the dimensions of a FLAIR of a head of any size, without simulating pixels."""
    sizes = [series.columns, series.rows, int(generator.integers(series.slices[0], series.slices[1] + 1))]
    shape = [0, 0, 0]
    for axis, size in zip(AXES[series.plane], sizes, strict=True):
        shape[axis] = size
    x, y, z = shape
    return NativeGrid((x, y, z), (1.0, 1.0, 1.0), ((0, x), (0, y), (0, z)))


def cohort(confounding: float, dimensions: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return labels, protocols and reshape groups of unseen subjects; the groups are fitted on healthy ones."""
    settings = PhantomSettings(subjects=240, confounding=confounding, dimensions=dimensions)
    labels, rows = settings.labels(), []
    for number, label in enumerate(labels):
        protocol = draw_protocol(int(label), confounding, settings.generator(number, Stream.PROTOCOL))
        generator, series = settings.generator(number, Stream.DIMENSIONS), protocol.series["flair"]
        grid = native_grid(vary_dimensions(series, generator) if dimensions == "varied" else series, generator)
        rows.append({"label": ("healthy", "abnormal")[label], "protocol": protocol.name, "score": 0.0, "grid": grid})
    table = pd.DataFrame(rows)
    train = table[table["label"] == "healthy"].index[:80]
    reshape = Clustered().fit(list(table.loc[train, "grid"]))
    table["reshape_group"] = [reshape.group(grid).name for grid in table["grid"]]
    unseen = table.drop(index=train).drop(columns="grid")
    return unseen, pd.DataFrame({"model": unseen["protocol"]})


@pytest.mark.parametrize("dimensions", ["protocols", "varied"])
def test_the_group_predicts_the_label_only_if_the_scanner_does(dimensions: str) -> None:
    free, tied = (reshape_group(make_table(*cohort(confounding, dimensions))) for confounding in (0.0, 1.0))
    assert free is not None and tied is not None
    assert tied.verdict == "concern" and tied.p <= 0.01
    # Not close to 1: groups are fitted on healthy brains, and tumour scans go to the nearest group.
    assert tied.value > 0.65 and tied.low > 0.55
    assert free.verdict == "no concern" and free.p > 0.05


def test_one_class_alone_cannot_tell(simulate) -> None:
    subjects, acquisition = simulate(1)
    test = reshape_group(make_table(subjects.assign(label="healthy"), acquisition))
    assert (test.verdict, test.value, test.n) == ("cannot tell", None, 80)
