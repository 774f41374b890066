"""The libraries that score generated text, which only those who evaluate need to install."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from bertpipe.errors import BertpipeError


@contextmanager
def needs_evaluate_extra() -> Iterator[None]:
    """Around the import of one of them: says how to install it.

    Raises:
        BertpipeError: It is not installed.
    """
    try:
        yield
    except ImportError as error:
        raise BertpipeError(
            "sacrebleu and rouge-score are needed to score generated text",
            why=str(error),
            hint="Install them with `pip install bertpipe[evaluate]`.",
        ) from error


def require_evaluate_extra() -> None:
    """Asks for them before long work whose result they would score.

    Raises:
        BertpipeError: One of them is not installed.
    """
    with needs_evaluate_extra():
        import rouge_score  # noqa: F401
        import sacrebleu  # noqa: F401
