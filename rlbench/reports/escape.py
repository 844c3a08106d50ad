"""Text from records, made harmless for the place it is printed in.

A record may come from anybody. What it says is shown, but it never becomes markup, a formula of a
spreadsheet, a command of a terminal or of TeX.
"""

from __future__ import annotations

import html
import re
import unicodedata

_LATEX = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    '"': r"\textquotedbl{}",
    "±": r"$\pm$",
    "–": "--",
    "·": r"$\cdot$",
    "↑": r"$\uparrow$",
    "↓": r"$\downarrow$",
}
# An underscore inside a word is no emphasis in Markdown, and names are full of them; a bracket
# before a number, as in an interval, opens no link once nothing after it can close one.
_MARKDOWN = re.compile(r"([\\`*|~]|\[(?![-0-9])|\](?=[\[(:])|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9]))")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def plain(text: str) -> str:
    """One line without control, format and surrogate characters (escape codes, bidi overrides)."""
    return "".join(_plain(character) for character in text)


def _plain(character: str) -> str:
    if character in "\n\r\t":
        return " "
    return "\N{REPLACEMENT CHARACTER}" if unicodedata.category(character)[0] == "C" else character


def for_html(text: str) -> str:
    """Text for an HTML element or a quoted attribute."""
    return html.escape(plain(text))


def for_markdown(text: str) -> str:
    """Text for a cell of a Markdown table."""
    escaped = _MARKDOWN.sub(r"\\\1", plain(text))
    return escaped.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def for_latex(text: str) -> str:
    """Text for LaTeX; what the default fonts lack becomes a question mark."""
    return "".join(_latex(character) for character in plain(text))


def _latex(character: str) -> str:
    if character in _LATEX:
        return _LATEX[character]
    return character if character.isascii() or character.isalpha() else "?"


def for_csv(text: str) -> str:
    """Text for a CSV field that a spreadsheet will not take for a formula."""
    shown = plain(text)
    return f"'{shown}" if shown.lstrip().startswith(_FORMULA) else shown


def slug(text: str) -> str:
    """A readable file name part of lower-case letters, digits, dot and dash."""
    return re.sub(r"[^a-z0-9.]+", "-", text.lower()).strip("-.")[:48] or "unnamed"
