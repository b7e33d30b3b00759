from collections import Counter

import pytest

from brain_cae.data.batches import GroupedBatchSampler

GROUPS = ["a"] * 7 + ["b"] * 5 + ["c"]


def sampler(**changes):
    return GroupedBatchSampler(GROUPS, **{"batch_size": 3, "shuffle": True, "seed": 1, **changes})


@pytest.mark.parametrize("shuffle", [True, False])
def test_every_item_once_and_one_group_per_batch(shuffle):
    batches = list(sampler(shuffle=shuffle))
    assert len(batches) == len(sampler(shuffle=shuffle)) == 6
    assert sorted(i for batch in batches for i in batch) == list(range(len(GROUPS)))
    assert all(len({GROUPS[i] for i in batch}) == 1 for batch in batches)


def test_epochs_differ_and_repeat_by_seed():
    shuffled = sampler()
    epochs = []
    for epoch in range(3):
        shuffled.sampler.set_epoch(epoch)
        epochs.append(list(shuffled))
    assert epochs[0] != epochs[1] != epochs[2]
    again = sampler()
    again.set_epoch(1)
    assert list(again) == epochs[1]


@pytest.mark.parametrize("world_size", [2, 3, 4])
def test_processes_share_an_epoch_with_equal_steps(world_size):
    parts = [list(sampler(rank=rank, world_size=world_size)) for rank in range(world_size)]
    assert len({len(part) for part in parts}) == 1
    counts = Counter(tuple(batch) for part in parts for batch in part)
    repeated = sum(counts.values()) - len(counts)
    assert repeated <= world_size - 1
    assert sorted({i for batch in counts for i in batch}) == list(range(len(GROUPS)))
