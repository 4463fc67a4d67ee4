"""RFM for a slide: the grid of recency and frequency in the colours of the groups, beside it what each group brings."""

from collections.abc import Iterator, Mapping
from decimal import Decimal

from fastapi import Response

from service.api import svg
from service.api.svg import INK, LINE, MUTED, PALETTE, PAPER
from service.domain.segmentation.rfm_report import GridCell, GroupFigures, RfmReport

_WIDTH, _HEIGHT = 1280, 720
_LEFT, _TOP, _SIDE = 100, 140, 500  # the grid
_PANEL, _RIGHT, _BAR = 680, 1240, 150  # the groups
_MOST_GROUPS = 12
_THIN = "\u202f"
_MICROS = 1_000_000
# From those who are dear to those who are gone: greens and blues, then ambers and reds, then greys.
_USUAL = {
    "champions": "#0b6e4f", "loyal": "#2f9e7a", "potential_loyalist": "#7cc6a4", "new": "#4a90d9",
    "promising": "#9cc7ee", "need_attention": "#f2c14e", "about_to_sleep": "#d9b98a", "at_risk": "#e07a3f",
    "cant_lose": "#b8332a", "hibernating": "#9aa5b1",
}  # fmt: skip


def grid(report: RfmReport) -> Response:
    """The picture of a report."""
    title = f"RFM · {report.scheme}" if report.scheme else "RFM: who buys, how lately and how often"
    colours = _colours(report)
    shapes = [*_heading(report, title), *_axes(report), *_cells(report, colours), *_panel(report, colours)]
    about = (
        "Customers by recency (upwards) and frequency (to the right); beside it their groups with shares of revenue."
    )
    return svg.document(_WIDTH, _HEIGHT, shapes, title=title, about=about)


def _colours(report: RfmReport) -> dict[str, str]:
    names = [one.group for one in report.groups]
    usual = all(name in _USUAL for name in names)
    return {name: _USUAL[name] if usual else PALETTE[place % len(PALETTE)] for place, name in enumerate(names)}


def _heading(report: RfmReport, title: str) -> Iterator[str]:
    window = "all time" if report.window_days is None else f"{report.window_days} days"
    said = f"{_whole(report.population)} customers · {_amount(report, report.revenue)} · {window} up to {report.as_of}"
    yield svg.text(_LEFT, 64, svg.fitted(title, _RIGHT - _LEFT, 32), size=32, bold=True)
    yield svg.text(_LEFT, 98, said, size=17, fill=MUTED)


def _axes(report: RfmReport) -> Iterator[str]:
    step = _SIDE / report.bins
    for score in range(1, report.bins + 1):
        middle = (score - 0.5) * step
        yield svg.text(_LEFT + middle, _TOP + _SIDE + 22, str(score), fill=MUTED, anchor="middle")
        yield svg.text(_LEFT - 14, _TOP + _SIDE - middle + 5, str(score), fill=MUTED, anchor="end")
    yield svg.text(_LEFT + _SIDE / 2, _TOP + _SIDE + 48, "Frequency: orders, more to the right", anchor="middle")
    yield svg.text(48, _TOP + _SIDE / 2, "Recency: last order, lately on top", anchor="middle", turned=True)


def _cells(report: RfmReport, colours: Mapping[str, str]) -> Iterator[str]:
    if not report.population:
        yield svg.rect(_LEFT, _TOP, _SIDE, _SIDE, fill=PAPER, radius=8, stroke=LINE)
        middle = _LEFT + _SIDE / 2
        yield svg.text(
            middle, _TOP + _SIDE / 2, "Nobody has ordered on these days.", size=20, fill=MUTED, anchor="middle"
        )
        return
    named: set[str] = set()
    # From the top on: a group is named in the first of its cells, which is the best one.
    for cell in sorted(report.grid, key=lambda one: (-one.r, -one.f)):
        yield from _cell(report, cell, colours, first=cell.group is not None and cell.group not in named)
        named.add(cell.group or "")


def _cell(report: RfmReport, cell: GridCell, colours: Mapping[str, str], *, first: bool) -> Iterator[str]:
    step = _SIDE / report.bins
    x, y = _LEFT + (cell.f - 1) * step, _TOP + (report.bins - cell.r) * step
    colour = colours.get(cell.group or "", PALETTE[0])
    # An empty cell keeps the colour of its group, but pale.
    fill = colour if cell.customers else svg.mixed(colour, PAPER, 0.75)
    share = Decimal(cell.revenue) / report.revenue if report.revenue > 0 else None
    told = (
        f"R {cell.r} F {cell.f}{f' · {_said(cell.group)}' if cell.group else ''}: {_whole(cell.customers)} customers, "
    )
    hint = f"{told}{_amount(report, cell.revenue)} ({_percent(share)} of revenue)"
    yield svg.rect(x + 1.5, y + 1.5, step - 3, step - 3, fill=fill, radius=6, hint=hint)
    ink, middle = svg.ink_on(fill), x + step / 2
    if first and step >= 90:
        yield svg.text(x + 10, y + 20, svg.fitted(_said(cell.group or ""), step - 14, 11), size=11, fill=ink)
    if cell.customers:
        big = 20 if step >= 90 else 12
        yield svg.text(
            middle, y + step / 2 + big / 2, _short(cell.customers), size=big, fill=ink, anchor="middle", bold=True
        )
        if step >= 90:
            yield svg.text(middle, y + step - 14, _percent(share), size=12, fill=ink, anchor="middle")


def _panel(report: RfmReport, colours: Mapping[str, str]) -> Iterator[str]:
    """A line for each group: customers and revenue, as numbers and as bars."""
    found = sorted(report.groups, key=lambda one: (-one.revenue, one.group))
    yield svg.text(_PANEL + 220, _TOP - 14, "share of customers", size=13, fill=MUTED)
    yield svg.text(_PANEL + 395, _TOP - 14, "share of revenue", size=13, fill=MUTED)
    height = min(56.0, _SIDE / max(min(len(found), _MOST_GROUPS), 1))
    for place, one in enumerate(found[:_MOST_GROUPS]):
        yield from _line(one, _TOP + place * height, height, colours[one.group], report)
    if len(found) > _MOST_GROUPS:
        said = f"and {len(found) - _MOST_GROUPS} groups more"
        yield svg.text(_PANEL, _TOP + _SIDE + 22, said, size=13, fill=MUTED)


def _line(one: GroupFigures, top: float, height: float, colour: str, report: RfmReport) -> Iterator[str]:
    middle = top + height / 2
    hint = f"{_said(one.group)}: {_whole(one.customers)} customers, {_amount(report, one.revenue)}"
    yield svg.rect(_PANEL, middle - 12, 24, 24, fill=colour, radius=5, hint=hint)
    yield svg.text(_PANEL + 34, middle - 2, svg.fitted(_said(one.group), 180, 15), size=15, bold=True)
    yield svg.text(_PANEL + 34, middle + 15, f"{_whole(one.customers)} customers", size=12, fill=MUTED)
    for x, share in ((_PANEL + 220, one.share), (_PANEL + 395, one.revenue_share)):
        full = _BAR - 55
        part = min(max(float(share or 0), 0.0), 1.0)
        yield svg.rect(x, middle - 9, full, 18, fill=svg.mixed(colour, PAPER, 0.8), radius=4)
        yield svg.rect(x, middle - 9, full * part, 18, fill=colour, radius=4 if full * part > 8 else 0)
        yield svg.text(x + full + 8, middle + 5, _percent(share), size=13, fill=INK)


def _said(group: str | None) -> str:
    return (group or "").replace("_", " ")


def _percent(share: Decimal | None) -> str:
    return "–" if share is None else f"{share * 100:.1f}{_THIN}%"


def _whole(number: int) -> str:
    return f"{number:,}".replace(",", _THIN)


def _short(number: int) -> str:
    return _whole(number) if number < 100_000 else f"{number / 1000:.0f}{_THIN}K"


def _amount(report: RfmReport, micros: int) -> str:
    """Three or four digits and a unit, as on a slide."""
    value, unit = Decimal(micros) / _MICROS, ""
    for larger in ("K", "M", "bn", "tn"):
        if abs(value) < 10_000:
            break
        value, unit = value / 1000, f"{_THIN}{larger}"
    digits = f"{value:,.{0 if abs(value) >= 1000 else 1}f}".replace(",", _THIN)
    return f"{digits}{unit} {report.currency}"
