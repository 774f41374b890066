"""Teach a BERT to read queries together with passages, and so to put what a search found in a better order."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field

from bertpipe.errors import ConfigError, InputError
from bertpipe.pipeline.stage import Input, Stage, StageRun
from bertpipe.stages.corpus import DOCUMENTS
from bertpipe.stages.finetune import ENCODER
from bertpipe.stages.understanding.base_model import BaseModel, open_saved_model, was_imported
from bertpipe.stages.understanding.settings import (
    HeadConfig,
    learning_rate,
    require_examples,
    require_steps,
    train_best,
)
from bertpipe.stages.user_pairs import pairs_source, read_pairs, with_hard_negatives

if TYPE_CHECKING:
    from bertpipe.models.passage_ranker import PassageRanker
    from bertpipe.text.query_passage import QueryPassage
    from bertpipe.training.labelled_batches import LabelledSequence
    from bertpipe.training.ranked_pairs import RankedPairs

# Passages beside the own one of a dev query: the first page of a search.
DEV_NEGATIVES = 9


class RerankerConfig(HeadConfig):
    """The pairs, how they are read, and the training."""

    pairs: str = Field(
        "", description="File of your own query/passage pairs (TSV, CSV or JSONL); by default the corpus's own pairs."
    )
    query_field: str = Field("query", description="Field of a pair that holds the query.")
    passage_field: str = Field("passage", description="Field of a pair that holds the passage.")
    passage_title_field: str = Field("", description="Field of a pair that holds the passage's title, if it has one.")
    negatives: int = Field(
        3, ge=1, le=16, description="Wrong passages beside each right one; words and the encoder find them."
    )
    negatives_below: float = Field(
        0.95,
        gt=0,
        description="A passage is wrong if its cosine with the query is below this share of the right one's.",
    )
    dev_share: float = Field(
        0.1, gt=0, lt=1, description="Share of the passages whose queries are measured with, chosen by hashes of them."
    )
    dev_queries: int = Field(200, ge=1, description="Queries to measure with, at most.")
    max_tokens: int = Field(192, ge=24, description="Tokens of a query and a passage together; the passage gives way.")
    query_tokens: int = Field(32, ge=4, description="Longest query, in tokens.")
    batch_size: int = Field(8, ge=1, description="Queries in a batch.")
    epochs: float = Field(1.0, gt=0, description="How often all pairs are seen, if no steps, tokens or budget say so.")


@dataclass(frozen=True)
class DevQueries:
    """Queries to measure with.

    Attributes:
        sequences: Each query with its own passage, and then with wrong ones.
        groups: How many sequences each has.
    """

    sequences: list[LabelledSequence]
    groups: list[int]


def learn_to_rank(run: StageRun) -> dict[str, Any]:
    """Writes the reranker's weights, its ONNX graph and its learning curve."""
    import torch

    from bertpipe.models.checkpoint import load_cross_encoder, load_encoder, save_model
    from bertpipe.models.cross_encoder import CrossEncoder
    from bertpipe.models.cross_scorer import cross_scorer
    from bertpipe.models.onnx_export import export_reranker
    from bertpipe.models.passage_ranker import RERANKING, RerankerSettings
    from bertpipe.retrieval.encoder import EncoderSettings
    from bertpipe.retrieval.index_folder import RERANKER as RERANKER_FOLDER
    from bertpipe.retrieval.reranker import GRAPH
    from bertpipe.text.tokenizer import Tokenizer, tokenizer_file
    from bertpipe.training.labelled_batches import LabelledBatches
    from bertpipe.training.layer_rates import freeze, layer_scales
    from bertpipe.training.ranking import Ranking

    config: RerankerConfig = run.config
    base = _base(run)
    bert = base.bert
    _check_lengths(config, bert.config.max_length)
    torch.manual_seed(config.seed)
    model = CrossEncoder(bert)
    known = base.task == RERANKING
    if known:
        model.head.load_state_dict(load_cross_encoder(base.folder).head.state_dict())
    else:
        require_steps(config)
    freeze(bert, config.freeze)
    settings = RerankerSettings(config.max_tokens, config.query_tokens)
    ranker = cross_scorer(model, base.tokenizer, settings, "cpu")
    metrics: dict[str, Any] = {"steps": 0}
    if config.steps == 0:
        (run.out / "curve.jsonl").touch()
    else:
        found = run.inputs["finetune"]
        limits = EncoderSettings.load(found / ENCODER)
        tokenizer = Tokenizer(tokenizer_file(found / ENCODER))
        pairs = read_pairs(run) if config.pairs else _pairs_of_corpus(run, tokenizer, limits.passage_tokens)
        mined = with_hard_negatives(
            run,
            pairs,
            tokenizer,
            load_encoder(found),
            query_tokens=limits.query_tokens,
            passage_tokens=limits.passage_tokens,
        )
        learned, dev = _apart(run, pairs, mined, ranker)
        batches = LabelledBatches(
            dev.sequences,
            batch_tokens=2 * config.batch_size * config.max_tokens,
            pad_id=base.tokenizer.pad_id,
            seed=config.seed,
        )
        scales = layer_scales(bert.config.layers, config.layer_decay, "bert.")

        def module(steps: int) -> Ranking:
            return Ranking(
                model,
                dev_groups=dev.groups,
                lr=learning_rate(config, base),
                weight_decay=config.weight_decay,
                warmup=config.warmup,
                steps=steps,
                layer_scales={"head.": 1.0 if known else config.head_lr_scale, **scales},
            )

        metrics = train_best(run, module, learned, batches, best="mrr", label="learning to rank")
        metrics |= {"queries": len(learned.chosen), "dev_queries": len(dev.groups)}
    save_model(model.cpu(), run.out)
    folder = run.out / RERANKER_FOLDER
    folder.mkdir(exist_ok=True)
    export_reranker(model, folder / GRAPH)
    for place in (run.out, folder):
        settings.save(place)
        shutil.copyfile(base.file, place / base.file.name)
    return metrics


def _base(run: StageRun) -> BaseModel:
    """The BERT to start from: the one that ``model`` names, or the pipeline's, as its encoder was fine-tuned."""
    config: RerankerConfig = run.config
    if config.model:
        return open_saved_model(run.path(config.model), config.dropout)
    base = open_saved_model(run.inputs["finetune"], config.dropout)
    return replace(base, imported=was_imported(run.inputs["pretrain"]))


def _check_lengths(config: RerankerConfig, longest: int) -> None:
    if config.max_tokens > longest:
        raise ConfigError(
            f"finetune.reranker.max_tokens = {config.max_tokens} is more than the model can read",
            hint=f"Lower it to {longest}.",
        )
    if config.query_tokens > config.max_tokens // 2:
        raise ConfigError(
            f"finetune.reranker.query_tokens = {config.query_tokens} leaves little room for a passage",
            why=f"both share max_tokens = {config.max_tokens}",
            hint="Lower it, or raise max_tokens.",
        )


def _pairs_of_corpus(run: StageRun, tokenizer: Any, passage_tokens: int) -> list[QueryPassage]:
    """Titles, or first sentences, with the beginnings of their documents; none of held-out documents.

    Raises:
        InputError: The corpus gives too few.
    """
    from bertpipe.retrieval.held_out import query_of
    from bertpipe.text.document import read_documents
    from bertpipe.text.passages import document_windows
    from bertpipe.text.query_passage import QueryPassage

    pairs = []
    run.progress.start("reading documents", unit="documents")
    for document in read_documents(run.inputs["snapshot"] / DOCUMENTS):
        run.progress.advance(1)
        query = None if document.held_out else query_of(document)
        if query is not None:
            title, text = query.document.title, query.document.text
            window = next(iter(document_windows(title, text, tokenizer, passage_tokens, 0)))
            pairs.append(QueryPassage(query.text, title, text[window.start : window.end]))
    run.progress.finish()
    return pairs


def _apart(
    run: StageRun, pairs: list[QueryPassage], mined: Any, ranker: PassageRanker
) -> tuple[RankedPairs, DevQueries]:
    """What is learned from, and what is measured with: queries of other passages.

    Raises:
        InputError: There is too little of either.
    """
    import hashlib

    import numpy as np

    from bertpipe.text.readers.split import is_dev
    from bertpipe.training.ranked_pairs import RankedPairs

    config: RerankerConfig = run.config
    place = run.path(config.pairs) if config.pairs else None
    if len(set(mined.passages.tolist())) < 2:
        raise InputError("too few passages to rank", path=place, hint="Give pairs with different passages.")
    held = np.array([is_dev(pair.text, config.dev_share) for pair in pairs])
    dev_pairs = np.flatnonzero(held).tolist()
    # An even choice that stays the same when pairs are added elsewhere in the file.
    dev_pairs.sort(key=lambda number: hashlib.sha256(pairs[number].query.encode("utf-8", "surrogatepass")).digest())
    for count, what in ((int((~held).sum()), "learn from"), (len(dev_pairs), "measure with")):
        if place:
            require_examples(count, what, place)
        elif not count:
            raise InputError(f"the corpus gives no pairs to {what}", hint="Name pairs with finetune.reranker.pairs.")

    def ranked(chosen: np.ndarray, negatives: int) -> RankedPairs:
        return RankedPairs(
            pairs, mined, chosen, ranker, batch_size=config.batch_size, negatives=negatives, seed=config.seed
        )

    dev = ranked(np.array(dev_pairs[: config.dev_queries], dtype=np.int64), DEV_NEGATIVES)
    groups = [dev.ranked(query, query) for query in range(len(dev.chosen))]
    measured = DevQueries([one for group in groups for one in group], [len(group) for group in groups])
    return ranked(np.flatnonzero(~held), config.negatives), measured


def _source(config: RerankerConfig, base: Path) -> str:
    from bertpipe.stages.understanding.base_model import base_model_source

    return f"{pairs_source(config, base)} {base_model_source(config.model, base)}"


RERANKER = Stage(
    name="reranker",
    version=1,
    config=RerankerConfig,
    inputs=(Input("snapshot"), Input("pretrain"), Input("finetune")),
    run=learn_to_rank,
    summary="Teach the BERT to put what a search found in a better order.",
    example="bertpipe run --set finetune.reranker.budget=30m",
    source=_source,
    hidden=True,
    table="finetune.reranker",
)
