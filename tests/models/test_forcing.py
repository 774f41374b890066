import pytest
import torch

from bertpipe.models.beam_search import beam_search
from bertpipe.models.forcing import force
from bertpipe.models.sampling import write
from bertpipe.models.transformer_config import TransformerConfig

V = 7


def test_without_rules_nothing_changes():
    scores = torch.randn(3, V)
    before = scores.clone()
    for place in range(3):
        force(scores, TransformerConfig(V), place)
    assert torch.equal(scores, before)


def test_forbidden_pieces_and_the_first():
    config = TransformerConfig(V, first_id=4, forbidden_ids=(0, 5))
    later = torch.zeros(2, V)
    force(later, config, 1)
    assert later.isinf().tolist() == [[True, False, False, False, False, True, False]] * 2
    first = torch.randn(2, V)
    force(first, config, 0)
    # The only piece that is possible has all of the probability.
    assert torch.softmax(first, dim=-1)[:, 4].tolist() == [1.0, 1.0]
    assert first[:, 4].tolist() == [0.0, 0.0]


@pytest.mark.parametrize("temperature", [0.0, 5.0])
def test_every_way_to_write_obeys(make_transformer, temperature):
    """What would be written most comes never, and every target begins as it must."""
    sources = torch.randint(5, 23, (4, 9), generator=torch.Generator().manual_seed(0))
    free = make_transformer(seed=3)
    usual = write(free, sources, None, max_length=12)
    forbidden = tuple({pieces[0] for pieces, _ in usual if pieces})
    assert forbidden
    bound = make_transformer(seed=3, first_id=8, forbidden_ids=forbidden)
    drawn = write(bound, sources, None, max_length=12, temperature=temperature)
    searched = beam_search(bound, sources, None, beams=3, max_length=12, best=3)
    for pieces in [pieces for pieces, _ in drawn] + [pieces for best in searched for pieces, _ in best]:
        assert pieces[0] == 8
        assert not set(pieces) & set(forbidden)
