"""A passage: what is embedded, indexed and found."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from bertpipe.text.document import Scalar


@dataclass(frozen=True, slots=True)
class Passage:
    """A stretch of whole sentences of a document.

    Attributes:
        number: Its row in the vectors and its key in the lexical index, 0 to N-1.
        passage_id: Unique, and stable as long as its document is.
        document: Id of the document it was cut out of.
        title: The document's title; may be empty.
        text: The stretch itself.
        start: Where it starts in the document's text, in characters.
        end: Where it ends.
        metadata: The document's metadata.
        group: The document's group; empty if it stands alone.
    """

    number: int
    passage_id: str
    document: str
    title: str
    text: str
    start: int
    end: int
    metadata: dict[str, Scalar] = field(default_factory=dict)
    group: str = ""

    @property
    def digest(self) -> str:
        """Sha256 (hex) of title and text, which are all that an encoder sees of a passage."""
        return hashlib.sha256(f"{self.title}\0{self.text}".encode(errors="surrogatepass")).hexdigest()
