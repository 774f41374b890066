"""Predictions for people: labels with bars, a sentence with its names in colours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from bertpipe.cli.output import plain
from bertpipe.models.predictions import Answered, Classified, Compared, Prediction, Tagged

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

# Labels that are shown of a text; characters of a text behind its labels; width of a bar.
TOP, SHOWN, BAR = 5, 100, 24
_COLOURS: Final = ("cyan", "green", "magenta", "yellow", "blue", "red")


def show(prediction: Prediction, *, top: int | None, one_line: bool) -> None:
    """Draws a prediction on standard output.

    Without colours names stand in brackets: ``[Ann PER] lives in [Oslo LOC].``

    Args:
        prediction: The prediction.
        top: Likeliest labels to show; None: a few.
        one_line: It is one of several.
    """
    from rich.console import Console

    console = Console(highlight=False, soft_wrap=True, emoji=False)
    if isinstance(prediction, Tagged):
        console.print(tagged_text(prediction, coloured=console.is_terminal and not console.no_color))
    elif isinstance(prediction, Answered):
        _answers(console, prediction, one_line=one_line)
    elif isinstance(prediction, Compared):
        tail = f"  {_short(prediction.text)} | {_short(prediction.pair)}" if one_line else ""
        console.print(f"{prediction.score:.3f}", f"cosine {prediction.cosine:.3f}{tail}", sep="  ", markup=False)
    elif one_line:
        chosen = prediction.probabilities[: top or len(prediction.labels)]
        words = ", ".join(f"{plain(one.label)} {one.probability:.3f}" for one in chosen) or "-"
        pair = "" if prediction.pair is None else f" | {_short(prediction.pair)}"
        console.print(f"{words}  {_short(prediction.text)}{pair}", markup=False)
    else:
        _bars(console, prediction, top or TOP)


def tagged_text(tagged: Tagged, *, coloured: bool) -> Text:
    """A text with what was found in it.

    Args:
        tagged: The text and its entities.
        coloured: In colours, or else in brackets.
    """
    from rich.text import Text

    kinds = list(dict.fromkeys(entity.label for entity in tagged.entities))
    drawn = Text()
    place = 0
    for entity in tagged.entities:
        drawn.append(_clean(tagged.text[place : entity.start]))
        if coloured:
            colour = _COLOURS[kinds.index(entity.label) % len(_COLOURS)]
            drawn.append(_clean(entity.text), f"bold {colour}")
            drawn.append(f" {plain(entity.label)}", f"dim {colour}")
        else:
            drawn.append(f"[{_clean(entity.text)} {plain(entity.label)}]")
        place = entity.end
    drawn.append(_clean(tagged.text[place:]))
    return drawn


def _answers(console: Console, answered: Answered, *, one_line: bool) -> None:
    """The answers, and unless it is one of several the text with the best of them in it."""
    from rich.text import Text

    if one_line:
        best = answered.answers[0] if answered.answers else None
        words = f"{plain(best.text)}  {best.score:.3f}" if best else "no answer"
        console.print(f"{words}  {_short(answered.text)}", markup=False)
        return
    if not answered.answers:
        console.print("No answer: the text does not answer it.")
        return
    for answer in answered.answers:
        console.print(Text.assemble((plain(answer.text), "bold green"), f"  {answer.score:.3f}"))
    best = answered.answers[0]
    text = answered.pair
    parts = text[: best.start], text[best.start : best.end], text[best.end :]
    console.print(Text.assemble(_clean(parts[0]), (_clean(parts[1]), "bold green"), _clean(parts[2])), style="dim")


def _bars(console: Console, prediction: Classified, top: int) -> None:
    from rich.text import Text

    shown: Sequence = prediction.probabilities[:top]
    width = max(len(plain(one.label)) for one in shown)
    for one in shown:
        chosen = one.label in prediction.labels
        filled = "█" * round(BAR * one.probability)
        line = Text.assemble(
            ("• " if chosen else "  ", "bold"),
            (plain(one.label).ljust(width), "bold" if chosen else ""),
            f"  {one.probability:.3f}  ",
            (filled, "cyan" if chosen else "dim"),
        )
        line.rstrip()
        console.print(line)
    left = len(prediction.probabilities) - len(shown)
    if left:
        console.print(Text(f"  and {left} less likely", style="dim"))


def _clean(text: str) -> str:
    """A part of a text, with its spaces, without what a terminal would obey."""
    return "".join(mark if mark.isprintable() else " " for mark in text)


def _short(text: str) -> str:
    clean = plain(text)
    return clean if len(clean) <= SHOWN else f"{clean[: SHOWN - 1]}…"
