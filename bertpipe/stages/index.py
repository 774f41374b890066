"""Build the index, and measure on held-out queries how well it finds."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, Field

from bertpipe.pipeline.artefact import Manifest
from bertpipe.pipeline.stage import Input, Stage, StageRun
from bertpipe.stages.corpus import DOCUMENTS
from bertpipe.stages.embed import PASSAGES, VECTORS
from bertpipe.stages.finetune import ENCODER
from bertpipe.text.document import read_documents

if TYPE_CHECKING:
    import numpy as np

    from bertpipe.retrieval.encoder import Encoder
    from bertpipe.retrieval.held_out import HeldOutQuery
    from bertpipe.retrieval.passage_store import PassageStore
    from bertpipe.retrieval.vectors import VectorIndex


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
    weight: float | None = Field(
        None, ge=0, le=1, description="Of the vectors in the hybrid mode; by default, what found held-out queries best."
    )
    nearness: Literal["auto", "on", "off"] = Field(
        "auto",
        description="Whether words of a query that stand together count for more in the hybrid mode; auto: where that "
        "surely helped held-out queries. It helps questions more than topics.",
    )
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

    from bertpipe.retrieval.cutting import parts_of
    from bertpipe.retrieval.encoder import Encoder, encoder_digest
    from bertpipe.retrieval.index_folder import READER, RERANKER, IndexSettings, build_index, save_report
    from bertpipe.retrieval.measured_documents import document_keys
    from bertpipe.retrieval.passage_store import PassageStore
    from bertpipe.retrieval.reader import reader_digest
    from bertpipe.retrieval.reranker import reranker_digest

    embedded, encoder_folder = run.inputs["embed"], run.inputs["finetune"] / ENCODER
    reader = run.inputs["reader"] / READER if "reader" in run.inputs else None
    reranker = run.inputs["reranker"] / RERANKER if "reranker" in run.inputs else None
    vectors = np.load(embedded / VECTORS, mmap_mode="r", allow_pickle=False)
    with PassageStore.open(embedded / PASSAGES) as store:
        present, parts = document_keys(store), parts_of(store)
        earlier = _earlier_report(run, store, present)
    queries = [] if earlier else _queries(run)
    encoder = None if earlier else Encoder(encoder_folder)
    run.progress.start("arranging vectors", unit="passages")
    dense, structure = _arranged(run, vectors, parts, queries, encoder)
    run.progress.finish()
    run.progress.start("indexing passages", total=len(vectors), unit="passages")
    store = build_index(
        run.out,
        passages=embedded / PASSAGES,
        vectors=vectors,
        encoder=encoder_folder,
        advance=run.progress.advance,
        written=embedded / VECTORS,
        reader=reader,
        reranker=reranker,
        dense=dense,
    )
    run.progress.finish()
    if encoder is None:
        assert earlier is not None
        report, measured = earlier
    else:
        report = _measure(run, queries, store, vectors, encoder, reranker) | {"structure": structure}
        measured = present
    save_report(run.out, report, measured, present)
    mode = report["mode"] if run.config.mode == "auto" else run.config.mode
    settings = IndexSettings(
        encoder_digest(encoder_folder),
        len(vectors),
        mode,
        report["weight"],
        reader=reader_digest(reader) if reader else "",
        nearness=report["nearness"],
    )
    reranking = report.get("reranking", {})
    if reranker is not None:
        default = reranking["helps"] if run.config.rerank == "auto" else run.config.rerank == "on"
        settings = replace(
            settings, reranker=reranker_digest(reranker), rerank=default, rerank_weight=reranking["weight"]
        )
    settings.save(run.out)
    metrics: dict[str, Any] = {"passages": len(vectors), "queries": report["queries"], "mode": mode}
    for name, figures in report.get("modes", {}).items():
        metrics[f"{name}_ndcg@10"] = figures["ndcg@10"]["mean"]
    if reranking.get("measured"):
        metrics["reranked"] = settings.rerank
        metrics["reranked_ndcg@10"] = reranking["modes"]["reranked"]["ndcg@10"]["mean"]
    metrics["structure"] = dense.structure
    if "recall@10" in report["structure"]:
        metrics["structure_recall@10"] = report["structure"]["recall@10"]["mean"]
    return metrics


def _queries(run: StageRun) -> list[HeldOutQuery]:
    """The held-out queries to measure with."""
    from bertpipe.retrieval.held_out import held_out_queries

    return sorted(
        held_out_queries(read_documents(run.inputs["corpus"] / DOCUMENTS)),
        # Any even choice does; this one does not change when documents come or go.
        key=lambda query: query.order,
    )[: run.config.queries]


def _arranged(
    run: StageRun, vectors: np.ndarray, parts: int, queries: Sequence[HeldOutQuery], encoder: Encoder | None
) -> tuple[VectorIndex, dict[str, Any]]:
    """The vectors' index and what the report says of it; without an encoder, as in the index before."""
    from bertpipe.retrieval.index_folder import VECTORS as VECTORS_FOLDER
    from bertpipe.retrieval.tuning import MOST_QUERIES, build_tuned
    from bertpipe.retrieval.vectors import VectorIndex

    if encoder is None:
        assert run.previous is not None
        return VectorIndex.open(run.previous / VECTORS_FOLDER).with_vectors(vectors), {}
    tuned = build_tuned(
        vectors,
        lambda: encoder.encode_queries([query.text for query in queries[:MOST_QUERIES]]),
        structure=run.config.structure,
        memory_mb=run.config.memory_mb,
        target=run.config.recall,
        seed=run.config.seed,
        parts=parts,
    )
    return tuned.index, tuned.report


def _measure(
    run: StageRun,
    queries: Sequence[HeldOutQuery],
    store: PassageStore,
    vectors: np.ndarray,
    encoder: Encoder,
    reranker: Path | None,
) -> dict[str, Any]:
    """Measures on held-out queries how well the index finds, and whether a reranker helps."""
    from bertpipe.retrieval.report import judge, make_report
    from bertpipe.retrieval.rerank_report import make_rerank_report, read_candidates
    from bertpipe.retrieval.reranker import open_reranker

    overlap = Manifest.read(run.inputs["embed"]).config["overlap"]
    run.progress.start("measuring on held-out queries", total=len(queries), unit="queries")
    judged = judge(queries, store, vectors, encoder, overlap=overlap, advance=run.progress.advance)
    run.progress.finish()
    report = make_report(judged, run.config.seed, run.config.nearness, run.config.weight)
    if reranker is not None:
        mode = report["mode"] if run.config.mode == "auto" else run.config.mode
        few = judged[: run.config.rerank_queries]
        run.progress.start("reranking held-out queries", total=len(few), unit="queries")
        read = read_candidates(few, open_reranker(reranker), mode, report, run.progress.advance)
        run.progress.finish()
        report["reranking"] = make_rerank_report(read, run.config.seed)
    return report


def _earlier_report(
    run: StageRun, store: PassageStore, present: np.ndarray
) -> tuple[dict[str, Any], np.ndarray] | None:
    """The report of the index before, and the documents that it was measured on, where it still holds.

    It does where passages are cut and encoded in the same way, it was asked for in the same way, and few documents
    changed since.
    """
    import numpy as np

    from bertpipe.retrieval.index_folder import MEASURED, REPORT
    from bertpipe.retrieval.measured_documents import documents_since
    from bertpipe.retrieval.passage_store import PassageStore
    from bertpipe.retrieval.report import STALE_SHARE

    # What a report says of a reranker was measured in the mode of that time.
    other = {"rerank"} if "reranker" in run.inputs else {"rerank", "mode"}
    asked = run.config.model_dump(mode="json", exclude=other)
    if (
        run.previous is None
        or not (run.previous / MEASURED).is_file()  # of an older bertpipe
        or run.previous_inputs.get("reranker") != run.input_digests.get("reranker")
        or any(run.previous_config.get(key) != value for key, value in asked.items())
    ):
        return None
    with PassageStore.open(run.previous / PASSAGES) as before:
        if before.facts != store.facts:
            return None
    measured = np.load(run.previous / MEASURED, allow_pickle=False)
    report = json.loads((run.previous / REPORT).read_text(encoding="utf-8"))
    changed = sum(documents_since(measured, present).values())
    if changed > STALE_SHARE * len(measured):
        run.progress.note(f"measured again: {changed:,} of {len(measured):,} documents changed since the last time")
        return None
    return report, measured


INDEX = Stage(
    name="index",
    version=3,
    config=IndexConfig,
    inputs=(Input("corpus"), Input("finetune"), Input("embed")),
    run=index,
    summary="Build the index and measure how well it finds.",
    example="bertpipe index --mode hybrid",
)


def index_with(models: Sequence[Stage]) -> Stage:
    """The stage where the pipeline trains a reranker or a reader, which then lie in the index."""
    return replace(INDEX, inputs=(*INDEX.inputs, *(Input(stage.name) for stage in models)))
