from collections import Counter

import pytest
from torch.utils.data import Dataset

from brain_cae.data.batches import ContinuedLoader, GroupedBatchSampler

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


def loaded(loader, epoch):
    loader.batch_sampler.set_epoch(epoch)
    return [batch.tolist() for batch in loader]


def test_a_continued_loader_gives_each_epoch_its_batches_in_any_order_of_epochs():
    loader = ContinuedLoader(list(range(len(GROUPS))), sampler(endless=True), num_workers=1, prefetch_factor=1)
    plain = {}
    for epoch in range(4):
        one = sampler()
        one.set_epoch(epoch)
        plain[epoch] = list(one)
    assert loaded(loader, 0) == plain[0]
    running = loader._iterator
    assert loaded(loader, 1) == plain[1] and loader._iterator is running  # epoch 1 was begun in epoch 0
    loader.batch_sampler.set_epoch(2)
    assert next(iter(loader)).tolist() == plain[2][0]  # left early
    assert loaded(loader, 2) == plain[2]
    assert loaded(loader, 1) == plain[1]  # out of turn
    loader._iterator._shutdown_workers()  # as Lightning does at the end of a training
    loader._iterator = None
    assert loaded(loader, 2) == plain[2]


def test_the_next_epoch_is_loaded_before_it_begins():
    seen = []

    class Items(Dataset):
        def __len__(self):
            return len(GROUPS)

        def __getitem__(self, number):
            return number

    class Watched(GroupedBatchSampler):
        def __iter__(self):
            for batch in super().__iter__():
                seen.append(batch)
                yield batch

    watched = Watched(GROUPS, batch_size=3, shuffle=True, endless=True)
    loader = ContinuedLoader(Items(), watched, num_workers=1, prefetch_factor=1)
    loaded(loader, 0)
    assert len(seen) == len(loader) + 1
