import pytest
import torch

from bertpipe.nn.cache import GROWTH, DecoderCache, LayerCache

ROWS, HEADS, SIZE = 4, 2, 3


@pytest.fixture
def cache() -> LayerCache:
    torch.manual_seed(0)
    return LayerCache(torch.randn(2, HEADS, 5, SIZE), torch.randn(2, HEADS, 5, SIZE))


def positions(count, rows=ROWS):
    torch.manual_seed(1)
    return torch.randn(rows, HEADS, count, SIZE), torch.randn(rows, HEADS, count, SIZE)


def fill(cache, keys, values):
    for place in range(keys.size(2)):
        got = cache.extend(keys[:, :, place : place + 1], values[:, :, place : place + 1])
    return got


@pytest.mark.parametrize("count", [1, GROWTH - 1, GROWTH, GROWTH + 1, 3 * GROWTH + 5])
def test_all_that_was_written_is_kept(cache, count):
    keys, values = positions(count)
    got = fill(cache, keys, values)
    assert torch.equal(got[0], keys)
    assert torch.equal(got[1], values)
    assert cache.length == count


def test_rows_in_another_order_go_on_by_themselves(cache):
    keys, values = positions(GROWTH + 3)
    fill(cache, keys[:, :, :GROWTH], values[:, :, :GROWTH])
    rows = torch.tensor([2, 2, 0])
    cache.reorder(rows)
    # What follows has to come to the rows that are left, and twice-kept rows have to part.
    got = fill(cache, keys[:3, :, GROWTH:], values[:3, :, GROWTH:])
    assert torch.equal(got[0][:, :, :GROWTH], keys[rows][:, :, :GROWTH])
    assert torch.equal(got[0][:, :, GROWTH:], keys[:3, :, GROWTH:])
    assert torch.equal(got[1][:, :, :GROWTH], values[rows][:, :, :GROWTH])
    assert not torch.equal(got[0][0], got[0][1])


def test_an_empty_cache_has_nothing_to_reorder(cache):
    cache.reorder(torch.tensor([0, 0]))
    keys, values = positions(1)
    assert torch.equal(fill(cache, keys, values)[0], keys)


def test_sources_that_are_done_are_forgotten(cache):
    key, value = cache.memory_key, cache.memory_value
    mask = torch.tensor([[True] * 5, [True] * 3 + [False] * 2])[:, None, None, :]
    other = LayerCache(value, key)
    whole = DecoderCache([cache, other], mask)
    whole.keep_sources(torch.tensor([1]))
    assert torch.equal(cache.memory_key, key[1:])
    assert torch.equal(cache.memory_value, value[1:])
    assert torch.equal(other.memory_key, value[1:])
    assert torch.equal(whole.memory_mask, mask[1:])
    DecoderCache([cache], None).keep_sources(torch.tensor([0]))  # without padding there is no mask


def test_all_layers_are_reordered(cache):
    other = LayerCache(cache.memory_key, cache.memory_value)
    whole = DecoderCache([cache, other], None)
    keys, values = positions(2)
    for layer in whole.layers:
        fill(layer, keys, values)
    whole.reorder(torch.tensor([3]))
    assert whole.length == 2
    for layer in whole.layers:
        got, _ = layer.extend(keys[:1, :, :1], values[:1, :, :1])
        assert torch.equal(got[:, :, :2], keys[3:])
