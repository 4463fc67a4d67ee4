"""Who may see and do what with a customer: the whole rule in plain Python, over a dictionary of records."""

from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass(slots=True, kw_only=True)
class Known:
    """A record, as far as access and the lists of the oracle look at it."""

    customer_id: str
    tenant: str
    curator: str | None
    team: str | None
    name: str
    city: str
    status: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """A member of the staff; `owners` are those whose customers are his or in his care today."""

    tenant: str
    staff: str
    reach: str
    teams: tuple[str, ...]
    owners: tuple[str, ...]

    def sees(self, one: Known) -> bool:
        if one.tenant != self.tenant:
            return False
        if self.reach == "own":
            return one.curator in self.owners
        return self.reach == "tenant" or one.team in self.teams

    def may_place(self, curator: str | None, team: str | None) -> bool:
        """Whether he may write a record so that it lies there: within his own reach."""
        return {"own": curator in self.owners, "team": team in self.teams, "tenant": True}[self.reach]

    def home(self, curator: str | None, team: str | None) -> tuple[str | None, str | None]:
        """Where a new record lies for which these two were named."""
        if self.reach == "own":
            return curator or self.staff, team
        return curator, team or (self.teams[0] if self.reach == "team" else None)


@dataclass(slots=True, kw_only=True)
class Reference:
    records: dict[str, Known] = field(default_factory=dict)

    def seen(self, caller: Caller, **filters: str) -> list[Known]:
        found = (one for one in self.records.values() if caller.sees(one))
        return [one for one in found if all(getattr(one, name) == value for name, value in filters.items())]

    def one(self, caller: Caller, customer_id: str) -> Known | None:
        found = self.records.get(customer_id)
        return found if found is not None and caller.sees(found) else None

    def of(self, caller: Caller, ids: Iterable[str]) -> list[Known]:
        return [found for one in ids if (found := self.one(caller, one))]
