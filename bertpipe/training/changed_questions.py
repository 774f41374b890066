"""Questions in other words, so that the text about which they were asked has no answer."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from bertpipe.tasks.word_tokens import TOKEN
from bertpipe.text.readers.squad import Question
from bertpipe.text.words import is_unspaced
from bertpipe.training.contradictions import negations, opposites
from bertpipe.training.rarity import rarities
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
# How often a question is made to say the contrary, half of the time by an opposite, half by "not".
CONTRARY = 0.5
# How often a number becomes one that is made up.
MADE_UP = 0.5
# How often a rare word is exchanged that is not the rarest and need not stand in the text: were it always the rarest,
# a reader would look at no other.
OTHER = 0.5


@dataclass(frozen=True)
class _Stretch:
    """Words of a question that stand one after the other, and can be exchanged.

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

    @classmethod
    def of(cls, question: str, found: Sequence[re.Match[str]], words: str) -> _Stretch | None:
        """The stretch from the first to the last of some words; a single character is none."""
        start, end = found[0].start(), found[-1].end()
        kind = _kind(question[start:end])
        if len(found) == 1 and kind == UNSPACED:
            return None
        return cls(start, end, question[start:end], words, f"{len(found)} {kind}")


def changed_questions(questions: Sequence[Question], share: float, seed: int) -> Iterator[Question]:
    """Makes unanswerable questions of answered ones, as people do who write such questions (Rajpurkar et al. 2018, 4).

    Some are made to say the contrary (`bertpipe.training.contradictions`). Of the others one stretch is exchanged: of
    those that stand in its text the rarest, or else any rare word, for one of another question of the article that
    looks alike: as many words, and a number for a number, a name for a name. Some of what comes out can be answered
    after all.

    Args:
        questions: Those without answers are left alone.
        share: How many of the answered ones are changed.
        seed: Decides which, and to what.

    Yields:
        Questions marked as impossible; none for one without anything rare, or that has no match.
    """
    texts = {one.context: _spaced(one.context) for one in questions}
    weights = rarities([set(text.split()) for text in texts.values()])
    # "What" is rare in texts.
    for word, weight in rarities([set(_spaced(one.question).split()) for one in questions]).items():
        weights[word] = min(weight, weights.get(word, math.inf))
    stretches = [_stretches(one.question, texts[one.context], weights) for one in questions]
    of_article: dict[tuple[str, str], list[_Stretch]] = defaultdict(list)
    for question, some in zip(questions, stretches, strict=True):
        for stretch in some:
            of_article[question.title, stretch.shape].append(stretch)
    for row, (question, some) in enumerate(zip(questions, stretches, strict=True)):
        random = generator(seed, "changed", row)
        if question.impossible or random.random() >= share:
            continue
        text, wording = texts[question.context], None
        if random.random() < CONTRARY:
            wording = _contrary(question.question, text, random)
        if wording is None and some:
            stretch = some[int(random.integers(len(some)))] if random.random() < OTHER else some[0]
            wording = _exchanged(question, stretch, of_article[question.title, stretch.shape], text, random)
        if wording is not None:
            yield replace(question, id=f"{question.id}, changed", question=wording, answers=(), impossible=True)


def _contrary(question: str, text: str, random: np.random.Generator) -> str | None:
    """A question that says the contrary, if there is one that its text does not speak of."""
    if random.random() < 0.5:
        wordings = negations(question)
    else:
        wordings = [wording for wording, word in opposites(question) if _spaced(word) not in text]
    return wordings[int(random.integers(len(wordings)))] if wordings else None


def _exchanged(
    question: Question, stretch: _Stretch, others: Sequence[_Stretch], text: str, random: np.random.Generator
) -> str | None:
    """A question with a stretch of another in the place of one of its own, if there is one that fits."""
    tried = [others[place] for place in random.integers(len(others), size=TRIES).tolist()]
    asked, answers = _spaced(question.question), [_spaced(answer.text) for answer in question.answers]
    if any(character.isdecimal() for character in stretch.text) and random.random() < MADE_UP:
        number = _other_number(stretch.text, random)
        tried = [replace(stretch, text=number, words=_spaced(number))]
    fitting = [
        one
        for one in tried
        if one.words not in asked
        and stretch.words not in one.words
        and not any(one.words in answer or answer in one.words for answer in answers)
    ]
    present = random.random() < PRESENT
    found = next((one for one in fitting if (one.words in text) == present), None) or next(iter(fitting), None)
    return question.question[: stretch.start] + found.text + question.question[stretch.end :] if found else None


def _other_number(text: str, random: np.random.Generator) -> str:
    """A text with its last two digits exchanged: 1804 for 1851."""
    places = [place for place, character in enumerate(text) if character.isdecimal()][-2:]
    return "".join(str(random.integers(10)) if place in places else one for place, one in enumerate(text))


def _spaced(text: str) -> str:
    """The words of a text without case, with spaces between and around them."""
    return f" {' '.join(TOKEN.findall(text.casefold()))} "


def _stretches(question: str, text: str, weights: Mapping[str, float]) -> list[_Stretch]:
    """The stretch of a question that is shared with a text and weighs most, and its other rare words."""
    words = list(TOKEN.finditer(question))
    folded = [word.group().casefold() for word in words]
    best: _Stretch | None = None
    most = 0.0
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
            stretch = _Stretch.of(question, words[first : last + 1], run)
            if stretch is not None:
                best, most = stretch, sum(own)
    others = [
        _Stretch.of(question, [word], f" {name} ")
        for word, name in zip(words, folded, strict=True)
        # Small letters can split a word ("İ"): such a one is left alone.
        if weights.get(name, 0.0) >= RARE and (best is None or not best.start <= word.start() < best.end)
    ]
    return [one for one in (best, *others) if one is not None]


def _kind(text: str) -> str:
    """A number, a name, or a word with this ending: an inflected form for another keeps the question a sentence."""
    if any(character.isdigit() for character in text):
        return f"number of {len(text)}"
    if is_unspaced(text[0]):
        return UNSPACED
    return "name" if text[0].isupper() else f"...{text[-2:]}"
