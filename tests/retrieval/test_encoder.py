import json
import shutil

import numpy as np
import pytest

from bertpipe.errors import ArtefactError
from bertpipe.retrieval import encoder as module
from bertpipe.retrieval.encoder import GRAPH, SETTINGS, Encoder, EncoderSettings, encoder_digest
from bertpipe.text.sequences import padded, passage_sequence, query_sequence
from bertpipe.text.special_ids import OURS
from bertpipe.text.tokenizer import MODEL_FILE

FILES = (GRAPH, MODEL_FILE, SETTINGS)
QUERIES = ["how to clean the grinder", "怎样清洗加湿器", "", "x", "coffee " * 50, "\ud800 lone", "tap"]
PASSAGES = [
    ("Cleaning the grinder", "Brush the burrs once a week. Never wash them with water."),
    ("", "水箱里的水每天要换。"),
    ("加湿器", ""),
    ("", ""),
    ("A title " * 40, "and a long text " * 40),
]


@pytest.fixture
def copy(encoder_folder, tmp_path):
    return shutil.copytree(encoder_folder, tmp_path / "encoder")


def test_vectors_are_those_of_the_exported_model(torch_encoder_and_folder, encoder):
    import torch

    model, _ = torch_encoder_and_folder
    encode = encoder.tokenizer.encode
    queries = [query_sequence(encode(query), 12, OURS) for query in QUERIES]
    passages = [passage_sequence(encode(title), encode(text), 40, OURS) for title, text in PASSAGES]
    for vectors, sequences in (
        (encoder.encode_queries(QUERIES), queries),
        (encoder.encode_passages(PASSAGES), passages),
    ):
        with torch.no_grad():
            expected = model(*map(torch.from_numpy, padded(sequences, OURS.pad))).numpy()
        np.testing.assert_allclose(vectors, expected, atol=1e-5)
        assert vectors.dtype == np.float32
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_a_text_gets_the_same_vector_in_any_company(encoder, monkeypatch):
    together = encoder.encode_queries(QUERIES)
    alone = np.concatenate([encoder.encode_queries([query]) for query in QUERIES])
    np.testing.assert_allclose(together, alone, atol=1e-5)
    backwards = encoder.encode_queries(QUERIES[::-1])[::-1]
    np.testing.assert_allclose(together, backwards, atol=1e-5)
    monkeypatch.setattr(module, "BATCH_TOKENS", 20)
    np.testing.assert_allclose(encoder.encode_queries(QUERIES), together, atol=1e-5)


def test_the_same_call_gives_the_same_bytes(encoder):
    first, again = encoder.encode_passages(PASSAGES * 9), encoder.encode_passages(PASSAGES * 9)
    assert first.tobytes() == again.tobytes()


def test_a_long_query_is_its_beginning(encoder):
    ids = encoder.tokenizer.encode("the grinder stops when the beans jam " * 3)
    beginning = encoder.tokenizer.decode(ids[:10])
    vectors = encoder.encode_queries([beginning, beginning + " and then " + "something else " * 100_000])
    np.testing.assert_allclose(vectors[0], vectors[1], atol=1e-6)


def test_parts_stand_beside_the_whole(encoder):
    whole = encoder.encode_passages(PASSAGES)
    found = encoder.encode_passages(PASSAGES, 2)
    assert found.shape == (5, 32)
    title, text = PASSAGES[0]
    halves = encoder.encode_passages([(title, text[:29]), (title, text[29:])])
    assert text[29:].startswith("Never")
    np.testing.assert_allclose(found[0].reshape(2, 16), (halves + whole[0]) / 2, atol=1e-5)
    # A text without characters is both of its parts.
    np.testing.assert_allclose(found[2].reshape(2, 16), [whole[2]] * 2, atol=1e-5)
    assert encoder.encode_passages([], 2).shape == (0, 32)


def test_titles_count(encoder):
    plain, titled = encoder.encode_passages([("", "Change the water."), ("Humidifier", "Change the water.")])
    assert plain @ titled < 0.999


def test_no_texts(encoder):
    assert encoder.encode_queries([]).shape == (0, 16)
    assert encoder.encode_passages([]).shape == (0, 16)


def test_settings(encoder):
    assert encoder.settings == EncoderSettings(width=16, query_tokens=12, passage_tokens=40)


def test_batches_hold_texts_of_like_length(monkeypatch):
    monkeypatch.setattr(module, "BATCH_TOKENS", 100)
    sequences = [[7] * length for length in (3, 50, 49, 120, 2, 20, 20, 20, 20)]
    batches = list(module._batches(sequences))
    assert batches == [[3], [1, 2], [5, 6, 7, 8, 0], [4]]


def test_the_digest_is_of_all_three_files(encoder_folder, copy):
    digest = encoder_digest(encoder_folder)
    assert encoder_digest(copy) == digest
    found = {digest}
    for name in FILES:
        before = (copy / name).read_bytes()
        (copy / name).write_bytes(before + b" ")
        found.add(encoder_digest(copy))
        (copy / name).write_bytes(before)
    assert len(found) == 4
    for name in FILES:
        (copy / name).rename(copy / "aside")
        with pytest.raises(ArtefactError, match=name):
            encoder_digest(copy)
        (copy / "aside").rename(copy / name)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("kept", [0, 7, 0.5, None])
def test_truncated_or_missing_files(copy, name, kept):
    content = (copy / name).read_bytes()
    if kept is None:
        (copy / name).unlink()
    else:
        (copy / name).write_bytes(content[: kept if isinstance(kept, int) else int(len(content) * kept)])
    with pytest.raises(ArtefactError, match=name) as caught:
        Encoder(copy)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("settings", [[], {"width": 16}, {"width": 16, "query_tokens": 1, "passage_tokens": 2, "a": 1}])
def test_settings_of_something_else(copy, settings):
    (copy / SETTINGS).write_text(json.dumps(settings))
    with pytest.raises(ArtefactError, match=SETTINGS):
        Encoder(copy)


def test_a_graph_of_something_else(copy):
    (copy / GRAPH).write_bytes((copy / MODEL_FILE).read_bytes())
    with pytest.raises(ArtefactError, match="missing or damaged"):
        Encoder(copy)
