import errno
import shutil
import tempfile
import unicodedata
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import tantivy
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bertpipe.errors import ArtefactError, StorageError
from bertpipe.retrieval import lexical
from bertpipe.retrieval.analysis import analyse
from bertpipe.retrieval.forward_index import ForwardWriter
from bertpipe.retrieval.lexical import LexicalIndex
from bertpipe.retrieval.terms import passage_terms

K1, B = 1.2, 0.75

PASSAGES = [
    (0, "str.split", "Return a list of the words in the string, using sep as the delimiter."),
    (1, "str.join", "Concatenate any number of strings."),
    (2, "os.path.join", "Join two or more pathname components, inserting slashes as needed."),
    (3, "re.split", "Split the source string by the occurrences of the pattern."),
    (4, "", "如何用 Python 处理字符串？先分割，再合并。"),
    (5, "安装", "在 Linux 系统上安装软件。"),
    (6, "empty", ""),
]


@pytest.fixture(scope="module")
def index(tmp_path_factory):
    return LexicalIndex.build(tmp_path_factory.mktemp("lexical") / "index", PASSAGES)


def bm25(query, documents, lengths=None):
    """BM25 of every document, written down from the formula."""
    lengths = np.array([len(terms) for terms in documents]) if lengths is None else lengths
    mean = np.mean([len(terms) for terms in documents])
    scores = np.zeros(len(documents))
    for term in dict.fromkeys(query):
        counts = np.array([Counter(terms)[term] for terms in documents])
        n = np.count_nonzero(counts)
        idf = np.log(1 + (len(documents) - n + 0.5) / (n + 0.5))
        scores += idf * counts * (K1 + 1) / (counts + K1 * (1 - B + B * lengths / mean))
    return scores


def random_passages(count, longest, seed):
    generator = np.random.default_rng(seed)
    words = np.array([f"w{number}" for number in range(300)])
    for number in range(count):
        size = generator.integers(1, longest)
        drawn = np.minimum(generator.zipf(1.4, size) - 1, len(words) - 1)
        yield number, "", " ".join(words[drawn])


def test_finds_words_in_text_and_title(index):
    numbers, scores = index.search("splitting a string", 10)
    assert numbers[0] == 0
    assert {0, 1, 3} <= set(numbers.tolist())
    assert numbers.dtype == np.int64
    assert scores.dtype == np.float32
    assert np.all(np.diff(scores) <= 0)
    assert np.all(scores > 0)


@pytest.mark.parametrize(
    ("query", "first"),
    [("str.split", 0), ("path.join", 2), ("字符串", 4), ("安装软件", 5), ("ｊｏｉｎ pathname", 2), ("Ｌｉｎｕｘ", 5)],
)
def test_the_best_comes_first(index, query, first):
    assert index.search(query, 1)[0].tolist() == [first]


def test_a_title_counts_more(tmp_path):
    # Six terms each; one occurrence of the word in the title outweighs one in the text.
    passages = [(0, "one two", "split a b c"), (1, "one split", "two a b c")]
    numbers, scores = LexicalIndex.build(tmp_path / "index", passages).search("split", 2)
    assert numbers.tolist() == [1, 0]
    assert scores[0] > scores[1]
    equal = LexicalIndex.build(tmp_path / "equal", passages, title_weight=1).search("split", 2)
    assert equal[0].tolist() == [0, 1]
    assert equal[1][0] == equal[1][1]


def test_scores_agree_with_the_formula(tmp_path):
    # Up to 39 terms a length is stored exactly.
    passages = list(random_passages(400, 39, seed=1))
    documents = [analyse(text) for _, _, text in passages]
    index = LexicalIndex.build(tmp_path / "index", passages)
    for query in ("w0", "w3 w17 w200", "w1 w2 w4 w8 w16 w32 w64", "w5 w5 w5 w9"):
        expected = bm25(analyse(query), documents)
        numbers, scores = index.search(query, len(passages))
        assert sorted(numbers.tolist()) == np.flatnonzero(expected).tolist()
        np.testing.assert_allclose(scores, expected[numbers], rtol=2e-6)


def test_long_texts_are_taken_for_at_most_a_tenth_shorter(tmp_path):
    passages = [(place, "", "word " + "filler " * (length - 1)) for place, length in enumerate(range(40, 3000, 37))]
    documents = [analyse(text) for _, _, text in passages]
    lengths = np.array([len(terms) for terms in documents])
    index = LexicalIndex.build(tmp_path / "index", passages)
    scores = index.scores("word", np.arange(len(passages)))
    assert np.all(scores >= bm25(["word"], documents) * (1 - 1e-5))
    assert np.all(scores <= bm25(["word"], documents, 0.9 * lengths))


def test_scores_of_given_passages_are_those_of_the_search(index):
    numbers, scores = index.search("split the string", 10)
    asked = np.array([6, 99, *numbers[::-1], 5, numbers[0], -1])
    given_scores = index.scores("split the string", asked)
    assert given_scores.dtype == np.float32
    expected = dict(zip(numbers.tolist(), scores.tolist(), strict=True))
    np.testing.assert_allclose(given_scores, [expected.get(number, 0.0) for number in asked.tolist()], rtol=1e-6)


@pytest.mark.parametrize("query", ["", "  ", "?!,", "unheard", "\ud800", "__"])
def test_nothing_to_search_for_finds_nothing(index, query):
    numbers, scores = index.search(query, 5)
    assert (len(numbers), len(scores)) == (0, 0)
    assert (numbers.dtype, scores.dtype) == (np.int64, np.float32)
    assert index.scores(query, np.array([3, 4])).tolist() == [0, 0]
    assert index.scores("split", np.empty(0, dtype=np.int64)).shape == (0,)


@pytest.mark.parametrize(
    "query",
    [
        "split AND NOT string",
        "terms:split",
        '"split string',
        "split~2 string^9",
        "number:[0 TO 1] string",
        "spl* OR string (",
        "+split -string",
    ],
)
def test_there_is_no_query_language(index, query):
    plain = " ".join(analyse(query))
    assert index.search(query, 10)[0].tolist() == index.search(plain, 10)[0].tolist()
    assert 3 in index.search(query, 10)[0].tolist()


def test_k_bounds_the_hits(index):
    everything = index.search("the string join", 10**6)[0]
    assert index.search("the string join", 2)[0].tolist() == everything[:2].tolist()
    with pytest.raises(ValueError, match="k = 0"):
        index.search("string", 0)


def test_only_the_first_terms_of_a_long_query_count(index, monkeypatch):
    monkeypatch.setattr(lexical, "MOST_TERMS", 3)
    assert len(index.search("unheard1 unheard1 unheard2 split", 5)[0])
    assert not len(index.search("unheard1 unheard2 unheard3 split", 5)[0])
    monkeypatch.setattr(lexical, "LONGEST_QUERY", 6)
    assert not len(index.search("      split", 5)[0])


def test_nearness_is_the_idf_of_what_stands_together(tmp_path, monkeypatch):
    monkeypatch.setattr(lexical, "SPAN", 3)
    texts = ["apple banana x y", "apple x y banana cherry", "cherry cherry x", "nothing here"]
    index = LexicalIndex.build(tmp_path / "index", [(number, "", text) for number, text in enumerate(texts)])
    idf = np.log(1 + (4 - 2 + 0.5) / (2 + 0.5))  # each stands in two of the four
    expected = [2 * idf, 2 * idf, idf, 0, 0]
    query = "Cherry? apple, banana -- unheard"
    np.testing.assert_allclose(index.nearness(query, np.array([0, 1, 2, 3, 99])), expected, rtol=1e-6)
    assert index.nearness("", np.array([0, 1])).tolist() == [0, 0]
    monkeypatch.setattr(lexical, "MOST_NEAR", 1)
    np.testing.assert_allclose(index.nearness(query, np.array([0, 1])), [0, idf], rtol=1e-6)  # the first of the rarest


def test_equal_scores_come_by_number(tmp_path):
    index = LexicalIndex.build(tmp_path / "index", [(number, "", "same words") for number in range(3, 90, 2)])
    assert index.search("words", 4)[0].tolist() == [3, 5, 7, 9]


def test_equal_scores_come_by_number_across_segments(tmp_path):
    folder = tmp_path / "index"
    LexicalIndex.build(folder, [(number, "", "same words") for number in range(50, 70)])
    for start in (10, 90, 0, 30):
        writer = tantivy.Index.open(str(folder)).writer(heap_size=15_000_000, num_threads=1)
        for number in range(start, start + 10):
            document = tantivy.Document()
            document.add_text("terms", "same word")
            document.add_unsigned("number", number)
            writer.add_document(document)
        writer.commit()
        writer.wait_merging_threads()
    index = LexicalIndex.open(folder)
    assert index._searcher.num_segments == 5
    assert len(index) == 60
    for k in (1, 3, 15, 59, 60, 61):
        assert index.search("words", k)[0].tolist() == [*range(20), *range(30, 40), *range(50, 70), *range(90, 100)][:k]


def in_segments(folder, texts, count):
    """An index whose passages were added in several goes, the last ones first."""
    size = -(-len(texts) // count)
    rows = [(number, passage_terms("", text)) for number, text in enumerate(texts)]
    LexicalIndex.build_from_terms(folder, rows[(count - 1) * size :])
    for part in reversed(range(count - 1)):
        writer = tantivy.Index.open(str(folder)).writer(heap_size=15_000_000, num_threads=1)
        for number, terms in rows[part * size : (part + 1) * size]:
            document = tantivy.Document()
            document.add_text("terms", terms)
            document.add_unsigned("number", number)
            writer.add_document(document)
        writer.commit()
        writer.wait_merging_threads()
    with ForwardWriter(folder) as forward:
        for number, terms in rows:
            forward.add(number, terms.split())
        forward.finish()
    return LexicalIndex.open(folder)


def contents(folder):
    return {file.name: file.read_bytes() for file in folder.iterdir()}


@pytest.mark.parametrize("segments", [1, 3])
@pytest.mark.parametrize("share", [0.0, 0.005, 0.02, 0.2, 0.9, 1.0])
def test_only_allowed_passages_are_found_and_as_many_as_there_are(tmp_path, segments, share):
    """Few allowed and many, rare words and common ones, and a multitude of equal scores."""
    rng = np.random.default_rng(3)
    texts = [" ".join(rng.choice(["apple", "banana", "cherry"], rng.integers(1, 6))) for _ in range(2000)]
    texts[1234] = "a zebra and an apple"
    built = LexicalIndex.build(tmp_path / "whole", ((number, "", text) for number, text in enumerate(texts)))
    index = built if segments == 1 else in_segments(tmp_path / "parts", texts, segments)
    assert index._searcher.num_segments == segments
    among = rng.random(2000) < share
    everything = np.arange(2000)
    for query in ("apple", "zebra apple", "cherry banana apple", "zebra", "nothing"):
        all_numbers, all_scores = built.search(query, len(texts))
        scores = np.zeros(len(texts), dtype=np.float32)
        scores[all_numbers] = all_scores
        np.testing.assert_allclose(index.scores(query, everything), scores, rtol=1e-6)
        for k in (1, 7, 300, 5000):
            numbers, found = index.search(query, k, among)
            order = np.lexsort((everything, -scores))
            expected = order[among[order] & (scores[order] > 0)][:k]
            assert numbers.tolist() == expected.tolist()
            np.testing.assert_array_equal(found, scores[expected])


def test_the_same_passages_give_the_same_bytes(tmp_path):
    for name in ("one", "two"):
        LexicalIndex.build(tmp_path / name, random_passages(300, 60, seed=2))
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


def test_opening_and_searching_leave_the_folder_alone(tmp_path):
    LexicalIndex.build(tmp_path / "index", PASSAGES)
    before = contents(tmp_path / "index")
    assert not [name for name in before if name.startswith(".")]
    LexicalIndex.open(tmp_path / "index").search("split", 3)
    assert contents(tmp_path / "index") == before


def test_opening_leaves_no_temporary_files(tmp_path, monkeypatch):
    LexicalIndex.build(tmp_path / "index", PASSAGES)
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    opened = [LexicalIndex.open(tmp_path / "index") for _ in range(50)]
    assert not list((tmp_path / "temporary").iterdir())
    assert all(len(index.search("split", 5)[0]) == 2 for index in opened)


def test_no_room_for_temporary_files(tmp_path, monkeypatch):
    LexicalIndex.build(tmp_path / "index", PASSAGES)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
    with pytest.raises(StorageError, match="temporary files"):
        LexicalIndex.open(tmp_path / "index")


def test_an_index_can_be_moved(tmp_path, index):
    LexicalIndex.build(tmp_path / "here", PASSAGES)
    shutil.move(tmp_path / "here", tmp_path / "there")
    moved = LexicalIndex.open(tmp_path / "there")
    assert len(moved) == len(PASSAGES)
    assert moved.search("split", 5)[0].tolist() == index.search("split", 5)[0].tolist()


def test_a_relative_path_and_a_link_will_do(tmp_path, monkeypatch):
    LexicalIndex.build(tmp_path / "index", PASSAGES)
    (tmp_path / "link").symlink_to("index")
    monkeypatch.chdir(tmp_path)
    assert len(LexicalIndex.open(Path("link"))) == len(PASSAGES)


def test_no_passages(tmp_path):
    index = LexicalIndex.build(tmp_path / "index", [])
    assert len(index) == 0
    assert index.search("split", 3)[0].tolist() == []
    assert index.scores("split", np.array([0])).tolist() == [0]


PARTS = ["*.fast", "*.fieldnorm", "*.idx", "*.pos", "*.store", "*.term", "*.json"]
PARTS += [f"forward-{name}" for name in ("terms.u4", "places.npy", "hashes.npy", "numbers.npy")]


@pytest.mark.parametrize("kept", [0, 0.5, -1])
@pytest.mark.parametrize("part", PARTS)
def test_a_truncated_file_is_an_artefact_error(tmp_path, part, kept):
    folder = tmp_path / "index"
    LexicalIndex.build(folder, PASSAGES)
    (file,) = folder.glob(part)
    whole = file.read_bytes().rstrip()
    file.write_bytes(whole[: int(kept * len(whole)) if kept >= 0 else -1])
    with pytest.raises(ArtefactError, match="damaged") as caught:
        LexicalIndex.open(folder)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 250


@pytest.mark.parametrize("part", PARTS)
def test_a_missing_file_is_an_artefact_error(tmp_path, part):
    folder = tmp_path / "index"
    LexicalIndex.build(folder, PASSAGES)
    for file in folder.glob(part):
        file.unlink()
    with pytest.raises(ArtefactError):
        LexicalIndex.open(folder).search("split", 3)


def test_no_index_at_all(tmp_path):
    with pytest.raises(ArtefactError, match="no lexical index"):
        LexicalIndex.open(tmp_path / "nowhere")


def test_refuses_numbers_that_do_not_rise(tmp_path):
    with pytest.raises(ValueError, match="passage 4 comes after passage 4"):
        LexicalIndex.build(tmp_path / "index", [(4, "", "a"), (4, "", "b")])


def test_refuses_a_folder_that_holds_something(tmp_path):
    (tmp_path / "letter.txt").write_text("private")
    with pytest.raises(ValueError, match="not empty"):
        LexicalIndex.build(tmp_path, PASSAGES)


def test_errors_of_the_passages_stay_what_they_are(tmp_path):
    def passages():
        yield PASSAGES[0]
        raise ValueError("from the reader")

    with pytest.raises(ValueError, match="from the reader"):
        LexicalIndex.build(tmp_path / "index", passages())


def test_a_path_that_cannot_be_written_is_a_storage_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="cannot be written"):
        LexicalIndex.build(tmp_path / "file" / "index", PASSAGES)


@pytest.mark.parametrize("moment", ["add_document", "commit"])
def test_a_disk_that_refuses_is_a_storage_error(tmp_path, monkeypatch, moment):
    class FullDisk:
        def __getattr__(self, name):
            if name == moment:
                raise ValueError(f"IoError {errno.ENOSPC}: No space left on device")
            return lambda *_: None

    class Engine:
        def __init__(self, *_, **__):
            self.writer = lambda **_: FullDisk()
            self.config_reader = lambda _: None

    monkeypatch.setattr(tantivy, "Index", Engine)
    with pytest.raises(StorageError, match="No space left"):
        LexicalIndex.build(tmp_path / "index", PASSAGES)


@settings(deadline=None)
@given(st.text(), st.integers(1, 12))
@example("\ud800\udfff", 3)
@example("\x00\x1b[31m\x7f", 3)
@example("a" * 1_000_000, 3)
@example("split " * 170_000, 3)
@example("字" * 1_000_000, 3)
@example("a.b_C" * 200_000, 3)
@example("\u0301" * 1_000_000, 3)
@example(" ".join(f"word{number}" for number in range(100_000)), 3)
def test_any_text_is_a_query(index, query, k):
    numbers, scores = index.search(query, k)
    assert len(numbers) == len(scores) <= k
    assert np.all(np.isfinite(scores))
    np.testing.assert_allclose(index.scores(query, numbers), scores, rtol=1e-6)


@settings(deadline=None, max_examples=30)
@given(st.lists(st.tuples(st.text(max_size=30), st.text(max_size=200)), max_size=8))
def test_any_text_can_be_indexed_and_is_found_by_itself(tmp_path_factory, texts):
    folder = tmp_path_factory.mktemp("fuzz") / "index"
    index = LexicalIndex.build(folder, [(number, *pair) for number, pair in enumerate(texts)])
    assert len(index) == len(texts)
    for number, (title, text) in enumerate(texts):
        found = index.search(unicodedata.normalize("NFD", f"{title} {text}"), len(texts))[0].tolist()
        assert (number in found) == bool(analyse(f"{title} {text}"))


@pytest.mark.peer
def test_ranks_as_bm25s_does(tmp_path):
    bm25s = pytest.importorskip("bm25s")
    passages = list(random_passages(500, 39, seed=3))
    peer = bm25s.BM25(k1=K1, b=B, method="lucene")
    peer.index([analyse(text) for _, _, text in passages], show_progress=False)
    index = LexicalIndex.build(tmp_path / "index", passages)
    for query in ("w7", "w1 w20 w100", "w2 w3 w5 w7 w11 w13"):
        expected = peer.get_scores(analyse(query)) * (K1 + 1)  # bm25s leaves out the constant factor
        numbers, scores = index.search(query, 500)
        np.testing.assert_allclose(scores, expected[numbers], rtol=1e-5)
        best = np.lexsort((np.arange(500), -expected.round(5)))[:20]
        assert set(numbers[:20].tolist()) == set(best.tolist()) or scores[19] == pytest.approx(scores[20])
