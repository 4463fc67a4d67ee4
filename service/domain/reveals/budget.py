"""How many customers a person may see in clear: by the hour, by the day and in thirty days.

Looks are counted by distinct customers; a second look at the same one within thirty days is free. The windows slide, so
nothing is to be had by waiting for midnight. Who sees his own records has a budget by their number; team and tenant
reach have absolute ones, systems have their own, and who leaves has a tenth. Beside them stand ceilings for the team
and for the tenant: sums over people by the day.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Any, Literal

from service.domain.access import Principal, Reach
from service.domain.errors import TooMany

Window = Literal["hour", "day", "month"]
Holder = Literal["person", "team", "tenant"]
LENGTH: Mapping[Window, timedelta] = {
    "hour": timedelta(hours=1),
    "day": timedelta(days=1),
    "month": timedelta(days=30),
}
FREE_FOR = LENGTH["month"]
# Nobody reads more cards in a month; a larger portfolio needs no counting to its end. What is counted at first is
# enough for the usual day.
OWN_COUNTED = 10_000
OWN_COUNTED_FIRST = 1_500
# Of the own records in thirty days: worth a signal, though within the budget.
WIDE_PERCENT = 40
_WORDS: Mapping[Window, str] = {"hour": "an hour", "day": "a day", "month": "thirty days"}


class RevealBudgetSpent(TooMany):
    code = "reveal-budget-spent"
    title = "The budget of customers whose contacts may be seen in clear is used up."


@dataclass(frozen=True, slots=True, kw_only=True)
class RevealPolicy:
    """What a tenant may decide. A percentage is of the own records, but for `hour_percent`, which is of the day."""

    own_day_percent: int = 10
    own_day_least: int = 20
    own_day_most: int = 150
    own_month_percent: int = 100
    own_month_least: int = 200
    team_day: int = 150
    team_month: int = 1_000
    tenant_day: int = 200
    tenant_month: int = 1_500
    system_day: int = 1_000
    system_month: int = 10_000
    hour_percent: int = 50
    team_ceiling_day: int = 1_000
    tenant_ceiling_day: int = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    hour: int
    day: int
    month: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Looks:
    """What stands in the book: the tenant's choice, the size of the own base, and the looks of each window so far.

    `team_day` is that of the busiest team of the caller.
    """

    chosen: Mapping[str, Any]
    own: int
    hour: int
    day: int
    month: int
    team_day: int = 0
    tenant_day: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """One window of one holder: how many looks there may be, and how many there were."""

    holder: Holder
    window: Window
    limit: int
    spent: int

    @property
    def left(self) -> int:
        return max(0, self.limit - self.spent)


def policy_of(chosen: Mapping[str, Any]) -> RevealPolicy:
    """The usual policy with what the tenant has chosen; what is no count is as usual."""
    known = {field.name for field in fields(RevealPolicy)}
    return RevealPolicy(**{name: value for name, value in chosen.items() if name in known and _is_count(value)})


def limits(policy: RevealPolicy, principal: Principal, own: int) -> Limits:
    """The caller's budget; `own` is how many records are his or of those he stands in for."""
    day, month = _day_and_month(policy, principal, own)
    if principal.leaving:
        day, month = _tenth(day), _tenth(month)
    return Limits(hour=-(-day * policy.hour_percent // 100), day=day, month=month)


def accounts(principal: Principal, looks: Looks) -> Iterator[Account]:
    """Every window that a look of the caller counts in, the widest holder last."""
    policy = policy_of(looks.chosen)
    mine = limits(policy, principal, looks.own)
    yield Account(holder="person", window="hour", limit=mine.hour, spent=looks.hour)
    yield Account(holder="person", window="day", limit=mine.day, spent=looks.day)
    yield Account(holder="person", window="month", limit=mine.month, spent=looks.month)
    if principal.kind == "person":
        if principal.teams:
            yield Account(holder="team", window="day", limit=policy.team_ceiling_day, spent=looks.team_day)
        yield Account(holder="tenant", window="day", limit=policy.tenant_ceiling_day, spent=looks.tenant_day)


def overdrawn(principal: Principal, looks: Looks, more: int) -> list[Account]:
    """The windows that have no room for so many more customers."""
    return [account for account in accounts(principal, looks) if more > account.left] if more else []


def own_percent(principal: Principal, looks: Looks, more: int) -> int | None:
    """How much of his own base somebody has seen in thirty days; None where that says nothing."""
    if principal.reach is not Reach.OWN or not looks.own:
        return None
    return (looks.month + more) * 100 // looks.own


def refusal(account: Account, more: int, free_at: datetime | None, now: datetime) -> RevealBudgetSpent:
    """What the caller is told: which budget it is, what is left of it, and when there is room for what was asked."""
    wait = LENGTH[account.window] if free_at is None else free_at - now
    whose = "" if account.holder == "person" else f" for the whole {account.holder}"
    return RevealBudgetSpent(
        f"Contacts of {account.limit} customers may be seen in {_WORDS[account.window]}{whose}; "
        f"{account.left} are left, and {more} were asked for.",
        holder=account.holder,
        window=account.window,
        limit=account.limit,
        spent=account.spent,
        left=account.left,
        asked=more,
        retry_after_seconds=max(1, int(wait.total_seconds()) + 1),
    )


def _day_and_month(policy: RevealPolicy, principal: Principal, own: int) -> tuple[int, int]:
    if principal.kind == "system":
        return policy.system_day, policy.system_month
    if principal.reach is Reach.TENANT:
        return policy.tenant_day, policy.tenant_month
    if principal.reach is Reach.TEAM:
        return policy.team_day, policy.team_month
    day = max(policy.own_day_least, own * policy.own_day_percent // 100)
    return min(policy.own_day_most, day), max(policy.own_month_least, own * policy.own_month_percent // 100)


def _tenth(limit: int) -> int:
    return -(-limit // 10)


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
