"""Beam search against searches that are too simple to be wrong: all targets there are, or one source at a time."""

import itertools

import pytest
import torch

from bertpipe.models.beam_search import _Search, beam_search
from bertpipe.models.sampling import write
from bertpipe.models.transformer import Transformer

PENALTIES = [-1.0, 0.0, 0.6, 1.0, 2.0]
TINY = {"vocab_size": 5, "width": 16, "heads": 2, "inner": 16, "encoder_layers": 1, "decoder_layers": 1}
START, END = 2, 3


def sources(*sizes, vocabulary=23):
    torch.manual_seed(7)
    ids = torch.randint(4, vocabulary, (len(sizes), max(sizes)))
    seen = torch.arange(max(sizes)) < torch.tensor(sizes)[:, None]
    return ids * seen, seen


@torch.no_grad()
def log_probability(model, src_ids, target):
    """The sum over a target's pieces, one position after the other and without a cache."""
    written, total = [START], 0.0
    for piece in target:
        logits = model(src_ids, torch.tensor([written]))[0, -1].double()
        total += float(logits[piece] - logits.logsumexp(0))
        written.append(piece)
    return total


def all_targets(model, src_ids, max_length):
    """Every target: those that end, and those that are cut off at the greatest length."""
    pieces = [piece for piece in range(model.config.vocab_size) if piece != END]
    for length in range(max_length + 1):
        for target in itertools.product(pieces, repeat=length):
            ends = [END] if length < max_length else []
            yield list(target), log_probability(model, src_ids, [*target, *ends]), length + len(ends)


def check_same(got, expected, tolerance=1e-4):
    """The same targets in the same order, up to those of nearly the same score."""
    assert len(got) == len(expected)
    for (pieces, score), (wanted, best) in zip(got, expected, strict=True):
        assert score == pytest.approx(best, abs=tolerance)
        if pieces != wanted:
            assert any(one == pieces and other == pytest.approx(score, abs=tolerance) for one, other in expected)


@pytest.mark.parametrize("seed", range(3))
def test_wide_beams_find_what_an_exhaustive_search_finds(make_transformer, seed):
    """With beams for all 4 x 4 x 5 targets of the greatest length, nothing is ever left aside."""
    model = make_transformer(seed=seed, sharpness=4.0, **TINY)
    src_ids = sources(4, vocabulary=5)[0]
    found = list(all_targets(model, src_ids, 3))
    assert len(found) == 1 + 4 + 16 + 64
    for penalty in PENALTIES:
        ranked = sorted(((target, total / size**penalty) for target, total, size in found), key=lambda one: -one[1])
        (got,) = beam_search(
            model, src_ids, None, beams=80, best=80, max_length=3, length_penalty=penalty, early_stopping="never"
        )
        check_same(got, ranked[:80])


@pytest.mark.parametrize("penalty", PENALTIES)
def test_the_score_is_the_models(make_transformer, penalty):
    """Of narrow beams on a larger vocabulary, too: what ends and what is cut off."""
    model = make_transformer(sharpness=2.0)
    src_ids = sources(6)[0]
    (got,) = beam_search(model, src_ids, None, beams=4, best=4, max_length=7, length_penalty=penalty)
    assert len(got) == 4
    for pieces, score in got:
        assert END not in pieces
        target = [*pieces, END] if len(pieces) < 7 else pieces
        assert score == pytest.approx(log_probability(model, src_ids, target) / len(target) ** penalty, abs=1e-4)


def biased(make_transformer, towards_end, **more):
    """A model whose targets end early or late."""
    model = make_transformer(sharpness=2.0, output_bias=True, **more)
    with torch.no_grad():
        model.output_bias[END] += towards_end
    return model


@pytest.mark.parametrize("towards_end", [-3.0, 3.0, 4.0, 5.0])
def test_one_beam_is_greedy(make_transformer, towards_end):
    model = biased(make_transformer, towards_end)
    src_ids, seen = sources(6, 3, 5, 1, 4)
    greedy = write(model, src_ids, seen, max_length=12)
    beams = beam_search(model, src_ids, seen, beams=1, max_length=12, length_penalty=0.0, early_stopping="always")
    for (pieces, score), ((found, best),) in zip(greedy, beams, strict=True):
        assert found == pieces
        assert best == pytest.approx(score, abs=1e-4)


@pytest.mark.parametrize("early_stopping", ["always", "likely", "never"])
@pytest.mark.parametrize("penalty", [0.0, 1.0, 2.0])
def test_a_batch_finds_what_its_sources_find_alone(make_transformer, early_stopping, penalty):
    """Sources of other lengths, padded, that end at other times and leave the batch."""
    model = biased(make_transformer, 4.0)
    src_ids, seen = sources(6, 2, 5, 1, 4, 6)
    settings = {"beams": 3, "best": 3, "max_length": 12, "length_penalty": penalty, "early_stopping": early_stopping}
    together = beam_search(model, src_ids, seen, **settings)
    lengths = set()
    for row, size in enumerate(seen.sum(1).tolist()):
        (alone,) = beam_search(model, src_ids[row : row + 1, :size], None, **settings)
        check_same(together[row], alone)
        lengths.add(len(alone[0][0]))
    if early_stopping == "always" or penalty == 0:  # elsewhere nearly all go on to the end
        assert len(lengths) > 1  # or none would have left before the others


@pytest.mark.parametrize("early_stopping", ["always", "likely", "never"])
def test_targets_are_sorted_and_distinct(make_transformer, early_stopping):
    model = biased(make_transformer, 4.0)
    src_ids, seen = sources(6, 3, 5)
    for targets in beam_search(model, src_ids, seen, beams=6, best=6, max_length=9, early_stopping=early_stopping):
        scores = [score for _, score in targets]
        assert len(targets) == 6
        assert scores == sorted(scores, reverse=True)
        assert len({tuple(pieces) for pieces, _ in targets}) == 6


def test_the_best_of_many_are_the_first_of_all(make_transformer):
    model = biased(make_transformer, 4.0)
    src_ids = sources(6)[0]
    (several,) = beam_search(model, src_ids, None, beams=5, best=5, max_length=9)
    (fewer,) = beam_search(model, src_ids, None, beams=5, best=2, max_length=9)
    assert fewer == several[:2]


def test_stopping_early_gives_nothing_better_than_going_on(make_transformer):
    found = {}
    for seed in range(8):
        model = biased(make_transformer, 4.0, seed=seed)
        for way in ("always", "likely", "never"):
            (((_, score),),) = beam_search(
                model, sources(6)[0], None, beams=2, max_length=12, length_penalty=1.5, early_stopping=way
            )
            found.setdefault(way, []).append(score)
    better = [tuple(scores) for scores in zip(found["always"], found["likely"], found["never"], strict=True)]
    assert all(always <= never + 1e-5 and likely <= never + 1e-5 for always, likely, never in better)
    assert any(always < never - 1e-3 for always, _, never in better)  # so the ways do differ


@pytest.mark.parametrize("penalty", [-1.0, 0.0, 0.7, 1.5])
def test_never_stopping_early_misses_nothing(make_transformer, monkeypatch, penalty):
    """It finds what a search finds that always goes on to the greatest length, and still ends before where it can."""
    settings = {"beams": 2, "best": 2, "max_length": 10, "length_penalty": penalty, "early_stopping": "never"}
    models = [biased(make_transformer, towards_end, seed=seed) for seed in range(5) for towards_end in (3.0, 4.0, 5.0)]
    src_ids = sources(6)[0]
    steps = []
    step = Transformer.step
    monkeypatch.setattr(Transformer, "step", lambda *arguments: steps.append(1) or step(*arguments))
    found = [beam_search(model, src_ids, None, **settings)[0] for model in models]
    assert len(steps) < 10 * len(models) or penalty > 1
    monkeypatch.setattr(_Search, "done", lambda self, *rest: torch.zeros(len(self.sums), dtype=torch.bool))
    for model, targets in zip(models, found, strict=True):
        check_same(targets, beam_search(model, src_ids, None, **settings)[0])


def test_longer_targets_win_where_length_is_rewarded(make_transformer):
    model = biased(make_transformer, 5.0)
    lengths = []
    for penalty in (-1.0, 0.0, 0.7, 1.5):
        (targets,) = beam_search(
            model, sources(6)[0], None, beams=8, max_length=10, length_penalty=penalty, early_stopping="never"
        )
        lengths.append(len(targets[0][0]))
    assert lengths == sorted(lengths)
    assert lengths[0] < lengths[-1]


@pytest.mark.parametrize("size", [1, 2, 3])
def test_nothing_is_said_twice(make_transformer, size):
    model = biased(make_transformer, -6.0)
    src_ids, seen = sources(6, 3)
    repeated = 0
    for forbidden in (0, size):
        for targets in beam_search(
            model, src_ids, seen, beams=4, best=4, max_length=20, no_repeat_ngram=forbidden, early_stopping="never"
        ):
            for pieces, _ in targets:
                runs = [tuple(pieces[start : start + size]) for start in range(len(pieces) - size + 1)]
                repeated += not forbidden and len(set(runs)) < len(runs)
                assert not forbidden or len(set(runs)) == len(runs), (size, pieces)
    assert repeated  # without the rule something would be


def test_a_vocabulary_that_is_used_up(make_transformer):
    """With every piece forbidden a second time, nothing is left but to end."""
    model = biased(make_transformer, -3.0, **TINY)
    (targets,) = beam_search(
        model, sources(4, vocabulary=5)[0], None, beams=3, best=3, max_length=10, no_repeat_ngram=1,
        early_stopping="never",
    )  # fmt: skip
    assert targets
    for pieces, score in targets:
        assert len(set(pieces)) == len(pieces) <= 4
        assert score == score


def test_no_target_is_longer_than_allowed(make_transformer):
    model = biased(make_transformer, -9.0)
    src_ids, seen = sources(6, 3)
    for longest in (1, 2, 5):
        for targets in beam_search(model, src_ids, seen, beams=3, best=3, max_length=longest):
            assert [len(pieces) for pieces, _ in targets] == [longest] * 3


def test_more_beams_than_pieces(make_transformer):
    model = make_transformer(sharpness=2.0, **TINY)
    (targets,) = beam_search(model, sources(4, vocabulary=5)[0], None, beams=12, best=12, max_length=4)
    assert len(targets) == 12
    (targets,) = beam_search(model, sources(4, vocabulary=5)[0], None, beams=12, best=12, max_length=1)
    assert len(targets) == 5  # there are no more of one piece


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"beams": 0}, "the best 1 of 0 beams"),
        ({"beams": 2, "best": 3}, "the best 3 of 2 beams"),
        ({"beams": 2, "best": 0}, "the best 0 of 2 beams"),
        ({"beams": 2, "max_length": 0}, "max_length = 0 is not from 1 to 80"),
        ({"beams": 2, "max_length": 81}, "max_length = 81 is not from 1 to 80"),
    ],
)
def test_settings_out_of_range(make_transformer, settings, message):
    with pytest.raises(ValueError, match=message):
        beam_search(make_transformer(), sources(3)[0], None, **{"max_length": 5, **settings})
