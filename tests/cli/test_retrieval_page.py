"""The page of an index's evaluation."""

from html.parser import HTMLParser

import pytest

from bertpipe.cli.retrieval_page import retrieval_page

pytest.importorskip("matplotlib")

METRICS = ("ndcg@10", "mrr@10", "map@100", "recall@10", "recall@100")
VALUES = {metric: {"mean": 0.5, "low": 0.25, "high": 0.75} for metric in METRICS}


def row(own, bm25, dense, text="a query"):
    return {
        "id": own,
        "text": text,
        "relevant": 1,
        "bm25": {"ndcg@10": bm25, "first_relevant": 1 if bm25 else None, "best": []},
        "dense": {"ndcg@10": dense, "first_relevant": 3, "best": ["<img src=x onerror=alert(1)>"]},
    }


REPORT = {
    "index": "runs/<b>/index",
    "data": "<queries> & more.tsv",
    "queries": 3,
    "passages": 1234,
    "modes": {"dense": VALUES, "bm25": VALUES},
    "differences": {"dense - bm25": {**VALUES, "queries": {"better": 1, "equal": 1, "worse": 1}}},
    "curves": {
        "at": [1, 10, 100],
        "dense": {"ndcg": [0.1, 0.2, 0.3], "recall": [0.1, 0.5, 0.9]},
        "bm25": {"ndcg": [0.2, 0.2, 0.2], "recall": [0.1, 0.2, 0.3]},
    },
    "per_query": [
        row("won", 0.0, 0.5, "<script>alert('won')</script>"),
        row("lost", 1.0, 0.25),
        row("equal", 0.5, 0.5),
    ],
}


class Texts(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.texts, self.links = [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.links += [value for name, value in attrs if name in ("href", "src") and not value.startswith("#")]

    def handle_data(self, data):
        self.texts.append(data)


def test_the_page():
    page = Texts()
    page.feed(retrieval_page(REPORT, ["2 queries not measured: <why>"]))
    assert page.tags.count("svg") == 2
    assert not {"script", "img", "b"} & set(page.tags)
    assert page.links == [] or all(link.startswith("http://www.w3.org") for link in page.links)
    for text in (
        "retrieval: <queries> & more.tsv",
        "2 queries not measured: <why>",
        "nDCG@10",
        "0.500 (0.250 to 0.750)",
        "+0.500 (+0.250 to +0.750)",
        "1 better, 1 equal, 1 worse",
        "dense: 1 query won against BM25",
        "dense: 1 query lost against BM25",
        "<script>alert('won')</script>",
        "<img src=x onerror=alert(1)>",
        "-0.750",
    ):
        assert text in page.texts, text
    assert "equal" not in page.texts, "a query with equal figures is neither won nor lost"


def test_the_same_figures_give_the_same_page():
    assert retrieval_page(REPORT, []) == retrieval_page(REPORT, [])
