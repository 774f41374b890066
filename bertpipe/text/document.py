"""A document: what a reader reads, what the corpus keeps, and what a hit points to."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from bertpipe.errors import ArtefactError, InputError

Scalar = str | int | float | bool | None
_AGAIN = "Make it again with --force corpus."
# json.dumps would make an encoder for every document.
_canonical = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False).encode


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
            file.write(document_record(document) + b"\n")
            count += 1
    return count


def document_record(document: Document) -> bytes:
    """A document as a line of canonical JSON: UTF-8, sorted keys, no spaces, without the line feed.

    Raises:
        InputError: It cannot be stored as UTF-8 JSON (a lone surrogate, a NaN).
    """
    record: dict[str, object] = {
        "id": document.id,
        "metadata": document.metadata,
        "text": document.text,
        "title": document.title,
    }
    if document.group:
        record["group"] = document.group
    try:
        return _canonical(record).encode("utf-8")
    except ValueError as error:
        raise InputError(
            f"document {document.id!a} cannot be stored",
            why=str(error),
            hint="Remove the characters or numbers that UTF-8 and JSON do not have.",
        ) from error


def record_digest(record: bytes) -> bytes:
    """Sha256 of a document's record: whether anything about it has changed."""
    return hashlib.sha256(record).digest()


def record_id(record: bytes, place: str) -> str:
    """The id of the document in a record, without looking at the rest.

    Args:
        record: As `document_record` made it.
        place: Where it stands, for the error.

    Raises:
        ArtefactError: It is not a document.
    """
    # Keys are sorted, and a quotation mark inside a string is escaped: what precedes the metadata is the group and id.
    head, _, _ = record.partition(b',"metadata":')
    try:
        return json.loads(head.decode("utf-8") + "}")["id"]
    except (ValueError, KeyError) as error:
        raise _no_document(place, error) from error


def read_documents(path: Path) -> Iterator[Document]:
    """Reads what `write_documents` wrote, one document at a time.

    Args:
        path: A file of JSON lines.

    Yields:
        The documents in the order of the file.

    Raises:
        ArtefactError: The file is missing, or a line of it is not a document.
    """
    for place, line in document_lines(path):
        yield parse_document(line, place)


def document_lines(path: Path) -> Iterator[tuple[str, bytes]]:
    """The records in a file of `write_documents`, unread, each with its place in words.

    Raises:
        ArtefactError: The file is missing.
    """
    try:
        file = path.open("rb")
    except OSError as error:
        raise ArtefactError(f"{path} cannot be read", why=error.strerror or str(error), hint=_AGAIN) from error
    with file:
        for number, line in enumerate(file, start=1):
            yield f"{path}:{number}", line.removesuffix(b"\n")


def parse_document(record: bytes, place: str) -> Document:
    """The document in a record.

    Args:
        record: As `document_record` made it.
        place: Where it stands, for the error.

    Raises:
        ArtefactError: It is not a document.
    """
    try:
        values = json.loads(record)
        return Document(values["id"], values["title"], values["text"], values["metadata"], values.get("group", ""))
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise _no_document(place, error) from error


def _no_document(place: str, error: Exception) -> ArtefactError:
    return ArtefactError(f"{place} is not a document", why=f"damaged: {error}", hint=_AGAIN)


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
