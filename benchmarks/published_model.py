r"""Holds an imported model against the libraries that it was published for, on texts of one's own.

    python benchmarks/published_model.py MODEL --texts FILE [FILE ...] --count 500

MODEL is a folder of a BERT with the files of sentence-transformers; FILE is text, a record a line. Imports it, and
compares token ids, hidden states and sentence vectors with transformers and sentence-transformers; exports the import
and compares the tensors, and what both libraries make of the export; runs the ONNX graph. Needs the extras hub and
peers. Prints Markdown.
"""

from __future__ import annotations

import argparse
import tempfile
from itertools import islice, zip_longest
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from sentence_transformers import SentenceTransformer
from transformers import AutoModel, AutoTokenizer

from bertpipe.models.encoder import TextEncoder
from bertpipe.models.huggingface.importing import import_model
from bertpipe.models.imported import ImportedPooling, load_imported
from bertpipe.retrieval.encoder import Encoder
from bertpipe.stages.saved_model import SavedModel
from bertpipe.text.tokenizer import Tokenizer

BATCH = 16
LONGEST = 4000  # characters of a text


def read_texts(paths: list[Path], count: int) -> list[str]:
    """The first lines of all files, taking turns."""
    lines = []
    for path in paths:
        with path.open(encoding="utf-8") as file:
            kept = (line.strip()[:LONGEST] for line in file if line.strip())
            lines.append(list(islice(kept, count)))
    return [text for turn in zip_longest(*lines) for text in turn if text is not None][:count]


@torch.no_grad()
def compare(source: Path, work: Path, texts: list[str]) -> dict[str, str]:
    """All comparisons, in words."""
    ours, again, graph = work / "ours", work / "again", work / "graph"
    for folder in (ours, again, graph):
        folder.mkdir()
    import_model(source, ours)
    model, _ = load_imported(ours)
    encoder = TextEncoder(model.bert).eval()
    facts = ImportedPooling.load(ours)
    limit = facts.longest_text if facts else model.bert.config.max_length
    tokenizer = Tokenizer(ours)
    saved = SavedModel.open(ours)
    saved.to_transformers(again)
    saved.to_onnx(graph)

    theirs, their_bert = AutoTokenizer.from_pretrained(source), AutoModel.from_pretrained(source).eval()
    back, back_bert = AutoTokenizer.from_pretrained(again), AutoModel.from_pretrained(again).eval()
    their_ids = [theirs(text, truncation=True, max_length=limit)["input_ids"] for text in texts]
    back_ids = [back(text, truncation=True, max_length=limit)["input_ids"] for text in texts]
    our_ids = [[tokenizer.cls_id, *tokenizer.encode(text)[: limit - 2], tokenizer.sep_id] for text in texts]
    hidden = hidden_back = 0.0
    for start in range(0, len(texts), BATCH):
        rows = their_ids[start : start + BATCH]
        width = max(map(len, rows))
        input_ids = torch.tensor([row + [theirs.pad_token_id] * (width - len(row)) for row in rows])
        mask = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in rows])
        expected = their_bert(input_ids, attention_mask=mask).last_hidden_state
        for states, name in ((model.bert(input_ids, mask), "ours"), (back_bert(input_ids, mask)[0], "back")):
            difference = (states - expected)[mask.bool()].abs().max().item()
            if name == "ours":
                hidden = max(hidden, difference)
            else:
                hidden_back = max(hidden_back, difference)
    vectors = SentenceTransformer(str(source), device="cpu").encode(texts, batch_size=BATCH)
    vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors_back = SentenceTransformer(str(again), device="cpu").encode(texts, batch_size=BATCH)
    vectors_back = vectors_back / np.linalg.norm(vectors_back, axis=1, keepdims=True)
    ours_alone = torch.cat([encoder(torch.tensor([ids]), torch.ones(1, len(ids))) for ids in our_ids]).numpy()
    onnx = Encoder(graph).encode_passages([("", text) for text in texts])
    first, second = load_file(source / "model.safetensors"), load_file(again / "model.safetensors")
    identical = sum(name in first and torch.equal(first[name], tensor) for name, tensor in second.items())
    return {
        "texts": str(len(texts)),
        "token ids equal": f"{sum(a == b for a, b in zip(our_ids, their_ids, strict=True))} texts",
        "hidden states, largest difference": f"{hidden:.1e}",
        "sentence vectors, largest difference": f"{np.abs(ours_alone - vectors).max():.1e}",
        "sentence vectors of the ONNX graph": f"{np.abs(onnx - vectors).max():.1e}",
        "exported again: tensors identical": f"{identical} of {len(second)}",
        "exported again: token ids equal": f"{sum(a == b for a, b in zip(back_ids, their_ids, strict=True))} texts",
        "exported again: hidden states": f"{hidden_back:.1e}",
        "exported again: sentence vectors": f"{np.abs(vectors_back - vectors).max():.1e}",
    }


def main() -> None:
    """Reads the arguments, compares, prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("--texts", type=Path, nargs="+", required=True)
    parser.add_argument("--count", type=int, default=500)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as work:
        table = compare(arguments.model, Path(work), read_texts(arguments.texts, arguments.count))
    print("| what | result |\n|---|---|")
    for what, result in table.items():
        print(f"| {what} | {result} |")


if __name__ == "__main__":
    main()
