import torch

from bertpipe.nn.pooling import ClsPooling, WeightedPooling


def test_equal_weights_are_a_normalised_mean():
    torch.manual_seed(0)
    pooling = WeightedPooling(10)
    hidden = torch.randn(2, 4, 8)
    ids = torch.randint(0, 10, (2, 4))
    mask = torch.tensor([[1, 1, 1, 1], [1, 1, 0, 0]])
    got = pooling(hidden, ids, mask)
    mean = torch.stack([hidden[0].mean(0), hidden[1, :2].mean(0)])
    torch.testing.assert_close(got, torch.nn.functional.normalize(mean, dim=-1))


def test_weights_are_per_piece_and_trainable():
    pooling = WeightedPooling(3)
    pooling.set_weights(torch.tensor([1.0, 3.0, 1.0]))
    hidden = torch.eye(2)[None]  # (1, 2, 2)
    got = pooling(hidden, torch.tensor([[1, 2]]), torch.ones(1, 2))
    torch.testing.assert_close(got, torch.tensor([[3.0, 1.0]]) / 10**0.5)
    got[0, 0].backward()
    gradient = pooling.log_weight.weight.grad
    assert gradient[1] > 0
    assert gradient[0] == 0


def test_packed_pooling_is_the_same():
    torch.manual_seed(0)
    pooling = WeightedPooling(10)
    pooling.set_weights(torch.rand(10) + 0.1)
    hidden, ids = torch.randn(1, 6, 8), torch.randint(0, 10, (1, 6))
    text_index = torch.tensor([[1, 1, 1, 0, 0, 2]])  # text 1 first, then text 0, then padding
    packed = pooling.pool_packed(hidden, ids, text_index, 2)
    apart = [pooling(hidden[:, part], ids[:, part], torch.ones(1, len(part))) for part in ([3, 4], [0, 1, 2])]
    torch.testing.assert_close(packed, torch.cat(apart))


def test_cls_pooling_is_the_first_token():
    torch.manual_seed(0)
    hidden, ids = torch.randn(2, 4, 8), torch.randint(0, 10, (2, 4))
    got = ClsPooling()(hidden, ids, torch.tensor([[1, 1, 1, 1], [1, 1, 0, 0]]))
    torch.testing.assert_close(got, torch.nn.functional.normalize(hidden[:, 0], dim=-1))


def test_packed_cls_pooling_is_the_same():
    torch.manual_seed(0)
    pooling = ClsPooling()
    hidden, ids = torch.randn(2, 5, 8, requires_grad=True), torch.randint(0, 10, (2, 5))
    text_index = torch.tensor([[1, 1, 0, 0, 0], [2, 2, 2, 3, 3]])  # the last two are padding
    packed = pooling.pool_packed(hidden, ids, text_index, 3)
    apart = [pooling(hidden[row : row + 1, start:], ids, ids) for row, start in ((0, 2), (0, 0), (1, 0))]
    torch.testing.assert_close(packed, torch.cat(apart))
    packed.sum().backward()
    assert hidden.grad[0, 2].any()
    assert not hidden.grad[0, 3].any()
