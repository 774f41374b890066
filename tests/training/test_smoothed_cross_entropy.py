import pytest
import torch
from torch.nn import functional

from bertpipe.training import smoothed_cross_entropy as module
from bertpipe.training.smoothed_cross_entropy import smoothed_cross_entropy

ROWS, WIDTH, VOCAB = 23, 6, 11


def inputs(bias, dtype=torch.float64):
    torch.manual_seed(0)
    hidden = torch.randn(ROWS, WIDTH, dtype=dtype, requires_grad=True)
    weight = torch.randn(VOCAB, WIDTH, dtype=dtype, requires_grad=True)
    offsets = torch.randn(VOCAB, dtype=dtype, requires_grad=True) if bias else None
    return [hidden, weight, offsets], torch.randint(0, VOCAB, (ROWS,))


def gradients(loss, tensors):
    return torch.autograd.grad(3 * loss, [tensor for tensor in tensors if tensor is not None])


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.7])
@pytest.mark.parametrize("rows_in_chunk", [1, 7, 22, 23, 1000])
def test_it_is_pytorchs_cross_entropy(monkeypatch, bias, smoothing, rows_in_chunk):
    """Values and gradients, wherever the chunks end."""
    monkeypatch.setattr(module, "CHUNK_LOGITS", rows_in_chunk * VOCAB + 3)
    tensors, labels = inputs(bias, torch.float32)
    expected = functional.cross_entropy(functional.linear(*tensors), labels, label_smoothing=smoothing)
    got = smoothed_cross_entropy(*tensors, labels, smoothing)
    torch.testing.assert_close(got, expected, atol=1e-6, rtol=1e-6)
    for one, other in zip(gradients(got, tensors), gradients(expected, tensors), strict=True):
        assert other.abs().max() > 0.01
        torch.testing.assert_close(one, other, atol=1e-6, rtol=1e-5)


def test_a_vocabulary_larger_than_a_chunk(monkeypatch):
    monkeypatch.setattr(module, "CHUNK_LOGITS", 2)
    tensors, labels = inputs(True, torch.float32)
    expected = functional.cross_entropy(functional.linear(*tensors), labels)
    torch.testing.assert_close(smoothed_cross_entropy(*tensors, labels), expected)


def test_large_logits_do_not_overflow():
    tensors, labels = inputs(False, torch.float32)
    hidden, weight = (tensor.detach() * 100 for tensor in tensors[:2])
    expected = functional.cross_entropy(hidden @ weight.T, labels, label_smoothing=0.1)
    torch.testing.assert_close(smoothed_cross_entropy(hidden, weight, None, labels, 0.1), expected)


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_validation_computes_no_gradients(monkeypatch, mode):
    """They would be most of the work."""
    tensors, labels = inputs(True, torch.float32)
    expected = smoothed_cross_entropy(*tensors, labels, 0.1)

    def forbidden(*arguments):
        raise AssertionError("a gradient was computed")

    monkeypatch.setattr(torch.Tensor, "scatter_add_", forbidden)
    with mode():
        got = smoothed_cross_entropy(*tensors, labels, 0.1)
    assert not got.requires_grad
    torch.testing.assert_close(got, expected.detach())
    with pytest.raises(AssertionError, match="a gradient was computed"):
        smoothed_cross_entropy(*tensors, labels, 0.1)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_mixed_precision_is_near_full_precision(monkeypatch, smoothing):
    monkeypatch.setattr(module, "CHUNK_LOGITS", 5 * VOCAB)
    tensors, labels = inputs(True, torch.float32)
    expected = functional.cross_entropy(functional.linear(*tensors), labels, label_smoothing=smoothing)
    with torch.autocast("cpu", torch.bfloat16):
        got = smoothed_cross_entropy(*tensors, labels, smoothing)
    assert got.dtype == torch.float32
    assert got.item() == pytest.approx(expected.item(), rel=0.01)
    assert got.item() != expected.item()
    for one, other in zip(gradients(got, tensors), gradients(expected, tensors), strict=True):
        assert one.dtype == torch.float32
        assert (one - other).norm() < 0.03 * other.norm()


def test_the_uniform_distribution():
    """ln V, whatever is smoothed."""
    for smoothing in (0.0, 0.3):
        loss = smoothed_cross_entropy(
            torch.zeros(4, WIDTH), torch.randn(VOCAB, WIDTH), None, torch.arange(4), smoothing
        )
        assert loss.item() == pytest.approx(torch.tensor(float(VOCAB)).log().item(), abs=1e-6)
