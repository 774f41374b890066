"""Questions with a name, a number or a word exchanged, so that the text about which they were asked has no answer."""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from bertpipe.tasks.word_tokens import TOKEN
from bertpipe.text.readers.squad import Question
from bertpipe.text.words import is_unspaced
from bertpipe.training.visits import generator

# What may stand between the words of a stretch.
_GAP = re.compile(r"[\s'’.·-]*")
# Words of the longest stretch that is exchanged; it begins and ends with words that one text of twenty has at most.
LONGEST, RARE = 6, math.log(20)
# The kind of a stretch without spaces. A single character is no word.
UNSPACED = "characters"
# Stretches of an article that are tried in the place of one.
TRIES = 30
# How often a stretch that stands in the text as well is preferred: those are told apart by what the text says alone.
PRESENT = 0.5


@dataclass(frozen=True)
class _Stretch:
    """Words of a question that stand one after the other in its text as well.

    Attributes:
        start: First character in the question.
        end: Character after the last.
        text: As the question has it.
        words: The words without case, with spaces between and around them.
        shape: What it has in common with those that can stand in its place.
    """

    start: int
    end: int
    text: str
    words: str
    shape: str


def changed_questions(questions: Sequence[Question], share: float, seed: int) -> Iterator[Question]:
    """Makes unanswerable questions of answered ones, as people do who write such questions (Rajpurkar et al. 2018, 4).

    Of the stretches of a question that stand in its text the rarest is exchanged for that of another question of the
    article that looks alike: as many words, and a number for a number, a name for a name. Some of what comes out can be
    answered after all.

    Args:
        questions: Those without answers are left alone.
        share: How many of the answered ones are changed.
        seed: Decides which, and to what.

    Yields:
        Questions marked as impossible; none for one that shares nothing rare with its text, or that has no match.
    """
    texts = {one.context: _spaced(one.context) for one in questions}
    held = Counter(word for text in texts.values() for word in set(text.split()))
    weights = {word: math.log(len(texts) / count) for word, count in held.items()}
    stretches = [_rarest(one.question, texts[one.context], weights) for one in questions]
    of_article: dict[tuple[str, str], list[_Stretch]] = defaultdict(list)
    for question, stretch in zip(questions, stretches, strict=True):
        if stretch is not None:
            of_article[question.title, stretch.shape].append(stretch)
    for row, (question, stretch) in enumerate(zip(questions, stretches, strict=True)):
        random = generator(seed, "changed", row)
        if stretch is None or question.impossible or random.random() >= share:
            continue
        others = of_article[question.title, stretch.shape]
        tried = [others[place] for place in random.integers(len(others), size=TRIES).tolist()]
        asked, text = _spaced(question.question), texts[question.context]
        answers = [_spaced(answer.text) for answer in question.answers]
        fitting = [
            one
            for one in tried
            if one.words not in asked
            and stretch.words not in one.words
            and not any(one.words in answer or answer in one.words for answer in answers)
        ]
        present = random.random() < PRESENT
        found = next((one for one in fitting if (one.words in text) == present), None) or next(iter(fitting), None)
        if found is not None:
            wording = question.question[: stretch.start] + found.text + question.question[stretch.end :]
            name = f"{question.id}, changed"
            yield replace(question, id=name, question=wording, answers=(), impossible=True)


def _spaced(text: str) -> str:
    """The words of a text without case, with spaces between and around them."""
    return f" {' '.join(TOKEN.findall(text.casefold()))} "


def _rarest(question: str, text: str, weights: Mapping[str, float]) -> _Stretch | None:
    """The stretch of a question that is shared with a text and weighs most; None if there is no rare word in any."""
    words = list(TOKEN.finditer(question))
    folded = [word.group().casefold() for word in words]
    best, most = None, 0.0
    for first in range(len(words)):
        for last in range(first, min(first + LONGEST, len(words))):
            run = f" {' '.join(folded[first : last + 1])} "
            broken = last > first and not _GAP.fullmatch(question[words[last - 1].end() : words[last].start()])
            if broken or run not in text:
                break
            own = [weights.get(word, 0.0) for word in folded[first : last + 1]]
            # A stretch ends with rare words: "the city of Bath" and not "the city of Bath in the".
            if min(own[0], own[-1]) < RARE or sum(own) <= most:
                continue
            start, end = words[first].start(), words[last].end()
            kind = _kind(question[start:end])
            if last > first or kind != UNSPACED:
                stretch = _Stretch(start, end, question[start:end], run, f"{last - first + 1} {kind}")
                best, most = stretch, sum(own)
    return best


def _kind(text: str) -> str:
    """A number, a name, or a word with this ending: an inflected form for another keeps the question a sentence."""
    if any(character.isdigit() for character in text):
        return f"number of {len(text)}"
    if is_unspaced(text[0]):
        return UNSPACED
    return "name" if text[0].isupper() else f"...{text[-2:]}"
