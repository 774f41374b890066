import pytest

from bertpipe.retrieval.held_out import HeldOutQuery, held_out_queries, words
from bertpipe.text.document import Document, is_held_out

HELD = [name for name in map(str, range(300)) if is_held_out(name)]
BODY = "Wash wool by hand in cool water. Press it between towels and let it dry flat on a rack."
REST = "Press it between towels and let it dry flat on a rack."


def query(title, text, metadata=None):
    found = list(held_out_queries([Document(HELD[0], title, text, metadata or {})]))
    return found[0] if found else None


def test_only_held_out_documents_ask():
    documents = [Document(str(number), "How to wash wool", BODY) for number in range(300)]
    assert [one.document.id for one in held_out_queries(documents)] == HELD
    assert 15 < len(HELD) < 45


def test_a_title_of_several_words_is_the_query():
    found = query("How to wash wool", BODY, {"year": 1987})
    assert (found.text, found.kind) == ("How to wash wool", "title")
    assert found.document == Document(HELD[0], "", BODY, {"year": 1987})


@pytest.mark.parametrize(
    "line", ["How to wash wool", "# How to wash wool", "== How to wash wool ==", "*How to wash wool*"]
)
def test_a_first_line_that_repeats_the_title_goes_with_it(line):
    found = query("How to wash wool", f"{line}\n{BODY}")
    assert found.document.text == BODY
    assert "How to wash wool" not in found.document.text


def test_below_a_mere_name_the_first_sentence_is_the_query():
    found = query("wool.wash", BODY)
    assert (found.text, found.kind) == ("Wash wool by hand in cool water.", "first sentence")
    assert found.document == Document(HELD[0], "wool.wash", REST)


def test_a_query_is_one_line():
    assert query("", "Wash wool\n  by hand in cool water. " + REST).text == "Wash wool by hand in cool water."


@pytest.mark.parametrize(
    ("title", "text"),
    [
        ("How to wash wool", "In cool water."),  # too little is left
        ("wool", "Wash wool by hand in cool water."),  # no second sentence
        ("wool", "Wash it. " + REST),  # a query of two words
        ("wool", "Wash wool by hand in cool water. Dry it."),
        ("wool", ""),
        ("", ""),
        ("How to wash wool", "How to wash wool"),
    ],
)
def test_what_gives_no_query(title, text):
    assert query(title, text) is None


def test_chinese():
    text = "羊毛衫要用冷水手洗。洗好以后放在毛巾上吸干水分，再平铺晾干。"
    assert query("羊毛衫洗涤方法", text).kind == "title"
    found = query("羊毛", text)
    assert found.text == "羊毛衫要用冷水手洗。"
    assert found.document.text == "洗好以后放在毛巾上吸干水分，再平铺晾干。"


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 0),
        ("How to wash wool", 4),
        ("str.split", 1),
        ("a 1 22 x_y -- ...", 0),
        ("wash 羊毛衫 now", 3.5),
        ("羊毛衫要用冷水", 3.5),
        ("don't stop", 2),
    ],
)
def test_words(text, count):
    assert words(text) == count


def test_the_order_is_random_but_always_the_same():
    documents = [Document(name, "How to wash wool", BODY) for name in HELD]
    found = list(held_out_queries(documents))
    names = [one.document.id for one in sorted(found, key=lambda one: one.order)]
    assert names != HELD
    # Another document does not change the order of the others.
    fewer = [one for one in found if one.document.id != HELD[3]]
    assert [one.document.id for one in sorted(fewer, key=lambda one: one.order)] == [n for n in names if n != HELD[3]]
    assert isinstance(HeldOutQuery("a", "title", Document("\ud800", "", "")).order, str)
