"""What a trained reranker says about pairs and their hard negatives, for a text encoder to learn."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from bertpipe.errors import ArtefactError
from bertpipe.pipeline.stage import StageRun, resolve_path

if TYPE_CHECKING:
    from bertpipe.text.query_passage import QueryPassage
    from bertpipe.training.user_pairs import UserPairs

SCORES, DONE = "teacher.npy", "teacher.json"
# A teacher reads each of these with the query, which is what takes long.
NEGATIVES_FOR_EACH, FEWEST_NEGATIVES = 2, 4
# Pairs between two notes of how far the work is.
BLOCK = 256


def teacher_source(written: str, base: Path) -> str:
    """Digest of the reranker that a config names; empty without one.

    Raises:
        ArtefactError: There is none.
    """
    if not written:
        return ""
    from bertpipe.models.passage_ranker import SETTINGS
    from bertpipe.stages.imported_model import MODEL_FILES, digest_of
    from bertpipe.text.tokenizer import tokenizer_file

    folder = resolve_path(written, base)
    if not (folder / SETTINGS).is_file():
        raise ArtefactError(f"{folder} is no reranker", hint="It is the folder of a step reranker, in `runs`.")
    return digest_of([*(folder / name for name in MODEL_FILES), folder / SETTINGS, tokenizer_file(folder)])


def with_teacher(run: StageRun, pairs: Sequence[QueryPassage], mined: UserPairs) -> UserPairs:
    """Has the teacher judge every query with its own passage and with the most misleading of its hard negatives.

    Args:
        run: Its config is a `bertpipe.stages.finetune.FinetuneConfig` with ``teacher``; a killed run goes on.
        pairs: The pairs.
        mined: The same, with hard negatives.

    Returns:
        Pairs with what the teacher said, and without the negatives that it did not see.
    """
    import numpy as np

    from bertpipe.models.cross_scorer import open_cross_scorer
    from bertpipe.text.array_file import ArrayFile
    from bertpipe.training.budget import training_device

    config = run.config
    if mined.negatives is None:
        return mined
    negatives = mined.negatives[:, : max(FEWEST_NEGATIVES, NEGATIVES_FOR_EACH * config.hard_negatives)]
    shape = (len(mined), 1 + negatives.shape[1])
    done_file = run.resume / DONE
    done = int(json.loads(done_file.read_text())) if done_file.is_file() else 0
    ranker = open_cross_scorer(
        run.path(config.teacher), training_device(config.accelerator), bf16=config.precision == "bf16-mixed"
    )
    run.progress.start("asking the teacher", total=len(mined), unit="pairs")
    run.progress.advance(done)
    with ArrayFile(run.resume / SCORES, np.float32, shape, done) as file:
        while done < len(mined):
            block = range(done, min(done + BLOCK, len(mined)))
            scores = np.full((len(block), shape[1]), np.nan, dtype=np.float32)
            rows: list[int] = []
            columns: list[int] = []
            asked: list[tuple[str, str, str]] = []
            for row, pair in enumerate(block):
                shown = [pair, *(one for one in negatives[pair].tolist() if one >= 0)]
                # What tells a right passage must not be that it has no title.
                titled = bool(pairs[pair].title)
                rows += [row] * len(shown)
                columns += range(len(shown))
                asked += [(pairs[pair].query, pairs[one].title if titled else "", pairs[one].text) for one in shown]
            scores[rows, columns] = ranker.pair_scores(asked)
            file.append(scores)
            done += len(block)
            partial = done_file.with_suffix(".new")
            partial.write_text(json.dumps(done))
            partial.replace(done_file)
            run.progress.advance(len(block))
    run.progress.finish()
    told = np.load(run.resume / SCORES, allow_pickle=False)
    return replace(mined, negatives=negatives, teacher=told)
