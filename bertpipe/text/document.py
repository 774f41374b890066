"""A document: what a reader reads, what the corpus keeps, and what a hit points to."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bertpipe.errors import ArtefactError, InputError

Scalar = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Document:
    """One text of the user's.

    Attributes:
        id: Unique in a corpus and stable between runs.
        title: One line for people; may be empty.
        text: The text itself, plain, with line breaks where the source had paragraphs.
        metadata: Flat facts about the document, carried along untouched.
        group: Documents of one group are held out together, because one tells too much about another: the replies
            of one dialogue. Empty for a document that stands alone.
    """

    id: str
    title: str
    text: str
    metadata: dict[str, Scalar] = field(default_factory=dict)
    group: str = ""

    @property
    def digest(self) -> str:
        """Sha256 (hex) of the content: title, text and metadata, without the id and the group."""
        content = {"metadata": self.metadata, "text": self.text, "title": self.title}
        return hashlib.sha256(_canonical(content).encode("utf-8")).hexdigest()

    @property
    def held_out(self) -> bool:
        """Whether nothing may learn from it: decided by its group, or where it has none by its id."""
        return is_held_out(self.group or self.id)


def write_documents(path: Path, documents: Iterable[Document]) -> int:
    """Writes documents as canonical JSON lines: UTF-8, sorted keys, no spaces, one line feed each.

    Args:
        path: The file to write; its folder exists.
        documents: Written in the order given, one at a time.

    Returns:
        How many were written.

    Raises:
        InputError: A document cannot be stored as UTF-8 JSON (a lone surrogate, a NaN).
        OSError: The disk refused.
    """
    count = 0
    with path.open("wb") as file:
        for document in documents:
            record: dict[str, object] = {
                "id": document.id,
                "metadata": document.metadata,
                "text": document.text,
                "title": document.title,
            }
            if document.group:
                record["group"] = document.group
            try:
                file.write(_canonical(record).encode("utf-8") + b"\n")
            except ValueError as error:
                raise InputError(
                    f"document {document.id!a} cannot be stored",
                    why=str(error),
                    hint="Remove the characters or numbers that UTF-8 and JSON do not have.",
                ) from error
            count += 1
    return count


def read_documents(path: Path) -> Iterator[Document]:
    """Reads what `write_documents` wrote, one document at a time.

    Args:
        path: A file of JSON lines.

    Yields:
        The documents in the order of the file.

    Raises:
        ArtefactError: The file is missing, or a line of it is not a document.
    """
    hint = "Make it again with --force corpus."
    try:
        file = path.open("rb")
    except OSError as error:
        raise ArtefactError(f"{path} cannot be read", why=error.strerror or str(error), hint=hint) from error
    with file:
        for number, line in enumerate(file, start=1):
            try:
                record = json.loads(line)
                document = Document(
                    record["id"], record["title"], record["text"], record["metadata"], record.get("group", "")
                )
            except (ValueError, KeyError, TypeError, RecursionError) as error:
                raise ArtefactError(f"{path}:{number} is not a document", why=f"damaged: {error}", hint=hint) from error
            yield document


def is_held_out(name: str, share: float = 0.1) -> bool:
    """Whether the documents of a name are kept out of training, to ask about later.

    A pure function of the name: the answer does not change when other documents come or go. Ask
    `Document.held_out` about a document, which knows what its name is.

    Args:
        name: The documents' group, or a document's id.
        share: The share of all names to hold out, 0 to 1.
    """
    head = hashlib.sha256(name.encode("utf-8", "surrogatepass")).digest()[:8]
    return int.from_bytes(head, "big") / 2**64 < share


def _canonical(value: Mapping[str, object]) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)
