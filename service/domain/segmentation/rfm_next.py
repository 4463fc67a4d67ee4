"""What would move a customer to another group under the same cuts: how many orders, how much money, for how long.

An order of today sets recency to nothing, so no letter falls but an average. For each group that can be reached the
answer is the fewest orders, and of these the least money. `days` is how long the customer stays there without another
order (None: for good), and of the present group how long until he slips, and where to. Days pass under the same cuts:
what counts is how many days the last order lies back.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date

from service.domain.segmentation.rfm import Cuts, LetterCuts, Monetary, RfmScheme, monetary_value, score

# Money is advised in whole hundredths.
_HUNDREDTH = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What a customer's counted orders come to; without any there is no last day."""

    last_on: date | None
    orders: int
    revenue: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """With `orders` more orders by today that bring `money` together, he is in `group`, and stays `days` days."""

    group: str
    orders: int
    money: int
    days: int | None
    r: int
    f: int
    m: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """Where the customer is (None: without counted orders), where he would slip, and the groups that he can reach."""

    group: str | None
    r: int | None
    f: int | None
    m: int | None
    stays_days: int | None
    slips_to: str | None
    steps: tuple[Step, ...]


def outlook(standing: Standing, scheme: RfmScheme, cuts: Cuts, as_of: date) -> Outlook:
    """The groups in reach, the nearest first."""
    now = scores(standing, scheme, cuts)
    group = scheme.groups.group_of(*now) if now else None
    stays, slips = _stays(now, standing.last_on, scheme, cuts.recency, as_of) if now else (None, None)
    best: dict[str, Step] = {}
    for orders, money in _offers(standing, scheme, cuts):
        step = _step(standing, orders, money, scheme, cuts, as_of)
        known = best.get(step.group)
        if step.group != group and (known is None or _cost(step) < _cost(known)):
            best[step.group] = step
    r, f, m = now or (None, None, None)
    return Outlook(
        group=group, r=r, f=f, m=m, stays_days=stays, slips_to=slips, steps=tuple(sorted(best.values(), key=_cost))
    )


def _cost(step: Step) -> tuple[int, int]:
    return step.orders, step.money


def scores(standing: Standing, scheme: RfmScheme, cuts: Cuts) -> tuple[int, int, int] | None:
    """The three letters of a customer who has ordered."""
    if standing.last_on is None:
        return None
    money = monetary_value(scheme.monetary, standing.revenue, standing.orders)
    return (
        score(standing.last_on.toordinal(), cuts.recency),
        score(standing.orders, cuts.frequency),
        score(money, cuts.monetary),
    )


def after(standing: Standing, orders: int, money: int, day: date) -> Standing:
    """The customer once he has bought, the last time on that day."""
    return Standing(last_on=day, orders=standing.orders + orders, revenue=standing.revenue + money)


def _offers(standing: Standing, scheme: RfmScheme, cuts: Cuts) -> Iterator[tuple[int, int]]:
    """Orders and money at which some letter changes: nothing in between could change a group."""
    for orders in sorted({1, *(floor - standing.orders for floor in cuts.frequency.floors if floor > standing.orders)}):
        yield orders, 0
        if not scheme.groups.by_monetary:
            continue
        times = standing.orders + orders if scheme.monetary is Monetary.AVERAGE else 1
        for floor in cuts.monetary.floors:
            short = floor * times - standing.revenue
            if short > 0:
                yield orders, -(-short // _HUNDREDTH) * _HUNDREDTH


def _step(standing: Standing, orders: int, money: int, scheme: RfmScheme, cuts: Cuts, as_of: date) -> Step:
    moved = after(standing, orders, money, as_of)
    found = scores(moved, scheme, cuts)
    assert found is not None
    days, _ = _stays(found, as_of, scheme, cuts.recency, as_of)
    r, f, m = found
    return Step(group=scheme.groups.group_of(r, f, m), orders=orders, money=money, days=days, r=r, f=f, m=m)


def _stays(
    now: tuple[int, int, int], last_on: date | None, scheme: RfmScheme, recency: LetterCuts, as_of: date
) -> tuple[int | None, str | None]:
    """For how many days from today the group stays the same without an order, and which comes then."""
    assert last_on is not None
    _, f, m = now

    def group_at(r: int) -> str:
        return scheme.groups.group_of(r, f, m)

    day = last_on.toordinal()
    edge = _edge(day, group_at(now[0]), group_at, recency)
    if edge is None:
        return None, None
    return day - edge, group_at(score(edge - 1, recency))


def _edge(day: int, group: str, group_at: Callable[[int], str], recency: LetterCuts) -> int | None:
    """The earliest last day with which the group is still that one; None where there is none too early."""
    place = day
    while True:
        found = score(place, recency)
        if group_at(found) != group:
            return place + 1
        if found == 1:
            return None
        place = recency.floors[found - 2] - 1
