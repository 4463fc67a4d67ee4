"""The rules that look for somebody who takes the base along: pure, and the same in the worker and in the simulation.

Each compares a person with himself, and with the others where there is little to compare with yet or where all have a
busy day. The first `WARM_UP` worked days are judged by the peers' measure, with more room. What a rule lets pass was
set by the simulation, so that there is at most one false alert in a thousand days of a manager.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import date

from service.domain.leaks.model import Day, Kind, Peers, Person, Severity, Signal
from service.domain.leaks.statistics import Usual, rush, usual
from service.domain.leaks.thresholds import USUAL, Thresholds

WARM_UP = 15
# What is usual is read from this many worked days; the last ones before the window stand aside, or a slow theft would
# become what is usual.
_REMEMBERED = 90
_SMALL_BASE = 50
MEASURES = ("cards", "reveals", "searches")


def judge(person: Person, today: Day, peers: Peers, limits: Thresholds = USUAL) -> list[Signal]:
    """What the day of this person gives rise to, the gravest of each kind."""
    worked = [day for day in person.before if day.worked][-_REMEMBERED:]
    found: dict[Kind, Signal] = {}
    for rule in _RULES:
        for signal in rule(person, worked, today, peers, limits):
            held = found.get(signal.kind)
            if held is None or (held.severity, signal.severity) == (Severity.NOTICE, Severity.ALERT):
                found[signal.kind] = signal
    return list(found.values())


def peers_of(today: Sequence[Day], before: Sequence[Sequence[Day]]) -> Peers:
    """What the others do, from the same day of all and the days before of each."""
    typical = {
        name: [
            usual(worked).middle for days in before if (worked := [getattr(day, name) for day in days if day.worked])
        ]
        for name in MEASURES
    }
    now = {name: [getattr(day, name) for day in today if day.worked] for name in MEASURES}
    return Peers(
        rush={name: rush(now[name], typical[name]) for name in MEASURES},
        usual={name: usual(typical[name] or now[name]).middle for name in MEASURES},
    )


def canary_severity(touched: int, *, leaving: bool, limits: Thresholds = USUAL) -> Severity:
    """How grave it is to have touched so many canaries in thirty days."""
    return Severity.ALERT if touched >= limits.canaries_from(leaving=leaving) else Severity.NOTICE


def about(today: date, signal: Signal) -> str:
    """What a signal is raised for once: a day, a week for what adds several days up, a month for the coverage."""
    days = int(signal.parts.get("days", 1))
    span = f"{today:%Y-%m}" if days > 20 else f"{today:%G-W%V}" if days > 1 else today.isoformat()
    return f"{span} {signal.severity}"


_Rule = Callable[[Person, Sequence[Day], Day, Peers, Thresholds], Iterator[Signal]]
# The days that are added up, how many spreads they may be off, and the share; the number of records is the tenant's.
_WINDOWS = ((1, 8.0, 1.3), (5, 7.0, 0.9), (20, 7.0, 0.6))


def _volume(person: Person, worked: Sequence[Day], today: Day, peers: Peers, limits: Thresholds) -> Iterator[Signal]:
    strict = 0.5 if person.leaving else 1.0
    numbers = (limits.more_in_a_day, limits.more_in_five_days, limits.more_in_twenty_days)
    for name, what in (("reveals", "records in clear"), ("cards", "cards")):
        for (days, k, share), least in zip(_WINDOWS, numbers, strict=True):
            window = [*worked[len(worked) - days + 1 :], today] if days > 1 else [today]
            past = worked[: len(worked) - days + 1]
            if len(window) < days or (days > 1 and len(past) < WARM_UP):
                continue
            known = _known(past, name, peers)
            seen = sum(getattr(day, name) for day in window)
            busy = peers.rush.get(name, 1.0) if days == 1 else 1.0
            # A twelfth of a small base is a lot, however few records that are.
            few = min(least, max(8.0, person.base / 12)) if name == "reveals" else least
            room = known.limit(k=k * strict, share=share * strict, least=few * strict, days=days, rush=busy)
            if seen > room:
                yield _signal(Kind.VOLUME, Severity.ALERT, what, seen, known.middle * days, days)


def _known(past: Sequence[Day], name: str, peers: Peers) -> Usual:
    """What is usual for a person, or for his peers while there is too little of his own."""
    if len(past) >= WARM_UP:
        return usual([getattr(day, name) for day in past])
    middle = max(peers.usual.get(name, 0.0), usual([getattr(day, name) for day in past]).middle)
    return Usual(middle, middle / 2)


def _night(person: Person, worked: Sequence[Day], today: Day, peers: Peers, limits: Thresholds) -> Iterator[Signal]:
    known = usual([day.night for day in worked])
    least = limits.night_looks / (2 if person.leaving else 1)
    if today.night > known.limit(k=9.0, share=1.5, least=least):
        yield _signal(Kind.NIGHT, Severity.ALERT, "looks at night", today.night, known.middle, 1)


def _sweep(person: Person, worked: Sequence[Day], today: Day, peers: Peers, limits: Thresholds) -> Iterator[Signal]:
    for name, what, k, share, least in (
        ("letters", "first letters searched for", 7.0, 1.0, 12.0),
        ("segments", "slices of the base listed", 7.0, 1.0, 20.0),
        ("pages", "pages of lists", 9.0, 1.5, 60.0),
    ):
        known = usual([getattr(day, name) for day in worked])
        seen = getattr(today, name)
        if len(worked) >= WARM_UP and seen > known.limit(k=k, share=share, least=least):
            yield _signal(Kind.SWEEP, Severity.ALERT, what, seen, known.middle, 1)


def _searches(person: Person, worked: Sequence[Day], today: Day, peers: Peers, limits: Thresholds) -> Iterator[Signal]:
    """Ten days of many searches of which nothing comes."""
    days = 10
    window, past = [*worked[len(worked) - days + 1 :], today], worked[: len(worked) - days + 1]
    if len(window) < days or len(past) < WARM_UP:
        return
    known, sold = usual([day.searches for day in past]), usual([day.sales for day in past])
    seen, sales = sum(day.searches for day in window), sum(day.sales for day in window)
    if seen > known.limit(k=6.0, share=1.0, least=limits.searches, days=days) and sales <= 1.1 * sold.middle * days:
        signal = _signal(Kind.SEARCHES, Severity.ALERT, "searches", seen, known.middle * days, days)
        yield Signal(kind=signal.kind, severity=signal.severity, parts={**signal.parts, "sales": sales})


def _reassignment(
    person: Person, worked: Sequence[Day], today: Day, peers: Peers, limits: Thresholds
) -> Iterator[Signal]:
    known = usual([day.reassigned for day in worked])
    if today.reassigned > known.limit(k=9.0, share=2.0, least=max(limits.reassigned, 0.2 * person.base)):
        yield _signal(Kind.REASSIGNMENT, Severity.ALERT, "records re-assigned", today.reassigned, known.middle, 1)


def _token(person: Person, worked: Sequence[Day], today: Day, peers: Peers, limits: Thresholds) -> Iterator[Signal]:
    known = usual([day.crossings for day in worked])
    least = limits.crossings / (2 if person.leaving else 1)
    if today.crossings > known.limit(k=9.0, share=1.5, least=least):
        what = "returns of one token to an address while another used it"
        yield _signal(Kind.CROSSINGS, Severity.ALERT, what, today.crossings, known.middle, 1)


def _coverage(person: Person, worked: Sequence[Day], today: Day, peers: Peers, limits: Thresholds) -> Iterator[Signal]:
    """Much of the own base in a month. Who usually works on as much of a small base is measured by that."""
    if person.base < _SMALL_BASE or not today.worked:
        return
    known = usual([day.covered / person.base for day in worked[WARM_UP:-10]])
    share = today.covered / person.base
    if share >= limits.covered_percent / 100:
        unlike = share > known.limit(k=6.0, share=0.35, least=0.10)
        severity = Severity.ALERT if unlike and len(worked) > 2 * WARM_UP else Severity.NOTICE
        yield Signal(
            kind=Kind.COVERAGE,
            severity=severity,
            parts={"seen": round(100 * share), "usual": round(100 * known.middle), "days": 30},
        )


def _signal(kind: Kind, severity: Severity, what: str, seen: float, usually: float, days: int) -> Signal:
    parts = {"what": what, "seen": round(seen), "usual": round(usually), "days": days}
    return Signal(kind=kind, severity=severity, parts=parts)


_RULES: tuple[_Rule, ...] = (_volume, _night, _sweep, _searches, _reassignment, _token, _coverage)
