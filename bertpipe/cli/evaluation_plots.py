"""The figures of an evaluation as SVG, drawn by matplotlib; text stays text, so that the browser's fonts write it."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from bertpipe.errors import BertpipeError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WIDTH, HEIGHT = 5.2, 3.6  # inches
MOST_LABELS = 40
"""A confusion matrix of more classes than this cannot be read."""


def require_matplotlib() -> None:
    """Asks for matplotlib before long work that it would draw.

    Raises:
        BertpipeError: It is not installed.
    """
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise BertpipeError(
            "matplotlib is needed to draw the report",
            why=str(error),
            hint="Install it with `pip install bertpipe[evaluate]`, or leave out --html.",
        ) from error


def confusion_plot(labels: Sequence[str], matrix: Sequence[Sequence[int]]) -> str:
    """How often each class was taken for each other one.

    Args:
        labels: C names.
        matrix: C rows of what is right, C columns of what was predicted.
    """
    shares = [[count / max(1, sum(row)) for count in row] for row in matrix]

    def draw(axes: Axes) -> None:
        axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
        places = range(len(labels))
        axes.set_xticks(places, labels, rotation=60, ha="right", fontsize=7)
        axes.set_yticks(places, labels, fontsize=7)
        for name in (*axes.get_xticklabels(), *axes.get_yticklabels()):
            name.set_parse_math(False)  # a label may have dollar signs
        axes.set(xlabel="predicted", ylabel="right")
        if len(labels) <= 12:
            for row in places:
                for column in places:
                    colour = "white" if shares[row][column] > 0.5 else "black"
                    axes.text(
                        column, row, f"{matrix[row][column]:,}", ha="center", va="center", color=colour, fontsize=7
                    )

    side = max(HEIGHT, 1.6 + 0.22 * len(labels))
    return _svg(draw, side * 1.15, side)


def calibration_plot(bins: Sequence[Mapping[str, float]]) -> str:
    """How often predictions of a probability are right (Niculescu-Mizil and Caruana 2005).

    Args:
        bins: Each with ``confidence``, ``accuracy`` and ``count``.
    """
    filled = [one for one in bins if one["count"]]

    def draw(axes: Axes) -> None:
        axes.plot([0, 1], [0, 1], color="grey", linewidth=1, linestyle="--")
        axes.plot(
            [one["confidence"] for one in filled],
            [one["accuracy"] for one in filled],
            marker="o",
            markersize=4,
            clip_on=False,
        )
        axes.set(xlabel="probability of the prediction", ylabel="share that is right", xlim=(0, 1), ylim=(0, 1))

    return _svg(draw)


def curve_plot(points: Sequence[Mapping[str, float]]) -> str:
    """The losses and the dev metric of a training over its steps.

    Args:
        points: Lines of ``curve.jsonl``: ``step``, and figures by name.
    """
    names = [name for name in points[-1] if name != "step"]
    losses = [name for name in names if name.endswith("loss")]

    def draw(axes: Axes) -> None:
        right = axes.twinx() if len(names) > len(losses) and losses else axes
        for number, name in enumerate(names):
            shown = [(point["step"], point[name]) for point in points if name in point]
            where = axes if name in losses else right
            style = "-" if name in losses else "--"
            where.plot(*zip(*shown, strict=True), label=name.replace("_", " "), color=f"C{number}", linestyle=style)
        axes.set(xlabel="step", ylabel="loss" if losses else "")
        axes.figure.legend(loc="outside upper center", ncols=3, frameon=False, fontsize=8)

    return _svg(draw)


def scatter_plot(expected: Sequence[float], predicted: Sequence[float]) -> str:
    """Predicted scores over the right ones."""

    def draw(axes: Axes) -> None:
        axes.scatter(expected, predicted, s=6, alpha=0.4, linewidths=0)
        axes.set(xlabel="right", ylabel="predicted")

    return _svg(draw)


def coverage_plot(points: Sequence[Mapping[str, float]]) -> str:
    """F1 of the answers that are given, over the share of the questions that get one.

    Args:
        points: Each with ``coverage`` and ``f1``.
    """

    def draw(axes: Axes) -> None:
        axes.plot([one["coverage"] for one in points], [one["f1"] for one in points])
        axes.set(xlabel="share of the questions that are answered", ylabel="F1 of these answers", xlim=(0, 1))

    return _svg(draw)


def cuts_plot(at: Sequence[int], curves: Mapping[str, Sequence[float]], metric: str) -> str:
    """A metric of rankings over the length at which they are cut.

    Args:
        at: The lengths.
        curves: A value for each length, by the name of the curve.
        metric: What the values are.
    """

    def draw(axes: Axes) -> None:
        for name, values in curves.items():
            axes.plot(at, values, marker="o", markersize=3, label=name)
        axes.set_xscale("log")
        shown = [cut for cut in at if cut in (1, 2, 3, 5, 10, 20, 50, 100)]
        axes.set_xticks(shown, [str(cut) for cut in shown])
        axes.set_xticks([], minor=True)
        axes.set(xlabel="documents looked at (k)", ylabel=metric)
        axes.legend(frameon=False)

    return _svg(draw)


def _svg(draw: Callable[[Any], None], width: float = WIDTH, height: float = HEIGHT) -> str:
    import matplotlib
    from matplotlib.figure import Figure  # not pyplot, which keeps figures and looks for a display

    # Fixed ids and no date: the same figures give the same page.
    style: Any = {"svg.fonttype": "none", "svg.hashsalt": "bertpipe", "font.size": 9}
    with matplotlib.rc_context(style), warnings.catch_warnings():
        # Its own fonts only measure the text.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure = Figure(figsize=(width, height), layout="constrained")
        draw(figure.add_subplot())
        text = io.StringIO()
        figure.savefig(text, format="svg", metadata={"Date": None})
    svg = text.getvalue()
    return svg[svg.index("<svg") :]
