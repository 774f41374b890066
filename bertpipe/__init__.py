"""Turn a folder of private text into a search engine that learned from that text.

The names of the Python interface are imported when they are used, so that `import bertpipe` costs nothing:

```python
from bertpipe import Bert, Generator, Index, Tokenizer, Transformer
```
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bertpipe.models.bert import Bert
    from bertpipe.models.checkpoint import load_bert
    from bertpipe.models.config import BertConfig
    from bertpipe.models.decoding import Decoding
    from bertpipe.models.generator import Generator
    from bertpipe.models.predictor import Predictor
    from bertpipe.models.transformer import Transformer
    from bertpipe.models.transformer_config import TransformerConfig
    from bertpipe.retrieval.index import Index
    from bertpipe.text.document import Document
    from bertpipe.text.tokenizer import Tokenizer

__all__ = [
    "Bert",
    "BertConfig",
    "Decoding",
    "Document",
    "Generator",
    "Index",
    "Predictor",
    "Tokenizer",
    "Transformer",
    "TransformerConfig",
    "load_bert",
]

# Modules relative to this package: what is on top of the house, not below it.
_HOME = {
    "Bert": "models.bert",
    "BertConfig": "models.config",
    "Decoding": "models.decoding",
    "Document": "text.document",
    "Generator": "models.generator",
    "Index": "retrieval.index",
    "Predictor": "models.predictor",
    "Tokenizer": "text.tokenizer",
    "Transformer": "models.transformer",
    "TransformerConfig": "models.transformer_config",
    "load_bert": "models.checkpoint",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOME[name]}", __name__), name)


def __dir__() -> list[str]:
    return __all__
