"""SVG by hand: shapes and text as strings, a document around them.

No scripts, styles, links or fonts from elsewhere, so that a chart may be opened, mailed and put on a slide as it is.
Whatever is said goes through `_said`: markup escaped, characters that XML can't hold left out.
"""

import re
from collections.abc import Iterable, Sequence
from typing import Literal
from xml.sax.saxutils import escape, quoteattr

from fastapi import Response

INK, MUTED, LINE, PAPER = "#1f2933", "#52606d", "#d5dbe1", "#ffffff"
# Told apart by colour-blind readers too, the first ones best (Okabe and Ito, a shade darker for white paper).
PALETTE = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#8a6fb0", "#7a8794", "#b2a200", "#3d5a80")
Anchor = Literal["start", "middle", "end"]
_FONT = "Inter, 'Segoe UI', Roboto, Helvetica, Arial, sans-serif"
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
# How wide a letter of a sans-serif font is, in parts of its size; on the safe side.
_LETTER = 0.58


def document(width: int, height: int, shapes: Iterable[str], *, title: str, about: str) -> Response:
    """The chart as an answer; title and description are read aloud to those who don't see it."""
    body = "\n".join(shapes)
    content = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'role="img" aria-labelledby="title about" font-family="{_FONT}">\n'
        f'<title id="title">{_said(title)}</title>\n<desc id="about">{_said(about)}</desc>\n'
        f"{rect(0, 0, width, height, fill=PAPER)}\n{body}\n</svg>\n"
    )
    return Response(content, media_type="image/svg+xml")


def rect(
    x: float, y: float, width: float, height: float, *, fill: str, radius: float = 0, stroke: str = "", hint: str = ""
) -> str:
    """A rectangle; `hint` is shown when the pointer rests on it."""
    corners = f' rx="{_n(radius)}"' if radius else ""
    border = f" stroke={quoteattr(stroke)}" if stroke else ""
    start = f'<rect x="{_n(x)}" y="{_n(y)}" width="{_n(max(width, 0))}" height="{_n(max(height, 0))}"'
    return _with_hint(f"{start} fill={quoteattr(fill)}{corners}{border}", hint, "rect")


def text(
    x: float,
    y: float,
    said: str,
    *,
    size: float = 14,
    fill: str = INK,
    anchor: Anchor = "start",
    bold: bool = False,
    turned: bool = False,
) -> str:
    """Words on their baseline; `turned` reads upwards."""
    extra = ' font-weight="600"' if bold else ""
    extra += f' transform="rotate(-90 {_n(x)} {_n(y)})"' if turned else ""
    start = f'<text x="{_n(x)}" y="{_n(y)}" font-size="{_n(size)}" fill={quoteattr(fill)} text-anchor="{anchor}"{extra}'
    return f"{start}>{_said(said)}</text>"


def line(
    x1: float, y1: float, x2: float, y2: float, *, stroke: str = LINE, width: float = 1, dashed: bool = False
) -> str:
    """A straight line."""
    dashes = ' stroke-dasharray="5 4"' if dashed else ""
    ends = f'x1="{_n(x1)}" y1="{_n(y1)}" x2="{_n(x2)}" y2="{_n(y2)}"'
    return f'<line {ends} stroke={quoteattr(stroke)} stroke-width="{_n(width)}"{dashes}/>'


def path(
    points: Sequence[tuple[float, float]], *, stroke: str = "", width: float = 2, fill: str = "none", hint: str = ""
) -> str:
    """A line through the points, or an area with `fill`."""
    steps = " ".join(f"{'L' if i else 'M'}{_n(x)} {_n(y)}" for i, (x, y) in enumerate(points))
    border = f' stroke={quoteattr(stroke)} stroke-width="{_n(width)}" stroke-linejoin="round"' if stroke else ""
    return _with_hint(f'<path d="{steps}" fill={quoteattr(fill)}{border}', hint, "path")


def circle(x: float, y: float, radius: float, *, fill: str, stroke: str = PAPER, hint: str = "") -> str:
    """A dot."""
    start = f'<circle cx="{_n(x)}" cy="{_n(y)}" r="{_n(radius)}"'
    return _with_hint(f"{start} fill={quoteattr(fill)} stroke={quoteattr(stroke)}", hint, "circle")


def fitted(said: str, width: float, size: float = 14) -> str:
    """The words, cut with an ellipsis where they would be wider; nothing where not even that fits."""
    most = int(width / (size * _LETTER))
    if len(said) <= most:
        return said
    return f"{said[: most - 1].rstrip()}…" if most > 1 else ""


def mixed(colour: str, other: str, part: float) -> str:
    """Between two colours: `part` 0 is the first, 1 the other."""
    pairs = zip(_channels(colour), _channels(other), strict=True)
    return "#" + "".join(f"{round(a + (b - a) * min(max(part, 0), 1)):02x}" for a, b in pairs)


def ink_on(fill: str) -> str:
    """Dark or white letters, whichever is easier to read on the colour (contrast by WCAG)."""
    lightness = _luminance(fill)
    on_dark, on_light = 1.05 / (lightness + 0.05), (lightness + 0.05) / (_luminance(INK) + 0.05)
    return PAPER if on_dark > on_light else INK


def _luminance(colour: str) -> float:
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in (n / 255 for n in _channels(colour))]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _channels(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def _with_hint(start: str, hint: str, name: str) -> str:
    return f"{start}><title>{_said(hint)}</title></{name}>" if hint else f"{start}/>"


def _said(words: str) -> str:
    return escape(_NOT_XML.sub("", words))


def _n(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")
