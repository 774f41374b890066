"""A trained model of a task with its tokenizer: texts in, predictions out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from scipy.special import expit, softmax

from bertpipe.errors import ArtefactError, ConfigError, InputError
from bertpipe.models.answer_reader import AnswerReader
from bertpipe.models.answerer import answerer
from bertpipe.models.checkpoint import load_classifier, load_encoder, load_reader, load_tagger
from bertpipe.models.encoder import TextEncoder
from bertpipe.models.like_length import like_length
from bertpipe.models.predictions import Answered, Classified, Compared, Entity, LabelProbability, Prediction, Tagged
from bertpipe.models.task_settings import CLASSIFICATION, QUESTION_ANSWERING, TAGGING, TaskSettings
from bertpipe.models.text_classifier import TextClassifier
from bertpipe.models.token_tagger import TokenTagger
from bertpipe.tasks.tagging_scheme import TaggingScheme, spans_of
from bertpipe.text.sequences import labelled_sequence, padded, query_sequence
from bertpipe.text.tagger_sequences import tagger_sequences, unit_scores
from bertpipe.text.tokenizer import Tokenizer, tokenizer_file
from bertpipe.text.words import Unit, find_words, units_of

# Tokens in a batch, padding included, and texts that are read before the first of them is answered.
BATCH_TOKENS, WINDOW = 8192, 256
# Answers to a question, at most.
ANSWERS = 3


class Predictor:
    """Says about texts what its model has learned to say.

    Args:
        folder: An artefact of the step ``finetune`` of a pipeline for classification, tagging, similarity or question
            answering.
        device: Where to compute; by default on a GPU, if there is one.

    Attributes:
        settings: Its task, its labels and its limits.
        tokenizer: Its tokenizer.
        model: In evaluation mode.

    Raises:
        ArtefactError: A file is missing or damaged, or of another model.
    """

    def __init__(self, folder: Path | str, device: torch.device | str | None = None) -> None:
        folder = Path(folder)
        self.settings = TaskSettings.load(folder)
        self.model: TextClassifier | TokenTagger | TextEncoder | AnswerReader
        if self.settings.task == CLASSIFICATION:
            self.model = load_classifier(folder, len(self.settings.labels))
        elif self.settings.task == TAGGING:
            self.model = load_tagger(folder, len(self.settings.labels))
        elif self.settings.task == QUESTION_ANSWERING:
            self.model = load_reader(folder)
        else:
            self.model = load_encoder(folder)
        self.tokenizer = Tokenizer(folder)
        config = self.model.bert.config
        if self.tokenizer.vocab_size > config.vocab_size or self.settings.max_tokens > config.max_length:
            raise ArtefactError(
                f"{folder} is of parts that do not fit",
                why=f"{tokenizer_file(folder).name} has {self.tokenizer.vocab_size:,} pieces, the model "
                f"{config.vocab_size:,}; it reads {config.max_length} tokens, of {self.settings.max_tokens}",
            )
        self.device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        self.model.to(self.device).eval()

    @property
    def paired(self) -> bool:
        """It reads two texts: those that are compared, or a question and the text that may answer it."""
        return self.settings.paired or self.settings.task == QUESTION_ANSWERING

    @property
    def tagging_scheme(self) -> TaggingScheme:
        """The tags of a tagger, and which of them may follow each other."""
        return TaggingScheme("bioes" if self.settings.scheme == "bioes" else "iob2", self.settings.labels)

    def predict(self, texts: Sequence[str], pairs: Sequence[str] | None = None) -> Iterator[Prediction]:
        """Predictions for texts, in their order.

        Args:
            texts: N texts, or questions.
            pairs: The second text of each, for a model that reads pairs, and only for one.

        Yields:
            A `Classified`, `Tagged`, `Compared` or `Answered` for every text; all those of one model are of one class.

        Raises:
            InputError: A text is empty.
            ConfigError: The model reads pairs and there are none, or the other way round.
        """
        if self.paired != (pairs is not None):
            wanted = "pairs of texts" if self.paired else "single texts"
            raise ConfigError(f"the model is for {wanted}", hint="Give each text its second one, or none.")
        if pairs is not None and len(pairs) != len(texts):
            raise ValueError(f"{len(texts)} texts, but {len(pairs)} second texts")
        if not all(text.strip() for text in [*texts, *(pairs or ())]):
            raise InputError("a text is empty", hint="Leave it out.")
        for start in range(0, len(texts), WINDOW):
            some = texts[start : start + WINDOW]
            others = pairs[start : start + WINDOW] if pairs is not None else None
            if self.settings.task == TAGGING:
                yield from self._tag(some)
            elif self.settings.task == CLASSIFICATION:
                yield from self._classify(some, others)
            else:
                assert others is not None
                read = self._read if self.settings.task == QUESTION_ANSWERING else self._compare
                yield from read(some, others)

    def unit_log_probabilities(self, sentences: Sequence[Sequence[Unit]]) -> list[np.ndarray]:
        """Calibrated log-probabilities of the tags of every unit.

        Args:
            sentences: Units of each, at least one.

        Returns:
            (U, L) for every sentence.
        """
        settings = self.settings
        windows = [
            tagger_sequences(units, settings.max_tokens, settings.stride, self.tokenizer.special) for units in sentences
        ]
        flat = [window.input_ids for one in windows for window in one]
        outputs = self._outputs(flat, [[0] * len(ids) for ids in flat])
        found = []
        for one in windows:
            mine, outputs = outputs[: len(one)], outputs[len(one) :]
            found.append(np.log(softmax(unit_scores(one, mine) / settings.temperature, axis=1) + 1e-30))
        return found

    def _classify(self, texts: Sequence[str], pairs: Sequence[str] | None) -> Iterator[Classified]:
        settings = self.settings
        firsts = self.tokenizer.encode_batch(texts)
        seconds = self.tokenizer.encode_batch(pairs) if pairs is not None else [[] for _ in texts]
        sequences = [
            labelled_sequence(first, second, settings.max_tokens, self.tokenizer.special)
            for first, second in zip(firsts, seconds, strict=True)
        ]
        outputs = self._outputs([ids for ids, _ in sequences], [types for _, types in sequences])
        for number, logits in enumerate(outputs):
            scaled = logits.astype(np.float64) / settings.temperature
            probabilities = expit(scaled) if settings.multi_label else softmax(scaled)
            order = np.argsort(-probabilities, kind="stable")
            ranked = tuple(LabelProbability(settings.labels[label], float(probabilities[label])) for label in order)
            above = tuple(one.label for one in ranked if one.probability > settings.threshold)
            whole = len(firsts[number]) + len(seconds[number]) + (3 if seconds[number] else 2)
            yield Classified(
                texts[number],
                None if pairs is None else pairs[number],
                above if settings.multi_label else (ranked[0].label,),
                ranked,
                cut=whole > len(sequences[number][0]),
            )

    def _tag(self, texts: Sequence[str]) -> Iterator[Tagged]:
        scheme = self.tagging_scheme
        words = [find_words(text) for text in texts]
        sentences = [
            units_of([text[start:end] for start, end in spans], self.tokenizer)
            for text, spans in zip(texts, words, strict=True)
        ]
        scores = self.unit_log_probabilities(sentences)
        for text, spans, units, log_probabilities in zip(texts, words, sentences, scores, strict=True):
            places = _places(spans)
            tags = scheme.decode(log_probabilities)
            entities = []
            for first, stop, kind in spans_of([scheme.labels[tag] for tag in tags]):
                start, end = places[units[first].start], places[units[stop - 1].end - 1] + 1
                sure = log_probabilities[np.arange(first, stop), tags[first:stop]].min()
                entities.append(Entity(kind, text[start:end], start, end, float(np.exp(sure))))
            yield Tagged(text, tuple(entities))

    def _compare(self, texts: Sequence[str], pairs: Sequence[str]) -> Iterator[Compared]:
        settings = self.settings
        ids = self.tokenizer.encode_batch([*texts, *pairs])
        sequences = [query_sequence(one, settings.max_tokens, self.tokenizer.special) for one in ids]
        vectors = np.stack(self._outputs(sequences, None)).astype(np.float64)
        for number, (text, pair) in enumerate(zip(texts, pairs, strict=True)):
            both = (number, number + len(texts))
            cosine = float(vectors[both[0]] @ vectors[both[1]])
            score = float(np.clip(settings.slope * cosine + settings.intercept, settings.lowest, settings.highest))
            cut = any(len(ids[one]) + 2 > settings.max_tokens for one in both)
            yield Compared(text, pair, score, cosine, cut)

    def _read(self, questions: Sequence[str], texts: Sequence[str]) -> Iterator[Answered]:
        assert isinstance(self.model, AnswerReader)
        reader = answerer(self.model, self.tokenizer, self.settings, self.device)
        readings = reader.read_pairs(list(zip(questions, texts, strict=True)), k=ANSWERS)
        for question, text, reading in zip(questions, texts, readings, strict=True):
            good = tuple(one for one in reading.answers if reader.good_enough(one))
            yield Answered(question, text, good, reading.cut)

    @torch.inference_mode()
    def _outputs(self, sequences: Sequence[list[int]], types: Sequence[list[int]] | None) -> list[np.ndarray]:
        """What the model says about every sequence, without padding."""
        found: dict[int, np.ndarray] = {}
        for batch in like_length([len(ids) for ids in sequences], BATCH_TOKENS):
            arrays = [*padded([sequences[number] for number in batch], self.tokenizer.pad_id)]
            if types is not None:
                arrays.append(padded([types[number] for number in batch], 0)[0])
            tensors = [torch.from_numpy(array).to(self.device) for array in arrays]
            rows = self.model(*tensors).float().cpu().numpy()
            for number, row in zip(batch, rows, strict=True):
                found[number] = row[: len(sequences[number])] if row.ndim == 2 else row
        return [found[number] for number in range(len(sequences))]


def _places(spans: Sequence[tuple[int, int]]) -> list[int]:
    """Where each character of the words, put one behind the other, stands in the text."""
    return [place for start, end in spans for place in range(start, end)]
