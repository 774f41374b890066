"""Which examples a training is measured on, where nobody set any apart."""

from __future__ import annotations

import hashlib


def is_dev(name: str, share: float) -> bool:
    """Whether the examples of a name are for measuring and not for learning.

    A pure function of the name, so the answer does not change when other examples come or go. It has nothing to do with
    which documents of a corpus are held out for its report.

    Args:
        name: What belongs together: an example's text, so that the same text is never on both sides, or the article
            that a question is about.
        share: The share of all names to measure on, 0 to 1.
    """
    head = hashlib.sha256(b"dev\0" + name.encode("utf-8", "surrogatepass")).digest()[:8]
    return int.from_bytes(head, "big") / 2**64 < share
