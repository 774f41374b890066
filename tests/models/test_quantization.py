import logging

import numpy as np
import onnx
import pytest
import torch

from bertpipe.models.answer_reader import AnswerReader
from bertpipe.models.bert import Bert
from bertpipe.models.config import BertConfig
from bertpipe.models.onnx_export import export_reader
from bertpipe.models.quantization import quantize
from bertpipe.retrieval.graph import open_graph


@pytest.fixture(scope="module")
def graphs(tmp_path_factory):
    """The graph of a reader before and behind."""
    folder = tmp_path_factory.mktemp("graphs")
    torch.manual_seed(0)
    shape = {"width": 64, "layers": 2, "heads": 4, "inner": 256, "max_length": 24}
    export_reader(AnswerReader(Bert(BertConfig(500, **shape))), folder / "whole.onnx")
    (folder / "bytes.onnx").write_bytes((folder / "whole.onnx").read_bytes())
    quantize(folder / "bytes.onnx")
    return folder / "whole.onnx", folder / "bytes.onnx"


def test_the_logits_are_nearly_the_same(graphs):
    rng = np.random.default_rng(0)
    ids = rng.integers(5, 500, (8, 20))
    feed = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
    whole, rounded = (open_graph(path, 1).run(None, feed)[0].ravel() for path in graphs)
    assert np.corrcoef(whole, rounded)[0, 1] > 0.995
    assert not np.array_equal(whole, rounded)


def test_weights_are_bytes_of_seven_bits(graphs):
    whole, rounded = graphs
    assert rounded.stat().st_size < 0.5 * whole.stat().st_size
    matrices = [
        onnx.numpy_helper.to_array(tensor)
        for tensor in onnx.load(rounded).graph.initializer
        if tensor.data_type == onnx.TensorProto.INT8 and len(tensor.dims) == 2
    ]
    # Four of the attention and two of the feed-forward network in each layer.
    assert len(matrices) >= 2 * 6
    assert max(int(np.abs(matrix).max()) for matrix in matrices if matrix.size) <= 64


def test_nothing_is_left_behind(graphs, tmp_path, capfd):
    path = tmp_path / "reader.onnx"
    path.write_bytes(graphs[0].read_bytes())
    handlers = list(logging.root.handlers)
    quantize(path)
    assert path.read_bytes() == graphs[1].read_bytes()
    assert [one.name for one in tmp_path.iterdir()] == ["reader.onnx"]
    assert capfd.readouterr() == ("", "")
    assert logging.root.handlers == handlers
    assert logging.root.manager.disable == logging.NOTSET
