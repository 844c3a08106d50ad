"""A figure's SVG made fit to stand inside the page.

The page's Content-Security-Policy forbids style attributes, so they become presentation
attributes; ink and paper take the page's colours, which differ in dark mode; ids get a prefix,
since all figures share one document.
"""

from __future__ import annotations

import re
from xml.etree import ElementTree

from rlbench.reports.drawing import INK, PAPER

_SVG = "{http://www.w3.org/2000/svg}"
_HREF = "{http://www.w3.org/1999/xlink}href"
_DROPPED = {f"{_SVG}metadata", f"{_SVG}style"}
_PIXELS = 1.3  # of a point: 9 point text is then about as great as in tables
_LONG = re.compile(r"-?\d+\.\d{3,}")


def inline_svg(svg: bytes, prefix: str, label: str, *, natural: bool = False) -> str:
    """The `<svg>` element for an HTML page.

    Args:
        svg: what matplotlib wrote.
        prefix: makes the ids unique in the page.
        label: what a screen reader says.
        natural: keep the size that makes its text as great as the page's, however wide that is.
    """
    root = ElementTree.fromstring(svg)
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag in _DROPPED:
                parent.remove(child)
    used = set(re.findall(r'(?:url\(#|href="#)([\w.-]+)', svg.decode()))
    for element in root.iter():
        element.tag = element.tag.removeprefix(_SVG)
        element.attrib = _attributes(element.attrib, prefix, used)
    width, height = root.attrib["viewBox"].split()[2:]
    size = {"width": f"{_PIXELS * float(width):.0f}"} if natural else {}
    root.attrib = {
        **size,
        "viewBox": f"0 0 {width} {height}",
        "role": "img",
        "aria-label": label,
    }
    return ElementTree.tostring(root, encoding="unicode", short_empty_elements=True)


def _attributes(attributes: dict[str, str], prefix: str, used: set[str]) -> dict[str, str]:
    style = attributes.pop("style", "")
    pairs = (item.partition(":") for item in style.split(";") if item.strip())
    found = {name.strip(): value.strip() for name, _, value in pairs}
    for name, value in attributes.items():
        if name == "id":
            if value in used:
                found["id"] = f"{prefix}-{value}"
        elif name == _HREF:
            found["href"] = f"#{prefix}-{value[1:]}"
        elif name in ("d", "transform", "x", "y", "points"):
            found[name] = _LONG.sub(lambda m: f"{float(m[0]):.2f}", " ".join(value.split()))
        else:
            found[name] = value.replace("url(#", f"url(#{prefix}-")
    for name in ("fill", "stroke"):
        if found.get(name) == INK:
            found[name] = "currentColor"
        if found.get(name) == PAPER:
            found["class"] = "paper"
            del found[name]
    found.pop("font-family", None)  # the page's own font
    return found
