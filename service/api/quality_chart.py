"""Data quality for a slide: what the base is fit for, how its records score, and how the mean has moved."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from fastapi import Response

from service.api import svg
from service.api.svg import INK, LINE, MUTED, PALETTE, PAPER

_WIDTH, _HEIGHT = 1280, 720
_LEFT, _RIGHT = 80, 1200
_BARS, _BAR_WIDTH = 150, 380
_SCORES, _SCORES_TOP, _SCORES_HEIGHT = 660, 150, 220
_TREND_TOP, _TREND_HEIGHT = 480, 160
_PURPOSES = {"call": "to call", "mail": "to mail", "invoice": "to invoice", "deliver": "to deliver to"}


def picture(summary: Mapping[str, Any], days: Sequence[Mapping[str, Any]]) -> Response:
    """The picture of a summary and the days before it."""
    title = "Data quality: what the base is fit for"
    shapes = [*_heading(title, summary), *_fit(summary), *_distribution(summary), *_trend(days)]
    about = "Shares of records fit for each purpose, how many score what, and the mean score by day."
    return svg.document(_WIDTH, _HEIGHT, shapes, title=title, about=about)


def _heading(title: str, summary: Mapping[str, Any]) -> Iterator[str]:
    score = "–" if summary["score"] is None else f"{summary['score']:.0f}"
    said = f"{_whole(summary['checked'])} of {_whole(summary['records'])} records examined · mean score {score} of 100"
    yield svg.text(_LEFT, 64, title, size=32, bold=True)
    yield svg.text(_LEFT, 98, said, size=17, fill=MUTED)


def _fit(summary: Mapping[str, Any]) -> Iterator[str]:
    for place, (purpose, said) in enumerate(_PURPOSES.items()):
        told = summary["fit"][purpose]
        share = told["share"] or 0.0
        y = _BARS + place * 66
        hint = f"{_whole(told['records'])} records"
        yield svg.text(_LEFT, y + 14, f"Fit {said}", size=16)
        yield svg.rect(_LEFT, y + 24, _BAR_WIDTH, 22, fill=LINE, radius=4)
        yield svg.rect(_LEFT, y + 24, _BAR_WIDTH * share, 22, fill=PALETTE[place], radius=4, hint=hint)
        shown = "–" if told["share"] is None else f"{100 * share:.0f} %"
        yield svg.text(_LEFT + _BAR_WIDTH + 14, y + 41, shown, size=18, bold=True)


def _distribution(summary: Mapping[str, Any]) -> Iterator[str]:
    most = max(*summary["distribution"], 1)
    step = (_RIGHT - _SCORES) / 10
    yield svg.text(_SCORES, _SCORES_TOP - 8, "Records by score", size=16)
    bottom = _SCORES_TOP + _SCORES_HEIGHT
    for tenth, count in enumerate(summary["distribution"]):
        height = (_SCORES_HEIGHT - 30) * count / most
        x = _SCORES + tenth * step
        hint = f"{10 * tenth} to {10 * tenth + (10 if tenth == 9 else 9)}: {_whole(count)} records"
        colour = svg.mixed("#b8332a", "#0b6e4f", tenth / 9)
        yield svg.rect(x + 3, bottom - height, step - 6, height, fill=colour, radius=3, hint=hint)
        yield svg.text(x + step / 2, bottom + 20, str(10 * tenth), size=13, fill=MUTED, anchor="middle")


def _trend(days: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    yield svg.text(_LEFT, _TREND_TOP - 14, "Mean score by day", size=16)
    bottom = _TREND_TOP + _TREND_HEIGHT
    for score in (0, 50, 100):
        y = bottom - _TREND_HEIGHT * score / 100
        yield svg.line(_LEFT, y, _RIGHT, y, stroke=LINE)
        yield svg.text(_LEFT - 10, y + 5, str(score), size=13, fill=MUTED, anchor="end")
    told = [day for day in days if day["score"] is not None]
    if not told:
        yield svg.text((_LEFT + _RIGHT) / 2, bottom - 60, "No day was measured yet.", fill=MUTED, anchor="middle")
        return
    span = max((told[-1]["day"] - told[0]["day"]).days, 1)
    wide, first = _RIGHT - _LEFT, told[0]["day"]
    points = [
        (_LEFT + wide * (day["day"] - first).days / span, bottom - _TREND_HEIGHT * day["score"] / 100) for day in told
    ]
    if len(points) > 1:
        yield svg.path(points, stroke=PALETTE[0], width=3)
    for (x, y), day in zip(points, told, strict=True):
        yield svg.circle(x, y, 4, fill=PALETTE[0], stroke=PAPER, hint=f"{day['day']}: {day['score']}")
    yield svg.text(_LEFT, bottom + 24, str(told[0]["day"]), size=13, fill=INK)
    yield svg.text(_RIGHT, bottom + 24, str(told[-1]["day"]), size=13, fill=INK, anchor="end")


def _whole(number: int) -> str:
    return f"{number:,}".replace(",", "\u202f")
