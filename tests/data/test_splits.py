import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from brain_cae.data.splits import check_leakage, healthy_folds, leave_protocol_out, read_splits, stratified
from brain_cae.errors import DatasetError, LeakageError
from brain_cae.vocabulary import ROLES


def labels(healthy: int, abnormal: int, unknown: int = 0) -> pd.Series:
    names = [f"h{i}" for i in range(healthy)] + [f"a{i}" for i in range(abnormal)] + [f"u{i}" for i in range(unknown)]
    values = ["healthy"] * healthy + ["abnormal"] * abnormal + ["unknown"] * unknown
    return pd.Series(values, index=names)


def index_of(splits: pd.DataFrame, kinds: pd.Series) -> pd.DataFrame:
    rows = [(s, kinds[s], m, f"{s}-{m}") for s in splits["subject"] for m in ("t1", "flair")]
    return pd.DataFrame(rows, columns=["subject", "label", "modality", "series_hash"])


@settings(max_examples=50)
@given(healthy=st.integers(10, 200), abnormal=st.integers(0, 100), unknown=st.integers(0, 5), seed=st.integers(0, 1000))
def test_roles_are_disjoint_complete_and_healthy_where_they_must_be(healthy, abnormal, unknown, seed):
    kinds = labels(healthy, abnormal, unknown)
    splits = stratified(kinds, train=0.4, validation=healthy // 4, classifier=0.4, seed=seed)
    assert sorted(splits["subject"]) == sorted(kinds.index)
    assert set(splits["role"]) <= set(ROLES)
    counts = splits["role"].value_counts()
    assert counts["train"] == round(0.4 * healthy)
    assert counts["validation"] == healthy // 4
    check_leakage(splits, index_of(splits, kinds))


def test_the_seed_determines_the_roles():
    kinds = labels(60, 30)
    draw = {seed: stratified(kinds, train=0.4, validation=15, classifier=0.4, seed=seed) for seed in (0, 1)}
    assert draw[0].equals(stratified(kinds, train=0.4, validation=15, classifier=0.4, seed=0))
    assert not draw[0].equals(draw[1])


def test_too_few_healthy_brains_are_an_error():
    with pytest.raises(DatasetError, match="too few healthy"):
        stratified(labels(3, 30), train=0.4, validation=1, classifier=0.4, seed=0)


def test_a_subject_in_two_roles_is_leakage():
    kinds = labels(10, 4)
    splits = stratified(kinds, train=0.4, validation=3, classifier=0.4, seed=0)
    twice = pd.concat([splits, pd.DataFrame({"subject": [splits["subject"][0]], "role": ["test"]})])
    with pytest.raises(LeakageError, match=splits["subject"][0]):
        check_leakage(twice, index_of(splits, kinds))


def test_a_copied_scan_under_another_name_is_leakage():
    kinds = labels(10, 4)
    splits = stratified(kinds, train=0.4, validation=3, classifier=0.4, seed=0)
    index = index_of(splits, kinds)
    train, test = (splits.loc[splits["role"] == role, "subject"].iloc[0] for role in ("train", "test"))
    index.loc[(index["subject"] == test) & (index["modality"] == "t1"), "series_hash"] = f"{train}-t1"
    with pytest.raises(LeakageError, match="same scan belongs to two subjects"):
        check_leakage(splits, index)


def test_a_copy_within_one_role_is_leakage_too():
    kinds = labels(20, 8)
    splits = stratified(kinds, train=0.4, validation=6, classifier=0.4, seed=0)
    index = index_of(splits, kinds)
    first, second = splits.loc[splits["role"] == "validation", "subject"].iloc[:2]
    index.loc[(index["subject"] == second) & (index["modality"] == "t1"), "series_hash"] = f"{first}-t1"
    with pytest.raises(LeakageError, match="same scan"):
        check_leakage(splits, index)


def test_an_abnormal_training_brain_is_leakage():
    kinds = labels(10, 4)
    splits = stratified(kinds, train=0.4, validation=3, classifier=0.4, seed=0)
    splits.loc[splits["subject"] == "a0", "role"] = "train"
    with pytest.raises(LeakageError, match="a0"):
        check_leakage(splits, index_of(splits, kinds))


def test_a_split_file_is_read_back(tmp_path):
    kinds = labels(10, 4)
    splits = stratified(kinds, train=0.4, validation=3, classifier=0.4, seed=0)
    splits.to_csv(tmp_path / "splits.csv", index=False)
    assert read_splits(tmp_path / "splits.csv", kinds).equals(splits)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("subject,role\nh0,learn\n", "learn"),
        ("name,part\nh0,train\n", "name, part"),
        ("subject,role\nnobody,train\n", "nobody"),
        ("subject,role\nh0,train\nh1,train\nh2,validation\n", "1 in validation"),
        ("", "cannot be read"),
    ],
)
def test_an_invalid_split_file_is_explained(tmp_path, text, message):
    (tmp_path / "splits.csv").write_text(text)
    with pytest.raises(DatasetError, match=message):
        read_splits(tmp_path / "splits.csv", labels(3, 1))


def by_protocol(kinds: pd.Series, sizes: list[int], seed: int = 0) -> pd.Series:
    """Assign protocols of the given sizes at random; the remaining subjects get the first protocol."""
    names = [f"p{number}" for number, size in enumerate(sizes) for _ in range(size)]
    names += ["p0"] * (len(kinds) - len(names))
    return pd.Series(np.random.default_rng(seed).permutation(names[: len(kinds)]), index=kinds.index)


@settings(max_examples=50)
@given(
    healthy=st.integers(10, 200),
    abnormal=st.integers(0, 100),
    sizes=st.lists(st.integers(1, 60), min_size=1, max_size=6),
    seed=st.integers(0, 1000),
)
def test_stratifying_by_protocol_keeps_the_role_sizes_and_balances_each_protocol(healthy, abnormal, sizes, seed):
    kinds = labels(healthy, abnormal, 2)
    protocols = by_protocol(kinds, sizes, seed)
    options = {"train": 0.4, "validation": healthy // 4, "classifier": 0.4, "seed": seed}
    plain = stratified(kinds, **options).set_index("subject")["role"]
    drawn = stratified(kinds, **options, protocols=protocols).set_index("subject")["role"]
    assert sorted(drawn.index) == sorted(kinds.index)
    for label in ("healthy", "abnormal"):
        names = kinds.index[kinds == label]
        assert drawn[names].value_counts().to_dict() == plain[names].value_counts().to_dict()
        if len(names):
            counted = pd.crosstab(protocols[names], drawn[names])
            due = np.outer(counted.sum(axis=1), counted.sum(axis=0)) / len(names)
            assert np.abs(counted - due).to_numpy().max() < 3
    check_leakage(drawn.reset_index(), index_of(drawn.reset_index(), kinds))


def test_stratifying_by_protocol_balances_protocols_better_than_a_random_draw():
    kinds = labels(120, 60)
    protocols = by_protocol(kinds, [60, 40, 20])
    worst = {"plain": 0.0, "even": 0.0}
    for seed in range(20):
        for name, given_protocols in {"plain": None, "even": protocols}.items():
            drawn = stratified(kinds, train=0.4, validation=40, classifier=0.4, seed=seed, protocols=given_protocols)
            roles = drawn.set_index("subject")["role"][kinds.index[kinds == "healthy"]]
            counted = pd.crosstab(protocols[roles.index], roles)
            due = np.outer(counted.sum(axis=1), counted.sum(axis=0)) / len(roles)
            worst[name] = max(worst[name], float(np.abs(counted - due).to_numpy().max()))
    assert worst["even"] < 2 < worst["plain"]


def test_a_rare_protocol_can_get_any_role():
    kinds = labels(40, 20)
    protocols = pd.Series("common", index=kinds.index)
    protocols["h7"] = "rare"
    draws = [
        stratified(kinds, train=0.4, validation=10, classifier=0.4, seed=seed, protocols=protocols)
        for seed in range(40)
    ]
    assert {draw.set_index("subject")["role"]["h7"] for draw in draws} == set(ROLES)


@settings(max_examples=50)
@given(
    healthy=st.integers(20, 120),
    abnormal=st.integers(0, 60),
    sizes=st.lists(st.integers(1, 12), min_size=1, max_size=4),
    seed=st.integers(0, 1000),
)
def test_exactly_the_held_out_protocol_is_tested(healthy, abnormal, sizes, seed):
    kinds = labels(healthy, abnormal, 3)
    protocols = by_protocol(kinds, [0, *sizes], seed)
    others = int(((kinds == "healthy") & (protocols != "p1")).sum())
    assume(others >= 10)
    splits = leave_protocol_out(kinds, protocols, "p1", train=0.4, validation=others // 4, seed=seed)
    assert splits["subject"].tolist() == sorted(kinds.index)
    roles = splits.set_index("subject")["role"]
    assert set(roles.index[roles == "test"]) == set(protocols.index[protocols == "p1"])
    taught = kinds[roles.index[roles == "classifier"]]
    assert (taught == "abnormal").sum() == ((kinds == "abnormal") & (protocols != "p1")).sum()
    counts = roles.value_counts()
    assert (counts["train"], counts["validation"]) == (round(0.4 * others), others // 4)
    check_leakage(splits, index_of(splits, kinds))
    again = leave_protocol_out(kinds[::-1], protocols, "p1", train=0.4, validation=others // 4, seed=seed)
    assert again.equals(splits)


def test_holding_out_the_protocol_of_most_healthy_brains_is_an_error():
    kinds = labels(12, 6)
    protocols = pd.Series(["p1"] * 9 + ["p2"] * 9, index=kinds.index)
    with pytest.raises(DatasetError, match="leaves too few healthy brains") as caught:
        leave_protocol_out(kinds, protocols, "p1", train=0.4, validation=1, seed=0)
    assert "3 of 12 healthy brains have other protocols" in str(caught.value)
    assert "split.protocol=p1" in str(caught.value)


@given(count=st.integers(2, 6), brains=st.integers(12, 60), scanners=st.integers(1, 4), seed=st.integers(0, 9))
def test_every_healthy_brain_is_in_one_fold_and_every_fold_has_each_protocol_in_proportion(
    count: int, brains: int, scanners: int, seed: int
) -> None:
    names = [f"h{number:02d}" for number in range(brains)]
    protocols = pd.Series([f"p{number % scanners}" for number in range(brains)], index=names)
    folds = healthy_folds(names, count, seed=seed, protocols=protocols)
    assert sorted(folds.index) == names and set(folds) == set(range(count))
    assert folds.value_counts().max() - folds.value_counts().min() <= 1
    table = pd.crosstab(folds, protocols[folds.index])
    assert (table.max() - table.min()).max() <= 2
    assert healthy_folds(names[::-1], count, seed=seed, protocols=protocols).equals(folds)


def test_folds_need_two_healthy_brains_each() -> None:
    with pytest.raises(DatasetError, match="too few healthy brains for the folds"):
        healthy_folds(["a", "b", "c"], 2, seed=0)
