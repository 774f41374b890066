r"""Conditions on documents: ``lang = "en" and year >= 2020``.

```
condition   = both ("or" both)*
both        = negated ("and" negated)*
negated     = "not" negated | "(" condition ")" | comparison
comparison  = field ("=" | "!=" | "<" | "<=" | ">" | ">=" | "like" | "contains" | "startswith") value
            | field ["not"] "in" "(" value ("," value)* ")"
field       = document | title | a name of the metadata, in `back quotes` if it is more than letters, digits, _ . -
value       = "text" | 'text' | a number | true | false | null
```

A quotation mark inside a text is doubled. A comparison holds for a document that has the field with a value that it
can be compared with; ``not`` is the plain opposite. So ``lang != "en"`` leaves out documents without a language, and
``not lang = "en"`` does not. Numbers compare with numbers, and with texts that are numbers, as tables have them; the
order of texts is that of their characters, which is the order in time of dates such as 2024-05-31. ``= null`` holds
where the field is missing or null.

What a user compares becomes SQL with question marks; nothing of it is ever part of the SQL's text. Comparisons are put
together here, because SQLite's parser bounds how deep an expression may be nested.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import NoReturn

import numpy as np

from bertpipe.errors import ConfigError
from bertpipe.text.document import Scalar

DOCUMENT, TITLE = "document", "title"
MOST_VALUES = 5000
"""Values and names in a condition, at most: SQLite has an end of question marks."""
DEEPEST = 50
"""Parentheses and nots inside of one another, at most."""
COMPARISONS = ("=", "!=", "<", "<=", ">", ">=")
TEXT_OPERATORS = ("like", "contains", "startswith")
_KEYWORDS = ("and", "or", "not", "in", *TEXT_OPERATORS, "true", "false", "null")
_CONSTANTS: dict[str, Scalar] = {"true": True, "false": False, "null": None}
_LARGEST = 2**63 - 1
_LONGEST_TEXT, _LONGEST_NUMBER = 10_000, 40
_NUMBER = re.compile(r" *[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)? *", re.ASCII)
_TOKEN = re.compile(
    r"""\s*+(?:
      (?P<text>"(?:[^"]|"")*+"|'(?:[^']|'')*+')
    | (?P<number>[+-]?(?:\d++(?:\.\d*+)?|\.\d++)(?:[eE][+-]?\d++)?(?![\w.-]))
    | `(?P<quoted>[^`]++)`
    | (?P<word>[^\W\d][\w.-]*+)
    | (?P<sign><=|>=|!=|[=<>(),])
    | (?P<end>\Z)
    | (?P<wrong>\S)
    )""",
    re.VERBOSE,
)


@dataclass(frozen=True)
class Comparison:
    """A field and what it is compared with.

    Attributes:
        field: Its name.
        operator: One of `COMPARISONS`, `TEXT_OPERATORS` or "in".
        values: One; several of "in".
    """

    field: str
    operator: str
    values: tuple[Scalar, ...]


@dataclass(frozen=True)
class Not:
    """The opposite of a condition."""

    part: Condition


@dataclass(frozen=True)
class All:
    """Conditions that hold together."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True)
class Some:
    """Conditions of which one holds at least."""

    parts: tuple[Condition, ...]


Condition = Comparison | Not | All | Some


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str
    start: int


def parse_condition(text: str) -> Condition:
    """Reads a condition.

    Raises:
        ConfigError: It is not one; the message shows the place.
    """
    return _Parser(text).parse()


def fields_of(condition: Condition) -> list[str]:
    """The names of the fields that a condition is about, each once."""
    if isinstance(condition, Comparison):
        return [condition.field]
    parts = (condition.part,) if isinstance(condition, Not) else condition.parts
    return list(dict.fromkeys(name for part in parts for name in fields_of(part)))


def documents_where(condition: Condition, compared: Callable[[Comparison], np.ndarray]) -> np.ndarray:
    """Which documents meet a condition.

    Args:
        condition: The condition.
        compared: Says which documents a comparison holds for, bool (D,).

    Returns:
        bool (D,).
    """
    if isinstance(condition, Comparison):
        return compared(condition)
    if isinstance(condition, Not):
        return ~documents_where(condition.part, compared)
    both = np.logical_and if isinstance(condition, All) else np.logical_or
    return reduce(both, (documents_where(part, compared) for part in condition.parts))


def nearest_fields(name: str, known: Sequence[str]) -> str:
    """What to say about a field that no document has.

    Args:
        name: The field.
        known: Those that there are.
    """
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    if near:
        return f"no document has a field {name!r}. Did you mean {near[0]}?"
    return f"no document has a field {name!r}. There are {', '.join(known[:20])}."


class _Parser:
    """Recursive descent over the tokens of one condition."""

    def __init__(self, text: str) -> None:
        self._text = text
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise ConfigError("the condition is not text", why=str(error)) from error
        self._tokens = self._split()
        self._token = next(self._tokens)
        self._depth = self._values = 0

    def parse(self) -> Condition:
        condition = self._some()
        if self._token.kind != "end":
            self._fail("and, or, or the end", hint=_after_comparison(self._token.text))
        return condition

    def _split(self) -> Iterator[_Token]:
        place = 0
        while True:
            match = _TOKEN.match(self._text, place)
            assert match is not None  # whatever it is, it is something
            kind = str(match.lastgroup)
            start = match.start(kind)
            text = match[kind]
            if kind == "word" and text.lower() in _KEYWORDS:
                kind, text = "keyword", text.lower()
            yield _Token(kind, text, start)
            place = match.end()

    def _next(self) -> _Token:
        token = self._token
        if token.kind in ("text", "number", "quoted", "word"):
            self._values += 1
            if self._values > MOST_VALUES:
                self._stop(f"it has more than {MOST_VALUES:,} names and values")
        self._token = next(self._tokens)
        return token

    def _take(self, *texts: str) -> bool:
        """Goes on if the next token is one of these words or signs."""
        if self._token.kind in ("keyword", "sign") and self._token.text in texts:
            self._next()
            return True
        return False

    def _some(self) -> Condition:
        parts = [self._all()]
        while self._take("or"):
            parts.append(self._all())
        return parts[0] if len(parts) == 1 else Some(tuple(parts))

    def _all(self) -> Condition:
        parts = [self._negated()]
        while self._take("and"):
            parts.append(self._negated())
        return parts[0] if len(parts) == 1 else All(tuple(parts))

    def _negated(self) -> Condition:
        self._depth += 1
        if self._depth > DEEPEST:
            self._stop(f"it is nested more than {DEEPEST} deep")
        if self._take("not"):
            condition: Condition = Not(self._negated())
        elif self._take("("):
            condition = self._some()
            if not self._take(")"):
                self._fail("and, or, or )")
        else:
            condition = self._comparison()
        self._depth -= 1
        return condition

    def _comparison(self) -> Condition:
        if self._token.kind not in ("word", "quoted"):
            self._fail("the name of a field", hint=_no_name(self._token))
        name = self._next().text
        if self._take("not"):
            if not self._take("in"):
                self._fail("in")
            return Not(Comparison(name, "in", self._list()))
        if self._take("in"):
            return Comparison(name, "in", self._list())
        token = self._token
        if not self._take(*COMPARISONS, *TEXT_OPERATORS):
            known = f"one of {' '.join(COMPARISONS)} in {' '.join(TEXT_OPERATORS)}"
            self._fail(known)
        hint = "Equality is written with one =." if token.text == "=" == self._token.text else ""
        value = self._value(hint)
        if token.text in TEXT_OPERATORS and not isinstance(value, str):
            self._stop(f"{token.text} compares with a text", token)
        if token.text in ("<", "<=", ">", ">=") and (value is None or isinstance(value, bool)):
            self._stop(f"{token.text} compares with a text or a number", token)
        return Comparison(name, token.text, (value,))

    def _list(self) -> tuple[Scalar, ...]:
        if not self._take("("):
            self._fail("( and a list of values")
        values = [self._value()]
        while self._take(","):
            values.append(self._value())
        if not self._take(")"):
            self._fail(", or )")
        return tuple(values)

    def _value(self, hint: str = "") -> Scalar:
        token = self._token
        if token.kind == "keyword" and token.text in _CONSTANTS:
            self._next()
            return _CONSTANTS[token.text]
        if token.kind == "text":
            if len(token.text) > _LONGEST_TEXT:
                self._stop(f"a text has more than {_LONGEST_TEXT:,} characters")
            self._next()
            quote = token.text[0]
            return token.text[1:-1].replace(quote * 2, quote)
        if token.kind == "number":
            self._next()
            whole = re.fullmatch(r"[+-]?\d{1,19}", token.text)
            number = int(token.text) if whole else float(token.text)
            return float(number) if abs(number) > _LARGEST else number
        if not hint and (token.kind in ("word", "quoted") or token.text[:1].isdigit()):
            hint = "Texts and dates stand in quotation marks."
        return self._fail("a value", hint=hint)

    def _fail(self, expected: str, hint: str = "") -> NoReturn:
        token = self._token
        if token.kind == "wrong" and token.text in "\"'`":
            self._stop("a quotation mark has no second one")
        found = "the end" if token.kind == "end" else token.text
        self._stop(f"{expected} expected, not {found[:40]}", hint=hint)

    def _stop(self, why: str, token: _Token | None = None, hint: str = "") -> NoReturn:
        start = (token or self._token).start
        raise ConfigError(f"the condition is not understood at {_shown(self._text, start)}", why=why, hint=hint)


def _shown(text: str, place: int) -> str:
    """The text around a place, in one line, with a mark before it."""
    before, after = text[max(0, place - 40) : place], text[place : place + 20]
    more = "..." if place > 40 else ""
    return f"the mark ^ in: {more}{before}^{after}{'...' if len(text) > place + 20 else ''}"


def _after_comparison(text: str) -> str:
    return "Texts with spaces stand in quotation marks." if text and text not in "()," else ""


def _no_name(token: _Token) -> str:
    return "A name that is a word of the language stands in `back quotes`." if token.kind == "keyword" else ""


def comparison_sql(comparison: Comparison) -> tuple[str, list[Scalar]]:
    """A comparison in SQL, about a row of the table documents (`PassageStore`).

    Returns:
        SQL without anything of a user's, and the values for its question marks.
    """
    operator, values = comparison.operator, comparison.values
    if comparison.field in (DOCUMENT, TITLE):
        kind, value = "'text'", {DOCUMENT: "documents.id", TITLE: "documents.title"}[comparison.field]
        named: list[Scalar] = []
    else:
        # Not json_extract with a path: a path has no way to write some names, and a table has.
        kind = "(SELECT type FROM json_each(documents.metadata) WHERE key = ?)"
        value = "(SELECT value FROM json_each(documents.metadata) WHERE key = ?)"
        named = [comparison.field]
        if _has_path(comparison.field):
            kind, value = "json_type(documents.metadata, ?)", "json_extract(documents.metadata, ?)"
            named = [f'$."{comparison.field}"']
    tests: list[tuple[str, list[Scalar]]] = []
    sign = "=" if operator == "in" else operator
    for wanted in (None, True, False):  # JSON has three values that are a type of their own
        if any(one is wanted for one in values):
            word = "null" if wanted is None else str(wanted).lower()
            if sign == "=":
                tests.append((f"coalesce({kind}, 'null') = '{word}'", named))
            else:
                tests.append((f"coalesce({kind}, 'null') NOT IN ('null', '{word}')", named))
    texts: list[Scalar] = [one for one in values if isinstance(one, str)]
    numbers: list[Scalar] = [one for one in values if isinstance(one, int | float) and not isinstance(one, bool)]
    for some, of_kind, compared in (
        (texts, f"coalesce({kind}, '') = 'text'", value),
        (numbers, f"coalesce({kind}, '') IN ('integer', 'real', 'text')", f"as_number({value})"),
    ):
        if not some:
            continue
        if sign == "!=":
            # Whatever cannot be compared with it is not it, as long as there is something.
            test = f"coalesce({kind}, 'null') <> 'null' AND NOT ({of_kind} AND coalesce({compared} = ?, 0))"
            tests.append((f"({test})", named * 3 + some))
        else:
            test = _test(operator, compared, len(some))
            tests.append((f"({of_kind} AND coalesce({test}, 0))", named * 2 + some))
    return " OR ".join(test for test, _ in tests), [value for _, some in tests for value in some]


def _test(operator: str, value: str, count: int) -> str:
    if operator == "in":
        return f"{value} IN ({', '.join('?' * count)})"
    if operator == "contains":
        return f"instr({value}, ?) > 0"
    if operator == "startswith":
        return f"instr({value}, ?) = 1"
    return f"{value} {operator.upper()} ?"


def _has_path(name: str) -> bool:
    return not any(sign in '"\\' or ord(sign) < 32 for sign in name)


def as_number(value: Scalar) -> int | float | None:
    """A number, or the number that a text is; the SQL of `comparison_sql` calls it by this name."""
    if not isinstance(value, str):
        return value
    if len(value) > _LONGEST_NUMBER or not _NUMBER.fullmatch(value):
        return None
    number = float(value)
    return int(value) if number.is_integer() and abs(number) < 2**53 and value.strip("+- ").isdigit() else number
