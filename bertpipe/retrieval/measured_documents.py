"""The documents that a report was measured on, and how far those of the index have moved from them."""

from __future__ import annotations

import hashlib

import numpy as np

from bertpipe.retrieval.passage_store import PassageStore


def document_keys(store: PassageStore) -> np.ndarray:
    """What tells documents apart, and one state of a document from another.

    Returns:
        uint64 (N, 2), sorted: 64 bits each of the hash of a document's id and of its digest.
    """
    heads = b"".join(
        hashlib.sha256(name.encode()).digest()[:8] + digest[:8].ljust(8, b"\0") for name, digest in store.documents()
    )
    keys = np.frombuffer(heads, dtype="<u8").reshape(-1, 2)
    return keys[np.lexsort((keys[:, 1], keys[:, 0]))]


def documents_since(measured: np.ndarray, present: np.ndarray) -> dict[str, int]:
    """How many documents are new, changed and removed.

    Args:
        measured: What `document_keys` gave when the report was measured.
        present: What it gives now.
    """
    common, before, now = np.intersect1d(measured[:, 0], present[:, 0], return_indices=True)
    return {
        "new": len(present) - len(common),
        "changed": int((measured[before, 1] != present[now, 1]).sum()),
        "removed": len(measured) - len(common),
    }
