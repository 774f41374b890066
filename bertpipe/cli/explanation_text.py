"""Why a hit was found, for a terminal: bars for the words that made its score."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from bertpipe.cli.output import counted, plain

if TYPE_CHECKING:
    from rich.text import Text

    from bertpipe.retrieval.explanation import Explanation

SHOWN: Final = 6
"""Words of each side that are shown; the rest is one line."""
BAR: Final = 16
_WORD: Final = 18


def explanation_lines(explanation: Explanation, scores: Mapping[str, float], columns: int) -> list[Text]:
    """The lines under a hit.

    Args:
        explanation: Of the hit.
        scores: The hit's scores by side.
        columns: Columns of a line.
    """
    from rich.text import Text

    lines: list[Text] = []
    parts = explanation.parts
    if parts:
        sides = " + ".join(f"{name} {value:.3f}" for name, value in parts.items())
        lines.append(Text(f"score {sum(parts.values()):.3f} = {sides}, scaled and weighted"))
    if "bm25" in scores:
        lines.append(Text.assemble(("words of the query", "bold"), f"  bm25 {scores['bm25']:.2f}"))
        rows = [
            (term.term, term.score, f"{counted(term.times, 'times')}, in {counted(term.passages, 'passages')}")
            for term in explanation.terms
        ]
        lines += _bars(rows, "other words of the query", 2)
    if "dense" in scores:
        lines.append(Text.assemble(("words of the passage", "bold"), f"  dense {scores['dense']:.3f}"))
        if explanation.note:
            lines.append(Text(f"  {explanation.note}"))
        # A word that stands in several places is shown once.
        sums: dict[str, float] = {}
        times: dict[str, int] = {}
        for word in explanation.words:
            name = "marks" if word.place == "mark" else plain(word.text).casefold()
            sums[name] = sums.get(name, 0.0) + word.score
            times[name] = times.get(name, 0) + 1
        ordered = sorted(sums, key=lambda name: -sums[name])
        rows = [(name, sums[name], counted(times[name], "times") if times[name] > 1 else "") for name in ordered]
        lines += _bars(rows, "other words", 3)
    for line in lines:
        line.truncate(columns, overflow="ellipsis")
    return lines


def _bars(rows: Sequence[tuple[str, float, str]], rest: str, digits: int) -> list[Text]:
    """The largest shares with a bar each, and the sum of the others."""
    from rich.cells import cell_len, set_cell_size
    from rich.text import Text

    largest = max((score for _, score, _ in rows), default=0.0)
    lines = []
    for name, score, remark in rows[:SHOWN]:
        word = set_cell_size(plain(name), _WORD) if cell_len(plain(name)) != _WORD else plain(name)
        bar = "█" * max(0, round(BAR * score / largest)) if largest > 0 else ""
        line = Text.assemble(f"  {word} ", (f"{bar:<{BAR}}", "cyan"), f" {score:6.{digits}f}", (f"  {remark}", "dim"))
        line.rstrip()
        lines.append(line)
    others = rows[SHOWN:]
    if others:
        total = sum(score for _, score, _ in others)
        lines.append(Text(f"  {len(others):,} {rest}: {total:.{digits}f}", style="dim"))
    return lines
