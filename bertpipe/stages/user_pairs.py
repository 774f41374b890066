"""Read the user's pairs of queries and passages, and look for passages that are mistaken for the right ones."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from bertpipe.errors import InputError
from bertpipe.pipeline.stage import StageRun, resolve_path
from bertpipe.text.readers.problem import every_record

if TYPE_CHECKING:
    from bertpipe.models.encoder import TextEncoder
    from bertpipe.text.query_passage import QueryPassage
    from bertpipe.text.tokenizer import Tokenizer
    from bertpipe.training.user_pairs import UserPairs

STORE, WORDS, NEGATIVES = "user_pairs", "user_pairs_words", "hard_negatives.npy"


class PairsConfig(Protocol):
    """The keys of a step that reads pairs."""

    pairs: str
    query_field: str
    passage_field: str
    passage_title_field: str
    negatives_below: float


def pairs_source(config: PairsConfig, base: Path) -> str:
    """Digest of the user's pairs; empty without any."""
    from bertpipe.text.readers.source_files import source_digest

    return source_digest(resolve_path(config.pairs, base)) if config.pairs else ""


def read_pairs(run: StageRun) -> list[QueryPassage]:
    """The pairs of the file that the config names.

    Args:
        run: Its config is a `PairsConfig`.

    Raises:
        InputError: A pair is broken, or there are none.
    """
    from bertpipe.text.query_passage import QueryPassage
    from bertpipe.text.readers.fields import which_field
    from bertpipe.text.readers.folder import FolderReader
    from bertpipe.text.readers.source_files import RECORDS

    config: PairsConfig = run.config
    path = run.path(config.pairs)
    if path.is_file() and path.suffix.lower() not in RECORDS:
        hint = f"Endings that can hold them: {' '.join(RECORDS)} (JSON with one object on each line)."
        raise InputError("pairs are records", path=path, hint=hint)
    pairs = []
    field, others = config.passage_title_field, dict[str, None]()
    run.progress.start("reading pairs", unit="pairs")
    # A file may have an id for each query; what is not used need not be right.
    reader = FolderReader(path, text_field=config.passage_field, title_field=config.query_field, id_field="")
    for pair in every_record(reader):
        if not pair.title.strip():
            raise InputError(
                "a pair without a query",
                path=path,
                why=f"{pair.id} has no field {config.query_field!r}",
                hint="Name the field with finetune.query_field.",
            )
        title = str(pair.metadata.get(field) or "") if field else ""
        others.update(dict.fromkeys(pair.metadata))
        pairs.append(QueryPassage(pair.title, title, pair.text))
        run.progress.advance(1)
    run.progress.finish()
    if not pairs:
        raise InputError("there is no pair", path=path)
    if field and field not in others:
        hint = f"{which_field('passage_title_field', field, list(others))}."
        raise InputError(f"no pair has the field {field!r}", path=path, hint=hint)
    return pairs


def with_hard_negatives(
    run: StageRun,
    pairs: Sequence[QueryPassage],
    tokenizer: Tokenizer,
    encoder: TextEncoder,
    *,
    query_tokens: int,
    passage_tokens: int,
    mine: bool = True,
) -> UserPairs:
    """Encodes pairs, and finds passages that look right for their queries, in words or to the encoder.

    Args:
        run: What was found is kept in its folder for resuming.
        pairs: At least one.
        tokenizer: Of the encoder.
        encoder: As it is now.
        query_tokens: Longest query that the encoder reads.
        passage_tokens: Longest passage.
        mine: Look for hard negatives.
    """
    import numpy as np

    from bertpipe.text.token_store import TokenStore, TokenStoreWriter
    from bertpipe.training.user_pairs import UserPairs

    writer = TokenStoreWriter(run.resume / STORE, tokenizer.vocab_size)
    first: dict[tuple[str, str], int] = {}
    for number, pair in enumerate(pairs):
        writer.add(tokenizer.encode_batch([pair.query, pair.title, pair.text]))
        first.setdefault((pair.title, pair.text), number)
    writer.close()
    passages = np.array([first[pair.title, pair.text] for pair in pairs], dtype=np.int64)
    known = UserPairs(TokenStore(run.resume / STORE), passages)
    if not mine or len(first) < 2:
        return known
    file = run.resume / NEGATIVES
    if not file.is_file():
        partial = file.with_suffix(".new")
        with partial.open("wb") as out:
            found = _mined(run, known, pairs, tokenizer, encoder, query_tokens, passage_tokens)
            np.save(out, found, allow_pickle=False)
        partial.replace(file)
    negatives = np.load(file, allow_pickle=False)
    run.progress.note(f"{(negatives >= 0).sum(1).mean():.1f} hard negatives for each of {len(pairs):,} pairs")
    return UserPairs(known.store, passages, negatives)


def _mined(
    run: StageRun,
    known: UserPairs,
    pairs: Sequence[QueryPassage],
    tokenizer: Tokenizer,
    encoder: TextEncoder,
    query_tokens: int,
    passage_tokens: int,
) -> Any:
    """`UserPairs.negatives`, found with BM25 and with the encoder."""
    import shutil

    import numpy as np

    from bertpipe.retrieval.lexical import LexicalIndex
    from bertpipe.training.budget import training_device
    from bertpipe.training.hard_negatives import DEPTH, encode_texts, hard_negatives

    config = run.config
    places, own = np.unique(known.passages, return_inverse=True)
    asked: dict[str, int] = {}
    same_query = np.array([asked.setdefault(pair.query, len(asked)) for pair in pairs], dtype=np.int64)
    special = tokenizer.special
    folder = run.resume / WORDS
    shutil.rmtree(folder, ignore_errors=True)
    rows = ((number, pairs[place].title, pairs[place].text) for number, place in enumerate(places.tolist()))
    lexical = LexicalIndex.build(folder, rows)
    run.progress.start("looking for hard negatives", total=len(places) + 2 * len(known), unit="texts")

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
        return lexical.search(pairs[pair].query, DEPTH)[0]

    queries = encoded([known.query(pair, query_tokens, special) for pair in range(len(known))])
    passages = encoded([known.passage(place, passage_tokens, special) for place in places.tolist()])
    found = hard_negatives(queries, passages, own, same_query, by_words, config.negatives_below)
    run.progress.finish()
    shutil.rmtree(folder, ignore_errors=True)
    return np.where(found >= 0, places[found], -1)
