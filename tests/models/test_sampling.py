import pytest
import torch

from bertpipe.models.sampling import write

START, END = 2, 3
MANY = 4000


def sources(*sizes):
    torch.manual_seed(7)
    ids = torch.randint(4, 23, (len(sizes), max(sizes)))
    seen = torch.arange(max(sizes)) < torch.tensor(sizes)[:, None]
    return ids * seen, seen


@pytest.fixture
def model(make_transformer):
    """One whose targets end at different lengths."""
    model = make_transformer(sharpness=2.0, output_bias=True)
    with torch.no_grad():
        model.output_bias[END] += 4.5
    return model


@torch.no_grad()
def greedy(model, src_ids, max_length):
    """The likeliest piece, one after the other, without a cache."""
    written, total = [START], 0.0
    while len(written) <= max_length:
        scores = model(src_ids, torch.tensor([written]))[0, -1].double().log_softmax(0)
        piece = int(scores.argmax())
        total += float(scores[piece])
        if piece == END:
            break
        written.append(piece)
    return written[1:], total


def first_pieces(model, **settings):
    """What many draws begin with; and the probabilities they come from."""
    src_ids = sources(5)[0]
    drawn = write(model, src_ids.expand(MANY, -1), None, max_length=1, **settings)
    pieces = [pieces[0] if pieces else END for pieces, _ in drawn]
    with torch.no_grad():
        logits = model(src_ids, torch.tensor([[START]]))[0, 0].double()
    return torch.bincount(torch.tensor(pieces), minlength=len(logits)) / MANY, logits


def test_greedy_writing_is_the_likeliest_piece_each_time(model):
    src_ids, seen = sources(6, 2, 5, 1, 4, 6)
    lengths = set()
    for row, (pieces, score) in enumerate(write(model, src_ids, seen, max_length=12)):
        expected, total = greedy(model, src_ids[row : row + 1, : int(seen[row].sum())], 12)
        assert pieces == expected
        assert score == pytest.approx(total, abs=1e-4)
        lengths.add(len(pieces))
    assert len(lengths) > 1  # so sources left before the others


@pytest.mark.parametrize("settings", [{"top_k": 1}, {"top_p": 1e-6}, {"temperature": 1e-30}, {"temperature": 1e-300}])
def test_settings_that_leave_one_piece_are_greedy(model, settings):
    src_ids, seen = sources(6, 2, 5)
    expected = write(model, src_ids, seen, max_length=12)
    assert write(model, src_ids, seen, max_length=12, **{"temperature": 1.0, **settings}) == expected


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_draws_follow_the_probabilities(model, temperature):
    counted, logits = first_pieces(model, temperature=temperature)
    expected = (logits / temperature).softmax(0)
    assert (counted - expected).abs().max() < 5 * (expected * (1 - expected) / MANY).sqrt().max()
    assert (counted > 0).sum() > 5


@pytest.mark.parametrize("top_k", [2, 5, 1000])
def test_top_k_leaves_the_likeliest(model, top_k):
    counted, logits = first_pieces(model, temperature=2.0, top_k=top_k)
    kept = logits.argsort(descending=True)[:top_k]
    probabilities = torch.zeros_like(logits)
    probabilities[kept] = (logits[kept] / 2.0).softmax(0)
    assert not counted[probabilities == 0].any()
    assert (counted - probabilities).abs().max() < 5 * 0.5 / MANY**0.5


@pytest.mark.parametrize("top_p", [0.4, 0.7, 0.95])
def test_top_p_leaves_the_fewest_with_so_much_probability(model, top_p):
    """At the temperature: the fewest pieces whose probabilities at it add up to top_p or more."""
    counted, logits = first_pieces(model, temperature=1.5, top_p=top_p)
    probabilities = (logits / 1.5).softmax(0)
    kept, total = [], 0.0
    for piece in probabilities.argsort(descending=True).tolist():
        kept.append(piece)
        total += float(probabilities[piece])
        if total >= top_p:
            break
    assert 1 < len(kept) < len(logits)
    expected = torch.zeros_like(probabilities)
    expected[kept] = probabilities[kept] / total
    assert not counted[expected == 0].any()
    assert (counted[kept] > 0).all()
    assert (counted - expected).abs().max() < 5 * 0.5 / MANY**0.5


def test_the_score_is_the_models_whatever_the_temperature(model):
    src_ids = sources(6)[0]
    ((pieces, score),) = write(model, src_ids, None, max_length=8, temperature=3.0, top_k=4, seed=5)
    target = [*pieces, END][:8]
    with torch.no_grad():
        scores = model(src_ids, torch.tensor([[START, *target[:-1]]]))[0].double().log_softmax(-1)
    assert score == pytest.approx(float(scores[range(len(target)), target].sum()), abs=1e-4)


def test_the_seed_decides(model):
    src_ids, seen = sources(6, 2, 5)
    settings = {"max_length": 12, "temperature": 1.5}
    first = write(model, src_ids, seen, **settings, seed=1)
    torch.manual_seed(99)  # nothing else does
    assert write(model, src_ids, seen, **settings, seed=1) == first
    assert write(model, src_ids, seen, **settings, seed=2) != first


@pytest.mark.parametrize("temperature", [0.0, 1.0])
@pytest.mark.parametrize("size", [1, 2, 3])
def test_nothing_is_said_twice(make_transformer, size, temperature):
    model = make_transformer(sharpness=2.0)
    src_ids, seen = sources(6, 3)
    repeated = 0
    for forbidden in (0, size):
        written = write(
            model, src_ids, seen, max_length=22, temperature=temperature, top_k=3, no_repeat_ngram=forbidden
        )
        for pieces, _ in written:
            runs = [tuple(pieces[start : start + size]) for start in range(len(pieces) - size + 1)]
            repeated += not forbidden and len(set(runs)) < len(runs)
            assert not forbidden or len(set(runs)) == len(runs)
    assert repeated


@pytest.mark.parametrize("longest", [1, 4])
def test_no_target_is_longer_than_allowed(make_transformer, longest):
    model = make_transformer(sharpness=2.0)  # goes on for ever
    assert [len(pieces) for pieces, _ in write(model, *sources(6, 3), max_length=longest)] == [longest] * 2


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"max_length": 0}, "max_length = 0 is not from 1 to 80"),
        ({"max_length": 81}, "max_length = 81 is not from 1 to 80"),
        ({"temperature": -0.1}, "temperature and top_k are at least 0"),
        ({"top_k": -1}, "temperature and top_k are at least 0"),
        ({"top_p": 0.0}, "top_p is above 0"),
        ({"top_p": 1.1}, "at most 1"),
        ({"temperature": float("nan")}, "temperature"),
        ({"top_p": float("nan")}, "top_p"),
    ],
)
def test_settings_out_of_range(model, settings, message):
    with pytest.raises(ValueError, match=message):
        write(model, sources(3)[0], None, **{"max_length": 5, **settings})
