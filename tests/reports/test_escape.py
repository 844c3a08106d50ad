"""No text of a record becomes markup, formula or command."""

from __future__ import annotations

import html
import re
import unicodedata
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rlbench.reports.escape import for_csv, for_html, for_latex, for_markdown, plain, slug

anything = st.text(alphabet=st.characters(), max_size=40)


@given(anything)
def test_plain_text_is_one_line_without_control_or_bidi_characters(text: str) -> None:
    shown = plain(text)

    assert len(shown) == len(text)
    assert not any(unicodedata.category(character)[0] == "C" for character in shown)


@given(anything)
def test_html_text_opens_no_tag_and_reads_back(text: str) -> None:
    tags: list[str] = []

    class Reader(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            tags.append(tag)

    escaped = for_html(text)
    Reader().feed(f"<p title='{escaped}'>{escaped}</p>")

    assert tags == ["p"]
    assert html.unescape(escaped) == plain(text)


@given(anything)
def test_markdown_text_ends_no_cell_and_opens_no_tag(text: str) -> None:
    escaped = for_markdown(text)

    assert not re.search(r"(?<!\\)(?:\\\\)*[|`]", escaped)
    assert "<" not in escaped
    assert not re.search(r"(?<!\\)(?:\\\\)*\]\(", escaped)


@given(anything)
def test_latex_text_holds_no_command_but_ours(text: str) -> None:
    known = (
        r"\\textbackslash\{\}|\\textasciitilde\{\}|\\textasciicircum\{\}|\\textless\{\}"
        r"|\\textgreater\{\}|\\textquotedbl\{\}|\\[{}$&#%_]|\$\\(?:pm|cdot|uparrow|downarrow)\$"
    )

    assert not re.search(r"[\\{}$&#%_^~]", re.sub(known, "", for_latex(text)))


@given(anything)
def test_no_csv_text_begins_like_a_formula(text: str) -> None:
    assert not for_csv(text).lstrip().startswith(("=", "+", "-", "@"))


@given(anything)
def test_a_slug_is_a_safe_file_name(text: str) -> None:
    assert re.fullmatch(r"[a-z0-9][a-z0-9.-]{0,47}", slug(text))


@pytest.mark.parametrize("name", ["plr_robust", "knn+k=50", "0.834 [0.801, 0.861]", "far-svhn"])
def test_ordinary_names_and_intervals_stay_readable_in_markdown(name: str) -> None:
    assert for_markdown(name) == name
