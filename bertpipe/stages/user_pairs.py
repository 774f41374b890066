"""Read the user's pairs of queries and passages, and look for passages that are mistaken for the right ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bertpipe.errors import InputError
from bertpipe.pipeline.stage import StageRun

if TYPE_CHECKING:
    from bertpipe.models.encoder import TextEncoder
    from bertpipe.text.document import Document
    from bertpipe.text.tokenizer import Tokenizer
    from bertpipe.training.user_pairs import UserPairs

STORE, WORDS, NEGATIVES = "user_pairs", "user_pairs_words", "hard_negatives.npy"


def read_user_pairs(run: StageRun, tokenizer: Tokenizer, encoder: TextEncoder) -> UserPairs:
    """The pairs, with their hard negatives where the config wants some.

    Args:
        run: Its config is a `bertpipe.stages.finetune.FinetuneConfig` with ``pairs``.
        tokenizer: Of the encoder.
        encoder: As it is before it learns from the pairs.

    Raises:
        InputError: A pair is broken, or there are none.
    """
    import numpy as np

    from bertpipe.text.readers.folder import FolderReader
    from bertpipe.text.token_store import TokenStore, TokenStoreWriter
    from bertpipe.training.user_pairs import UserPairs

    config = run.config
    path = run.path(config.pairs)
    writer = TokenStoreWriter(run.resume / STORE, tokenizer.vocab_size)
    first: dict[tuple[str, str], int] = {}
    passages: list[int] = []
    texts: list[Document] = []
    run.progress.start("reading pairs", unit="pairs")
    for pair in FolderReader(path, text_field=config.passage_field, title_field=config.query_field):
        if not pair.title.strip():
            raise InputError(
                "a pair without a query",
                path=path,
                why=f"{pair.id} has no field {config.query_field!r}",
                hint="Name the field with finetune.query_field.",
            )
        title = _title(pair, config.passage_title_field)
        writer.add(tokenizer.encode_batch([pair.title, title, pair.text]))
        passages.append(first.setdefault((title, pair.text), len(passages)))
        texts.append(pair)
        run.progress.advance(1)
    run.progress.finish()
    writer.close()
    if not texts:
        raise InputError("there is no pair", path=path)
    pairs = UserPairs(TokenStore(run.resume / STORE), np.array(passages, dtype=np.int64))
    if not config.hard_negatives or len(first) < 2:
        return pairs
    known = run.resume / NEGATIVES
    if not known.is_file():
        partial = known.with_suffix(".new")
        with partial.open("wb") as file:
            np.save(file, _mined(run, pairs, texts, tokenizer, encoder), allow_pickle=False)
        partial.replace(known)
    return UserPairs(pairs.store, pairs.passages, np.load(known, allow_pickle=False))


def _title(pair: Document, field: str) -> str:
    return str(pair.metadata.get(field) or "") if field else ""


def _mined(run: StageRun, pairs: UserPairs, texts: list[Document], tokenizer: Tokenizer, encoder: TextEncoder) -> Any:
    """`UserPairs.negatives`, found with BM25 and with the encoder."""
    import shutil

    import numpy as np

    from bertpipe.retrieval.lexical import LexicalIndex
    from bertpipe.training.budget import training_device
    from bertpipe.training.hard_negatives import DEPTH, encode_texts, hard_negatives

    config = run.config
    places, own = np.unique(pairs.passages, return_inverse=True)
    special = tokenizer.special
    folder = run.resume / WORDS
    shutil.rmtree(folder, ignore_errors=True)
    rows = (
        (number, _title(texts[place], config.passage_title_field), texts[place].text)
        for number, place in enumerate(places.tolist())
    )
    lexical = LexicalIndex.build(folder, rows)
    run.progress.start("looking for hard negatives", total=len(places) + 2 * len(pairs), unit="texts")

    def encoded(sequences: list[list[int]]) -> np.ndarray:
        return encode_texts(
            encoder,
            sequences,
            pad_id=special.pad,
            device=training_device(config.accelerator),
            bf16=config.precision == "bf16-mixed",
            advance=run.progress.advance,
        )

    def by_words(pair: int) -> np.ndarray:
        run.progress.advance(1)
        return lexical.search(texts[pair].title, DEPTH)[0]

    queries = encoded([pairs.query(pair, config.query_tokens, special) for pair in range(len(pairs))])
    passages = encoded([pairs.passage(place, config.passage_tokens, special) for place in places.tolist()])
    found = hard_negatives(queries, passages, own, by_words)
    run.progress.finish()
    shutil.rmtree(folder, ignore_errors=True)
    return np.where(found >= 0, places[found], -1)
