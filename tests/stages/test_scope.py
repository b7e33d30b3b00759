"""Who is counted, and in which role."""

import pandas as pd

from brain_cae.stages.scope import Scope

SPLITS = pd.DataFrame({"subject": ["a", "b", "c"], "role": ["train", "train", "test"]})


def test_subjects_have_the_roles_of_the_split() -> None:
    scope = Scope(SPLITS)
    assert scope.subjects == {"train": 2, "validation": 0, "classifier": 0, "test": 1}
    assert scope.roles.to_dict() == {"a": "train", "b": "train", "c": "test"}


def test_subjects_tested_by_outer_folds_are_in_the_role_test() -> None:
    scope = Scope(SPLITS, tested=pd.Index(["a", "b"]))
    assert scope.subjects == {"train": 2, "validation": 0, "classifier": 0, "test": 2}
    assert scope.roles.to_dict() == {"a": "test", "b": "test"}
