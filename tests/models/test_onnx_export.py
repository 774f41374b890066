from collections import Counter

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from bertpipe.models.answer_reader import AnswerReader
from bertpipe.models.bert import Bert
from bertpipe.models.config import BertConfig
from bertpipe.models.cross_encoder import CrossEncoder
from bertpipe.models.encoder import TextEncoder
from bertpipe.models.onnx_export import export_encoder, export_reader, export_reranker
from bertpipe.nn.pooling import WeightedPooling


@pytest.mark.parametrize(
    ("positions", "pooling"), [("learned", "weighted"), ("rotary", "weighted"), ("learned", "cls")]
)
def test_graph_agrees_with_the_model(tmp_path, positions, pooling, capfd):
    torch.manual_seed(0)
    config = BertConfig(60, width=32, layers=2, heads=4, inner=64, max_length=24, positions=positions, pooling=pooling)
    encoder = TextEncoder(Bert(config))
    if isinstance(encoder.pooling, WeightedPooling):
        encoder.pooling.set_weights(torch.rand(60) + 0.1)
    export_encoder(encoder, tmp_path / "encoder.onnx")
    assert capfd.readouterr() == ("", "")
    session = onnxruntime.InferenceSession(str(tmp_path / "encoder.onnx"))
    for batch, length in ((1, 2), (5, 24), (3, 7)):
        ids = torch.randint(5, 60, (batch, length))
        mask = torch.ones_like(ids)
        mask[-1, 2:] = 0
        got = session.run(None, {"input_ids": ids.numpy(), "attention_mask": mask.numpy()})[0]
        np.testing.assert_allclose(got, encoder(ids, mask).detach().numpy(), atol=1e-5)


def test_the_graph_of_a_reader_agrees_with_the_model(tmp_path, capfd):
    torch.manual_seed(0)
    reader = AnswerReader(Bert(BertConfig(60, width=32, layers=2, heads=4, inner=64, max_length=24)))
    export_reader(reader, tmp_path / "reader.onnx")
    assert capfd.readouterr() == ("", "")
    session = onnxruntime.InferenceSession(str(tmp_path / "reader.onnx"))
    for batch, length in ((1, 2), (5, 24), (3, 7)):
        ids = torch.randint(5, 60, (batch, length))
        mask, types = torch.ones_like(ids), torch.zeros_like(ids)
        mask[-1, 2:] = 0
        types[:, 1:] = 1
        feed = {"input_ids": ids.numpy(), "attention_mask": mask.numpy(), "token_type_ids": types.numpy()}
        got = session.run(None, feed)[0]
        np.testing.assert_allclose(got, reader(ids, mask, types).detach().numpy(), atol=1e-5)


def test_the_graph_of_a_reranker_agrees_with_the_model(tmp_path):
    torch.manual_seed(0)
    model = CrossEncoder(Bert(BertConfig(60, width=32, layers=2, heads=4, inner=64, max_length=24)))
    export_reranker(model, tmp_path / "reranker.onnx")
    session = onnxruntime.InferenceSession(str(tmp_path / "reranker.onnx"))
    for batch, length in ((1, 5), (5, 24), (3, 7)):
        ids = torch.randint(5, 60, (batch, length))
        mask, types = torch.ones_like(ids), torch.zeros_like(ids)
        mask[-1, 4:] = 0
        types[:, 2:] = 1
        feed = {"input_ids": ids.numpy(), "attention_mask": mask.numpy(), "token_type_ids": types.numpy()}
        got = session.run(None, feed)[0]
        assert got.shape == (batch,)
        np.testing.assert_allclose(got, model(ids, mask, types).detach().numpy(), atol=1e-5)


def test_a_graph_has_as_few_steps_as_the_equations(tmp_path):
    """Attention is computed as it is written, and GELU is one operator: each step more costs time in every layer."""
    config = BertConfig(60, width=32, layers=2, heads=4, inner=64, max_length=24, activation="gelu")
    export_encoder(TextEncoder(Bert(config)), tmp_path / "encoder.onnx")
    counts = Counter(node.op_type for node in onnx.load(tmp_path / "encoder.onnx").graph.node)
    assert counts["Softmax"] == counts["Gelu"] == 2
    assert counts["IsNaN"] == counts["Erf"] == 0
