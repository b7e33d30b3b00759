"""Cautions about a data set that is no longer the one that the model was trained with."""

import pandas as pd

from brain_cae.stages.changed import changed_cautions
from brain_cae.vocabulary import Serious

ROLES = pd.Series({"a": "train", "b": "validation", "c": "classifier", "d": "test", "e": "test"})


def index(**changes):
    """Return an index of five subjects; ``d=("abnormal", "new")`` gives one another label and another scan."""
    rows = {name: ("abnormal" if name in "de" else "healthy", name) for name in ROLES.index} | changes
    table = [(name, "flair", *row) for name, row in rows.items() if row is not None]
    return pd.DataFrame(table, columns=["subject", "modality", "label", "series_hash"])


def test_the_same_data_set_raises_no_caution():
    assert changed_cautions(index(), index(), ROLES) == []
    assert changed_cautions(None, index(), ROLES) == []


def test_unseen_subjects_that_are_gone_are_a_serious_caution():
    for before in (index(), None):
        (caution,) = changed_cautions(before, index(a=None, c=None, e=None), ROLES)
        assert isinstance(caution, Serious)
        assert caution.startswith("2 subjects of the run have no scans") and caution.endswith("c, e.")


def test_a_brain_that_was_learnt_as_healthy_and_is_abnormal_now_is_a_serious_caution():
    (caution,) = changed_cautions(index(), index(b=("abnormal", "b")), ROLES)
    assert isinstance(caution, Serious)
    assert caution.startswith("1 brain that the model learnt from") and caution.endswith("train again: b.")


def test_other_labels_and_other_scans_are_named():
    cautions = changed_cautions(index(), index(c=("unknown", "c"), d=("abnormal", "new")), ROLES)
    assert [caution.split(" than ")[0] for caution in cautions] == [
        "1 subject has another label",
        "1 subject has other scans",
    ]
    assert cautions[0].endswith(": c.") and cautions[1].endswith(": d.")
    assert not any(isinstance(caution, Serious) for caution in cautions)
