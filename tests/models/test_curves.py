"""Curves of the optimiser."""

from types import SimpleNamespace

import pytest
import torch

from brain_cae.models.curves import OptimiserCurves


def test_a_point_has_the_rate_and_the_largest_norm_of_its_epoch():
    points = []
    trainer = SimpleNamespace(
        optimizers=[SimpleNamespace(param_groups=[{"lr": 0.25}])],
        logger=SimpleNamespace(log_metrics=lambda figures, step: points.append((step, figures))),
        global_step=3,
    )
    module, curves = torch.nn.Linear(2, 1, bias=False), OptimiserCurves()
    for epoch in ([3.0, 4.0], [0.0, 1.0]), ([0.0, 2.0],):
        for gradient in epoch:
            module.weight.grad = torch.tensor([gradient])
            curves.on_before_optimizer_step(trainer, module)
        curves.on_train_epoch_end(trainer, module)
    assert [step for step, _ in points] == [2, 2]
    assert [figures["optimiser/gradient_norm"] for _, figures in points] == pytest.approx([5.0, 2.0])
    assert points[0][1]["optimiser/learning_rate"] == 0.25
