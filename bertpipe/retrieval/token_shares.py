"""What each token of a passage adds to the cosine with a query.

An encoder that pools by a sum makes a passage's vector of x_1 + ... + x_T, scaled to length 1; so the cosine with a
query q is the sum of q . x_t / |x_1 + ... + x_T| over its tokens: nothing is estimated. The sum stands in the
middle of the encoder's graph: it is found there and handed out, in a copy of the graph that only explanations run. A
token's vector knows the tokens around it, so its share is what stands at its place, not what the word alone would add.
Where a passage's parts have vectors of their own, a score is half the whole's and half the nearest part's, and so are
shares.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnxruntime

from bertpipe.errors import ArtefactError
from bertpipe.retrieval.encoder import GRAPH, Encoder
from bertpipe.retrieval.graph import open_graph_of
from bertpipe.text.even_parts import even_parts
from bertpipe.text.sequences import MAX_TITLE_TOKENS, padded, passage_sequence
from bertpipe.text.word_bounds import WordBounds

Place = Literal["title", "text", "mark"]
# Their order in a passage, with the marks in between.
_PLACES = ("mark", "title", "mark", "text", "mark")


@dataclass(frozen=True, slots=True)
class TokenShare:
    """A token, or a word of several.

    Attributes:
        text: What stands there; a special piece's name for a mark.
        place: Where: in the title, in the text, or a mark between them.
        start: First character of it in the title or text; 0 for a mark.
        end: Character after the last; 0 for a mark.
        score: What it adds to the cosine.
    """

    text: str
    place: Place
    start: int
    end: int
    score: float

    def as_json(self) -> dict[str, Any]:
        """The share as the command line prints it."""
        where = {} if self.place == "mark" else {"start": self.start, "end": self.end}
        return {"text": self.text, "place": self.place, **where, "score": round(self.score, 6)}


class TokenShares:
    """Takes cosines apart.

    Args:
        folder: The encoder's.
        encoder: The encoder itself.
        threads: Threads to compute with; 0 is all cores.

    Attributes:
        encoder: As given.
        additive: Whether the encoder pools by a sum; only then is there anything to take apart.

    Raises:
        ArtefactError: The graph is missing or damaged.
    """

    def __init__(self, folder: Path, encoder: Encoder, threads: int = 0) -> None:
        self.encoder = encoder
        self._session = _graph_with_summands(folder / GRAPH, threads)
        self.additive = self._session is not None
        self._bounds: WordBounds | None = None

    def shares(
        self, query: np.ndarray, title: str, text: str, parts: int = 1
    ) -> tuple[list[TokenShare], list[TokenShare]]:
        """The tokens of a passage and its words, each with its share.

        Args:
            query: float32 (D,), the query's vector.
            title: The passage's title.
            text: Its text.
            parts: Parts of the passage that have vectors of their own.

        Returns:
            Tokens in their order, and words in theirs; the shares of either add up to the score.

        Raises:
            ValueError: The encoder does not pool by a sum.
        """
        tokens, words = self._shares(query, title, text)
        if parts == 1:
            return tokens, words
        read = [(start, self._shares(query, title, text[start:end])) for start, end in even_parts(text, parts)]
        start, (part_tokens, part_words) = max(read, key=lambda one: sum(token.score for token in one[1][0]))
        return _mean(tokens, part_tokens, start), _mean(words, part_words, start)

    def _shares(self, query: np.ndarray, title: str, text: str) -> tuple[list[TokenShare], list[TokenShare]]:
        """Of a text that has one vector."""
        if self._session is None:
            raise ValueError("this encoder does not pool by a sum")
        tokenizer = self.encoder.tokenizer
        limit, special = self.encoder.settings.passage_tokens, tokenizer.special
        title_ids, title_spans = tokenizer.encode_with_offsets(title)
        text_ids, text_spans = tokenizer.encode_with_offsets(text)
        sequence = passage_sequence(title_ids, text_ids, limit, special)
        in_title = min(len(title_ids), MAX_TITLE_TOKENS, limit // 2)
        begin = in_title + 2 if in_title else 1  # of the text, behind its marks
        input_ids, attention_mask = padded([sequence], tokenizer.pad_id)
        (summands,) = self._session.run(None, {"input_ids": input_ids, "attention_mask": attention_mask})
        vectors = summands[0].astype(np.float64)  # (T, D)
        length = np.linalg.norm(vectors.sum(axis=0))
        scores = vectors @ query.astype(np.float64) / max(float(length), 1e-12)  # (T,)
        tokens = []
        for number, score in enumerate(scores.tolist()):
            if begin <= number < len(sequence) - 1:
                start, end = text_spans[number - begin]
                tokens.append(TokenShare(text[start:end], "text", start, end, score))
            elif in_title and 1 <= number <= in_title:
                start, end = title_spans[number - 1]
                tokens.append(TokenShare(title[start:end], "title", start, end, score))
            else:
                tokens.append(TokenShare(tokenizer.piece(sequence[number]), "mark", 0, 0, score))
        return tokens, self._words(tokens, input_ids, title, text)

    def _words(self, tokens: list[TokenShare], input_ids: np.ndarray, title: str, text: str) -> list[TokenShare]:
        """Tokens of one word put together, as the vocabulary says where words begin."""
        if self._bounds is None:
            tokenizer = self.encoder.tokenizer
            self._bounds = WordBounds.of([tokenizer.piece(index) for index in range(tokenizer.vocab_size)])
        starts = self._bounds.starts(input_ids)[0]
        words: list[TokenShare] = []
        for token, starts_word in zip(tokens, starts.tolist(), strict=True):
            last = words[-1] if words else None
            if last is None or starts_word or token.place == "mark" or token.place != last.place:
                words.append(token)
                continue
            whole = title if token.place == "title" else text
            start, end = min(last.start, token.start), max(last.end, token.end)
            words[-1] = TokenShare(whole[start:end], token.place, start, end, last.score + token.score)
        return words


def _mean(whole: list[TokenShare], part: list[TokenShare], start: int) -> list[TokenShare]:
    """Half of a passage's shares and half of those of a part that begins at ``start`` of its text, in their order."""
    found: dict[tuple[int, int, int], TokenShare] = {}
    for shares, shift in ((whole, 0), (part, start)):
        for number, one in enumerate(shares):
            if one.place == "text":
                one = replace(one, start=one.start + shift, end=one.end + shift)
            # Marks stand before the title, between title and text, and behind the text.
            mark = 4 if number == len(shares) - 1 else 2 if number else 0
            place = (mark if one.place == "mark" else _PLACES.index(one.place), one.start, one.end)
            known = found.get(place)
            found[place] = replace(one, score=one.score / 2 + (known.score if known else 0.0))
    return [found[place] for place in sorted(found)]


def _graph_with_summands(path: Path, threads: int) -> onnxruntime.InferenceSession | None:
    """The graph with what the pooling adds up as its output, float32 (B, T, D); None where it adds nothing up."""
    import onnx  # a second to import: only explanations wait for it

    try:
        model = onnx.load(path)
    except Exception as error:  # protobuf's errors have no base class of onnx's
        raise ArtefactError(f"{path} is missing or damaged", why=str(error)) from error
    made_by = {output: node for node in model.graph.node for output in node.output}
    # vectors = sum / |sum|, and sum = ReduceSum over the tokens.
    scaled = made_by.get(model.graph.output[0].name)
    total = made_by.get(scaled.input[0]) if scaled is not None and scaled.op_type == "Div" else None
    if total is None or total.op_type != "ReduceSum":
        return None
    del model.graph.output[:]
    model.graph.output.append(onnx.helper.make_tensor_value_info(total.input[0], onnx.TensorProto.FLOAT, None))
    return open_graph_of(model.SerializeToString(), path, threads)
