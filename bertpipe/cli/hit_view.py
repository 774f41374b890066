"""What a search found, for people and as JSON, perhaps with reasons."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bertpipe.cli.output import number, plain, tail_of
from bertpipe.cli.wrapping import line_ends

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from bertpipe.retrieval.explanation import Explainer, Explanation
    from bertpipe.retrieval.index import Index
    from bertpipe.retrieval.search_result import Hit, SearchResult
    from bertpipe.retrieval.snippet import Snippet

# Lines of a passage that a hit shows, and columns that it is moved in by: a rank and two spaces.
SNIPPET_LINES, INDENT = 3, 4
LONGEST_SHOWN = 1000
"""Characters of a query that are shown above its hits."""


class HitView:
    """Shows what was found.

    Args:
        index: Where it was found.
        explain: Say why.

    Attributes:
        explain: May be changed.
    """

    def __init__(self, index: Index, *, explain: bool = False) -> None:
        self.explain = explain
        self._index = index
        self._explainer: Explainer | None = None

    def as_json(self, result: SearchResult) -> dict[str, Any]:
        """A result as ``--json`` prints it."""
        document = result.as_json()
        if self.explain:
            for shown, hit in zip(document["hits"], result.hits, strict=True):
                shown["explanation"] = self._explanation(result.query, hit).as_json()
        return document

    def show(self, result: SearchResult) -> None:
        """Writes a result for people to standard output."""
        from rich.console import Console
        from rich.text import Text

        console = Console(highlight=False, soft_wrap=False)
        how = f"{result.mode}, {result.reranked} reranked" if result.reranked else result.mode
        tail = f"({len(result.hits)} of {number(len(self._index))} passages, {how}, {result.took_ms:.0f} ms)"
        query = plain(result.query[:LONGEST_SHOWN]) + ("…" if len(result.query) > LONGEST_SHOWN else "")
        console.print(Text.assemble((query, "bold"), "  ", (tail, "dim")))
        if not result.hits:
            console.print("Nothing found. Try other words, or --mode dense.")
        for hit in result.hits:
            self._show_hit(console, result, hit)
        console.print()

    def _explanation(self, query: str, hit: Hit) -> Explanation:
        if self._explainer is None:
            from bertpipe.retrieval.explanation import Explainer

            self._explainer = Explainer(self._index)
        return self._explainer.explain(query, hit)

    def _show_hit(self, console: Console, result: SearchResult, hit: Hit) -> None:
        """Title, snippet, and a line that says where it is from and how it scored; perhaps why."""
        from rich.text import Text

        from bertpipe.retrieval.snippet import snippet

        columns = max(20, console.width - INDENT)
        passage = hit.passage
        # A word of the query may stand in the title alone.
        title = snippet(passage.title or passage.document, result.terms, columns)
        body = result.snippet(hit, max(20, SNIPPET_LINES * columns - 8))
        scores = "  ".join(f"{name} {value:.2f}" for name, value in hit.scores.items())
        source = ""
        if passage.title not in ("", passage.document):
            source = tail_of(plain(passage.document), columns - len(scores) - 2) + "  "
        console.print(Text.assemble((f"{hit.rank:>2}  ", "dim"), marked(title, "bold cyan")), no_wrap=True)
        # Rich breaks lines at spaces, of which Chinese has none.
        lines = [*marked(body, "").divide(line_ends(body.text, columns)), Text(source + scores, style="dim")]
        if self.explain:
            from bertpipe.cli.explanation_text import explanation_lines

            lines += explanation_lines(self._explanation(result.query, hit), hit.scores, columns)
        for line in lines:
            line.rstrip()
            console.print(Text.assemble(" " * INDENT, line), no_wrap=True)


def marked(shown: Snippet, style: str) -> Text:
    """A snippet with the query's words in another colour."""
    from rich.text import Text

    text = Text(shown.text, style=style)
    for start, end in shown.spans:
        text.stylize("bold yellow", start, end)
    return text
