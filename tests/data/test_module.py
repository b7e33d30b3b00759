import torch

from brain_cae.data.module import BrainData
from brain_cae.reshape import Clustered


def test_batches_are_plain_tensors_of_one_shape(make_subject):
    shapes = [(24, 28, 20)] * 3 + [(40, 16, 24)] * 2
    subjects = [make_subject(f"s{i}", shape=shape, seed=i) for i, shape in enumerate(shapes)]
    reshape = Clustered().fit([subject.grid for subject in subjects])
    data = BrainData(subjects, reshape, stride=8, batch_size=2, seed=3)
    seen = []
    for batch in data.train_dataloader():
        assert type(batch["volume"]) is torch.Tensor
        assert batch["volume"].shape[0] == batch["mask"].shape[0] == len(batch["subject"])
        assert all(size % 8 == 0 for size in batch["volume"].shape[2:])
        assert set(batch["mask"].unique().tolist()) <= {0.0, 1.0}
        seen += batch["subject"]
    assert sorted(seen) == [f"s{i}" for i in range(5)]


def test_worker_processes_load_the_same_batches(make_subject):
    subjects = [make_subject(f"s{i}", seed=i) for i in range(4)]
    reshape = Clustered().fit([subject.grid for subject in subjects])
    sums = []
    for workers in (0, 2):
        data = BrainData(subjects, reshape, stride=4, batch_size=2, workers=workers, seed=3)
        sums.append([float(batch["volume"].sum()) for batch in data.train_dataloader()])
    assert sums[0] == sums[1]


def test_large_sets_are_read_anew_and_give_the_same_batches(make_subject, monkeypatch):
    subjects = [make_subject(f"s{i}", seed=i) for i in range(4)]
    reshape = Clustered().fit([subject.grid for subject in subjects])
    sums = []
    for limit in (2**30, 1):
        monkeypatch.setattr("brain_cae.data.module.KEPT_BYTES", limit)
        data = BrainData(subjects, reshape, stride=4, batch_size=2, seed=3)
        assert data.train.fits == (limit > 1)
        assert (data.train[0] is data.train[0]) == data.train.fits
        loader = data.train_dataloader()
        assert loader.num_workers == (0 if data.train.fits else 1)
        sums.append([float(batch["volume"].sum()) for batch in loader])
    assert sums[0] == sums[1]
    assert data.train.estimate == 4 * 3 * sum(batch["mask"].numel() for batch in data.train_dataloader())
