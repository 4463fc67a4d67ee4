"""Which snapshots are kept: all of five weeks, the first of each month for two years, the newest always."""

from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID

from service.domain.segmentation.rfm_report import CutsUsed
from service.domain.segmentation.rfm_snapshots import Moved, Snapshot, comparison, outlived

_TODAY = date(2026, 3, 15)
_NO_CUTS = CutsUsed(recency_days=(), frequency=(), monetary=())


def _on(number: int, day: date, scheme: UUID | None = None, made: date | None = None) -> Snapshot:
    return Snapshot(
        snapshot_id=number, scheme_id=scheme, as_of=day, computed_at=datetime.combine(made or day, time(3), UTC),
        currency="RUB", bins=5, customers=1, cuts=_NO_CUTS, groups=("a",), in_rules=True, scheduled=True,
    )  # fmt: skip


def test_a_month_keeps_its_first_and_five_weeks_all() -> None:
    nights = [_on(number, _TODAY - timedelta(days=number)) for number in range(1_000)]
    gone = set(outlived(nights, _TODAY))
    kept = [one.as_of for one in nights if one.snapshot_id not in gone]
    assert kept[:36] == [_TODAY - timedelta(days=number) for number in range(36)]
    assert all(day.day == 1 for day in kept[36:])
    assert 23 <= len(kept[36:]) <= 26


def test_the_newest_of_a_scheme_stays_however_old() -> None:
    assert outlived([_on(1, date(2019, 5, 5)), _on(2, date(2019, 5, 6), UUID(int=1))], _TODAY) == []


def test_what_was_made_lately_of_an_old_day_stays_a_while() -> None:
    old = _on(1, date(2020, 1, 7), made=_TODAY)
    assert outlived([old, _on(2, _TODAY)], _TODAY) == []
    assert outlived([old, _on(2, _TODAY)], _TODAY + timedelta(days=60)) == [1]


def test_two_schemes_over_nobody_do_not_agree_or_differ() -> None:
    assert comparison(_TODAY, []).agreement is None
    moves = [
        Moved(before=one, after=other, customers=number, revenue_before=0, revenue_after=0)
        for one, other, number in (("a", "a", 2), ("a", None, 1))
    ]
    assert str(comparison(_TODAY, moves).agreement) == "0.666667"
