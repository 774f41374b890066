"""Build the index, and measure on held-out queries how well it finds."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal

from pydantic import BaseModel, Field

from bertpipe.pipeline.artefact import Manifest
from bertpipe.pipeline.stage import Input, Stage, StageRun
from bertpipe.stages.corpus import DOCUMENTS
from bertpipe.stages.embed import PASSAGES, VECTORS
from bertpipe.stages.finetune import ENCODER
from bertpipe.text.document import read_documents


class IndexConfig(BaseModel, extra="forbid"):
    """The index and its report."""

    mode: Literal["auto", "hybrid", "dense", "bm25"] = Field(
        "auto", description="How searches run by default; auto: the mode that won on held-out queries."
    )
    rerank: Literal["auto", "on", "off"] = Field(
        "auto", description="Whether searches are reranked by default; auto: where it surely helped held-out queries."
    )
    rerank_queries: int = Field(
        200, ge=0, description="Held-out queries to measure a reranker with, at most; reading takes long."
    )
    title_weight: int = Field(3, ge=0, le=20, description="How often the words of a title count, beside the text's.")
    queries: int = Field(2000, ge=0, description="Held-out queries to measure with, at most; 0 measures nothing.")
    structure: str = Field(
        "auto",
        min_length=1,
        description='How FAISS holds the vectors: "Flat", or any of its factory strings, such as "IVF1024,PQ64x4fs" or '
        '"HNSW32,SQ8"; auto: flat while that is quick, else compressed codes that reach `recall`.',
    )
    memory_mb: int = Field(
        1000, ge=1, description="Megabytes that compressed vectors may take in memory; `auto` heeds it."
    )
    recall: float = Field(
        0.95, gt=0, le=1, description="Share of the ten nearest passages that searches are tuned to find, at least."
    )
    seed: int = Field(0, ge=0, description="Seed of the report's bootstrap.")


def index(run: StageRun) -> dict[str, Any]:
    """Writes an index that holds all a search needs, and its report."""
    import numpy as np

    from bertpipe.retrieval.encoder import Encoder, encoder_digest
    from bertpipe.retrieval.held_out import held_out_queries
    from bertpipe.retrieval.index import READER, REPORT, RERANKER, IndexSettings, build_index
    from bertpipe.retrieval.reader import reader_digest
    from bertpipe.retrieval.report import judge, make_report
    from bertpipe.retrieval.rerank_report import make_rerank_report, read_candidates
    from bertpipe.retrieval.reranker import open_reranker, reranker_digest
    from bertpipe.retrieval.tuning import MOST_QUERIES, build_tuned

    embedded, encoder_folder = run.inputs["embed"], run.inputs["finetune"] / ENCODER
    reader = run.inputs["reader"] / READER if "reader" in run.inputs else None
    reranker = run.inputs["reranker"] / RERANKER if "reranker" in run.inputs else None
    vectors = np.load(embedded / VECTORS, mmap_mode="r", allow_pickle=False)
    queries = sorted(
        held_out_queries(read_documents(run.inputs["corpus"] / DOCUMENTS)),
        # Any even choice does; this one does not change when documents come or go.
        key=lambda query: query.order,
    )[: run.config.queries]
    encoder = Encoder(encoder_folder)
    run.progress.start("arranging vectors", unit="passages")
    dense = build_tuned(
        vectors,
        lambda: encoder.encode_queries([query.text for query in queries[:MOST_QUERIES]]),
        structure=run.config.structure,
        memory_mb=run.config.memory_mb,
        target=run.config.recall,
        seed=run.config.seed,
    )
    run.progress.finish()
    run.progress.start("indexing passages", total=len(vectors), unit="passages")
    store = build_index(
        run.out,
        passages=embedded / PASSAGES,
        vectors=vectors,
        encoder=encoder_folder,
        advance=run.progress.advance,
        reader=reader,
        dense=dense.index,
        reranker=reranker,
        title_weight=run.config.title_weight,
    )
    run.progress.finish()
    overlap = Manifest.read(embedded).config["overlap"]
    run.progress.start("measuring on held-out queries", total=len(queries), unit="queries")
    judged = judge(
        queries,
        store,
        vectors,
        encoder,
        overlap=overlap,
        advance=run.progress.advance,
        title_weight=run.config.title_weight,
    )
    run.progress.finish()
    report = make_report(judged, run.config.seed) | {"structure": dense.report}
    mode = report["mode"] if run.config.mode == "auto" else run.config.mode
    reranking: dict[str, Any] = {}
    if reranker is not None:
        few = judged[: run.config.rerank_queries]
        run.progress.start("reranking held-out queries", total=len(few), unit="queries")
        read = read_candidates(few, open_reranker(reranker), mode, report, run.progress.advance)
        run.progress.finish()
        reranking = make_rerank_report(read, run.config.seed)
        report["reranking"] = reranking
    (run.out / REPORT).write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    settings = IndexSettings(
        encoder_digest(encoder_folder),
        len(vectors),
        mode,
        report["weight"],
        reader=reader_digest(reader) if reader else "",
    )
    if reranker is not None:
        default = reranking["helps"] if run.config.rerank == "auto" else run.config.rerank == "on"
        settings = replace(
            settings, reranker=reranker_digest(reranker), rerank=default, rerank_weight=reranking["weight"]
        )
    settings.save(run.out)
    metrics: dict[str, Any] = {"passages": len(vectors), "queries": len(queries), "mode": mode}
    for name, figures in report.get("modes", {}).items():
        metrics[f"{name}_ndcg@10"] = figures["ndcg@10"]["mean"]
    if reranking.get("measured"):
        metrics["reranked"] = settings.rerank
        metrics["reranked_ndcg@10"] = reranking["modes"]["reranked"]["ndcg@10"]["mean"]
    metrics["structure"] = dense.index.structure
    if dense.recall is not None:
        metrics["structure_recall@10"] = round(dense.recall.mean, 4)
    return metrics


INDEX = Stage(
    name="index",
    version=2,
    config=IndexConfig,
    inputs=(Input("corpus"), Input("finetune"), Input("embed")),
    run=index,
    summary="Build the index and measure how well it finds.",
    example="bertpipe index --mode hybrid",
)


def index_with(models: Sequence[Stage]) -> Stage:
    """The stage where the pipeline trains a reranker or a reader, which then lie in the index."""
    return replace(INDEX, inputs=(*INDEX.inputs, *(Input(stage.name) for stage in models)))
