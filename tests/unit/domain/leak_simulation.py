"""Managers at work and thieves among them, judged by the rules that run in production.

A manager has a portfolio of which a part is active; nearly all looks in clear go to records that something is going on
with, one in a hundred to any record at all, canaries included. There are busy days, campaigns of everybody, holidays
and newcomers. A thief does his work as before and takes records besides, as fast as his shape of theft says and the
reveal budget lets him; he can't tell canaries from customers. Everything follows from the seed.
"""

import random
from bisect import bisect
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import accumulate
from uuid import UUID

from service.domain.leaks.model import Day, Kind, Peers, Person, Severity
from service.domain.leaks.rules import about, canary_severity, judge, peers_of

_FIRST_DAY = date(2026, 1, 5)
_EXPLORING = 0.01
_MONTH = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """How a base is taken: a share of it a day, for so many days, and what else shows."""

    name: str
    a_day: float
    days: int
    at_night: bool = False
    sweeping: bool = False
    leaves_after: int | None = None  # from then on he is known to leave
    reassigned: int = 0  # colleagues' records, taken over on the first day and looked at first


SHAPES = (
    Shape(name="one day", a_day=1.0, days=1),
    Shape(name="five days", a_day=0.20, days=5),
    Shape(name="twenty days", a_day=0.05, days=20),
    Shape(name="sixty days", a_day=1 / 60, days=60),
    Shape(name="nights", a_day=0.05, days=10, at_night=True),
    Shape(name="alphabet", a_day=0.05, days=15, sweeping=True),
    Shape(name="colleagues' records", a_day=0.06, days=15, reassigned=150),
    Shape(name="leaving", a_day=0.05, days=30, leaves_after=10),
)


def budget(base: int, *, leaving: bool) -> tuple[int, int]:
    """Distinct records in clear in a day and in thirty days: the policy that holds when a tenant has set none."""
    day, month = min(150, max(20, base // 10)), max(200, base)
    return (max(1, day // 10), max(1, month // 10)) if leaving else (day, month)


@dataclass(slots=True)
class Ledger:
    """The distinct records of the last thirty days."""

    days: deque[set[int]] = field(default_factory=lambda: deque(maxlen=_MONTH))
    times: Counter[int] = field(default_factory=Counter)
    fresh: int = 0  # of today, those not seen in the thirty days before: what the budget counts

    def open_day(self) -> None:
        if len(self.days) == _MONTH:
            self.times.subtract(self.days[0])
            self.times += Counter()
        self.days.append(set())
        self.fresh = 0

    def look(self, record: int) -> None:
        today = self.days[-1]
        if record not in today:
            today.add(record)
            self.fresh += record not in self.times
            self.times[record] += 1

    def copy(self) -> "Ledger":
        return Ledger(days=deque((set(day) for day in self.days), maxlen=_MONTH), times=Counter(self.times))


class Manager:
    """One portfolio and the honest work on it. Records are numbers; the last of them are the canaries."""

    def __init__(self, number: int, rng: random.Random) -> None:
        self.rng = rng
        self.staff_id = UUID(int=number + 1)
        self.customers = int(min(max(rng.lognormvariate(6.6, 0.7), 120), 4_000))
        self.canaries = max(10, self.customers // 100)
        self.base = self.customers + self.canaries
        self.pace = rng.uniform(6, 26)
        self.starts = rng.randrange(20, 120) if rng.random() < 0.1 else 0
        self.holidays = {day for first in rng.sample(range(20, 250), 2) for day in range(first, first + 10)}
        self.night_worker = rng.random() < 0.05
        self.active = rng.sample(range(self.customers), max(40, self.customers // 4))
        self.weights = list(accumulate(1 / (rank + 3) for rank in range(len(self.active))))
        self.ledger = Ledger()
        self.days: list[Day] = []
        self.ledgers: dict[int, Ledger] = {}
        self.raised: set[tuple[str, str]] = set()

    def work(self, number: int, campaign: float) -> Day:
        """An honest day."""
        rng, day = self.rng, _FIRST_DAY + timedelta(days=number)
        self.ledger.open_day()
        if day.weekday() >= 5 or number in self.holidays or number < self.starts:
            return self._keep(Day(day=day, covered=len(self.ledger.times)))
        pace = self.pace * campaign * rng.lognormvariate(0, 0.3)
        pace *= 2.2 if rng.random() < 0.01 else 1.0  # a day of his own: a mailing has come back, a colleague is ill
        pace *= 1.5 if number - 1 in self.holidays else 1.0
        pace *= 1.3 if number - self.starts < 15 and self.starts else 1.0  # somebody new looks around
        for _ in range(len(self.active) // 100 + (rng.random() < 0.3)):
            self.active[rng.randrange(len(self.active))] = rng.randrange(self.customers)
        limit, _ = budget(self.base, leaving=False)
        for record in self._looks(_poisson(rng, pace * 0.6)):
            if self.ledger.fresh < limit:
                self.ledger.look(record)
        reveals = self.ledger.fresh
        searches = _poisson(rng, pace * 0.7)
        return self._keep(
            Day(
                day=day,
                reveals=reveals,
                cards=len(self.ledger.days[-1]) + _poisson(rng, pace),
                searches=searches,
                pages=_poisson(rng, pace / 3),
                night=_poisson(rng, 4.0) if self.night_worker else (_poisson(rng, 3.0) if rng.random() < 0.02 else 0),
                letters=min(26, len({rng.randrange(26) for _ in range(min(searches, 40))})),
                segments=_poisson(rng, 2.0),
                sales=_poisson(rng, self.pace / 8),
                reassigned=rng.randrange(5, 30) if rng.random() < 0.004 else 0,
                covered=len(self.ledger.times),
            )
        )

    def _looks(self, how_many: int) -> Iterator[int]:
        for _ in range(how_many):
            luck = self.rng.random()
            if luck < _EXPLORING:
                yield self.rng.randrange(self.base)
            elif luck < 0.15:
                yield self.rng.randrange(self.customers)
            else:
                yield self.active[bisect(self.weights, self.rng.random() * self.weights[-1])]

    def _keep(self, day: Day) -> Day:
        self.days.append(day)
        return day

    def is_canary(self, record: int) -> bool:
        return record >= self.customers


@dataclass(frozen=True, slots=True, kw_only=True)
class Theft:
    """How one ended: the share of the base that had left when the first alert came, if one came."""

    shape: str
    caught_by: str | None
    left_then: float | None
    left_in_all: float


@dataclass(slots=True, kw_only=True)
class Company:
    """All managers over all days, with what the rules said of them."""

    managers: list[Manager]
    peers: list[Peers]
    manager_days: int
    alerts: Counter[str]
    notices: Counter[str]

    @property
    def false_per_thousand(self) -> float:
        return 1000 * sum(self.alerts.values()) / self.manager_days


def company(*, managers: int, days: int, seed: int) -> Company:
    """Honest work alone; whatever is raised is false."""
    rng = random.Random(seed)
    people = [Manager(number, random.Random(rng.random())) for number in range(managers)]
    campaigns = dict.fromkeys(rng.sample(range(days), days // 25), 1.6)
    made = Company(managers=people, peers=[], manager_days=0, alerts=Counter(), notices=Counter())
    for number in range(days):
        today = [manager.work(number, campaigns.get(number, 1.0)) for manager in people]
        peers = peers_of(today, [manager.days[-31:-1] for manager in people])
        made.peers.append(peers)
        for manager, day in zip(people, today, strict=True):
            if number >= manager.starts:
                made.manager_days += 1
                _judge_honest(made, manager, day, peers)
        if number % 10 == 0:
            for manager in people:
                manager.ledgers[number] = manager.ledger.copy()
    return made


def _judge_honest(made: Company, manager: Manager, day: Day, peers: Peers) -> None:
    if not day.worked:
        return
    person = Person(staff_id=manager.staff_id, base=manager.base, before=manager.days[-180:-1])
    for signal in judge(person, day, peers):
        once = (signal.kind, about(day.day, signal))
        if once not in manager.raised:
            manager.raised.add(once)
            _count(made, signal.kind, signal.severity)
    touched = [record for record in manager.ledger.days[-1] if manager.is_canary(record)]
    if touched:
        recently = sum(1 for record in manager.ledger.times if manager.is_canary(record))
        _count(made, Kind.CANARY, canary_severity(recently, leaving=False))


def _count(made: Company, kind: str, severity: Severity) -> None:
    (made.alerts if severity is Severity.ALERT else made.notices)[kind] += 1


def steal(made: Company, manager: Manager, shape: Shape, start: int, rng: random.Random) -> Theft:
    """Let the manager take his base from that day on, besides his work, until the shape or the budget ends it."""
    ledger = manager.ledgers[start].copy()
    before = list(manager.days[max(0, start - 180) : start + 1])
    colleagues = list(range(manager.base, manager.base + shape.reassigned))
    wanted = rng.sample(range(manager.base), manager.base) + colleagues
    whole, taken = len(wanted), set[int]()
    caught: tuple[str, float] | None = None
    worked = 0
    for number in range(start + 1, len(manager.days)):
        if worked == shape.days:
            break
        honest = manager.days[number]
        ledger.open_day()
        if not honest.worked:
            continue
        worked += 1
        leaving = shape.leaves_after is not None and worked > shape.leaves_after
        a_day, a_month = budget(manager.base, leaving=leaving)
        for record in _own_work(manager, honest, rng):
            ledger.look(record)
        stolen = 0
        for _ in range(max(1, round(shape.a_day * whole))):
            if not wanted or ledger.fresh >= a_day or len(ledger.times) >= a_month:
                break
            record = wanted.pop()
            ledger.look(record)
            taken.add(record)
            stolen += 1
            recently = sum(1 for one in ledger.times if manager.customers <= one < manager.base)
            touched = manager.customers <= record < manager.base
            if caught is None and touched and canary_severity(recently, leaving=leaving) is Severity.ALERT:
                caught = (Kind.CANARY, len(taken) / whole)
        today = _overlaid(shape, honest, stolen, ledger.fresh, len(ledger.times), first=worked == 1)
        person = Person(staff_id=manager.staff_id, base=manager.base, before=before, leaving=leaving)
        alerts = [one for one in judge(person, today, made.peers[number]) if one.severity is Severity.ALERT]
        if caught is None and alerts:
            caught = (alerts[0].kind, len(taken) / whole)
        before.append(today)
    left = len(taken) / whole
    return Theft(
        shape=shape.name,
        caught_by=caught[0] if caught else None,
        left_then=caught[1] if caught else None,
        left_in_all=left,
    )


def _own_work(manager: Manager, honest: Day, rng: random.Random) -> Iterator[int]:
    for _ in range(honest.reveals):
        yield manager.active[bisect(manager.weights, rng.random() * manager.weights[-1])]


def _overlaid(shape: Shape, honest: Day, stolen: int, reveals: int, covered: int, *, first: bool) -> Day:
    return Day(
        day=honest.day,
        reveals=reveals,
        cards=honest.cards + stolen,
        searches=honest.searches + (stolen if shape.sweeping else 0),
        pages=honest.pages + stolen // 25,
        night=honest.night + (stolen if shape.at_night else 0),
        letters=max(honest.letters, min(30, stolen)) if shape.sweeping else honest.letters,
        segments=honest.segments,
        sales=honest.sales,
        reassigned=honest.reassigned + (shape.reassigned if first else 0),
        covered=covered,
    )


def thefts(made: Company, *, how_many: int, seed: int, shapes: Sequence[Shape] = SHAPES) -> list[Theft]:
    """As many of each shape, by managers who have been there for a while, on days drawn by the seed."""
    rng = random.Random(seed)
    settled = [manager for manager in made.managers if manager.starts == 0]
    days = len(made.peers)
    found: list[Theft] = []
    while len(found) < how_many:
        shape = shapes[len(found) % len(shapes)]
        latest = max(days - 7 * shape.days // 5 - 8, 61)
        starts = [day for day in sorted(settled[0].ledgers) if 60 <= day <= latest]
        theft = steal(made, rng.choice(settled), shape, rng.choice(starts), rng)
        # Who is on holiday to the end takes nothing: no theft.
        if theft.left_in_all:
            found.append(theft)
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    shape: str
    thefts: int
    caught: float
    left_then: float | None
    worst: float | None
    left_in_all: float
    by: str


def table(found: Sequence[Theft]) -> list[Row]:
    rows = []
    for shape in SHAPES:
        of_it = [one for one in found if one.shape == shape.name]
        lefts = sorted(one.left_then for one in of_it if one.left_then is not None)
        by = Counter(one.caught_by for one in of_it if one.caught_by)
        rows.append(
            Row(
                shape=shape.name,
                thefts=len(of_it),
                caught=len(lefts) / len(of_it),
                left_then=lefts[len(lefts) // 2] if lefts else None,
                worst=lefts[int(0.95 * (len(lefts) - 1))] if lefts else None,
                left_in_all=sum(one.left_in_all for one in of_it) / len(of_it),
                by=", ".join(f"{kind} {count}" for kind, count in by.most_common(3)),
            )
        )
    return rows


def _poisson(rng: random.Random, mean: float) -> int:
    """By the normal law where it is near enough."""
    if mean > 12:
        return max(0, round(rng.gauss(mean, mean**0.5)))
    left, count = 2.718281828459045**-mean, 0
    product = rng.random()
    while product > left:
        product *= rng.random()
        count += 1
    return count
