import json

import pytest

from bertpipe.errors import InputError
from bertpipe.text.readers.tagged import TaggedReader, TaggedSentence


@pytest.fixture
def file(tmp_path):
    def write(content: str | bytes, name: str = "a.conll"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def read(path, **options) -> list[TaggedSentence]:
    return list(TaggedReader(path, **options))


def error(path, **options) -> str:
    with pytest.raises(InputError) as caught:
        read(path, **options)
    message = str(caught.value)
    assert "\n" not in message
    assert message.endswith(".")
    assert "--skip-bad" not in message
    return message


def test_two_columns_with_tabs(file):
    path = file("\ufeffNew\tB-LOC\r\nYork\tI-LOC\r\n\r\n\t\r\n\r\n#nlp\tO\n#\tO\n\u3000\tO")
    assert read(path) == [
        TaggedSentence("a.conll#1", ("New", "York"), ("B-LOC", "I-LOC"), path, 1),
        TaggedSentence("a.conll#6", ("#nlp", "#", "\u3000"), ("O", "O", "O"), path, 6),
    ]


def test_universal_dependencies(file):
    path = file(
        "# newdoc id = d\n# sent_id = 1\n# text = Vámonos al mar\n"
        "1-2\tVámonos\t_\t-\t-\n1\tVamos\tO\t-\tx\n2\tnos\tO\t-\tx\n3-4\tal\t_\t-\t-\n3\ta\tO\t-\tx\n3.1\tnada\tO\t-\tx\n"
        "4\tel\tB-LOC\t-\tx\n5\tmar\tI-LOC\t-\tx\n\n# sent_id = 2\n1\t#\tO\t-\tx\n"
    )
    assert [(item.words, item.tags, item.line) for item in read(path)] == [
        (("Vamos", "nos", "a", "el", "mar"), ("O", "O", "O", "B-LOC", "I-LOC"), 5),
        (("#",), ("O",), 14),
    ]


def test_conll_2003(file):
    path = file(
        "-DOCSTART- -X- -X- O\n\nEU NNP B-NP B-ORG\nrejects VBZ B-VP O\n\n-DOCSTART- -X- -X- O\n\nO NN B-NP O\n"
    )
    sentences = read(path)
    assert [(item.words, item.tags) for item in sentences] == [(("EU", "rejects"), ("B-ORG", "O")), (("O",), ("O",))]
    assert read(path, tag_column="3")[0].tags == ("B-NP", "B-VP")
    assert read(path, word_column="2")[0].words == ("NNP", "VBZ")


def test_a_number_is_a_word_where_nothing_is_numbered(file):
    assert read(file("1 CD O\nmay NNP O\n"))[0].words == ("1", "may")
    assert read(file("1\tO\n2-3\tO\n"))[0].words == ("1", "2-3")


def test_comments_with_spaces_are_told_from_words(file):
    path = file("# id 12 domain=en\na _ _ O\n\n# id 13\n# _ _ O\n")
    assert [item.words for item in read(path)] == [("a",), ("#",)]
    assert [item.words for item in read(file("# O\na O\n"))] == [("#", "a")]


@pytest.mark.parametrize(
    ("written", "tags"),
    [
        ("iob1", "I-X I-X B-X I-Y O"),
        ("iob2", "B-X I-X B-X B-Y O"),
        ("bioes", "B-X E-X S-X S-Y O"),
        ("bioes", "B-X L-X U-X U-Y O"),
    ],
)
def test_tags_come_out_in_iob2(file, written, tags):
    path = file("".join(f"w\t{tag}\n" for tag in tags.split()))
    reader = TaggedReader(path)
    assert [item.tags for item in reader] == [("B-X", "I-X", "B-X", "B-Y", "O")]
    assert reader.report.written == {"a.conll": written}
    assert (reader.report.sentences, reader.report.words, reader.report.broken_tags) == (1, 5, 0)


def test_a_tag_that_continues_nothing_is_counted_or_refused(file):
    path = file("a\tB-X\nb\tI-X\n\nc\tO\nd\tI-Y\n")
    reader = TaggedReader(path)
    assert [item.tags for item in reader] == [("B-X", "I-X"), ("O", "B-Y")]
    assert reader.report.broken_tags == 1
    what = f"{path}:5: the tag I-Y of 'd' cannot follow O in IOB2"
    assert reader.report.problems == [what]
    assert error(path, strict=True) == f"{what}. Mend the tag."
    assert "the span of the tag B-X has no end" in error(file("a\tS-X\nb\tB-X\n"), strict=True)


def test_json_lines(file):
    records = [{"tokens": ["New", "York"], "tags": ["B-LOC", "I-LOC"]}, {"tokens": ["x"], "tags": ["O"], "id": 3}]
    path = file("".join(f"{json.dumps(record)}\n" for record in records), "a.jsonl")
    assert read(path) == [
        TaggedSentence("a.jsonl#1", ("New", "York"), ("B-LOC", "I-LOC"), path, 1),
        TaggedSentence("a.jsonl#2", ("x",), ("O",), path, 2),
    ]
    path = file('{"words": ["a"], "ner": ["S-X"]}', "b.jsonl")
    assert read(path, word_column="words", tag_column="ner")[0].tags == ("B-X",)


def test_a_folder(tmp_path, file):
    (tmp_path / "z").mkdir()
    (tmp_path / ".hidden").mkdir()
    file("a\tS-X\n", "z/one.iob2")
    file("a\tB-X\n", "b.tsv")
    file("broken", ".hidden/c.conll")
    file("not a sentence", "notes.md")
    reader = TaggedReader(tmp_path)
    assert [(item.id, item.tags) for item in reader] == [("b.tsv#1", ("B-X",)), ("z/one.iob2#1", ("B-X",))]
    assert reader.report.written == {"b.tsv": "iob2", "z/one.iob2": "bioes"}


BAD = {
    "empty file": ("a.conll", "", "", "the file is empty. Remove it."),
    "blank file": ("a.conll", "\n\n", "", "there is no sentence in it"),
    "comments alone": ("a.conll", "# text = x\n\n", "", "there is no sentence in it"),
    "no tag": ("a.conll", "a\tO\nb\nc\tO\n", ":2", "1 column instead of 2. Write every word on its own line"),
    "no tag at first": ("a.conll", "a\nb\n", ":1", "a word without a tag"),
    "an empty tag": ("a.conll", "a\tO\nb\t\n", ":2", "the word 'b' has no tag. Write its tag; O for"),
    "no word": ("a.conll", "a\tO\n\tO\n", ":2", "a tag without a word. Write the word, or remove the line."),
    "no word at first": ("a.conll", "O\n", ":1", "a tag without a word"),
    "too many columns": ("a.conll", "a\tO\n\nb\tc\tO\n", ":3", "3 columns instead of 2"),
    "spaces for tabs": ("a.conll", "a\tO\nb c O\n", ":2", "3 columns instead of 2"),
    "another tag": ("a.conll", "a\tO\nb\tPER\n", ":2", "'PER' is no tag of IOB or BIOES (a tag is O, or B-NAME,"),
    "parts of speech": ("a.conll", "a\tDET\nb\tNOUN\n", ":1", "'DET' is no tag of IOB"),
    "a comment inside": ("a.conll", "a\tO\n# text = b\nb\tO\n", ":2", "4 columns instead of 2"),
    "not UTF-8": ("a.conll", b"a\tO\n\xff\tO\n", ":2", "broken UTF-8 at byte 1"),
    "UTF-16": ("a.conll", "a\tO\n".encode("utf-16"), "", "the file is UTF-16, not UTF-8"),
    "broken JSON": ("a.jsonl", '{"tokens": ["a"], "tags": ["O"]}\n{"tokens": [', ":2", "broken JSON"),
    "no tags": ("a.jsonl", '{"tokens": ["a"]}', ":1", "the record has no field 'tags'"),
    "numbers": ("a.jsonl", '{"tokens": ["a"], "tags": [0]}', ":1", "no list of strings (it is a list with a number"),
    "text": ("a.jsonl", '{"tokens": "a", "tags": ["O"]}', ":1", "'tokens' is no list of strings (it is text)"),
    "fewer tags": ("a.jsonl", '{"tokens": ["a", "b"], "tags": ["O"]}', ":1", "2 words, but 1 tags"),
    "no words": ("a.jsonl", '{"tokens": [], "tags": []}', ":1", "the sentence has no words"),
    "an empty word": ("a.jsonl", '{"tokens": ["a", " "], "tags": ["O", "O"]}', ":1", "a tag without a word at place 2"),
    "half a character": ("a.jsonl", '{"tokens": ["\\ud800"], "tags": ["O"]}', ":1", "a lone surrogate in the tokens"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_bad_input_names_its_place_and_what_to_do(file, case):
    name, content, place, words = BAD[case]
    path = file(content, name)
    message = error(path)
    assert message.startswith(f"{path}{place}: ")
    assert words in message


@pytest.mark.parametrize("asked", ["0", "3", "word", "-1"])
def test_columns_that_are_not_there(file, asked):
    path = file("a\tO\n")
    assert f"{path}:1: there is no column {asked!r}. Set tag_column to a number from 1 to 2." in error(
        path, tag_column=asked
    )
    assert "cannot be the word and its tag" in error(path, tag_column="1")


def test_nothing_there(tmp_path):
    assert "there is no such file or folder" in error(tmp_path / "nothing.conll")
    assert "there is no file to read in the folder. Name a file, or give" in error(tmp_path)
