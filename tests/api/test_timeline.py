"""The timeline holds everything once, in one order, page by page as in one piece, and shows nothing out of reach."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, get_args
from uuid import UUID, uuid4

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.api.timeline import Kind
from service.db.statement import Statement, sql
from service.db.timeline import page_of
from service.domain.access import Principal
from service.domain.timeline import KINDS, Position
from tests.api.support import Api, Client, api, in_the_api
from tests.postgres import TestDatabase
from tests.support import Tenant, a_tenant

_AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
_CUSTOMER = sql("""
    INSERT INTO customers (tenant_id, customer_id, kind, display_name, sort_name, curator_id, import_id, created_at)
    VALUES (:tenant, :customer_id, 'person', 'Анна', 'анна', :curator, :import_id, :at)
""")
_ADD = {
    "order": """INSERT INTO orders (tenant_id, order_id, customer_id, total, ordered_at, ordered_on, currency, status)
        VALUES (:tenant, :id, :customer_id, 1490000000, :at, (:at::timestamptz AT TIME ZONE
            CASE WHEN random() < 0.5 THEN 'Pacific/Kiritimati' ELSE 'Etc/GMT+12' END)::date, 'RUB', 'completed')""",
    "refund": """INSERT INTO refunds (tenant_id, refund_id, customer_id, amount, refunded_at, refunded_on, currency)
        VALUES (:tenant, :id, :customer_id, 85000, :at, '2026-03-01', 'RUB')""",
    "updated": """INSERT INTO customer_events (tenant_id, event_id, customer_id, at, kind, source, detail)
        VALUES (:tenant, :id, :customer_id, :at, 'updated', 'api', '{"fields": {"city": ["Казань", "Москва"]}}')""",
    "status": """INSERT INTO customer_events (tenant_id, event_id, customer_id, at, kind, source)
        VALUES (:tenant, :id, :customer_id, :at, 'status', 'api')""",
    "curator": """INSERT INTO ownerships (tenant_id, ownership_id, customer_id, at, curator_id, staff_id)
        VALUES (:tenant, :id, :customer_id, :at, :staff, :staff)""",
    "note": """INSERT INTO notes (tenant_id, note_id, customer_id, created_at, staff_id, text)
        VALUES (:tenant, :id, :customer_id, :at, :staff, 'Call back')""",
    "interaction": """INSERT INTO interactions (tenant_id, interaction_id, customer_id, at, staff_id, kind, direction)
        VALUES (:tenant, :id, :customer_id, :at, :staff, 'call', 'out')""",
    "consent": """INSERT INTO consents (tenant_id, consent_id, customer_id, at, staff_id, purpose, given, source)
        VALUES (:tenant, :id, :customer_id, :at, :staff, 'mailings', true, 'form')""",
}
_JOB = sql("INSERT INTO jobs (tenant_id, job_id, staff_id, kind, unit) VALUES (:tenant, :id, :staff, 'export', 'rows')")
_EXPORT = sql("""
    INSERT INTO exports (tenant_id, export_id, staff_id, job_id, what, request, columns, format, purpose, state, rows,
        finished_at)
    VALUES (:tenant, :id, :staff, :job, 'customers', '{}', '{city}', 'csv', 'a mailing', 'done', 1, :at)
""")
_LEDGER = sql("""
    INSERT INTO export_records (tenant_id, export_id, first_id, last_id, customer_ids)
    VALUES (:tenant, :id, :first, :last, :ids)
""")
_FILE = sql("""
    INSERT INTO files (tenant_id, file_id, staff_id, name, media_type, size, sha256)
    VALUES (:tenant, :id, :staff, 'a.csv', 'text/csv', 1, '')
""")
_IMPORT = sql("""
    INSERT INTO imports (tenant_id, import_id, staff_id, job_id, file_id, kind, source, mapping, content_hash)
    VALUES (:tenant, :id, :staff, :job, :file, 'customers', 'crm', '{}', :id::uuid::text::bytea)
""")
_READ = ("orders", "refunds", "customer_events", "ownerships", "notes", "interactions", "consents", "export_records")


async def _customer(tenant: Tenant, staff: Principal, *, brought: bool = False) -> UUID:
    customer_id, job, file, import_id = uuid4(), uuid4(), uuid4(), uuid4()
    async with tenant.uow.begin(staff) as tx:
        if brought:
            await tx.session.execute(_JOB, id=job, staff=staff.staff_id)
            await tx.session.execute(_FILE, id=file, staff=staff.staff_id)
            await tx.session.execute(_IMPORT, id=import_id, staff=staff.staff_id, job=job, file=file)
        values = {"customer_id": customer_id, "curator": staff.staff_id, "at": _AT}
        await tx.session.execute(_CUSTOMER, **values, import_id=import_id if brought else None)
        await tx.commit()
    return customer_id


async def _befall(tenant: Tenant, staff: Principal, customer_id: UUID, happened: list[tuple[str, int]]) -> None:
    """Things of these kinds, each so many minutes after the beginning."""
    async with tenant.uow.begin(staff) as tx:
        for kind, minute in happened:
            at = _AT + timedelta(minutes=minute)
            if kind == "export":
                await _export(tx, staff, at, [customer_id])
                continue
            values = {"id": uuid4(), "customer_id": customer_id, "at": at, "staff": staff.staff_id}
            await tx.session.execute(sql(_ADD[kind]), **values)
        await tx.commit()


async def _export(tx: Any, staff: Principal, at: datetime, ids: list[UUID]) -> None:
    job, export_id = uuid4(), uuid4()
    await tx.session.execute(_JOB, id=job, staff=staff.staff_id)
    await tx.session.execute(_EXPORT, id=export_id, staff=staff.staff_id, job=job, at=at)
    ids = sorted(ids)
    await tx.session.execute(_LEDGER, id=export_id, first=ids[0], last=ids[-1], ids=ids)


async def _all(client: Client, customer_id: UUID, limit: int = 200, **query: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    cursor: dict[str, str] = {}
    while True:
        path = f"/v1/customers/{customer_id}/timeline"
        answer = await client.get(path, params={"limit": str(limit), **query, **cursor})
        assert answer.status_code == 200, answer.text
        page = answer.json()
        assert len(page["items"]) <= limit
        items += page["items"]
        if page["next_cursor"] is None:
            return items
        cursor = {"cursor": page["next_cursor"]}


def test_it_tells_who_did_what_from_every_source(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head = await world.client(subject="anna")
        customer_id = await _customer(world.tenant, head.principal, brought=True)
        kinds = ["order", "refund", "updated", "status", "curator", "note", "interaction", "consent", "export"]
        await _befall(world.tenant, head.principal, customer_id, [(kind, i + 1) for i, kind in enumerate(kinds)])
        items = await _all(head, customer_id)
        assert [item["kind"] for item in items] == [*reversed(kinds), "import"]
        shown = {item["kind"]: item for item in items}
        assert shown["order"]["detail"]["total"] == "1490.00"
        assert shown["refund"]["detail"]["amount"] == "0.085"
        assert shown["order"]["by"] is None
        assert shown["note"]["by"] == {"staff_id": str(head.principal.staff_id), "name": "Anna"}
        assert shown["updated"]["detail"] == {"fields": {"city": ["Казань", "Москва"]}}
        assert shown["updated"]["source"] == "api"
        assert shown["curator"]["detail"]["curator"] == "Anna"
        assert shown["import"]["detail"]["source"] == "crm"
        assert shown["export"]["detail"]["purpose"] == "a mailing"

    in_the_api(database, scenario)


def test_what_the_service_writes_shows_up(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head = await world.client()
        made = (await head.post("/v1/customers", json={"family_name": "Иванова"})).json()
        order = {"customer_id": made["customer_id"], "ordered_at": "2026-03-01T12:00:00+03:00", "total": "10"}
        assert (await head.post("/v1/orders", json=order)).status_code == 201
        items = await _all(head, made["customer_id"], kinds="order")
        assert [item["detail"]["total"] for item in items] == ["10.00"]

    in_the_api(database, scenario)


def test_a_file_that_did_not_hold_the_record_is_not_told_of(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head = await world.client()
        customer_id = await _customer(world.tenant, head.principal)
        around = [UUID(int=customer_id.int - 1), UUID(int=customer_id.int + 1)]
        async with world.tenant.uow.begin(head.principal) as tx:
            await _export(tx, head.principal, _AT, around)
            await _export(tx, head.principal, _AT, around[:1])
            await _export(tx, head.principal, _AT, around[1:])
            await tx.commit()
        assert await _all(head, customer_id) == []

    in_the_api(database, scenario)


def test_a_record_out_of_reach_has_no_timeline(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head, other = await world.client(), await world.client(reach="own")
        customer_id = await _customer(world.tenant, head.principal)
        await _befall(world.tenant, head.principal, customer_id, [(kind, 1) for kind in (*_ADD, "export")])
        for missing in (customer_id, uuid4()):
            answer = await other.get(f"/v1/customers/{missing}/timeline")
            assert (answer.status_code, answer.json()["type"]) == (404, "/problems/customer-not-found")

    in_the_api(database, scenario)


def test_a_curator_sees_his_record_and_no_file_of_another(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head, anna = await world.client(), await world.client(reach="own")
        customer_id = await _customer(world.tenant, anna.principal)
        await _befall(world.tenant, head.principal, customer_id, [(kind, 1) for kind in (*_ADD, "export")])
        assert {item["kind"] for item in await _all(anna, customer_id)} == set(_ADD)
        assert {item["kind"] for item in await _all(head, customer_id)} == {*_ADD, "export"}

    in_the_api(database, scenario)


def test_purchases_need_the_right_to_read_orders(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        reader = await world.client(scopes=("customers:read",))
        head = await world.client()
        customer_id = await _customer(world.tenant, head.principal)
        await _befall(world.tenant, head.principal, customer_id, [("order", 1), ("refund", 2), ("note", 3)])
        assert [item["kind"] for item in await _all(reader, customer_id)] == ["note"]
        refused = await reader.get(f"/v1/customers/{customer_id}/timeline?kinds=order,note")
        assert (refused.status_code, refused.json()["type"]) == (403, "/problems/missing-scope")

    in_the_api(database, scenario)


def test_bad_kinds_and_cursors_are_refused_by_place(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head = await world.client()
        customer_id = await _customer(world.tenant, head.principal)
        path = f"/v1/customers/{customer_id}/timeline"
        for query, code in (
            ("kinds=oder", "invalid-request"),
            ("limit=0", "invalid-request"),
            ("cursor=x", "bad-cursor"),
            ("cursor=eyJhdCI6MSwia2luZCI6MiwiaWQiOjN9", "bad-cursor"),
        ):
            answer = await head.get(f"{path}?{query}")
            assert (answer.status_code, answer.json()["type"]) == (422, f"/problems/{code}"), answer.text

    in_the_api(database, scenario)


def test_what_is_added_between_two_pages_neither_repeats_nor_hides_anything(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head = await world.client()
        customer_id = await _customer(world.tenant, head.principal)
        await _befall(world.tenant, head.principal, customer_id, [(kind, 5) for kind in _ADD for _ in range(2)])
        before = await _all(head, customer_id)
        path = f"/v1/customers/{customer_id}/timeline"
        page = (await head.get(f"{path}?limit=7")).json()
        await _befall(
            world.tenant, head.principal, customer_id, [("note", 9), ("status", 5), ("note", 5), ("order", 1)]
        )
        rest = (await head.get(f"{path}?limit=200&cursor={page['next_cursor']}")).json()["items"]
        seen = [item["id"] for item in (*page["items"], *rest)]
        assert len(seen) == len(set(seen))
        assert {item["id"] for item in before} <= set(seen)

    in_the_api(database, scenario)


_Ask = Callable[[Callable[[Api], Awaitable[None]]], None]


@pytest.fixture(scope="module")
def ask(database: TestDatabase) -> Iterator[_Ask]:
    """One application for many examples; each has a tenant of its own."""
    with asyncio.Runner() as runner:
        opened = api(database)
        world = runner.run(opened.__aenter__())
        yield lambda scenario: runner.run(scenario(world))  # type: ignore[arg-type]
        runner.run(opened.__aexit__(None, None, None))


def test_every_kind_can_be_asked_for() -> None:
    assert set(get_args(Kind)) == set(KINDS)


# Many orders, some within minutes and some days apart, whose days were counted in the zones furthest from each other.
_MINUTES = st.integers(0, 3) | st.integers(0, 9).map(lambda half_days: half_days * 720)
_HAPPENED = st.lists(st.tuples(st.sampled_from([*_ADD, "export", "order", "order", "order"]), _MINUTES), max_size=30)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(happened=_HAPPENED, limit=st.integers(1, 6), kinds=st.sets(st.sampled_from(KINDS), min_size=1, max_size=6))
def test_pages_joined_are_the_whole_and_a_filter_is_a_filter(
    ask: _Ask, happened: list[tuple[str, int]], limit: int, kinds: set[str]
) -> None:
    async def scenario(world: Api) -> None:
        tenant = await a_tenant(world.container.pool, world.tenant.owner_url, world.tenant.service_url)
        head = world.client_of(await tenant.staff())
        customer_id = await _customer(tenant, head.principal, brought=True)
        await _befall(tenant, head.principal, customer_id, happened)
        whole = await _all(head, customer_id)
        assert sorted(item["kind"] for item in whole) == sorted(["import", *(kind for kind, _ in happened)])
        places = [(datetime.fromisoformat(one["at"]), one["kind"], UUID(one["id"]).bytes) for one in whole]
        assert places == sorted(places, reverse=True)
        assert await _all(head, customer_id, limit) == whole
        wanted = ",".join(sorted(kinds))
        assert await _all(head, customer_id, limit, kinds=wanted) == [one for one in whole if one["kind"] in kinds]

    ask(scenario)


def test_no_source_is_read_whole(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head = await world.client()
        anna = await world.client(reach="own")
        customer_id = await _customer(world.tenant, anna.principal)
        await _befall(world.tenant, head.principal, customer_id, [(kind, 1) for kind in (*_ADD, "export")])
        await _crowd(world, head.principal)
        every = frozenset(("order", "refund", "event", "curator", "import", "export", "note", "interaction", "consent"))
        for principal in (head.principal, anna.principal):
            for after in (None, Position(at=_AT, kind="note", item_id=uuid4())):
                statement = page_of(every, False, after is not None)
                nodes = list(_nodes(await _plan(world.tenant, principal, statement, customer_id, after)))
                conditions = {
                    node["Relation Name"]: node["Index Cond"]
                    for node in nodes
                    if "Index Cond" in node and "Relation Name" in node
                }
                assert {node["Node Type"] for node in nodes if node.get("Relation Name") in _READ} <= _BY_INDEX
                for table in _READ:
                    assert ("ordered_on" in conditions[table]) == (table == "orders")
                    assert ("first_id" if table == "export_records" else "customer_id") in conditions[table], table

    in_the_api(database, scenario)


_BY_INDEX = {"Index Scan", "Index Only Scan", "Bitmap Heap Scan"}
_CROWD = """
    INSERT INTO customers (tenant_id, customer_id, kind, display_name, sort_name, curator_id)
    SELECT :tenant, gen_random_uuid(), 'person', 'x', 'x', :staff FROM generate_series(1, 3000)
"""


async def _crowd(world: Api, staff: Principal) -> None:
    """Three thousand others, each with something in every source, so that a plan has something to choose."""
    async with world.tenant.uow.begin(staff, timeout_ms=60_000) as tx:
        await tx.session.execute(sql(_CROWD), staff=staff.staff_id)
        for statement in _ADD.values():
            head, _, values = statement.partition("VALUES (")
            each = values.rstrip().removesuffix(")").replace(":id", "gen_random_uuid()")
            each = each.replace(":customer_id", "c.customer_id").replace(":at", ":at::timestamptz")
            each = each.replace(":staff", ":staff::uuid")
            of_each = sql(f"{head} SELECT {each} FROM customers c WHERE c.tenant_id = :tenant")
            await tx.session.execute(of_each, at=_AT, staff=staff.staff_id)
        ids = [UUID(int=number) for number in range(3_000)]
        for _ in range(3):
            job, export_id = uuid4(), uuid4()
            await tx.session.execute(_JOB, id=job, staff=staff.staff_id)
            await tx.session.execute(_EXPORT, id=export_id, staff=staff.staff_id, job=job, at=_AT)
            for one in ids:
                await tx.session.execute(_LEDGER, id=export_id, first=one, last=one, ids=[one])
        await tx.commit()
    connection = await asyncpg.connect(world.database.superuser_url)
    try:
        await connection.execute(f"ANALYZE customers, {', '.join(_READ)}")
    finally:
        await connection.close()


async def _plan(
    tenant: Tenant, principal: Principal, statement: Statement, customer_id: UUID, after: Position | None
) -> dict[str, Any]:
    values: dict[str, Any] = {"tenant": principal.tenant_id, "customer_id": customer_id, "limit": 51, "events": None}
    if after:
        values |= {"after_at": after.at, "after_kind": after.kind, "after_id": after.item_id}
    async with tenant.uow.begin(principal) as tx:
        text = await tx.session.connection.fetchval(
            f"EXPLAIN (FORMAT JSON) {statement.text}", *statement.arguments(values)
        )
    plan: dict[str, Any] = json.loads(text)[0]["Plan"]
    return plan


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for inner in plan.get("Plans", ()):
        yield from _nodes(inner)
