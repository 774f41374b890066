"""Train the tokenizer on the snapshot, or take an imported one, and write the snapshot as piece ids."""

from __future__ import annotations

import shutil
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, Field, model_validator

from bertpipe.errors import InputError
from bertpipe.pipeline.stage import Input, Stage, StageRun
from bertpipe.stages.corpus import DOCUMENTS
from bertpipe.stages.imported_model import refuse_keys, tokenizer_source
from bertpipe.text.document import Document, read_documents
from bertpipe.text.sentences import split_sentences
from bertpipe.text.token_store import TokenStoreWriter
from bertpipe.text.tokenizer import MODEL_FILE, Tokenizer, tokenizer_file, train_tokenizer

TRAIN, HELD_OUT = "train", "held_out"


class TokenizeConfig(BaseModel, extra="forbid"):
    """The tokenizer."""

    vocab_size: int = Field(8000, ge=300, description="Pieces in the vocabulary; 16000 suits Chinese better.")
    case: Literal["fold", "keep", "exact"] = Field(
        "fold",
        description="fold: upper and lower case are the same pieces; keep: they differ; "
        "exact: wide and narrow characters (，and ,) differ as well, which suits what is to be written.",
    )
    chinese: Literal["keep", "simplified"] = Field(
        "keep",
        description="simplified: Traditional characters are the same pieces as the Simplified ones "
        "(needs bertpipe[chinese]); keep: they differ.",
    )
    coverage: float = Field(
        0.9995,
        gt=0.9,
        le=1.0,
        description="Share of characters with pieces of their own; the rest is spelled in bytes.",
    )
    sample_mb: float = Field(8.0, gt=0, description="Text to train on, in MB: an even sample of a larger corpus.")
    imported: str = Field("", description="Folder of an imported model: its tokenizer is taken, and none is trained.")

    @model_validator(mode="after")
    def _one_tokenizer(self) -> TokenizeConfig:
        if self.imported:
            own = ("vocab_size", "case", "chinese", "coverage", "sample_mb")
            refuse_keys(self.model_fields_set, own, "imported tokenizer")
        if self.case == "exact" and self.chinese == "simplified":
            raise ValueError('case = "exact" keeps every character, and chinese = "simplified" does not')
        return self


def tokenize(run: StageRun) -> dict[str, Any]:
    """Writes the tokenizer, and token stores of the training and the held-out documents."""
    documents = run.inputs["snapshot"] / DOCUMENTS
    if not run.config.imported and all(document.held_out for document in read_documents(documents)):
        count = sum(1 for _ in read_documents(documents))
        raise InputError(
            f"{count} document{'s are' if count > 1 else ' is'} too little to learn from",
            why="all of it is held out to ask about later",
            hint="Add documents; a few hundred are a sensible minimum.",
        )
    tokenizer = _imported(run) if run.config.imported else _trained(run)
    stores = {
        held_out: TokenStoreWriter(run.out / name, tokenizer.vocab_size)
        for name, held_out in ((TRAIN, False), (HELD_OUT, True))
    }
    counts = {False: 0, True: 0}
    tokens = spelled = unknown = 0
    run.progress.start("encoding documents", unit="documents")
    for document in read_documents(documents):
        held_out = document.held_out
        sentences = tokenizer.encode_batch(_lines(document))
        stores[held_out].add(sentences)
        counts[held_out] += 1
        tokens += sum(map(len, sentences))
        spelled += sum(tokenizer.is_byte(piece) for sentence in sentences for piece in sentence)
        unknown += sum(sentence.count(tokenizer.unk_id) for sentence in sentences)
        run.progress.advance(1)
    run.progress.finish()
    for store in stores.values():
        store.close()
    return {
        "tokens": tokens,
        "vocab_size": tokenizer.vocab_size,
        "train_documents": counts[False],
        "held_out_documents": counts[True],
        "byte_fallback_rate": round(spelled / max(1, tokens), 6),
        "unknown_rate": round(unknown / max(1, tokens), 6),
    }


def _trained(run: StageRun) -> Tokenizer:
    run.progress.start("training the tokenizer")
    train_tokenizer(
        _sample(run.inputs["snapshot"] / DOCUMENTS, run.config.sample_mb * 1e6),
        run.out / MODEL_FILE,
        run.config.vocab_size,
        case=run.config.case,
        chinese=run.config.chinese,
        coverage=run.config.coverage,
    )
    run.progress.finish()
    return Tokenizer(run.out / MODEL_FILE)


def _imported(run: StageRun) -> Tokenizer:
    source = tokenizer_file(run.path(run.config.imported))
    shutil.copyfile(source, run.out / source.name)
    return Tokenizer(run.out / source.name)


def _lines(document: Document) -> list[str]:
    """The title, then the sentences."""
    return [document.title, *(document.text[start:end] for start, end in split_sentences(document.text))]


def _sample(documents: Path, size: float) -> Iterator[str]:
    """An even sample of the training documents' sentences, the same for the same corpus."""
    learned = (document for document in read_documents(documents) if not document.held_out)
    text = sum(len(f"{one.title}{one.text}".encode(errors="surrogatepass")) for one in learned)
    share = size / max(1, text)
    for document in read_documents(documents):
        if document.held_out:
            continue
        for number, line in enumerate(_lines(document)):
            mark = f"{document.id}\n{number}".encode(errors="surrogatepass")
            if share >= 1 or zlib.crc32(mark) < share * 2**32:
                yield line


def _source(config: TokenizeConfig, base: Path) -> str:
    return tokenizer_source(config.imported, base)


TOKENIZE = Stage(
    name="tokenize",
    version=3,
    config=TokenizeConfig,
    inputs=(Input("snapshot"),),
    run=tokenize,
    summary="Train the tokenizer and encode the documents.",
    example="bertpipe tokenize --vocab-size 16000",
    source=_source,
)
