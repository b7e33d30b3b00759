"""What a modality shows must come from the others alone."""

import pytest
import torch

from brain_cae.models.translation import Translation


def network(modalities=2):
    torch.manual_seed(0)
    return Translation(modalities, channels=(4, 6, 8)).eval()


@pytest.mark.parametrize("modalities", [2, 3])
def test_no_modality_sees_itself(modalities):
    volumes = torch.rand(1, modalities, 16, 24, 8, requires_grad=True)
    output = network(modalities)(volumes)
    assert output.shape == volumes.shape
    output[:, 0].sum().backward()
    seen = volumes.grad.abs().amax(dim=(0, 2, 3, 4))
    assert seen[0] == 0 and (seen[1:] > 0).all()


def test_it_learns_one_contrast_from_the_other():
    translation = network().train()
    t1 = torch.nn.functional.interpolate(torch.rand(2, 1, 4, 4, 4), size=(32, 32, 16), mode="trilinear")
    volumes = torch.cat([t1, 1 - t1**2], dim=1)
    optimiser, losses = torch.optim.AdamW(translation.parameters(), 0.01), []
    for _ in range(60):
        loss = (translation(volumes) - volumes).abs().mean()
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()
        losses.append(loss.item())
    assert losses[-1] < 0.2 * losses[0]


def test_one_modality_is_refused():
    with pytest.raises(ValueError, match="two modalities"):
        Translation(1)


def test_the_encoder_gives_features_of_each_modality():
    assert network().encode(torch.rand(1, 2, 16, 24, 8)).shape == (1, 16, 2, 3, 1)
