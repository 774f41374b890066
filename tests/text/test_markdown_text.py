from __future__ import annotations

import time

import pytest

from bertpipe.text.readers.markdown_text import markdown_text

PAGE = """# The *title* of `it`

A **bold** word, a [link](http://example.com "x"), ![a picture](x.png) and
a soft wrap; \\*kept\\* &amp; &copy;\\
a hard break<br>and another <span>one</span>.

Second heading
--------------

- one
- two
  1. three
  2. four

> quoted
> text

```python
def f():
    return "**as it is**"
```

| a | b |
|---|---|
| 1 | **2** |

<div align="center"><p>html block</p></div>

***

<https://example.com> and [a reference][r].

[r]: http://example.com/r
"""


def test_a_whole_document():
    title, text = markdown_text(PAGE)
    assert title == "The title of it"
    assert text == (
        "A bold word, a link, a picture and a soft wrap; *kept* & ©\na hard break\nand another one.\n\n"
        "Second heading\n\n- one\n- two\n1. three\n2. four\n\nquoted text\n\n"
        'def f():\n    return "**as it is**"\n\na | b\n1 | 2\n\nhtml block\n\n'
        "https://example.com and a reference."
    )


def test_chinese_lines_are_joined_without_a_space():
    assert (
        markdown_text("# 标题\n\n第一行\n第二行，\n用 **Python** 写\nof it").text == "第一行第二行，用 Python 写 of it"
    )


@pytest.mark.parametrize(
    ("source", "title", "text"),
    [
        ('---\ntitle: "From: above"\ntags: [a]\n---\n# Heading\n\ntext', "From: above", "Heading\n\ntext"),
        ("---\ntags: [a]\n---\n## Heading\n\ntext", "Heading", "text"),
        ("text first\n\n# Heading later", "Heading later", "text first\n\nHeading later"),
        ("# Alone", "Alone", "Alone"),
        ("no heading", "", "no heading"),
        ("3. three\n4. four", "", "3. three\n4. four"),
        ("<h1 align=center>Project</h1>\n\ntext", "Project", "text"),
        ("---\n\ntext", "", "text"),
        ("<!-- only a comment -->", "", ""),
        ("", "", ""),
    ],
)
def test_titles(source, title, text):
    assert markdown_text(source) == (title, text)


@pytest.mark.parametrize("pattern", ["[", "![", "*a_ ", "`", "> ", "a\n", "<", "[a](", "\\", "&", "[a]: b\n"])
def test_time_is_bounded(pattern):
    start = time.perf_counter()
    markdown_text(pattern * (60_000 // len(pattern)))
    assert time.perf_counter() - start < 10


def test_a_rule_at_the_beginning_is_no_front_matter():
    found = markdown_text("---\n\n# First\n\nHello there.\n\n---\n\n# Second\n\nMore text.\n")
    assert found.title == "First"
    assert "Hello there." in found.text
    assert "More text." in found.text
    slides = markdown_text("---\nHello, first slide.\n---\nSecond slide.\n")
    assert (slides.title, slides.text) == ("Hello, first slide.", "Second slide.")
