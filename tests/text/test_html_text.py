from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bertpipe.text.readers.html_text import html_text


def text(source):
    return html_text(source).text


def test_a_whole_page():
    title, body = html_text(
        """<!DOCTYPE html><html><head><title> The  page &amp; more </title><style>p { color: red }</style></head>
        <body><nav><a href=/>menu</a></nav><h1>Heading</h1>
        <p>A paragraph
        with <b>bold</b> words<br>and a break.</p>
        <ul><li>one<li>two</ul>
        <script>document.write("<p>no</p>")</script>
        <table><tr><th>a</th><th>b</th></tr> <tr><td>1</td> <td>2</td></tr></table>
        <pre>def f():
    return 1</pre>
        <!-- <p>hidden</p> --></body></html>"""
    )
    assert title == "The page & more"
    assert body == (
        "Heading\n\nA paragraph with bold words\nand a break.\n\n- one\n- two\n\na | b\n1 | 2\n\ndef f():\n    return 1"
    )


def test_a_heading_is_the_title_where_there_is_no_other_and_stands_there_once():
    assert html_text("<h1>Only <i>this</i></h1><p>text") == ("Only this", "text")
    assert html_text("<title>Same</title><h1>Same</h1>text") == ("Same", "text")
    assert html_text("<h1>Nothing else</h1>") == ("Nothing else", "Nothing else")
    assert html_text("no title") == ("", "no title")


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("3 &lt; 5 &amp;&#20013;&eacute;", "3 < 5 &中é"),
        ("3 < 5 <> 7", "3 < 5 <> 7"),
        ('<a title="a > b">link</a>', "link"),
        ("<a title='x\"y>z'>link</a>", "link"),
        ('<p title="never closed>one</p><p>two', "one\n\ntwo"),
        ("one<script>two", "one"),
        ("one<!-- two", "one"),
        ("one<style>x</style>two", "onetwo"),
        ("one<SCRIPT>x</ScRiPt>two", "onetwo"),
        ("<svg><title>no</title><text>no</text></svg>yes", "yes"),
        ("<nav>no<nav>no</nav>no</nav>yes", "yes"),
        ("<textarea><b>kept</b></textarea>", "<b>kept</b>"),
        ("<![CDATA[a <b> c]]>", "a <b> c"),
        ("<?xml version='1.0'?>text", "text"),
        ("</p>text</div>", "text"),
        ("<p>一</p><p>二</p>", "一\n\n二"),
        ("a&nbsp;b", "a\xa0b"),
        ("&#" + "9" * 5000 + ";x", "&#" + "9" * 5000 + ";x"),
        ("&#xD800;", "\ufffd"),
        ("", ""),
        ("<", "<"),
        ("<p", ""),
    ],
)
def test_small_pieces(source, expected):
    assert text(source) == expected


@given(st.text(alphabet="<>/!-?&;#\"'= \nabpt[]中1"))
def test_any_text_is_read(source):
    html_text(source)


PATTERNS = ["<", "<!--", "<a ", '<a "', "<a '", "<![CDATA[", "</", "<?", "&", "<script>", "<h1>", "<title>", "<svg>"]


@pytest.mark.parametrize("pattern", PATTERNS)
def test_time_is_linear(pattern):
    start = time.perf_counter()
    html_text(pattern * (200_000 // len(pattern)))
    assert time.perf_counter() - start < 10  # well under a second, where quadratic time would be minutes
