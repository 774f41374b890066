from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bertpipe.text.sentences import LONGEST, split_sentences


def pieces(text):
    return [text[start:end] for start, end in split_sentences(text)]


# Every case is written as its sentences; they stand in one line, in Chinese with nothing between them.
@pytest.mark.parametrize(
    "sentences",
    [
        ["It rains.", "We stay in."],
        ["Really?", "Yes!", "Good."],
        ["Dr. Smith met Mrs. Jones and Prof. Lee.", "They talked."],
        ["J. R. R. Tolkien wrote it.", "I read it."],
        ["Fruit, e.g. apples, i.e. food.", "Nothing else."],
        ["The value is 3.14 or so.", "Python 3.11.7 is out."],
        ["It is in Fig. 3 and No. 5 on pp. 7 ff.", "See below."],
        ["He lives in the U.S. Government quarter.", "She does not."],
        ["He moved to the U.S.", "It was 1999."],
        ["He was born in 1999.", "He is young."],
        ["Acme Inc. Headquarters is large.", "It is new."],
        ["We met at 9 a.m. on Monday.", "It was cold."],
        ["Apples, pears, etc. are fruit.", "Carrots are not."],
        ["Take vitamin C.", "It is good for you."],
        ['He said "Stop."', "Then he left."],
        ["‘Really?’ he asked.", "Nobody answered."],
        ["(It was late.)", "He went home."],
        ["It ended (see above).", "Done."],
        ["So it was.[12]", "Then it was not.[3][4]"],
        ["Well... maybe not.", "Who knows..."],
        ["I waited...", "Nobody came."],
        ["What?!", "No..."],
        ["group([group1, ...]) -> str or tuple.", "Return a subgroup."],
        ["Call str.split() in main.py now.", "It works."],
        ["sep is the delimiter.", "maxsplit is the maximum."],
        ["this is informal.", "nobody uses capitals here."],
        ["see example.com or a.b.c for more.", "Bye."],
        ["it works .", "then it stopped ."],
    ],
)
def test_english(sentences):
    assert pieces(" ".join(sentences)) == sentences


@pytest.mark.parametrize(
    "sentences",
    [
        ["今天下雨。", "我们在家。"],
        ["真的吗？", "真的！", "好。"],
        ["他说：“你好。”", "然后走了。"],
        ["「真的吗？」", "她问。"],
        ["他说（我也听见了。）", "后来忘了。"],
        ["我喜欢春天；", "他喜欢秋天。"],
        ["我想……", "还是算了吧。"],
        ["什么？！", "不可能！！！"],
        ['他说:"你好。"', "然后走了。"],
        ["版本是 3.5。", "文件是 a.txt。"],
        ["我用 Linux.", "它很好。"],
        ["你好!", "再见?", "好的。"],
        ["水温不超过 40.5 度。", "好。"],
        ["读《你好，世界。》，然后睡觉。", "完了。"],
        ["他写了 e.g.中文 几个字。", "好。"],
        ["東京は晴れ。", "大阪は雨。"],
    ],
)
def test_chinese(sentences):
    assert pieces("".join(sentences)) == sentences


def test_quotes_that_open_the_next_sentence():
    assert pieces('他走了。"再见。"') == ["他走了。", '"再见。"']


def test_both_languages_in_one_text():
    assert pieces("我用 Python 3.11。It is fast. 真的！OK.") == ["我用 Python 3.11。", "It is fast.", "真的！", "OK."]


def test_a_blank_line_ends_a_sentence_and_a_wrap_does_not():
    text = "A heading without a stop\n\nThe first sentence goes on\nin the next line. And ends\nthere"
    assert pieces(text) == [
        "A heading without a stop",
        "The first sentence goes on\nin the next line.",
        "And ends\nthere",
    ]


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r", "\v", "\x85", "\u2028"])
def test_all_line_breaks_count(newline):
    assert len(split_sentences(f"one{newline}{newline}two")) == 2
    assert len(split_sentences(f"one{newline}two")) == 1


@pytest.mark.parametrize("newline", ["\f", "\x1c", "\u2029"])
def test_paragraph_breaks_count_once(newline):
    assert len(split_sentences(f"one{newline}two")) == 2


def test_lists_prompts_headings_and_tables_start_anew():
    text = (
        "Title\n=====\nThe text below the title is long enough to be a paragraph,\nand wraps:\n"
        "- one\n- two goes\n  on here\n1. first\n2. second\n(a) third\n一、第四\n# Heading\nbody\n"
        ">>> 'a b'.split()\n['a', 'b']\n| a | b |\n| 1 | 2 |\n:param x: the value"
    )
    assert pieces(text) == [
        "Title\n=====",
        "The text below the title is long enough to be a paragraph,\nand wraps:",
        "- one",
        "- two goes\n  on here",
        "1. first",
        "2. second",
        "(a) third",
        "一、第四",
        "# Heading",
        "body",
        ">>> 'a b'.split()",
        "['a', 'b']",
        "| a | b |",
        "| 1 | 2 |",
        ":param x: the value",
    ]


def test_a_list_number_is_no_sentence():
    assert pieces("1. Open it. 2. Close it.") == ["1. Open it.", "2. Close it."]


def test_chinese_lines_are_paragraphs_unless_they_reach_the_margin():
    paragraphs = ["概述", "这是第一段的内容，它相当长，但是没有句号", "第二段短一些", "第三段也短"]
    assert pieces("\n".join(paragraphs)) == paragraphs
    wrapped = (
        "这是一段按照固定宽度换行的中文文字，每一行都有一样\n多的字，所以换行的地方不是句子的结尾，而只是到了边\n上。"
    )
    assert pieces(wrapped) == [wrapped]
    long = "没有标点的标题\n" + "这是很长的一段话，" * 20 + "完了\n下一段"
    assert len(pieces(long)) == 3


def test_wide_lines_are_paragraphs():
    line = "word " * 40 + "end"
    assert pieces(f"{line}\n{line}") == [line, line]


def test_long_stretches_are_cut_at_spaces():
    text = "word " * 1000
    found = pieces(text)
    assert all(len(piece) <= LONGEST for piece in found)
    assert all(set(piece.split()) == {"word"} for piece in found)
    assert " ".join(found) == text.strip()
    assert len(pieces("x" * (3 * LONGEST))) == 3


@pytest.mark.parametrize("text", ["", " ", "\n\n\t\u3000\r\x1c", "\x85"])
def test_no_text_has_no_sentences(text):
    assert split_sentences(text) == []


ALPHABET = "aB1 .!?…。！？；，：\"'“”「」()[]\n\r\t\x00\x1c\u2028\u3000\ud800中文é-#>|*=_`:,e.g"


@given(st.one_of(st.text(), st.text(alphabet=ALPHABET, max_size=300)))
def test_offsets_are_ordered_stripped_and_cover_the_text(text):
    spans = split_sentences(text)
    at = 0
    for start, end in spans:
        assert at <= start < end
        assert not text[at:start].strip()
        assert text[start:end] == text[start:end].strip()
        assert end - start <= LONGEST
        at = end
    assert not text[at:].strip()


@pytest.mark.parametrize(
    "pattern", [".", '。"，', " ", "\n", "a. ", "a\n", "x", '..."', "“", "Dr. ", "！\n  ", "- \n", "=\n"]
)
def test_time_is_linear(pattern):
    # Well under a second where the time is linear; minutes where it is quadratic.
    text = pattern * (200_000 // len(pattern))
    start = time.perf_counter()
    split_sentences(text)
    assert time.perf_counter() - start < 10
