import numpy as np
import pytest

from bertpipe.text.special_ids import SpecialIds
from bertpipe.text.word_bounds import WordBounds
from bertpipe.training.masking import IGNORED, LONGEST_SPAN, Masking

VOCAB = 1000
# Not all in the first places, and some in reserve, as in vocabularies made elsewhere.
SPECIAL = SpecialIds(pad=0, unk=100, cls=101, sep=102, mask=103, unused=(1, 2, 99))
SPECIAL_IDS = list(SPECIAL.all)
KINDS = ("token", "word", "span")


def bounds() -> WordBounds:
    """Four pieces in ten begin a word, one in twenty ends one."""
    rng = np.random.default_rng(5)
    return WordBounds(rng.random(VOCAB) < 0.4, rng.random(VOCAB) < 0.05)


def masking(kind="token", rate=0.15, vocab_size=VOCAB) -> Masking:
    return Masking(vocab_size, SPECIAL, rate=rate, kind=kind, words=bounds())


def word_numbers(ids: np.ndarray) -> np.ndarray:
    """Which word each token of a batch belongs to, -1 for special pieces; counted one by one."""
    words = bounds()
    numbers = np.full(ids.shape, -1)
    number = -1
    for row, column in np.ndindex(ids.shape):
        if ids[row, column] in SPECIAL_IDS:
            continue
        before = ids[row, column - 1] if column else 0
        number += bool(before in SPECIAL_IDS or words.begins[ids[row, column]] or words.ends[before])
        numbers[row, column] = number
    return numbers


@pytest.fixture(scope="module")
def ids():
    """Half a million tokens, one in 200 special."""
    return np.random.default_rng(0).integers(0, VOCAB, (500, 1000))


@pytest.fixture(scope="module", params=KINDS)
def large(request, ids):
    masked, labels = masking(request.param).hide(ids, np.random.default_rng(1))
    return request.param, masked, labels


def test_rates_hold_on_half_a_million_tokens(ids, large):
    kind, masked, labels = large
    chosen = labels != IGNORED
    candidates = ~np.isin(ids, SPECIAL_IDS)
    assert chosen.sum() / candidates.sum() == pytest.approx(0.15, abs=0.002)
    # A span has one fate for all of its tokens, some nine: so fewer draws.
    hidden, was, tolerance = masked[chosen], ids[chosen], 0.02 if kind == "span" else 0.005
    assert (hidden == SPECIAL.mask).mean() == pytest.approx(0.8, abs=tolerance)
    assert (hidden == was).mean() == pytest.approx(0.1 + 0.1 / VOCAB, abs=tolerance)
    other = (hidden != SPECIAL.mask) & (hidden != was)
    assert other.mean() == pytest.approx(0.1, abs=tolerance)
    # Replacements are drawn evenly from all real pieces.
    counts = np.bincount(hidden[other], minlength=VOCAB)
    assert counts[SPECIAL_IDS].sum() == 0
    assert (np.delete(counts, SPECIAL_IDS) == 0).sum() < 5
    assert np.delete(counts, SPECIAL_IDS).std() < 10


def test_special_pieces_are_left_alone(ids, large):
    _, masked, labels = large
    special = np.isin(ids, SPECIAL_IDS)
    assert (masked[special] == ids[special]).all()
    assert (labels[special] == IGNORED).all()


def test_labels_are_the_hidden_pieces(ids, large):
    _, masked, labels = large
    chosen = labels != IGNORED
    assert (labels[chosen] == ids[chosen]).all()
    assert (masked[~chosen] == ids[~chosen]).all()


@pytest.mark.parametrize("kind", ["word", "span"])
def test_words_are_hidden_as_wholes(ids, kind):
    part = ids[:20]
    _, labels = masking(kind).hide(part, np.random.default_rng(2))
    numbers = word_numbers(part)
    chosen = labels != IGNORED
    size = np.bincount(numbers[numbers >= 0])
    hidden = np.bincount(numbers[chosen], minlength=len(size))
    assert size.mean() > 2
    assert set(np.unique(hidden / size)) == {0.0, 1.0}


def test_tokens_are_hidden_one_by_one(ids):
    part = ids[:20]
    _, labels = masking("token").hide(part, np.random.default_rng(2))
    numbers = word_numbers(part)
    hidden = np.bincount(numbers[labels != IGNORED], minlength=numbers.max() + 1)
    assert len(np.unique(hidden / np.bincount(numbers[numbers >= 0]))) > 4


@pytest.fixture(scope="module")
def sparse_spans():
    """Spans in one endless row, so few that they seldom touch: (words in each, whether all or none of it is [MASK])."""
    rng = np.random.default_rng(3)
    row = rng.choice(np.delete(np.arange(VOCAB), SPECIAL_IDS), (1, 400_000))
    masked, labels = masking("span", rate=0.01).hide(row, rng)
    numbers = word_numbers(row)[0]
    chosen = np.flatnonzero(labels[0] != IGNORED)
    spans = np.split(chosen, np.flatnonzero(np.diff(chosen) > 1) + 1)
    words = np.array([numbers[span[-1]] - numbers[span[0]] + 1 for span in spans])
    return words, np.array([len(set((masked[0, span] == SPECIAL.mask).tolist())) == 1 for span in spans])


def test_spans_are_as_long_as_spanberts(sparse_spans):
    words, _ = sparse_spans
    # Joshi et al. (2020), section 3.1: "the mean span length is 3.8".
    assert words.mean() == pytest.approx(3.8, abs=0.3)
    shares = np.bincount(words, minlength=LONGEST_SPAN + 1)[1 : LONGEST_SPAN + 1] / len(words)
    expected = 0.2 * 0.8 ** np.arange(LONGEST_SPAN)
    assert shares == pytest.approx(expected / expected.sum(), abs=0.04)
    assert (words > LONGEST_SPAN).mean() < 0.02


def test_all_tokens_of_a_span_share_a_fate(sparse_spans):
    _, alike = sparse_spans
    assert alike.mean() > 0.98


def test_spans_stay_between_special_pieces():
    row = np.random.default_rng(0).integers(200, VOCAB, (50, 100))
    row[:, ::5] = SPECIAL.sep
    _, labels = masking("span", rate=0.5).hide(row, np.random.default_rng(1))
    assert (labels[:, ::5] == IGNORED).all()
    assert (labels != IGNORED).sum() / (50 * 80) == pytest.approx(0.5, abs=0.01)


def test_what_special_pieces_part_has_fates_of_its_own():
    row = np.full((50, 100), SPECIAL.sep)
    row[:, 1::2] = np.random.default_rng(0).integers(200, VOCAB, (50, 50))
    masked, labels = masking("span", rate=0.5).hide(row, np.random.default_rng(1))
    chosen, plain = labels[:, 1::2] != IGNORED, masked[:, 1::2] != SPECIAL.mask
    together = chosen[:, :-1] & chosen[:, 1:]
    alike = (plain[:, :-1] == plain[:, 1:])[together]
    assert len(alike) > 400
    assert alike.mean() == pytest.approx(0.8**2 + 0.2**2, abs=0.08)


@pytest.mark.parametrize("kind", KINDS)
def test_the_share_holds_in_small_batches(kind):
    """A span that does not fit what is left must not push the share up, nor must one that is left out push it down."""
    rng = np.random.default_rng(4)
    shares = []
    for _ in range(1500):
        row = rng.integers(200, VOCAB, (2, 128))
        shares.append((masking(kind).hide(row, rng)[1] != IGNORED).mean())
    assert np.mean(shares) == pytest.approx(0.15, abs=0.003)


@pytest.mark.parametrize("kind", KINDS)
def test_a_batch_always_has_something_to_guess(kind):
    hides = masking(kind, rate=1e-9)
    _, labels = hides.hide(np.array([[101, 9, 102]]), np.random.default_rng(0))
    assert labels.tolist() == [[IGNORED, 9, IGNORED]]
    for nothing in ([[101, 102, 0]], [[]], [[0]]):
        ids = np.array(nothing, dtype=np.int64)
        masked, labels = hides.hide(ids, np.random.default_rng(0))
        assert (labels == IGNORED).all()
        assert (masked == ids).all()


@pytest.mark.parametrize("kind", KINDS)
def test_nearly_everything_may_be_hidden(kind):
    ids = np.random.default_rng(0).integers(200, VOCAB, (20, 100))
    _, labels = masking(kind, rate=0.99).hide(ids, np.random.default_rng(1))
    assert (labels != IGNORED).mean() == pytest.approx(0.99, abs=0.01)


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_seed_hides_the_same(ids, kind):
    first, again, other = (masking(kind).hide(ids[:5], np.random.default_rng(seed))[0] for seed in (1, 1, 2))
    assert (first == again).all()
    assert (first != other).any()


@pytest.mark.parametrize("kind", ["word", "span"])
def test_words_need_their_bounds(kind):
    with pytest.raises(ValueError, match=f"masking by {kind} needs the bounds of words"):
        Masking(VOCAB, SPECIAL, rate=0.15, kind=kind)
