from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bertpipe.errors import InputError
from bertpipe.text.dialogue import as_source
from bertpipe.text.document import Document, is_held_out
from bertpipe.text.readers.dialogue import DialogueReader

SKIP = "or skip such records with --skip-bad."
GOOD = "Hello . __eou__ Hi , how are you ? __eou__ Fine .\n"


def put(folder, name, content):
    (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
    return folder / name


def read(path, **options):
    return list(DialogueReader(path, **options))


def error(path, **options) -> str:
    with pytest.raises(InputError) as caught:
        read(path, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_every_turn_but_the_first_is_a_reply(tmp_path):
    put(tmp_path, "d.txt", f"\n{GOOD}")
    assert read(tmp_path / "d.txt") == [
        Document("d.txt#2.2", "Hi , how are you ?", "— Hello .", {}, "d.txt#2"),
        Document("d.txt#2.3", "Fine .", "— Hello .\n— Hi , how are you ?", {}, "d.txt#2"),
    ]


@pytest.mark.parametrize(("history", "turns"), [(1, "4"), (2, "34"), (4, "1234"), (9, "1234")])
def test_the_history_is_cut(tmp_path, history, turns):
    put(tmp_path, "d.txt", "1__eou__2__eou__3__eou__4__eou__5__eou__\n")
    last = read(tmp_path, history=history)[-1]
    assert (last.id, last.title, last.text) == ("d.txt#1.5", "5", as_source(turns))


@pytest.mark.parametrize(
    ("name", "content", "options"),
    [
        ("d.txt", "Hi.|Oh,  hi.|Bye.", {"turn_separator": "|"}),
        ("d.txt", "Hi.\tOh, hi.\tBye.\n", {"turn_separator": "\t"}),
        ("d.tsv", "1\tHi.__eou__Oh, hi. __eou__ Bye.__eou__\t2 2 2\n", {"text_field": "2"}),
        ("d.csv", 'kind,text\nsmall talk,"Hi.__eou__Oh, hi.__eou__Bye."\n', {}),
        ("d.jsonl", '{"text": "Hi.__eou__Oh, hi.__eou__Bye."}\n', {}),
        ("d.jsonl", '{"text": [" Hi.", "Oh,\\nhi.", "Bye."]}\n', {}),
        (
            "d.ndjson",
            '{"turns": [{"text": "Hi."}, {"content": "Oh, hi.", "role": "b"}, "Bye."]}',
            {"text_field": "turns"},
        ),
    ],
)
def test_formats(tmp_path, name, content, options):
    put(tmp_path, name, content)
    found = read(tmp_path, **options)
    assert [(document.title, document.text) for document in found] == [
        ("Oh, hi.", "— Hi."),
        ("Bye.", "— Hi.\n— Oh, hi."),
    ]


def test_a_folder_is_read_in_order_and_what_is_no_dialogue_is_left_out(tmp_path):
    put(tmp_path, "b.txt", GOOD)
    put(tmp_path, "a.jsonl", '{"text": ["x", "y"]}\n')
    put(tmp_path, "README.md", "# About\n\nDialogues.")
    put(tmp_path, "c.pdf", b"%PDF")
    reader = DialogueReader(tmp_path)
    assert [document.id for document in reader] == ["a.jsonl#1.2", "b.txt#1.2", "b.txt#1.3"]
    assert reader.report.ignored == {".pdf": 1, ".md": 1}
    assert reader.report.documents == 3


BAD = {  # name, the bad line, words
    "one turn": (
        "d.txt",
        "Nobody answers .",
        "a dialogue of one turn has no reply. Check turn_separator, which is '__eou__'",
    ),
    "one turn and a separator": ("d.txt", "Nobody answers . __eou__", "a dialogue of one turn has no reply"),
    "only a separator": ("d.txt", "__eou__", "turn 1 of 1 is empty"),
    "empty turn": ("d.txt", "a __eou__ __eou__ b", "turn 2 of 3 is empty"),
    "empty first turn": ("d.txt", "__eou__ a __eou__ b", "turn 1 of 3 is empty"),
    "columns": ("d.txt", "a __eou__ b __eou__\t1\t2 2", "the line has columns, split by tabs. Cut off what is no"),
    "broken UTF-8": ("d.txt", b"a __eou__ \xff", "broken UTF-8 at byte 11"),
    "no turns": ("d.jsonl", '{"text": []}', "a dialogue without turns. Give it a reply"),
    "one in a list": ("d.jsonl", '{"text": ["a"]}', "a dialogue of one turn has no reply. Give it a reply"),
    "empty in a list": ("d.jsonl", '{"text": ["a", "b", " "]}', "turn 3 of 3 is empty"),
    "number": ("d.jsonl", '{"text": ["a", 3]}', "turn 2 is not text (it is a number)"),
    "list": ("d.jsonl", '{"text": [["a"], "b"]}', "turn 1 is not text (it is a list)"),
    "object without text": (
        "d.jsonl",
        '{"text": ["a", {"txt": "b"}]}',
        "turn 2 is not text (it has neither text nor content)",
    ),
    "object with null": ("d.jsonl", '{"text": ["a", {"text": null}]}', "turn 2 is not text (it has neither text nor"),
    "object with a list": ("d.jsonl", '{"text": ["a", {"text": [1]}]}', "turn 2 is not text (its text is a list with"),
    "no dialogue": ("d.jsonl", '{"text": {"a": 1}}', "the field 'text' is no dialogue (it is an object)"),
    "no field": ("d.jsonl", '{"texts": ["a", "b"]}', "the record has no field 'text'. Set text_field = \"texts\""),
    "lone surrogate": ("d.jsonl", '{"text": ["a", "\\ud800"]}', "a lone surrogate in the title"),
    "broken JSON": ("d.jsonl", '{"text": ["a"', "broken JSON"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_broken_dialogue_names_its_line_or_is_counted(tmp_path, case):
    name, bad, words = BAD[case]
    good = GOOD if name == "d.txt" else '{"text": ["x", "y"]}\n'
    bad = bad if isinstance(bad, bytes) else bad.encode()
    put(tmp_path, name, good.encode() + bad + b"\n" + good.encode())
    message = error(tmp_path)
    assert message.startswith(f"{tmp_path / name}:2: ")
    assert words in message
    assert message.endswith(SKIP)

    reader = DialogueReader(tmp_path, skip_bad=True)
    assert {document.group for document in reader} == {f"{name}#1", f"{name}#3"}
    assert reader.report.skipped == 1
    assert words in reader.report.problems[0]
    assert "--skip-bad" not in reader.report.problems[0]


def test_nothing_to_read(tmp_path):
    assert "no dialogue to read (there is no text)" in error(tmp_path)
    path = put(tmp_path, "README.md", "# About")
    assert "no dialogue to read (there is only: 1 .md)" in error(path)
    put(tmp_path, "d.txt", "alone\n")
    assert "no dialogue could be read (1 skipped; the first: " in error(tmp_path, skip_bad=True)
    assert error(tmp_path / "nothing").startswith(f"{tmp_path / 'nothing'}: there is no such file")


TURN = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufeff"), min_size=1).filter(
    lambda turn: turn.strip() and "_" not in turn
)
DIALOGUES = st.lists(st.lists(TURN, min_size=2, max_size=7), min_size=1, max_size=5)


@given(dialogues=DIALOGUES, history=st.integers(1, 5), as_json=st.booleans())
def test_whatever_is_written_is_read_back(tmp_path_factory, dialogues, history, as_json):
    folder = tmp_path_factory.mktemp("dialogues")
    if as_json:
        put(folder, "d.jsonl", "".join(json.dumps({"text": turns}) + "\n" for turns in dialogues))
    else:
        put(folder, "d.txt", "".join("__eou__".join(turns) + "\n" for turns in dialogues))
    replies = iter(read(folder, history=history))
    for line, written in enumerate(dialogues, start=1):
        turns = [" ".join(turn.split()) for turn in written]
        for place in range(1, len(turns)):
            reply = next(replies)
            assert reply.title == turns[place]
            assert reply.text == as_source(turns[max(0, place - history) : place])
            assert reply.id.endswith(f"#{line}.{place + 1}")
            assert reply.held_out == is_held_out(reply.group) == is_held_out(reply.id.rpartition(".")[0])
    assert next(replies, None) is None
