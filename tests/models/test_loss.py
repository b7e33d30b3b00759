"""The masked error has the value and the gradient of its formula."""

import pytest
import torch

from brain_cae.models.loss import masked_error, masked_errors


@pytest.mark.parametrize("power", [1, 2])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_value_and_gradient_follow_the_formula(power, dtype):
    torch.manual_seed(0)
    output = torch.randn(2, 3, 4, 5, 6).to(dtype).requires_grad_()
    volume, mask = torch.randn(2, 3, 4, 5, 6), (torch.rand(2, 1, 4, 5, 6) > 0.4).float()
    (7 * masked_error(output, volume, mask, power=power)).backward()
    inside = mask.expand_as(volume).bool()
    plain = output.detach().float().requires_grad_()
    expected = ((plain - volume)[inside].abs() ** power).mean()
    (7 * expected).backward()
    torch.testing.assert_close(masked_error(output, volume, mask, power=power), expected)
    assert output.grad is not None and output.grad.dtype == dtype
    torch.testing.assert_close(output.grad, plain.grad.to(dtype), rtol=1e-5 if dtype == torch.float32 else 1e-2, atol=0)
    assert not output.grad[~inside].any() and output.grad[inside].all()


def test_an_empty_mask_gives_no_error_and_no_gradient():
    output = torch.ones(1, 1, 2, 2, 2, requires_grad=True)
    error = masked_error(output, torch.zeros(1, 1, 2, 2, 2), torch.zeros(1, 1, 2, 2, 2))
    error.backward()
    assert error == 0 and not output.grad.any()


def test_the_errors_of_the_modalities_average_to_the_error_of_all():
    torch.manual_seed(0)
    output, volume = torch.randn(2, 3, 4, 5, 6), torch.randn(2, 3, 4, 5, 6)
    mask = (torch.rand(2, 1, 4, 5, 6) > 0.4).float()
    total, channels = masked_errors(output, volume, mask)
    inside = mask.expand_as(volume[:, :1]).bool()
    expected = torch.stack([(output - volume)[:, [one]][inside].abs().mean() for one in range(3)])
    torch.testing.assert_close(channels, expected)
    torch.testing.assert_close(total, channels.mean())
