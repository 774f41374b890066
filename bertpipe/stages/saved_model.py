"""A model in a folder, whoever made it: a step of a pipeline or `bertpipe import`."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from bertpipe.errors import ArtefactError
from bertpipe.models.passage_ranker import RERANKING
from bertpipe.models.passage_ranker import SETTINGS as RERANKER
from bertpipe.models.task_settings import SETTINGS as TASK
from bertpipe.models.task_settings import SIMILARITY, TaskSettings
from bertpipe.pipeline.artefact import MANIFEST, Artefact, published_folder
from bertpipe.stages.finetune import ENCODER
from bertpipe.text.tokenizer import tokenizer_file

if TYPE_CHECKING:
    from bertpipe.models.huggingface.exporting import ExportedModel

WHAT = "It is a folder that `bertpipe import` made, or that of a pretrain or finetune step."


@dataclass(frozen=True)
class SavedModel:
    """A model in a folder.

    Attributes:
        kind: Who made it; of the BERTs, "finetune" is a text encoder, "imported" can serve as one.
        folder: Where its shape and weights lie.
        tokenizer: Its ``tokenizer.json`` or ``tokenizer.model``.
        writes: It is an encoder-decoder, not a BERT.
        task: What it learned, if that was a task of understanding or reranking.
    """

    kind: Literal["pretrain", "finetune", "imported"]
    folder: Path
    tokenizer: Path
    writes: bool = False
    task: str = ""

    @classmethod
    def open(cls, folder: Path) -> SavedModel:
        """Finds out what a folder holds.

        Raises:
            ArtefactError: It holds no model, a damaged one, or its tokenizer is missing.
        """
        if not folder.is_dir():
            raise ArtefactError(f"there is no model at {folder}", hint=WHAT)
        if not (folder / MANIFEST).is_file():
            if not (folder / "config.json").is_file():
                raise ArtefactError(f"{folder} holds no model", hint=WHAT)
            return cls("imported", folder, tokenizer_file(folder), writes=_writes(folder))
        artefact = Artefact.open(folder)
        stage = artefact.manifest.stage
        if stage in ("finetune", "reader", "reranker"):
            if _writes(folder):
                return cls("finetune", folder, tokenizer_file(folder), writes=True)
            if (folder / TASK).is_file():
                return cls("finetune", folder, tokenizer_file(folder), task=TaskSettings.load(folder).task)
            if (folder / RERANKER).is_file():
                return cls("finetune", folder, tokenizer_file(folder), task=RERANKING)
            if not (folder / ENCODER).is_dir():
                raise ArtefactError(f"{folder} holds no text encoder", why="it was trained for another task", hint=WHAT)
            return cls("finetune", folder, tokenizer_file(folder / ENCODER))
        if stage == "pretrain":
            tokens = Artefact.open(published_folder(folder.resolve().parent, "tokenize"))
            if tokens.digest != artefact.manifest.inputs.get("tokenize"):
                raise ArtefactError(
                    f"{folder} was trained with another tokenizer than {tokens.folder} holds now",
                    hint="`bertpipe run` brings both up to date",
                )
            return cls("pretrain", folder, tokenizer_file(tokens.folder), writes=_writes(folder))
        raise ArtefactError(f"{folder} holds no model", why=f"it is of the step {stage}", hint=WHAT)

    def to_transformers(self, destination: Path) -> ExportedModel:
        """Writes it in the layout of transformers, and of sentence-transformers if it is a text encoder.

        Args:
            destination: An existing, empty folder.

        Raises:
            BertpipeError: It is damaged, or no class of transformers computes the same.
        """
        if self.writes:
            return self._transformer_to_transformers(destination)
        self._refuse_heads()
        from bertpipe.models.checkpoint import load_encoder, load_pretrained
        from bertpipe.models.huggingface.exporting import export_model
        from bertpipe.models.imported import ImportedPooling, imported_tensors

        pooling = None
        if self.kind == "imported":
            config, tensors = imported_tensors(self.folder)
            pooling = ImportedPooling.load(self.folder)
        elif self.kind == "pretrain":
            model = load_pretrained(self.folder)
            config, tensors = model.bert.config, model.state_dict()
        else:
            encoder = load_encoder(self.folder)
            config, tensors = encoder.bert.config, encoder.state_dict()
            mode: Literal["cls", "mean"] = "cls" if config.pooling == "cls" else "mean"
            pooling = ImportedPooling(mode, True, self._longest_text())
        return export_model(config, tensors, self.tokenizer, destination, pooling=pooling)

    def to_onnx(self, destination: Path) -> None:
        """Writes its text encoder as `bertpipe.retrieval.encoder.Encoder` reads it: graph, tokenizer, settings.

        Args:
            destination: An existing, empty folder.

        Raises:
            ArtefactError: It is damaged, or no text encoder.
        """
        if self.writes:
            raise ArtefactError(f"{self.folder} is no text encoder", why="it writes; only text encoders become graphs")
        self._refuse_heads()
        if self.kind == "finetune" and not self.task:
            shutil.copytree(self.folder / ENCODER, destination, dirs_exist_ok=True)
            return
        if self.kind == "pretrain":
            raise ArtefactError(
                f"{self.folder} is no text encoder",
                why="pretraining teaches words in context, not texts as a whole",
                hint="Export the finetune step instead.",
            )
        from bertpipe.models.checkpoint import load_encoder
        from bertpipe.models.encoder import TextEncoder
        from bertpipe.models.imported import ImportedPooling, load_imported
        from bertpipe.models.onnx_export import export_encoder
        from bertpipe.retrieval.encoder import GRAPH, EncoderSettings

        if self.task:
            encoder, longest = load_encoder(self.folder), self._longest_text()
        else:
            encoder = TextEncoder(load_imported(self.folder)[0].bert)
            pooling = ImportedPooling.load(self.folder)
            longest = pooling.longest_text if pooling else encoder.bert.config.max_length
        export_encoder(encoder, destination / GRAPH)
        shutil.copyfile(self.tokenizer, destination / self.tokenizer.name)
        width = encoder.bert.config.width
        EncoderSettings(width, query_tokens=longest, passage_tokens=longest).save(destination)

    def _refuse_heads(self) -> None:
        if self.task not in ("", SIMILARITY):
            hint = "`bertpipe search --rerank` uses it." if self.task == RERANKING else "`bertpipe predict` uses it."
            raise ArtefactError(f"{self.folder} cannot be exported", why=f"it learned {self.task}", hint=hint)

    def _transformer_to_transformers(self, destination: Path) -> ExportedModel:
        from bertpipe.models.checkpoint import load_transformer
        from bertpipe.models.generator import SETTINGS, GeneratorSettings
        from bertpipe.models.huggingface.transformer_exporting import export_transformer

        model = load_transformer(self.folder)
        settings = GeneratorSettings.load(self.folder) if (self.folder / SETTINGS).is_file() else None
        return export_transformer(model.config, model.state_dict(), self.tokenizer, destination, settings=settings)

    def _longest_text(self) -> int:
        if self.task:
            return TaskSettings.load(self.folder).max_tokens
        from bertpipe.retrieval.encoder import SETTINGS

        path = self.folder / ENCODER / SETTINGS
        try:
            return int(json.loads(path.read_text(encoding="utf-8"))["passage_tokens"])
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise ArtefactError(f"{path} cannot be read", why=str(error)) from error


def _writes(folder: Path) -> bool:
    """Whether a folder's ``config.json`` is that of an encoder-decoder."""
    from bertpipe.models.transformer_config import KIND

    try:
        values = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ArtefactError(f"{folder / 'config.json'} cannot be read", why=str(error)) from error
    return isinstance(values, dict) and values.get("kind") == KIND
