"""Conditions against brute force in Python, and what is refused."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bertpipe.errors import ConfigError
from bertpipe.retrieval.passage import Passage
from bertpipe.retrieval.passage_store import PassageStore
from bertpipe.retrieval.passage_writer import PassageWriter
from bertpipe.retrieval.where import DEEPEST, MOST_VALUES, comparison_sql, fields_of, nearest_fields, parse_condition

NAMES = ("lang", "year", "日期", "a.b", "or", 'quote"', "back\\slash", "new\nline", "documents.id", "absent")
TEXTS = ("en", "EN", "zh", "2020", "1e3", " 7 ", "７", "docs/a%b", "it's", 'say "x"', "2024-05-31", "", "'; DROP TABLE")
NUMBERS = (0, 1, -3, 2020, 7, 1000.0, 2.5, 2**53 + 1, 2**70, 1e300)
SCALARS = (*TEXTS, *NUMBERS, True, False, None)
OPERATORS = ("=", "!=", "<", "<=", ">", ">=")


def documents(count=300):
    rng = np.random.default_rng(5)
    for number in range(count):
        has = [name for name in NAMES[:-1] if rng.random() < 0.5]
        metadata = {name: SCALARS[rng.integers(len(SCALARS))] for name in has}
        yield f"docs/{'ab'[number % 2]}/{number}.md", TEXTS[number % len(TEXTS)], metadata, 1 + number % 3


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    path = tmp_path_factory.mktemp("where") / "passages.sqlite"
    with PassageWriter(path) as store:
        for name, title, metadata, count in documents():
            first = len(store)
            store.add_many(
                Passage(first + place, f"{name}#{place}", name, title, "text", 0, 4, metadata) for place in range(count)
            )
    return PassageStore.open(path)


def number_of(value):
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, str):
        return float(value) if re.fullmatch(r" *[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)? *", value, re.ASCII) else None
    return value if abs(value) < 2**63 else float(value)


def equal(found, wanted):
    if wanted is None or isinstance(wanted, bool):
        return found is wanted
    if isinstance(wanted, str):
        return isinstance(found, str) and found == wanted
    return number_of(found) is not None and number_of(found) == number_of(wanted)


def like(text, pattern):
    """Letters of ASCII match in both cases."""
    fold = str.maketrans({chr(code): chr(code + 32) for code in range(65, 91)})
    parts = [{"%": ".*", "_": "."}.get(sign, re.escape(sign)) for sign in pattern.translate(fold)]
    return re.fullmatch("".join(parts), text.translate(fold), re.DOTALL) is not None


def holds(condition, facts):
    kind, *rest = condition
    if kind == "not":
        return not holds(rest[0], facts)
    if kind in ("and", "or"):
        return (all if kind == "and" else any)(holds(part, facts) for part in rest[0])
    name, operator, values = rest
    found = facts.get(name)
    if operator in ("in", "="):
        return any(equal(found, value) for value in values)
    if found is None:
        return False
    (wanted,) = values
    if operator == "!=":
        return not equal(found, wanted)
    if isinstance(wanted, str):
        if not isinstance(found, str):
            return False
        left, right = found, wanted
    else:
        left, right = number_of(found), number_of(wanted)
        if left is None:
            return False
    if operator in ("<", "<=", ">", ">="):
        return {"<": left < right, "<=": left <= right, ">": left > right, ">=": left >= right}[operator]
    return {"contains": right in left, "startswith": left.startswith(right), "like": like(left, right)}[operator]


def written(value):
    if value is None or isinstance(value, bool):
        return {None: "null", True: "TRUE", False: "false"}[value]
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'" if len(value) % 2 else '"' + value.replace('"', '""') + '"'
    return repr(value)


def spelled(condition):
    kind, *rest = condition
    if kind == "not":
        return f"not ({spelled(rest[0])})"
    if kind in ("and", "or"):
        return f" {kind} ".join(f"({spelled(part)})" for part in rest[0])
    name, operator, values = rest
    field = f"`{name}`" if name != "lang" else name
    if operator == "in":
        return f"{field} in ({', '.join(map(written, values))})"
    return f"{field}{operator if operator in OPERATORS else f' {operator} '}{written(values[0])}"


names = st.sampled_from((*NAMES, "document", "title"))
texts = st.sampled_from((*TEXTS, "docs/a", "%a%", "_n", "e"))
comparisons = st.one_of(
    st.tuples(st.just("is"), names, st.sampled_from(("=", "!=")), st.tuples(st.sampled_from(SCALARS))),
    st.tuples(st.just("is"), names, st.sampled_from(OPERATORS), st.tuples(st.one_of(texts, st.sampled_from(NUMBERS)))),
    st.tuples(st.just("is"), names, st.sampled_from(("like", "contains", "startswith")), st.tuples(texts)),
    st.tuples(st.just("is"), names, st.just("in"), st.lists(st.sampled_from(SCALARS), min_size=1, max_size=6)),
)
conditions = st.recursive(
    comparisons,
    lambda parts: st.one_of(
        st.tuples(st.just("not"), parts),
        st.tuples(st.sampled_from(("and", "or")), st.lists(parts, min_size=1, max_size=4)),
    ),
    max_leaves=8,
)


@given(condition=conditions)
@settings(max_examples=400, deadline=None)
def test_conditions_hold_where_brute_force_says(store, condition):
    expected = [
        holds(condition, metadata | {"document": name, "title": title})
        for name, title, metadata, count in documents()
        for _ in range(count)
    ]
    assert store.matching(parse_condition(spelled(condition))).tolist() == expected, spelled(condition)


@given(text=st.text(max_size=60) | st.text(alphabet="lang =<>!()'\"`,-0159.notadri%\\;", max_size=40))
@settings(max_examples=400, deadline=None)
def test_any_text_is_a_condition_or_an_error_in_one_line(store, text):
    try:
        condition = parse_condition(text)
    except ConfigError as error:
        message = str(error)
        assert "\n" not in message
        return
    store.matching(condition)


@pytest.mark.parametrize(
    "hostile",
    [
        "x'; DROP TABLE documents; --",
        '" OR 1=1 --',
        "') OR ('1'='1",
        "\\' OR 1 --",
        "x\x00' OR 1=1",
        '$."title"',
        "%' ESCAPE '%",
    ],
)
def test_values_and_names_are_never_sql(store, hostile):
    before = store.path.read_bytes()
    quoted = "'" + hostile.replace("'", "''") + "'"
    name = hostile.replace("`", "")
    everyone = np.ones(len(store), dtype=bool)
    for operator in ("=", "contains", "startswith", "<"):
        for field in ("document", "title", "lang", f"`{name}`"):
            sql, values = comparison_sql(parse_condition(f"{field} {operator} {quoted}"))
            assert sql.count("?") == len(values)
            assert hostile not in sql
            assert name not in sql
    assert not store.matching(parse_condition(f"document = {quoted}")).any()
    assert not store.matching(parse_condition(f"`{name}` = 1")).any()
    assert (store.matching(parse_condition(f"not `{name}` in ({quoted}, 1)")) == everyone).all()
    assert store.path.read_bytes() == before
    assert len(store.documents()) == 300


@pytest.mark.parametrize(
    ("begin", "depth"), [("title != 'no' and (", 1), ("not not (", 3), (" title = 'no' or" * 16 + " (", 1)]
)
def test_as_deep_as_is_promised(store, begin, depth):
    levels = (DEEPEST - 1) // depth
    found = store.matching(parse_condition(f"{begin * levels}lang = 'en'{')' * levels}"))
    assert (found == store.matching(parse_condition("lang = 'en'"))).all()
    with pytest.raises(ConfigError, match="nested more than 50 deep"):
        parse_condition(f"{begin * 50}lang = 'en'{')' * 50}")


def test_and_binds_closer_than_or_and_not_closest(store):
    def mask(text):
        return store.matching(parse_condition(text))

    a, b, c = mask('lang = "en"'), mask("year > 0"), mask('title = "zh"')
    assert (mask('lang = "en" or year > 0 and title = "zh"') == (a | (b & c))).all()
    assert (mask('(lang = "en" OR year > 0) AND title = "zh"') == ((a | b) & c)).all()
    assert (mask('not lang = "en" and year > 0') == (~a & b)).all()
    assert (mask('lang not in ("en", "zh")') == ~mask('lang in ("en", "zh")')).all()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the mark ^ in: ^ (the name of a field expected, not the end)"),
        ("lang", "lang^ (one of = != < <= > >= in like contains startswith expected, not the end)"),
        ("lang = en", "lang = ^en (a value expected, not en). Texts and dates stand in quotation marks."),
        ("date >= 2024-05-31", "date >= ^2024-05-31 (a value expected, not 2). Texts and dates stand in"),
        ("lang == 'en'", "lang =^= 'en' (a value expected, not =). Equality is written with one =."),
        ("lang = 'en' year = 3", "lang = 'en' ^year = 3 (and, or, or the end expected, not year)"),
        ("(lang = 'en'", "(lang = 'en'^ (and, or, or ) expected, not the end)"),
        ("lang = 'en", "lang = ^'en (a quotation mark has no second one)"),
        ("lang in 'en'", "lang in ^'en' (( and a list of values expected, not 'en')"),
        ("lang in ('en' 'zh')", "(, or ) expected, not 'zh')"),
        ("not = 3", "not ^= 3 (the name of a field expected, not =)"),
        ("like = 3", "A name that is a word of the language stands in `back quotes`."),
        ("year contains 3", "year ^contains 3 (contains compares with a text)"),
        ("year < null", "year ^< null (< compares with a text or a number)"),
        ("lang ~ 3", "expected, not ~)"),
        ("lang = '\ud800'", "the condition is not text"),
        ("(" * 60 + "a = 1" + ")" * 60, "nested more than 50 deep"),
        ("not " * 60 + "a = 1", "nested more than 50 deep"),
        (f"a in ({', '.join(['1'] * MOST_VALUES)})", "more than 5,000 names and values"),
        (f"a = '{'x' * 10_001}'", "a text has more than 10,000 characters"),
    ],
)
def test_what_is_not_a_condition_is_shown_in_one_line(text, message):
    with pytest.raises(ConfigError) as caught:
        parse_condition(text)
    assert message in str(caught.value)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("word", ["and", "or"])
def test_as_many_parts_as_may_be(store, word):
    condition = parse_condition(f" {word} ".join(["year = 2020"] * (MOST_VALUES // 2)))
    assert (store.matching(condition) == store.matching(parse_condition("year = 2020"))).all()
    deep = parse_condition("(" * 49 + "year = 2020" + f" {word} year = 2020)" * 49)
    assert (store.matching(deep) == store.matching(parse_condition("year = 2020"))).all()


def test_fields_that_no_document_has(store):
    condition = parse_condition('langg = "en" or title = "x" and (not yeer > 3 or lang = "en")')
    assert fields_of(condition) == ["langg", "title", "yeer", "lang"]
    unknown = store.unknown_fields(fields_of(condition))
    assert list(unknown) == ["langg", "yeer"]
    assert nearest_fields("langg", unknown["langg"]) == "no document has a field 'langg'. Did you mean lang?"
    assert "There are document, title, " in nearest_fields("zzzzzz", unknown["langg"])
    assert store.unknown_fields(["lang", "document", 'quote"']) == {}
