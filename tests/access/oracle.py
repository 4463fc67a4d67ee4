"""Random reads and writes by random people of two tenants, over HTTP, each compared with the reference at once."""

import random
from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import uuid4

import httpx

from tests.access.reference import Caller, Known, Reference
from tests.api.support import Api, Client
from tests.support import a_tenant

_CITIES = ("Samara", "Omsk", "Perm", "Tver")
_STATUSES = ("prospect", "customer", "lapsed", "archived")
_NAMES = ("Abel", "Baum", "Cole", "Dorn", "Ebert")
_SORTS = ("created", "-created", "name", "-name")
_FEWEST, _MOST = 40, 90  # records of a tenant


@dataclass(slots=True, kw_only=True)
class Person:
    caller: Caller
    client: Client


Deed = Callable[[Person], Coroutine[Any, Any, None]]


@dataclass(slots=True, kw_only=True)
class Oracle:
    """What differs goes into `differences`, with the step and what was asked."""

    people: list[Person]
    teams: dict[str, list[str]]
    dice: random.Random
    reference: Reference = field(default_factory=Reference)
    differences: list[str] = field(default_factory=list)
    done: Counter[str] = field(default_factory=Counter)

    async def run(self, steps: int) -> None:
        deeds: dict[Deed, int] = {
            self._get: 6,
            self._list: 4,
            self._count: 3,
            self._search: 3,
            self._patch: 3,
            self._move: 2,
            self._tag: 1,
            self._hand_over: 2,
            self._overview: 1,
            self._create: 2,
            self._delete: 2,
        }
        for _ in range(steps):
            person = self.dice.choice(self.people)
            size = len(self.reference.seen(self._head_of(person).caller))
            deed = self.dice.choices(list(deeds), list(deeds.values()))[0]
            if not _FEWEST <= size <= _MOST:
                deed = self._create if size < _FEWEST else self._delete
            await deed(person)
            self.done[deed.__name__.strip("_")] += 1

    def _head_of(self, person: Person) -> Person:
        return next(p for p in self.people if p.caller.tenant == person.caller.tenant and p.caller.reach == "tenant")

    def _compare(self, person: Person, what: object, told: object, expected: object) -> None:
        if told != expected:
            step = self.done.total()
            self.differences.append(f"step {step}, {person.caller}: {what}: told {told}, expected {expected}")

    def _any_id(self) -> str:
        """Of either tenant, now and then of none."""
        if self.dice.random() < 0.05 or not self.reference.records:
            return str(uuid4())
        return self.dice.choice(list(self.reference.records))

    def _filters(self) -> dict[str, str]:
        drawn = {
            "city": self.dice.choice(_CITIES),
            "status": self.dice.choice(_STATUSES),
            "curator": self.dice.choice(self.people).caller.staff,
            "team": self.dice.choice([team for teams in self.teams.values() for team in teams]),
        }
        return {name: value for name, value in drawn.items() if self.dice.random() < 0.25}

    async def _get(self, person: Person) -> None:
        customer_id = self._any_id()
        answer = await person.client.get(f"/v1/customers/{customer_id}")
        known = self.reference.one(person.caller, customer_id)
        expected = (known.city, known.status, known.curator, known.team) if known else 404
        self._compare(person, f"get {customer_id}", _shown(answer) or answer.status_code, expected)

    async def _list(self, person: Person) -> None:
        filters, sort, limit = self._filters(), self.dice.choice(_SORTS), self.dice.randint(1, 60)
        query: dict[str, Any] = {**_query(filters), "sort": sort, "limit": limit}
        told: list[str] = []
        while True:
            page = (await person.client.get("/v1/customers", params=query)).json()
            told += [one["customer_id"] for one in page["items"]]
            if page["next_cursor"] is None:
                break
            query["cursor"] = page["next_cursor"]
        by_name = "name" in sort
        expected = sorted(
            self.reference.seen(person.caller, **filters),
            key=lambda one: (one.name if by_name else "", one.customer_id),
            reverse=sort.startswith("-"),
        )
        self._compare(person, f"list {query}", told, [one.customer_id for one in expected])

    async def _count(self, person: Person) -> None:
        filters = self._filters()
        query: dict[str, Any] = {**_query(filters), "count": "exact", "limit": 1}
        page = (await person.client.get("/v1/customers", params=query)).json()
        self._compare(person, f"count {query}", page["count"], len(self.reference.seen(person.caller, **filters)))

    async def _search(self, person: Person) -> None:
        name, filters = self.dice.choice(_NAMES), self._filters()
        body = {**_query(filters), "q": name[: self.dice.randint(3, 5)].lower(), "limit": 100}
        answer = await person.client.post("/v1/customers/search", json=body)
        told = {one["customer_id"] for one in answer.json()["items"]}
        expected = {one.customer_id for one in self.reference.seen(person.caller, **filters, name=name)}
        self._compare(person, f"search {body}", told, expected)

    async def _overview(self, person: Person) -> None:
        told = (await person.client.get("/v1/overview")).json()["customers"]["total"]
        self._compare(person, "overview", told, len(self.reference.seen(person.caller)))

    async def _create(self, person: Person) -> None:
        curator, team = self._place(person)
        name, city, status = (self.dice.choice(one) for one in (_NAMES, _CITIES, _STATUSES))
        body = {"family_name": name, "city": city, "status": status, "curator_id": curator, "team_id": team}
        answer = await person.client.post("/v1/customers", json=body)
        place = person.caller.home(curator, team)
        allowed = person.caller.may_place(*place)
        self._compare(person, f"create {body}", answer.status_code, 201 if allowed else 422)
        if answer.status_code == 201:
            customer_id = answer.json()["customer_id"]
            self.reference.records[customer_id] = Known(
                customer_id=customer_id,
                tenant=person.caller.tenant,
                curator=place[0],
                team=place[1],
                name=name,
                city=city,
                status=status,
            )

    async def _patch(self, person: Person) -> None:
        customer_id, city = self._any_id(), self.dice.choice(_CITIES)
        answer = await person.client.patch(f"/v1/customers/{customer_id}", json={"city": city})
        known = self.reference.one(person.caller, customer_id)
        self._compare(person, f"patch {customer_id}", answer.status_code, 200 if known else 404)
        if known:
            known.city = city

    async def _move(self, person: Person) -> None:
        """Another curator or team by a plain change: never further than one's own reach."""
        customer_id, (curator, team) = self._any_id(), self._place(person)
        body = {name: value for name, value in (("curator_id", curator), ("team_id", team)) if value}
        answer = await person.client.patch(f"/v1/customers/{customer_id}", json=body)
        known = self.reference.one(person.caller, customer_id)
        if known is None:
            self._compare(person, f"move {customer_id} {body}", answer.status_code, 404)
            return
        place = (curator or known.curator, team or known.team)
        allowed = person.caller.may_place(*place)
        self._compare(person, f"move {customer_id} {body}", answer.status_code, 200 if allowed else 422)
        if allowed:
            known.curator, known.team = place

    async def _delete(self, person: Person) -> None:
        customer_id = self._any_id()
        answer = await person.client.delete(f"/v1/customers/{customer_id}")
        known = self.reference.one(person.caller, customer_id)
        self._compare(person, f"delete {customer_id}", answer.status_code, 204 if known else 404)
        if known:
            del self.reference.records[customer_id]

    async def _tag(self, person: Person) -> None:
        ids = list({self._any_id() for _ in range(8)})
        body = {"add": [self.dice.choice(_CITIES)], "customer_ids": ids}
        answer = await person.client.post("/v1/customers/tag", json=body)
        self._compare(person, f"tag {ids}", answer.json()["matched"], len(self.reference.of(person.caller, ids)))

    async def _hand_over(self, person: Person) -> None:
        ids = list({self._any_id() for _ in range(5)})
        mates = [one for one in self.people if one.caller.tenant == person.caller.tenant and len(one.caller.teams) == 1]
        to = self.dice.choice(mates).caller
        body = {"select": {"customer_ids": ids}, "to": {"curator_id": to.staff}, "dry_run": False}
        answer = await person.client.post("/v1/assignments", json=body)
        if person.caller.reach == "own":
            self._compare(person, "hand over", answer.status_code, 403)
            return
        allowed = person.caller.reach == "tenant" or to.teams[0] in person.caller.teams
        self._compare(person, f"hand over {ids} to {to.staff}", answer.status_code, 201 if allowed else 422)
        if answer.status_code != 201:
            return
        found, told = self.reference.of(person.caller, ids), answer.json()
        place = (to.staff, to.teams[0])
        moved = [one for one in found if (one.curator, one.team) != place]
        expected = (len(moved), len(found) - len(moved), len(ids) - len(found))
        self._compare(person, f"hand over {ids}", (told["records"], told["unchanged"], told["missing"]), expected)
        for one in moved:
            one.curator, one.team = place

    def _place(self, person: Person) -> tuple[str | None, str | None]:
        """A curator and a team of the tenant, or neither."""
        mates = [one.caller.staff for one in self.people if one.caller.tenant == person.caller.tenant]
        curator, team = self.dice.choice(mates), self.dice.choice(self.teams[person.caller.tenant])
        return self.dice.choice((None, curator)), self.dice.choice((None, team))


def _query(filters: dict[str, str]) -> dict[str, str]:
    return {{"curator": "curator_id", "team": "team_id"}.get(name, name): value for name, value in filters.items()}


def _shown(answer: httpx.Response) -> tuple[Any, ...] | None:
    if answer.status_code != 200:
        return None
    card = answer.json()
    return card["city"], card["status"], card["curator_id"], card["team_id"]


async def an_oracle(world: Api, seed: int) -> Oracle:
    """Two new tenants of the same shape: two managers a team, a deputy, two leads (one of both teams), a head."""
    people: list[Person] = []
    teams: dict[str, list[str]] = {}
    for _ in range(2):
        tenant = await a_tenant(world.container.pool, world.database.owner_url, world.database.service_url)
        here = replace(world, tenant=tenant)
        head = await here.client(teams=("A", "B"))
        teams[tenant.slug] = [str(team) for team in head.principal.teams]
        own = [await here.client(reach="own", teams=(team,)) for team in ("A", "A", "B", "B")]
        leads = [await here.client(reach="team", teams=names) for names in (("A",), ("B",), ("A", "B"))]
        body = {"owner_id": str(own[0].principal.staff_id), "deputy_id": str(own[2].principal.staff_id)}
        assert (await head.post("/v1/deputies", json=body)).status_code == 201
        cared_for = {own[2].principal.staff_id: (own[0].principal.staff_id,)}
        for client in (head, *own, *leads):
            one = client.principal
            caller = Caller(
                tenant=tenant.slug,
                staff=str(one.staff_id),
                reach=one.reach.value,
                teams=tuple(str(team) for team in one.teams),
                owners=tuple(str(owner) for owner in (one.staff_id, *cared_for.get(one.staff_id, ()))),
            )
            people.append(Person(caller=caller, client=client))
    return Oracle(people=people, teams=teams, dice=random.Random(seed))
