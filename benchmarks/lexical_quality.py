r"""Measures two choices of the lexical index: the terms of Chinese text, and how often a title's terms count.

    python benchmarks/lexical_quality.py --articles articles.jsonl --python-docs \
        --cranfield FOLDER --squad FILE

- Chinese terms: an article's title is the query, or two words of it, or its first sentence; the rest of the
  article is sought. Or the questions of Chinese SQuAD files are the queries.
- Title weight: the first sentence is the query, title and rest are sought (articles, Python's documentation);
  or a collection brings its own queries.

BM25 (k1 = 1.2, b = 0.75) is computed with SciPy; jieba takes part where it is installed. Prints Markdown.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import sparse

from bertpipe.retrieval.analysis import analyse
from bertpipe.retrieval.metrics import ndcg, recall
from bertpipe.tasks.bootstrap import bootstrap_interval
from bertpipe.text.readers.python_docs import PythonDocsReader
from bertpipe.text.sentences import split_sentences

K1, B, CUT = 1.2, 0.75, 10
MOST_QUERIES = 1500
HAN = re.compile("([\u3400-\u4dbf\u4e00-\u9fff]+)")

Analyser = Callable[[str], list[str]]


@dataclass
class Collection:
    """Passages with queries.

    Attributes:
        passages: (title, text) of each.
        documents: The document that each passage belongs to.
        queries: Their texts.
        relevant: The relevant documents of each query.
    """

    passages: list[tuple[str, str]]
    documents: list[int]
    queries: list[str]
    relevant: list[set[int]]

    def sampled(self) -> Collection:
        """At most `MOST_QUERIES` of the queries, drawn with a fixed seed."""
        chosen = np.random.default_rng(0).permutation(len(self.queries))[:MOST_QUERIES]
        queries, relevant = [self.queries[n] for n in chosen], [self.relevant[n] for n in chosen]
        return Collection(self.passages, self.documents, queries, relevant)


def from_titles(articles: list[dict], width: int = 400) -> Collection:
    """Titles as queries for bodies that lack them."""
    result = Collection([], [], [], [])
    for number, article in enumerate(articles):
        body = article["text"].replace(article["title"], " ")
        for start in range(0, len(body), width):
            result.passages.append(("", body[start : start + width]))
            result.documents.append(number)
        result.queries.append(article["title"])
        result.relevant.append({number})
    return result


def from_keywords(articles: list[dict]) -> Collection:
    """The two rarest words of a title as a query for a body that lacks the title; needs jieba."""
    import jieba

    def words(title: str) -> set[str]:
        return {word for word in jieba.lcut(title) if HAN.fullmatch(word) and len(word) > 1}

    titles = from_titles(articles)
    frequency = Counter(word for title in titles.queries for word in words(title))
    result = Collection(titles.passages, titles.documents, [], [])
    for title, relevant in zip(titles.queries, titles.relevant, strict=True):
        rarest = sorted(words(title), key=lambda word: (frequency[word], word))[:2]
        if len(rarest) == 2:
            result.queries.append(" ".join(rarest))
            result.relevant.append(relevant)
    return result


def from_first_sentences(documents: Sequence[tuple[str, str]], longest: int = 1500) -> Collection:
    """First sentences as queries for what follows them, under its title."""
    result = Collection([], [], [], [])
    for number, (title, text) in enumerate(documents):
        spans = split_sentences(text)
        rest = text[spans[1][0] :] if len(spans) > 1 else ""
        if len(rest) > 40 and spans[0][1] - spans[0][0] >= 12:
            result.queries.append(text[slice(*spans[0])])
            result.relevant.append({number})
            text = rest
        result.passages.append((title, text[:longest]))
        result.documents.append(number)
    return result


def from_squad(path: Path) -> Collection:
    """Questions of a SQuAD file for its paragraphs."""
    result = Collection([], [], [], [])
    for article in json.loads(path.read_text(encoding="utf-8"))["data"]:
        for paragraph in article["paragraphs"]:
            for question in paragraph["qas"]:
                if not question.get("is_impossible"):
                    result.queries.append(question["question"])
                    result.relevant.append({len(result.passages)})
            result.documents.append(len(result.passages))
            result.passages.append((article["title"].replace("_", " "), paragraph["context"]))
    return result


def from_cranfield(folder: Path) -> Collection:
    """The Cranfield queries, with judgements 1 to 4 as relevant."""
    passages = []
    for record in re.split(r"^\.I \d+\n", (folder / "cran.all.1400").read_text(), flags=re.M)[1:]:
        title = record.partition(".A\n")[0].removeprefix(".T\n").strip()
        text = record.rpartition(".W\n")[2].strip()
        passages.append((title, text.removeprefix(title)))
    records = re.split(r"^\.I \d+\n", (folder / "cran.qry").read_text(), flags=re.M)[1:]
    relevant: list[set[int]] = [set() for _ in records]
    for line in (folder / "QRelsCorrectedforTRECeval").read_text().splitlines():
        query, _, document, grade = map(int, line.split())
        if 1 <= grade <= 4:
            relevant[query - 1].add(document - 1)
    judged = [number for number, some in enumerate(relevant) if some]
    queries = [records[number].rpartition(".W\n")[2] for number in judged]
    return Collection(passages, list(range(len(passages))), queries, [relevant[n] for n in judged])


def measure(collection: Collection, analyser: Analyser, title_weight: int = 1) -> str:
    """Ranks by BM25 and returns the cells of a table row: nDCG@10 with its 95% interval, and R@10."""
    vocabulary: dict[str, int] = {}
    indices: list[int] = []
    counts: list[float] = []
    bounds = [0]
    lengths = []
    for title, text in collection.passages:
        terms = analyser(title) * title_weight + analyser(text)
        tally = Counter(vocabulary.setdefault(term, len(vocabulary)) for term in terms)
        indices += tally.keys()
        counts += tally.values()
        bounds.append(len(indices))
        lengths.append(len(terms))
    size, shape = len(bounds) - 1, (len(bounds) - 1, len(vocabulary))
    frequency = np.bincount(indices, minlength=len(vocabulary))
    idf = np.log(1 + (size - frequency + 0.5) / (frequency + 0.5))
    length = np.repeat(np.array(lengths) / np.mean(lengths), np.diff(bounds))
    tf = np.array(counts)
    weights = idf[indices] * tf * (K1 + 1) / (tf + K1 * (1 - B + B * length))
    columns = sparse.csr_matrix((weights, indices, bounds), shape=shape).tocsc()
    documents = np.array(collection.documents)
    gains, recalls = [], []
    for query, relevant in zip(collection.queries, collection.relevant, strict=True):
        known = sorted({vocabulary[term] for term in analyser(query) if term in vocabulary})
        scores = np.asarray(columns[:, known].sum(axis=1)).ravel()
        best = [n for n in np.argsort(-scores, kind="stable")[:300] if scores[n] > 0]
        ranking = list(dict.fromkeys(documents[best].tolist()))
        gains.append(ndcg(ranking, relevant, CUT))
        recalls.append(recall(ranking, relevant, CUT))
    low, high = bootstrap_interval(np.array(gains), seed=0)
    return f"{np.mean(gains):.3f} ({low:.3f} to {high:.3f}) | {np.mean(recalls):.3f}"


def chinese(han: Callable[[str], list[str]]) -> Analyser:
    """Our analysis, with ``han`` instead for the Han runs."""

    def analyser(text: str) -> list[str]:
        terms = []
        for number, piece in enumerate(HAN.split(unicodedata.normalize("NFKC", text))):
            terms += han(piece) if number % 2 else analyse(piece)
        return terms

    return analyser


def pairs(run: str) -> list[str]:
    """Neighbouring characters; the character itself where it stands alone."""
    return [run[n : n + 2] for n in range(len(run) - 1)] or [run]


def main() -> None:
    """Prints the tables for whatever is given."""
    layout = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=layout)
    parser.add_argument("--articles", type=Path, help="JSON lines with Chinese 'title' and 'text'")
    parser.add_argument("--python-docs", action="store_true")
    parser.add_argument("--cranfield", type=Path, help="folder of the Cranfield collection")
    parser.add_argument("--squad", type=Path, action="append", default=[], help="a SQuAD file; may be repeated")
    options = parser.parse_args()
    collections: dict[str, Collection] = {}
    chinese_ones: dict[str, Collection] = {}
    if options.articles:
        lines = options.articles.read_text(encoding="utf-8").splitlines()
        articles = [json.loads(line) for line in lines]
        collections["articles"] = from_first_sentences([(one["title"], one["text"]) for one in articles])
        chinese_ones = {"titles": from_titles(articles), "first sentences": collections["articles"]}
        if importlib.util.find_spec("jieba"):
            chinese_ones["two words"] = from_keywords(articles)
    if options.python_docs:
        collections["python docs"] = from_first_sentences([(one.title, one.text) for one in PythonDocsReader()])
    if options.cranfield:
        collections["cranfield"] = from_cranfield(options.cranfield)
    for path in options.squad:
        collections[path.stem] = from_squad(path)
        if HAN.search(collections[path.stem].queries[0]):
            chinese_ones[path.stem] = collections[path.stem]
    print("| collection | queries | passages | terms | nDCG@10 | R@10 |\n|---|---|---|---|---|---|")
    for name, collection in chinese_ones.items():
        sample = collection.sampled()
        for kind, analyser in chinese_analysers().items():
            counts = f"{len(sample.queries)} | {len(sample.passages)}"
            print(f"| {name} | {counts} | {kind} | {measure(sample, analyser)} |", flush=True)
    print("\n| collection | queries | title counts | nDCG@10 | R@10 |\n|---|---|---|---|---|")
    for name, collection in collections.items():
        sample = collection.sampled()
        for weight in (0, 1, 2, 3, 5):
            cells = measure(sample, analyse, weight)
            print(f"| {name} | {len(sample.queries)} | {weight} | {cells} |", flush=True)


def chinese_analysers() -> dict[str, Analyser]:
    """The ways to cut Chinese text that are compared."""
    kinds: dict[str, Analyser] = {
        "characters": chinese(list),
        "pairs": chinese(pairs),
        "characters and pairs": analyse,
    }
    if importlib.util.find_spec("jieba"):
        import jieba

        kinds["jieba words"] = chinese(jieba.lcut)
        kinds["jieba words, cut for search"] = chinese(jieba.lcut_for_search)
    return kinds


if __name__ == "__main__":
    main()
