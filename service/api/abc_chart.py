"""Charts of ABC for a slide: the Pareto curve over its classes, and the matrices as a heat map."""

from collections.abc import Iterator, Sequence
from decimal import Decimal

from fastapi import Response

from service.api import svg
from service.api.svg import INK, LINE, MUTED, PALETTE
from service.domain.segmentation.abc_analysis import AbcClass, AbcMeasure, AbcOver, AbcReport
from service.domain.segmentation.matrices import AbcMatrix, MatrixCell, MatrixWith

_WIDTH, _HEIGHT = 1280, 720
_LEFT, _TOP, _BOTTOM = 90, 140, 640
_PLOT = 720  # how wide the curve is
_MICROS = 1_000_000
_DEEP = "#0b4f8a"
_PALE = "#eef4f9"
_NAMES = {
    AbcOver.CUSTOMERS: "customers",
    AbcOver.PRODUCTS: "products",
    AbcOver.CATEGORIES: "categories",
    AbcOver.CHANNELS: "channels of acquisition",
    AbcOver.SALES_CHANNELS: "sales channels",
    AbcOver.CURATORS: "curators",
}
_LETTERS = {"X": "X · steady", "Y": "Y · varying", "Z": "Z · irregular", "too_short": "too short to tell"}


def curve(report: AbcReport) -> Response:
    """What part of the items brings what part of the whole."""
    title = _headline(report)
    if not report.curve:
        return _document([*_heading(report, title), _nothing()], title)
    shapes = [*_heading(report, title), *_axes(report), *_bands(report), *_legend(report)]
    return _document(shapes, title)


def matrix(found: AbcMatrix) -> Response:
    """Cells the darker, the greater their part of the whole."""
    with_what = "steadiness (XYZ)" if found.crossed is MatrixWith.XYZ else "RFM groups"
    title = f"ABC of {_NAMES[found.over]} by {found.by} × {with_what}"
    body = list(_cells(found)) if found.items else [_nothing()]
    return _document([*_heading(found, title), *body], title)


def _document(shapes: Sequence[str], title: str) -> Response:
    return svg.document(_WIDTH, _HEIGHT, shapes, title=title, about="ABC analysis; figures stand in the picture.")


def _headline(report: AbcReport) -> str:
    if report.bringers is None:
        return f"ABC of {_NAMES[report.over]} by {report.by}"
    return f"{_percent(report.bringers)} of {_NAMES[report.over]} bring {report.borders[0]} % of {report.by}"


def _heading(found: AbcReport | AbcMatrix, title: str) -> list[str]:
    window = "all time" if found.window_days is None else f"{found.window_days} days"
    said = f"{found.items:,} {_NAMES[found.over]} · {_amount(found, found.total)} · {window} up to {found.as_of}"
    below = f" · {_amount(found, found.negative)} below zero apart" if found.negative else ""
    return [
        svg.text(_LEFT, 64, title, size=32, bold=True),
        svg.text(_LEFT, 98, said.replace(",", "\u202f") + below, size=17, fill=MUTED),
    ]


def _nothing() -> str:
    return svg.text(_WIDTH / 2, _HEIGHT / 2, "Nothing was sold on these days.", size=22, fill=MUTED, anchor="middle")


def _x(share: Decimal) -> float:
    return _LEFT + float(share) * _PLOT


def _y(share: Decimal) -> float:
    return _BOTTOM - float(share) * (_BOTTOM - _TOP)


def _axes(report: AbcReport) -> Iterator[str]:
    for tenth in range(0, 11, 2):
        share = Decimal(tenth) / 10
        yield svg.line(_LEFT, _y(share), _LEFT + _PLOT, _y(share))
        yield svg.text(_LEFT - 12, _y(share) + 5, f"{tenth * 10} %", fill=MUTED, anchor="end")
        yield svg.text(_x(share), _BOTTOM + 24, f"{tenth * 10} %", fill=MUTED, anchor="middle")
    yield svg.text(_LEFT + _PLOT / 2, _BOTTOM + 52, f"share of {_NAMES[report.over]}, the best first", anchor="middle")
    yield svg.text(28, (_TOP + _BOTTOM) / 2, f"share of {report.by}", anchor="middle", turned=True)


def _bands(report: AbcReport) -> Iterator[str]:
    """An area below the curve for each class, then the curve and the borders."""
    points = [(Decimal(0), Decimal(0)), *((point.items_share, point.share) for point in report.curve)]
    start = points[0]
    for i, one in enumerate(report.classes):
        end = start[0] + (one.items_share or 0), min(start[1] + (one.share or 0), Decimal(1))
        inside = [point for point in points if start[0] < point[0] < end[0]]
        area = [(start[0], Decimal(0)), start, *inside, end, (end[0], Decimal(0))]
        if one.items:
            pale = svg.mixed(PALETTE[i], svg.PAPER, 0.55)
            yield svg.path([(_x(x), _y(y)) for x, y in area], fill=pale, hint=_told(report, one))
        start = end
    for border in report.borders:
        height = _y(Decimal(border) / 100)
        yield svg.line(_LEFT, height, _LEFT + _PLOT, height, stroke=MUTED, dashed=True)
        yield svg.text(_LEFT + _PLOT - 6, height + 18, f"{border} %", size=13, fill=MUTED, anchor="end")
    yield svg.path([(_x(x), _y(y)) for x, y in points], stroke=INK, width=3)
    if report.bringers is not None:
        yield svg.circle(_x(report.bringers), _y(Decimal(report.borders[0]) / 100), 6, fill=INK)


def _legend(report: AbcReport) -> Iterator[str]:
    left, height = _LEFT + _PLOT + 50, min(110, (_BOTTOM - _TOP) / len(report.classes))
    for i, one in enumerate(report.classes):
        top = _TOP + i * height
        yield svg.rect(left, top + 4, 34, min(34, height - 8), fill=PALETTE[i], radius=6)
        yield svg.text(left + 17, top + 27, one.name, size=18, fill=svg.ink_on(PALETTE[i]), anchor="middle", bold=True)
        items = f"{one.items:,}".replace(",", "\u202f")
        yield svg.text(left + 50, top + 20, f"{items} ({_percent(one.items_share)})", size=17, bold=True)
        brought = f"bring {_amount(report, one.total)} ({_percent(one.share)})"
        yield svg.text(left + 50, top + 42, svg.fitted(brought, 320, 15), size=15, fill=MUTED)
        if one.least is not None and height >= 66:
            yield svg.text(left + 50, top + 62, f"from {_amount(report, one.least)} each", size=15, fill=MUTED)


def _told(report: AbcReport, one: AbcClass) -> str:
    return f"{one.name}: {one.items} {_NAMES[report.over]}, {_amount(report, one.total)}"


def _cells(found: AbcMatrix) -> Iterator[str]:
    width = (_WIDTH - _LEFT - 40) / len(found.columns)
    height = (_BOTTOM + 30 - _TOP - 50) / len(found.rows)
    greatest = max((cell.share or Decimal(0) for cell in found.cells), default=Decimal(0))
    for i, column in enumerate(found.columns):
        words = [_LETTERS.get(column, "")] if column in _LETTERS else column.split("_")
        for place, word in enumerate(words):
            middle = _LEFT + (i + 0.5) * width
            baseline = _TOP + 36 - 18 * (len(words) - 1 - place)
            yield svg.text(middle, baseline, svg.fitted(word, width, 14), anchor="middle", bold=True)
    for number, cell in enumerate(found.cells):
        row, place = divmod(number, len(found.columns))
        x, y = _LEFT + place * width, _TOP + 50 + row * height
        if not place:
            yield svg.text(_LEFT - 24, y + height / 2 + 9, cell.row, size=26, anchor="middle", bold=True)
        yield from _cell(found, cell, (x + 2, y + 2, width - 4, height - 4), greatest)
    said = f"darker: more of {found.by}; percentages are shares of all {found.by}"
    yield svg.text(_LEFT, _BOTTOM + 62, said, size=14, fill=MUTED)


def _cell(
    found: AbcMatrix, cell: MatrixCell, box: tuple[float, float, float, float], greatest: Decimal
) -> Iterator[str]:
    x, y, width, height = box
    depth = float((cell.share or Decimal(0)) / greatest) if greatest else 0.0
    fill = svg.mixed(_PALE, _DEEP, depth) if cell.items else svg.PAPER
    hint = f"{cell.row} × {cell.column}: {cell.items} {_NAMES[found.over]}, {_amount(found, cell.total)}"
    yield svg.rect(x, y, width, height, fill=fill, radius=8, stroke=LINE, hint=hint)
    if not cell.items:
        return
    middle, ink = x + width / 2, svg.ink_on(fill)
    size = 30 if width > 150 and height > 90 else 18
    items = f"{cell.items:,}".replace(",", "\u202f")
    centre = y + height / 2
    yield svg.text(middle, centre - 2, items, size=size, fill=ink, anchor="middle", bold=True)
    yield svg.text(middle, centre + 18, _percent(cell.share), size=14, fill=ink, anchor="middle")
    if width > 150 and height > 90:
        yield svg.text(middle, centre + 38, _amount(found, cell.total), size=14, fill=ink, anchor="middle")


def _percent(share: Decimal | None) -> str:
    return "–" if share is None else f"{share * 100:.1f} %"


def _amount(found: AbcReport | AbcMatrix, total: int) -> str:
    """Three or four digits and a unit, as on a slide."""
    if found.by is not AbcMeasure.REVENUE:
        return f"{total:,} orders".replace(",", "\u202f")
    value, unit = Decimal(total) / _MICROS, ""
    for larger in ("K", "M", "bn", "tn"):
        if abs(value) < 10_000:
            break
        value, unit = value / 1000, f"\u202f{larger}"
    return f"{value:,.{0 if abs(value) >= 1000 else 1}f}".replace(",", "\u202f") + f"{unit} {found.currency}"
