"""Lists of choices in ``--help``."""

from brain_cae.cli.help import choices, dataset_keys


def test_an_evaluation_lists_only_what_it_takes():
    listed = [line.partition(":")[0] for line in choices("evaluate").splitlines()]
    assert listed == ["dataset", "audit", "classifier", "balancing", "executor"]
    trained = {line.partition(":")[0] for line in choices("train").splitlines()}
    assert {*listed, "reshape", "experiment"} < trained


def test_the_keys_of_each_data_set_have_their_defaults_and_meanings():
    text = dataset_keys()
    bids = text.partition("dataset=bids\n")[2].partition("dataset=brats")[0].splitlines()
    assert bids[0].startswith("  root: ???") and "dataset_description.json" in bids[0]
    assert any(line.startswith("  label_column: null") and "participants.tsv" in line for line in bids)
    assert "_target_" not in text and "$${cache}/phantom" in text
