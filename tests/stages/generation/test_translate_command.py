import json
import shutil

import pytest

SOURCE, TARGET = "The red dog sees the cat.", "Ta ru hundo vidas ta kato."
OTHER = "The old cat likes the bird."


def lines(done):
    assert done.code == 0, done.err
    return [json.loads(line) for line in done.out.splitlines()]


def test_a_text(translation):
    done = translation("translate", SOURCE)
    assert (done.code, done.out, done.err) == (0, TARGET + "\n", "")
    assert translation("translate", f"  {SOURCE}\n").out == TARGET + "\n"


def test_json(translation):
    document = json.loads(translation("translate", SOURCE, "--json").out)
    assert list(document) == ["source", "translations", "took_ms"]
    (best,) = document["translations"]
    assert document["source"] == SOURCE
    assert best["text"] == TARGET
    assert best["score"] < 0
    assert 0 < best["tokens"] < 24
    assert document["took_ms"] > 0


def test_the_best_of_several(translation):
    document = json.loads(translation("translate", SOURCE, "--best", "3", "--json").out)
    texts, scores = ([one[key] for one in document["translations"]] for key in ("text", "score"))
    assert texts[0] == TARGET
    assert len(texts) == 3
    assert scores == sorted(scores, reverse=True)
    shown = translation("translate", SOURCE, "--best", "3").out.splitlines()
    assert [line.split(maxsplit=1)[1] for line in shown] == texts
    assert [float(line.split()[0]) for line in shown] == pytest.approx(scores, abs=1e-3)
    done = translation("translate", SOURCE, "--best", "3", "--beams", "2")
    assert done.code == 2
    assert "--best 3 needs --beams 3 or more" in done.err


def test_standard_input_line_by_line(translation):
    texts = [SOURCE, OTHER, SOURCE] * 100  # more than are read at once
    done = translation("translate", "-", "--beams", "1", stdin="\ufeff" + "\r\n".join(texts))
    assert done.code == 0
    one, other = (translation("translate", text, "--beams", "1").out for text in (SOURCE, OTHER))
    assert done.out == (one + other + one) * 100
    assert one != other
    documents = lines(translation("translate", "-", "--json", stdin=f"{SOURCE}\n{OTHER}\n"))
    assert [document["source"] for document in documents] == [SOURCE, OTHER]
    assert documents[0]["translations"][0]["text"] == TARGET


def test_empty_texts(translation):
    assert translation("translate", "").error.startswith("there is nothing to translate")
    assert translation("translate", " \n").code == 1
    stdin = f"{SOURCE}\n \n{OTHER}\n"
    assert translation("translate", "-", stdin=stdin).error.startswith("standard input:2: there is nothing to trans")
    done = translation("translate", "-", "--keep-empty", stdin=stdin)
    assert done.code == 0
    assert done.out.splitlines()[:2] == [TARGET, ""]
    assert len(done.out.splitlines()) == 3
    documents = lines(translation("translate", "-", "--keep-empty", "--json", stdin=stdin))
    assert [document["source"] for document in documents] == [SOURCE, "", OTHER]
    assert documents[1]["translations"][0]["text"] == ""
    assert translation("translate", "-", "--keep-empty", stdin="\n\n").out == "\n\n"


def test_wrong_standard_input(translation):
    assert translation("translate", "-", stdin="").error == "standard input is empty. Give one text a line."
    assert translation("translate", "-", stdin=b"dog\n\xff\n").error.startswith("standard input:2: not UTF-8")


def test_a_text_of_several_stretches(translation):
    text = f"{SOURCE} {OTHER} {SOURCE}"
    document = json.loads(translation("translate", text, "--json", "--best", "2").out)
    (only,) = document["translations"]
    other = translation("translate", OTHER).out.strip()
    assert only["text"] == f"{TARGET} {other} {TARGET}"
    parts = [json.loads(translation("translate", one, "--json").out) for one in (SOURCE, OTHER, SOURCE)]
    scores = [part["translations"][0]["score"] for part in parts]
    assert only["score"] == pytest.approx(sum(scores) / 3, abs=1e-3)
    assert only["tokens"] == sum(part["translations"][0]["tokens"] for part in parts)


def test_a_sentence_that_is_too_long(translation):
    long = "The " + "red " * 30 + "dog sees the cat."
    error = translation("translate", long).error
    assert "tokens is too long (the model reads 23)" in error
    assert error.startswith("a sentence of")
    error = translation("translate", "-", stdin=f"{SOURCE}\n{SOURCE} {long}\n").error
    assert error.startswith("standard input:2: a sentence of")
    assert "larger finetune.max_source" in error


@pytest.mark.parametrize(
    "flags",
    [["--beams", "0"], ["--beams", "257"], ["--best", "0"], ["--length-penalty", "nan"], ["--length-penalty", "1e9"]],
)
def test_impossible_settings(translation, flags):
    done = translation("translate", SOURCE, *flags)
    assert done.code == 2
    assert flags[0] in done.err


def test_texts_of_any_characters(translation):
    for text in ("🦊", "\x00", "a\x1b[31mb", "你好", "[SEP] </s> [PAD]", "e\u0301"):
        assert translation("translate", text).code == 0


def test_a_model_by_its_folder(translation, tmp_path, capsys):
    from bertpipe.cli.main import invoke

    place = shutil.copytree(translation.runs / "finetune", tmp_path / "ein Ort" / "模型")
    assert invoke(["translate", "--model", str(place), SOURCE]) == 0
    assert capsys.readouterr().out == TARGET + "\n"
    assert "--model and -p are both given" in translation("translate", SOURCE, "--model", str(place)).error
    assert invoke(["translate", "--model", str(tmp_path / "nowhere"), SOURCE]) == 1
    assert "there is no model at" in capsys.readouterr().err
    assert invoke(["translate", "--model", str(tmp_path), SOURCE]) == 1
    assert "generator.json cannot be read" in capsys.readouterr().err


def test_no_model_yet(fresh_of):
    error = fresh_of("translation")("translate", SOURCE).error
    assert "there is no model at" in error
    assert "bertpipe run" in error


def test_the_pipeline_has_another_task(summarization, retrieval):
    assert (
        f'{summarization.file} is for summarization. A pipeline with task = "translation"'
        in summarization("translate", SOURCE).error
    )
    assert "is for retrieval" in retrieval("translate", SOURCE).error


def test_the_model_has_another_task(summarization, capsys):
    from bertpipe.cli.main import invoke

    assert invoke(["translate", "--model", str(summarization.runs / "finetune"), SOURCE]) == 1
    assert "is for summarization. A model for translation is needed" in capsys.readouterr().err


@pytest.mark.parametrize(
    "name", ["config.json", "generator.json", "model.safetensors", "tokenizer.model", "manifest.json"]
)
def test_a_damaged_model_is_named_and_mended(translation, copy_of, name):
    project = copy_of(translation)
    path = project.runs / "finetune" / name
    whole = path.read_bytes()
    for kept in (len(whole) * 7 // 10, 0, None):
        if kept is None:
            path.unlink()
        else:
            path.write_bytes(whole[:kept])
        assert name.partition(".")[0] in project("translate", SOURCE).error, kept
    assert project.ran("--set", "finetune.steps=2") == ["finetune"]
    assert project("translate", SOURCE).code == 0
