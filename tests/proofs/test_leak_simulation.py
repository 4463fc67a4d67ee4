"""Two hundred managers over 260 days and 400 thefts of eight shapes, judged by the rules of production.

The proof writes docs/leak-signals.md; everything in it follows from the seeds.
"""

from pathlib import Path

from tests.unit.domain.leak_simulation import SHAPES, Company, Row, company, table, thefts

_DOCUMENT = Path(__file__).parents[2] / "docs" / "leak-signals.md"
# Not the seed with which the rules were tuned.
_MANAGERS, _DAYS, _THEFTS, _SEED = 200, 260, 400, 2026
# A day leaves the rules the least; it is asked of more thefts.
_ONE_DAY, _ONE_DAY_BAR = 600, 0.99
# What is to be caught, and before how much of the base has left; what anomalies alone caught, where it was measured.
_BARS = {
    "one day": (0.95, 0.15, "99 %, but after all of the base"),
    "five days": (0.95, 0.35, "76 %"),
    "twenty days": (0.90, 0.35, "37 %"),
    "sixty days": (0.80, 0.35, "16 %"),
}


def test_thieves_are_caught_and_honest_people_left_alone() -> None:
    made = company(managers=_MANAGERS, days=_DAYS, seed=_SEED)
    rows = table(thefts(made, how_many=_THEFTS, seed=_SEED + 4))
    short = thefts(made, how_many=_ONE_DAY, seed=_SEED + 5, shapes=SHAPES[:1])
    caught = sum(theft.caught_by is not None for theft in short)
    _DOCUMENT.write_text(_document(made, rows, caught))
    assert caught >= _ONE_DAY_BAR * _ONE_DAY
    assert made.false_per_thousand <= 1
    for row in rows:
        bar, left, _ = _BARS.get(row.shape, (0.90, 0.35, ""))
        assert row.caught >= bar, row
        assert row.worst is not None, row
        assert row.worst <= left, row


def _document(made: Company, rows: list[Row], of_one_day: int) -> str:
    lines = "\n".join(_line(row) for row in rows)
    alerts = ", ".join(f"{kind} {count}" for kind, count in made.alerts.most_common())
    notices = ", ".join(f"{kind} {count}" for kind, count in made.notices.most_common())
    per_thousand = 1000 * sum(made.notices.values()) / made.manager_days
    return f"""# Leak signals: what they catch, and when

Written by `tests/proofs/test_leak_simulation.py` (seed {_SEED}): {_MANAGERS} simulated managers over {_DAYS} days,
{made.manager_days} manager-days of honest work, and {_THEFTS} thefts of eight shapes, judged by the rules that run in
production (`service/domain/leaks/rules.py`). The reveal budget of the usual policy holds for everybody. A day is judged
when it is over, so what left that day counts as gone; a canary tells at once.

- **False alerts: {made.false_per_thousand:.2f} in 1 000 manager-days** ({alerts}).
- Of {_ONE_DAY} more thefts in a single day, {of_one_day} were caught ({of_one_day / _ONE_DAY:.1%}).
- Notices to honest people, which call for nothing but a look: {per_thousand:.2f} in 1 000 manager-days ({notices}).

| theft | caught | had left when caught: median | worst of 95 % | would have left in all | caught by | anomalies alone |
|---|---|---|---|---|---|---|
{lines}

*Caught* is an alert; *had left* is the share of the records that the thief was after (his base, and what he had taken
over from colleagues) that he had seen in clear by then. *Would have left in all* is what the budget lets him have if
nobody stops him. *Anomalies alone* is what a detector without budget and canaries caught at 0.74 false alerts in 1 000
manager-days, in another simulation.

What the figures rest on: one honest look in clear in a hundred goes to any record at all, canaries included (with more
of that, more notices); a thief can't tell a canary; he copies what he sees in clear. Who photographs masked lists gets
names and places, and no contacts. A thief on holiday to the end takes nothing and is not counted; he begins on his
first day at work. A theft in a single day takes what the day's budget allows; what of it goes uncaught is of small or
busy portfolios, whose budget is near a day's work.
"""


def _line(row: Row) -> str:
    _, _, alone = _BARS.get(row.shape, (0, 0, "–"))
    cells = (row.shape, f"{row.caught:.0%}", _percent(row.left_then), _percent(row.worst), f"{row.left_in_all:.0%}")
    return f"| {' | '.join(cells)} | {row.by} | {alone} |"


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{share:.0%}"
