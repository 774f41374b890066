"""A model by its name on the Hugging Face hub. Nothing is fetched but what the user named."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from bertpipe.errors import InputError

NAME: Final = re.compile(r"[\w][\w.-]*(/[\w][\w.-]*)?")
# Weights, shapes and vocabularies; no pickle, and none of the other formats that a repository may hold.
FILES: Final = ("*.json", "*.txt", "*.safetensors", "*.model")
LEFT_OUT: Final = ("onnx/*", "openvino/*", "coreml/*", "*.ckpt/*")


def fetch(name: str) -> Path:
    """Brings a repository of the hub into the cache of huggingface_hub.

    Args:
        name: Such as ``sentence-transformers/all-MiniLM-L6-v2``.

    Returns:
        The folder with its files.

    Raises:
        InputError: It is neither a folder nor a name of the hub, huggingface_hub is not installed, or the repository
            does not exist or cannot be reached.
    """
    if not NAME.fullmatch(name):
        raise InputError("there is no such folder", path=name)
    unknown = f"{name} is no folder here"
    try:
        from huggingface_hub import errors as hub
        from huggingface_hub import snapshot_download
    except ImportError:
        raise InputError(
            unknown,
            why="a name of the Hugging Face hub needs the package huggingface_hub",
            hint="Install it with `pip install 'bertpipe[hub]'`, or name a folder.",
        ) from None
    try:
        return Path(snapshot_download(name, allow_patterns=list(FILES), ignore_patterns=list(LEFT_OUT)))
    except hub.HFValidationError as error:
        raise InputError("there is no such folder", path=name, why=str(error)) from error
    except hub.GatedRepoError as error:
        raise InputError(
            f"{name} is given out only to those who have asked", why="the hub calls it gated", hint="Log in to the hub."
        ) from error
    except hub.RepositoryNotFoundError as error:
        raise InputError(unknown, why="and the Hugging Face hub has none of this name, or it is private") from error
    # What is left is about the way to the hub: offline mode, no network, a server's error. Errors of the network come
    # from several libraries, and most of them are OSErrors.
    except (hub.LocalEntryNotFoundError, hub.HfHubHTTPError, hub.OfflineModeIsEnabled, OSError) as error:
        raise InputError(
            unknown,
            why="and the Hugging Face hub cannot be reached",
            hint="Name a folder, or try again with a network and without HF_HUB_OFFLINE.",
        ) from error
