"""Are the ids of a text the same here and in transformers? Ours exported, and a published tokenizer imported.

    python benchmarks/tokenizer_ids.py LINES.txt ... --count 10000 [--published FOLDER]

Needs the extra ``peers``.
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from pathlib import Path

from transformers import AutoTokenizer

from bertpipe.text.hub_tokenizer import export_tokenizer, import_tokenizer
from bertpipe.text.tokenizer import MODEL_FILE, Tokenizer, train_tokenizer

VOCAB_SIZE = 8000
BATCH = 1000


def main() -> None:
    """Prints one line for each tokenizer."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="+", type=Path, help="UTF-8 text, a line being a text")
    parser.add_argument("--count", type=int, default=10_000, help="lines to compare; as many others train ours")
    parser.add_argument("--published", type=Path, help="folder of a published tokenizer")
    given = parser.parse_args()
    lines = [line for file in given.files for line in file.read_bytes().decode().split("\n")]
    random.Random(0).shuffle(lines)
    compared, rest = lines[: given.count], lines[given.count : 3 * given.count]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for case in ("fold", "keep", "exact"):
            train_tokenizer(rest, folder / MODEL_FILE, VOCAB_SIZE, case=case)
            export_tokenizer(folder / MODEL_FILE, folder / case, max_length=512)
            compare(f"ours, case = {case}", Tokenizer(folder / MODEL_FILE), folder / case, compared)
        if given.published:
            compare(given.published.name, import_tokenizer(given.published, folder), given.published, compared)


def compare(name: str, ours: Tokenizer, theirs: Path, lines: list[str]) -> None:
    """Encodes lines with both."""
    tokenizer = AutoTokenizer.from_pretrained(theirs)
    begin = time.perf_counter()
    expected = ours.encode_batch(lines)
    between = time.perf_counter()
    found = [
        ids
        for start in range(0, len(lines), BATCH)
        for ids in tokenizer(lines[start : start + BATCH], add_special_tokens=False)["input_ids"]
    ]
    end = time.perf_counter()
    different = sum(one != other for one, other in zip(expected, found, strict=True))
    tokens = sum(map(len, expected))
    print(
        f"{name}: {different} of {len(lines)} lines differ, {tokens} tokens; "
        f"here {between - begin:.1f} s, transformers {end - between:.1f} s"
    )


if __name__ == "__main__":
    main()
