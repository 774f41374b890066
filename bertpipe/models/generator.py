"""A trained Transformer with its tokenizer: texts in, texts out."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from bertpipe.errors import ArtefactError, InputError
from bertpipe.models.beam_search import beam_search
from bertpipe.models.checkpoint import load_transformer
from bertpipe.models.decoding import READ_TO_THE_END, Decoding
from bertpipe.models.like_length import like_length
from bertpipe.models.sampling import write
from bertpipe.text.sentences import split_sentences
from bertpipe.text.tokenizer import MODEL_FILE, Tokenizer, tokenizer_file

SETTINGS = "generator.json"
# Source tokens of all beams in a batch, padding included.
BATCH_TOKENS = 8192


@dataclass(frozen=True)
class GeneratorSettings:
    """What a generator's weights do not tell.

    Attributes:
        task: What it learned, a key of `bertpipe.models.decoding.USUAL`.
        max_source: Tokens of a source that it learned to read, with all that `TransformerConfig.framed` adds.
        max_target: Tokens of a target that it learned to write, the end piece included.
        by_sentence: A text is cut into sentences, and each into pieces, as the step ``tokenize`` does it. Published
            models have seen texts cut into pieces as they are.
    """

    task: str
    max_source: int
    max_target: int
    by_sentence: bool = True

    def save(self, folder: Path) -> None:
        """Writes ``generator.json``."""
        (folder / SETTINGS).write_text(json.dumps(asdict(self), indent=2) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> GeneratorSettings:
        """Reads what `save` wrote.

        Raises:
            ArtefactError: The file is missing or damaged.
        """
        try:
            return cls(**json.loads((folder / SETTINGS).read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError) as error:
            raise ArtefactError(f"{folder / SETTINGS} cannot be read", why=str(error)) from error


@dataclass(frozen=True)
class Written:
    """A target.

    Attributes:
        text: The target, on one line as all that it learned from.
        score: What it was ranked by: see `beam_search` and `write`.
        tokens: Pieces written.
    """

    text: str
    score: float
    tokens: int


class Generator:
    """Writes a target for every source.

    Args:
        folder: An artefact of the step ``finetune`` of a pipeline that learns to write.
        device: Where to compute; by default on a GPU, if there is one.

    Attributes:
        settings: Its limits.
        tokenizer: Its tokenizer.
        model: Its Transformer, in evaluation mode.

    Raises:
        ArtefactError: A file is missing or damaged.
    """

    def __init__(self, folder: Path, device: torch.device | str | None = None) -> None:
        self.settings = GeneratorSettings.load(folder)
        self.tokenizer = Tokenizer(folder)
        self.device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        self.model = load_transformer(folder).to(self.device).eval()
        file, pieces, rows = tokenizer_file(folder), self.tokenizer.vocab_size, self.model.config.vocab_size
        # Ours have a vector for each piece; published models may have more.
        if pieces > rows or (pieces < rows and file.name == MODEL_FILE):
            raise ArtefactError(f"{file} is of another model", why=f"it has {pieces:,} pieces, the model {rows:,}")

    def source_ids(self, text: str) -> list[int]:
        """The pieces of a source's text as training saw them: all of them, however many."""
        if not self.settings.by_sentence:
            return self.tokenizer.encode(text)
        pieces = self.tokenizer.encode_batch([text[start:end] for start, end in split_sentences(text)])
        return [piece for sentence in pieces for piece in sentence]

    def framed(self, text: str) -> list[int]:
        """A source as the model reads it, cut to what it can read."""
        ids = self.source_ids(text)
        if self.settings.task in READ_TO_THE_END:
            ids = ids[max(0, len(ids) - (self.settings.max_source - self.model.config.frame)) :]
        return self.model.config.framed(ids, self.settings.max_source)

    def sentences(self, text: str) -> list[str]:
        """The sentences of a source, each of which the generator can read.

        Translators learn from single sentences; of several at once they are apt to leave some out.

        Args:
            text: Of any length.

        Raises:
            InputError: A sentence is too long.
        """
        limit = self.settings.max_source - self.model.config.frame
        sentences = [text[start:end] for start, end in split_sentences(text)]
        for sentence in sentences:
            size = len(self.source_ids(sentence))
            if size > limit:
                raise InputError(
                    f"a sentence of {size} tokens is too long",
                    why=f"the model reads {limit}",
                    hint="Cut it in two, or train with a larger finetune.max_source.",
                )
        return sentences

    @staticmethod
    def join(parts: Sequence[str]) -> str:
        """The targets of a text's sentences as one text: with spaces between, but not after a Chinese stop."""
        joined = ""
        for part in filter(None, parts):
            joined += part if not joined or joined[-1] in "。！？；…”」』" else f" {part}"
        return joined

    def generate(self, sources: Sequence[str], decoding: Decoding) -> Iterator[list[Written]]:
        """Writes targets; the first ``max_source`` tokens of a source are read.

        Args:
            sources: N texts.
            decoding: How.

        Yields:
            For every source in turn its targets, best first.
        """
        ids = [self.framed(text) for text in sources]
        results: dict[int, list[Written]] = {}
        due = 0
        for batch in like_length([len(one) for one in ids], BATCH_TOKENS // decoding.beams):
            for number, written in zip(batch, self._batch([ids[number] for number in batch], decoding), strict=True):
                results[number] = written
            while due in results:
                yield results.pop(due)
                due += 1

    @torch.inference_mode()
    def perplexity(self, pairs: Sequence[tuple[str, str]]) -> float:
        """How surprised the model is by a piece of the targets, on average: exp of its mean negative log-likelihood.

        Args:
            pairs: Sources and targets, at least one; of targets that are too long, what the model can write counts.
        """
        config = self.model.config
        # What a decoder is made to write first surprises nobody.
        start_ids = [config.start_id] if config.first_id is None else [config.start_id, config.first_id]
        room = self.settings.max_target - len(start_ids)
        sources = [self.framed(text) for text, _ in pairs]
        titles = self.tokenizer.encode_batch([target for _, target in pairs])
        targets = [[*ids[:room], config.end_id] for ids in titles]
        total, pieces = 0.0, 0
        lengths = [len(source) + len(target) for source, target in zip(sources, targets, strict=True)]
        for batch in like_length(lengths, BATCH_TOKENS):
            src_ids, src_mask = self._padded([sources[number] for number in batch])
            labels, known = self._padded([targets[number] for number in batch])
            start = torch.tensor(start_ids, device=self.device).expand(len(batch), -1)
            logits = self.model(src_ids, torch.cat([start, labels[:, :-1]], dim=1), src_mask)  # (B, T, V)
            logits = logits[:, len(start_ids) - 1 :]
            # A sum of many floats wants doubles, but doubles of all logits would want much memory.
            total += float(functional.cross_entropy(logits[known], labels[known], reduction="none").double().sum())
            pieces += int(known.sum())
        return math.exp(total / pieces)

    def _padded(self, ids: list[list[int]]) -> tuple[Tensor, Tensor]:
        """Sequences as (B, T), and where they are not padding."""
        rows = torch.full((len(ids), max(map(len, ids))), self.model.config.pad_id)
        mask = torch.zeros(rows.shape, dtype=torch.bool)
        for row, one in enumerate(ids):
            rows[row, : len(one)] = torch.tensor(one)
            mask[row, : len(one)] = True
        return rows.to(self.device), mask.to(self.device)

    def _batch(self, ids: list[list[int]], decoding: Decoding) -> list[list[Written]]:
        src_ids, src_mask = self._padded(ids)
        max_length = decoding.max_length or self.settings.max_target
        if decoding.beams == 1 or decoding.temperature:
            single = write(
                self.model,
                src_ids,
                src_mask,
                max_length=max_length,
                temperature=decoding.temperature,
                top_k=decoding.top_k,
                top_p=decoding.top_p,
                no_repeat_ngram=decoding.no_repeat_ngram,
                seed=decoding.seed,
            )
            found = [[one] for one in single]
        else:
            found = beam_search(
                self.model,
                src_ids,
                src_mask,
                beams=decoding.beams,
                max_length=max_length,
                length_penalty=decoding.length_penalty,
                early_stopping=decoding.early_stopping,
                no_repeat_ngram=decoding.no_repeat_ngram,
                best=decoding.best,
            )
        return [[self._written(ids, score) for ids, score in one] for one in found]

    def _written(self, ids: list[int], score: float) -> Written:
        # Of the bytes that unknown characters are spelled with, some are line breaks.
        return Written(" ".join(self.tokenizer.decode(ids).split()), score, len(ids))
