import json
import math
import shutil
from collections import Counter

import numpy as np
import pytest

from bertpipe.errors import ArtefactError
from bertpipe.retrieval.analysis import analyse
from bertpipe.retrieval.encoder import encoder_digest
from bertpipe.retrieval.explanation import NOT_ADDITIVE, Explainer
from bertpipe.retrieval.index import Index
from bertpipe.retrieval.lexical import TITLE_WEIGHT
from bertpipe.text.document import Document
from bertpipe.text.sequences import passage_sequence

QUERIES = ["wash the burrs with water", "怎样清洗滤芯", "change the washer of a dripping tap", "water " * 400]


@pytest.fixture(scope="module")
def index(built_index):
    return Index(built_index, threads=1)


@pytest.fixture(scope="module")
def explainer(index):
    return Explainer(index)


@pytest.mark.parametrize("query", QUERIES)
@pytest.mark.parametrize("mode", ["bm25", "dense", "hybrid"])
def test_shares_add_up_to_the_scores(index, explainer, query, mode):
    hits = index.search(query, 20, mode).hits
    assert hits
    for hit in hits:
        found = explainer.explain(query, hit)
        if "bm25" in hit.scores:
            assert sum(term.score for term in found.terms) == pytest.approx(hit.scores["bm25"], rel=1e-5, abs=1e-6)
            assert all(term.score > 0 and term.times and term.passages for term in found.terms)
        else:
            assert found.terms == []
        if "dense" in hit.scores:
            assert sum(token.score for token in found.tokens) == pytest.approx(hit.scores["dense"], abs=1e-4)
            assert sum(word.score for word in found.words) == pytest.approx(hit.scores["dense"], abs=1e-4)
        else:
            assert found.tokens == found.words == []
        assert sum(found.parts.values()) == pytest.approx(hit.score if mode == "hybrid" else 0, abs=1e-9)
        assert json.loads(json.dumps(found.as_json()))["terms"] == [term.as_json() for term in found.terms]


def test_shares_of_parts_add_up_to_the_scores(tmp_path, encoder_folder):
    texts = [
        "Brush the burrs once a week. Never wash them with water.",
        "水箱里的水每天要换。滤芯每月清洗一次。",
        "tap",
    ]
    documents = [Document(f"{number}.md", "Cleaning" if number else "", text) for number, text in enumerate(texts)]
    index = Index.create(tmp_path / "index", encoder_folder, documents, parts=3)
    explainer = Explainer(index)
    for query in QUERIES:
        hits = index.search(query, 20, "dense").hits
        assert len(hits) == len(texts)
        for hit in hits:
            found = explainer.explain(query, hit)
            assert sum(token.score for token in found.tokens) == pytest.approx(hit.score, abs=1e-4)
            assert sum(word.score for word in found.words) == pytest.approx(hit.score, abs=1e-4)
            places = [(token.start, token.end) for token in found.tokens if token.place == "text"]
            assert places == sorted(set(places))
            for token in found.tokens:
                assert token.place != "text" or hit.passage.text[token.start : token.end] == token.text
            assert found.tokens[0].place == found.tokens[-1].place == "mark"


def test_the_share_of_a_term_is_bm25_by_hand(index, explainer):
    passages = list(index.passages.iterate())
    bags = [Counter(analyse(one.title) * TITLE_WEIGHT + analyse(one.text)) for one in passages]
    average = sum(bag.total() for bag in bags) / len(bags)
    query = "wash the burrs with water"
    for hit in index.search(query, 20, "bm25").hits:
        bag = bags[hit.passage.number]
        for share in explainer.explain(query, hit).terms:
            having = sum(share.term in bag for bag in bags)
            assert share.passages == having
            idf = math.log(1 + (len(bags) - having + 0.5) / (having + 0.5))
            weight = bag[share.term] * 2.2 / (bag[share.term] + 1.2 * (0.25 + 0.75 * bag.total() / average))
            assert share.score == pytest.approx(idf * weight, rel=1e-5)


def test_tokens_are_those_that_the_encoder_reads(index, explainer, encoder):
    tokenizer = encoder.tokenizer
    for hit in index.search("water", 20, "dense").hits:
        passage = hit.passage
        found = explainer.explain("water", hit)
        ids = tokenizer.encode_batch([passage.title, passage.text])
        assert len(found.tokens) == len(passage_sequence(*ids, encoder.settings.passage_tokens, tokenizer.special))
        for share in [*found.tokens, *found.words]:
            if share.place != "mark":
                whole = passage.title if share.place == "title" else passage.text
                assert share.text == whole[share.start : share.end]
        text = "".join(word.text for word in found.words if word.place == "text")
        assert text.split() == passage.text.split()
        assert {word.text.strip() for word in found.words} >= {
            word for word in ("water", "tap") if word in text.split()
        }


def test_a_tokens_share_is_what_the_cosine_loses_without_its_vector(torch_encoder_and_folder, index, explainer):
    """Against torch's own token vectors."""
    import torch

    model, _ = torch_encoder_and_folder
    query = "wash the burrs"
    vector = index.encoder.encode_queries([query])[0]
    hit = index.search(query, 1, "dense").hits[0]
    found = explainer.explain(query, hit)
    ids = index.encoder.tokenizer.encode_batch([hit.passage.title, hit.passage.text])
    special = index.encoder.tokenizer.special
    input_ids = torch.tensor([passage_sequence(*ids, index.encoder.settings.passage_tokens, special)])
    mask = torch.ones_like(input_ids)
    with torch.no_grad():
        hidden = model.bert(input_ids, mask) * model.pooling.log_weight(input_ids).exp()
        expected = hidden[0] @ torch.tensor(vector) / hidden[0].sum(dim=0).norm()
    np.testing.assert_allclose([token.score for token in found.tokens], expected.numpy(), atol=1e-5)


def test_a_pooling_that_is_no_sum_has_no_shares(tmp_path, built_index):
    """[CLS] pooling: the vectors are no quotient of a sum."""
    import onnx

    folder = shutil.copytree(built_index, tmp_path / "index")
    graph = folder / "encoder" / "encoder.onnx"
    model = onnx.load(graph)
    for node in model.graph.node:
        if node.op_type == "ReduceSum":
            node.op_type = "ReduceMax"
    onnx.save(model, graph)
    settings = json.loads((folder / "index.json").read_text())
    (folder / "index.json").write_text(json.dumps(settings | {"encoder": encoder_digest(folder / "encoder")}))
    index = Index(folder, threads=1)
    found = Explainer(index).explain("water", index.search("water", 1, "hybrid").hits[0])
    assert found.note == NOT_ADDITIVE
    assert found.tokens == []
    assert found.terms
    assert found.as_json()["note"] == NOT_ADDITIVE


def test_an_encoder_that_came_later_explains_nothing_of_before(tmp_path, encoder_folder, other_encoder_folder):
    documents = [
        Document(f"{number}.md", "", text) for number, text in enumerate(("Wash the burrs.", "A dripping tap."))
    ]
    folder = tmp_path / "index"
    index = Index.create(folder, encoder_folder, documents)
    hit = index.search("water", 1, "dense").hits[0]
    shutil.rmtree(folder)
    Index.create(folder, other_encoder_folder, documents)
    explainer = Explainer(index)
    with pytest.raises(ArtefactError, match="has another encoder than when it was opened"):
        explainer.explain("water", hit)
    assert index.refresh()
    for hit in index.search("water", 2, "dense").hits:
        found = explainer.explain("water", hit)
        assert sum(token.score for token in found.tokens) == pytest.approx(hit.score, abs=1e-4)
    shutil.rmtree(folder)
    Index.create(folder, encoder_folder, documents)
    index.refresh()
    for hit in index.search("water", 2, "dense").hits:
        found = explainer.explain("water", hit)
        assert sum(token.score for token in found.tokens) == pytest.approx(hit.score, abs=1e-4)
