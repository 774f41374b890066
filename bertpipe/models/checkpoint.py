"""Models on disk: weights as safetensors, shapes as JSON; nothing is unpickled."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn

from bertpipe.errors import ArtefactError
from bertpipe.models.answer_reader import AnswerReader
from bertpipe.models.bert import Bert
from bertpipe.models.config import BertConfig
from bertpipe.models.cross_encoder import CrossEncoder
from bertpipe.models.encoder import TextEncoder
from bertpipe.models.heads import BertForPretraining
from bertpipe.models.text_classifier import TextClassifier
from bertpipe.models.token_tagger import TokenTagger
from bertpipe.models.transformer import Transformer
from bertpipe.models.transformer_config import TransformerConfig

WEIGHTS, CONFIG = "model.safetensors", "config.json"


def save_model(
    model: BertForPretraining | TextEncoder | TextClassifier | TokenTagger | AnswerReader | CrossEncoder | Transformer,
    folder: Path,
) -> None:
    """Writes ``config.json`` and ``model.safetensors``.

    Args:
        model: A `Transformer`, or a model with a `Bert` inside.
        folder: Created if need be.
    """
    folder.mkdir(parents=True, exist_ok=True)
    config = model.config if isinstance(model, Transformer) else model.bert.config
    config.save(folder / CONFIG)
    write_tensors(model.state_dict(), folder / WEIGHTS)


def write_tensors(tensors: Mapping[str, Tensor], path: Path, metadata: dict[str, str] | None = None) -> None:
    """Writes tensors as safetensors; the same bytes for the same tensors.

    Args:
        tensors: By name.
        path: The file.
        metadata: Texts for the file's header.
    """
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    # Not `save_file`: its files can be read by their owner alone, and an index is meant to be handed on.
    path.write_bytes(save(plain, metadata))


def load_pretrained(folder: Path) -> BertForPretraining:
    """Loads a pretrained BERT with its heads.

    Raises:
        ArtefactError: A file is missing, damaged, or of another model.
    """
    model = BertForPretraining(Bert(BertConfig.load(folder / CONFIG)))
    _fill(model, folder / WEIGHTS)
    return model


def load_bert(folder: Path | str) -> Bert:
    """Loads the BERT of any model of ours that has one: pretrained, imported, or a text encoder.

    Args:
        folder: Holds ``config.json`` and ``model.safetensors``.

    Returns:
        The BERT, in evaluation mode, without heads or pooling.

    Raises:
        ArtefactError: A file is missing, damaged, or of another model.
    """
    place = Path(folder)
    bert = Bert(BertConfig.load(place / CONFIG))
    _fill(bert, place / WEIGHTS, prefix="bert.")
    return bert.eval()


def load_encoder(folder: Path) -> TextEncoder:
    """Loads a text encoder.

    Raises:
        ArtefactError: A file is missing, damaged, or of another model.
    """
    model = TextEncoder(Bert(BertConfig.load(folder / CONFIG)))
    _fill(model, folder / WEIGHTS)
    return model


def load_reader(folder: Path) -> AnswerReader:
    """Loads a model that finds answers.

    Raises:
        ArtefactError: A file is missing, damaged, or of another model.
    """
    model = AnswerReader(Bert(BertConfig.load(folder / CONFIG)))
    _fill(model, folder / WEIGHTS)
    return model


def load_cross_encoder(folder: Path) -> CrossEncoder:
    """Loads a model that scores passages for queries.

    Raises:
        ArtefactError: A file is missing, damaged, or of another model.
    """
    model = CrossEncoder(Bert(BertConfig.load(folder / CONFIG)))
    _fill(model, folder / WEIGHTS)
    return model


def load_classifier(folder: Path, num_labels: int) -> TextClassifier:
    """Loads a classifier.

    Args:
        folder: Holds ``config.json`` and ``model.safetensors``.
        num_labels: C.

    Raises:
        ArtefactError: A file is missing, damaged, or of another model.
    """
    model = TextClassifier(Bert(BertConfig.load(folder / CONFIG)), num_labels)
    _fill(model, folder / WEIGHTS)
    return model


def load_tagger(folder: Path, num_labels: int) -> TokenTagger:
    """Loads a tagger.

    Args:
        folder: Holds ``config.json`` and ``model.safetensors``.
        num_labels: L.

    Raises:
        ArtefactError: A file is missing, damaged, or of another model.
    """
    model = TokenTagger(Bert(BertConfig.load(folder / CONFIG)), num_labels)
    _fill(model, folder / WEIGHTS)
    return model


def load_transformer(folder: Path) -> Transformer:
    """Loads an encoder-decoder.

    Raises:
        ArtefactError: A file is missing, damaged, or of another model.
    """
    model = Transformer(TransformerConfig.load(folder / CONFIG))
    _fill(model, folder / WEIGHTS)
    return model


def _fill(model: nn.Module, path: Path, prefix: str = "") -> None:
    """Loads the tensors of a file whose names start with a prefix."""
    tensors = {name.removeprefix(prefix): item for name, item in read_tensors(path).items() if name.startswith(prefix)}
    expected = model.state_dict()
    missing = sorted(expected.keys() - tensors.keys())
    extra = sorted(tensors.keys() - expected.keys())
    if missing or extra:
        odd = [f"lacks {missing[0]}"] if missing else []
        odd += [f"has {extra[0]} too much"] if extra else []
        raise ArtefactError(f"{path} is of another model", why=f"it {' and '.join(odd)}")
    for name, tensor in tensors.items():
        if tensor.shape != expected[name].shape:
            shapes = f"{name} is {tuple(tensor.shape)} instead of {tuple(expected[name].shape)}"
            raise ArtefactError(f"{path} is of another model", why=shapes)
    model.load_state_dict(tensors)


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Reads what `write_tensors` wrote.

    Raises:
        ArtefactError: The file is missing or damaged.
    """
    if not path.is_file():
        raise ArtefactError(f"{path} is missing")
    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise ArtefactError(f"{path} is damaged", why=str(error)) from error
