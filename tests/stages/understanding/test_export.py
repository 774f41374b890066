"""What can be exported of models that understand: encoders of similarity."""

import numpy as np
import pytest

from bertpipe.models.predictor import Predictor


def export(project, kind, destination):
    arguments = (str(project.runs / "finetune"), "--to", kind, str(destination))
    return project("export", *arguments, pipeline=False)


def test_an_encoder_of_similarity_becomes_a_graph(similarity, tmp_path):
    from bertpipe.retrieval.encoder import Encoder

    done = export(similarity, "onnx", tmp_path / "onnx")
    assert done.code == 0, done.err
    texts = ["A dog is running.", "A woman is reading a book at home."]
    vectors = Encoder(tmp_path / "onnx").encode_queries(texts)
    (found,) = Predictor(similarity.runs / "finetune").predict([texts[0]], [texts[1]])
    assert float(vectors[0] @ vectors[1]) == pytest.approx(found.cosine, abs=1e-4)


@pytest.mark.parametrize("kind", ["hf", "onnx"])
def test_heads_are_not_exported(classification, tmp_path, kind):
    error = export(classification, kind, tmp_path / "there").error
    assert "cannot be exported (it learned classification). `bertpipe predict` uses it" in error
    assert not (tmp_path / "there").exists()


@pytest.mark.peer
def test_sentence_transformers_computes_the_same_similarity(similarity, tmp_path):
    sentence_transformers = pytest.importorskip("sentence_transformers")
    done = export(similarity, "hf", tmp_path / "hf")
    assert done.code == 0, done.err
    texts = ["A dog is running.", "A woman is reading a book at home."]
    vectors = sentence_transformers.SentenceTransformer(str(tmp_path / "hf"), device="cpu").encode(texts)
    vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    (found,) = Predictor(similarity.runs / "finetune").predict([texts[0]], [texts[1]])
    assert float(vectors[0] @ vectors[1]) == pytest.approx(found.cosine, abs=1e-4)
