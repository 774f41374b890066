"""Build the index, and measure on held-out queries how well it finds."""

from __future__ import annotations

import json
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
    from bertpipe.retrieval.index import READER, REPORT, IndexSettings, build_index
    from bertpipe.retrieval.reader import reader_digest
    from bertpipe.retrieval.report import judge, make_report
    from bertpipe.retrieval.tuning import MOST_QUERIES, build_tuned

    embedded, encoder_folder = run.inputs["embed"], run.inputs["finetune"] / ENCODER
    reader = run.inputs["reader"] / READER if "reader" in run.inputs else None
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
    )
    run.progress.finish()
    overlap = Manifest.read(embedded).config["overlap"]
    run.progress.start("measuring on held-out queries", total=len(queries), unit="queries")
    judged = judge(queries, store, vectors, encoder, overlap=overlap, advance=run.progress.advance)
    run.progress.finish()
    report = make_report(judged, run.config.seed) | {"structure": dense.report}
    (run.out / REPORT).write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    mode = report["mode"] if run.config.mode == "auto" else run.config.mode
    read_by = reader_digest(reader) if reader else ""
    encoded_by = encoder_digest(encoder_folder)
    IndexSettings(encoded_by, len(vectors), mode, report["weight"], reader=read_by).save(run.out)
    metrics: dict[str, Any] = {"passages": len(vectors), "queries": len(queries), "mode": mode}
    for name, figures in report.get("modes", {}).items():
        metrics[f"{name}_ndcg@10"] = figures["ndcg@10"]["mean"]
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
INDEX_WITH_READER = replace(INDEX, inputs=(*INDEX.inputs, Input("reader")))
"""The same where the pipeline trains a reader, which then lies in the index."""
