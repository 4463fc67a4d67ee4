"""Bulk out on a real database: who gets which rows and columns, how cells are written, and how a job ends."""

import asyncio
import csv
import io
import tracemalloc
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from service.db.statement import sql
from service.domain.access import Principal, Reach, Scope, narrowed
from service.domain.customers.model import ContactInput, ExternalId
from service.domain.customers.service import CustomerService, Draft, LookupKey
from service.domain.errors import DomainError, MissingScope
from service.domain.exports.delivery import DeliveryService
from service.domain.exports.errors import ExportExpired, ExportNotReady, ExportOfAnother, NoExport
from service.domain.exports.marks import MarkKeys
from service.domain.exports.policy import ExportRequest, decide
from service.domain.exports.service import ExportService
from service.domain.idempotency import KeyReused, Once
from service.domain.jobs import Job, Superseded
from service.domain.rules.service import RuleService
from service.domain.segmentation.rfm import RfmScheme
from service.domain.segmentation.service import SegmentationService
from tests.postgres import TestDatabase
from tests.support import Tenant, in_a_tenant

MASKED = tuple(
    str(scope) for scope in Scope if scope not in (Scope.CONTACTS_REVEAL,) and not scope.startswith("reach:")
)
_AUDIT = sql("""
    SELECT action, records, reason, detail FROM audit
    WHERE tenant_id = :tenant AND entity = 'export' ORDER BY audit_id
""")
_FILES = sql("SELECT count(*) FROM files WHERE tenant_id = :tenant")
_LEDGER = sql("""
    SELECT first_id, last_id, customer_ids FROM export_records
    WHERE tenant_id = :tenant AND export_id = :export_id ORDER BY first_id
""")
_EXPIRE = sql("UPDATE files SET expires_at = now() - interval '1 second' WHERE tenant_id = :tenant")
_MANY = sql("""
    INSERT INTO customers (tenant_id, customer_id, kind, display_name, sort_name, trade_name)
    SELECT :tenant, gen_random_uuid(), 'person', repeat('имя ', 100) || i, '', repeat('x', 200)
    FROM generate_series(1, :rows::int) i
""")
_TOTALS = sql("""
    INSERT INTO purchase_totals
        (tenant_id, customer_id, currency, orders, revenue, first_on, last_on, refunds, refunded, latest_on)
    SELECT :tenant, u.id, 'RUB', u.orders, u.revenue, u.last_on - 10, u.last_on, 0, 0, u.last_on
    FROM unnest(:ids::uuid[], :orders::int[], :revenue::bigint[], :last_on::date[]) AS u (id, orders, revenue, last_on)
""")


class Clock:
    def now(self) -> datetime:
        return datetime.now(UTC)

    def today(self, time_zone: str) -> date:
        return date(2026, 3, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Office:
    """A tenant with services of its own."""

    tenant: Tenant

    @property
    def exports(self) -> ExportService:
        return ExportService(self.tenant.uow, Clock(), MarkKeys(b"test"), RuleService(self.tenant.uow, Clock()))

    @property
    def files_out(self) -> DeliveryService:
        return DeliveryService(self.tenant.uow, Clock())

    async def add(self, principal: Principal, **fields: Any) -> UUID:
        contacts = [ContactInput(**one) for one in fields.pop("contacts", ())]
        ids = tuple(ExternalId(**one) for one in fields.pop("external_ids", ()))
        draft = Draft(changes={"family_name": "Иванов"} | fields, contacts=contacts, external_ids=ids)
        return await CustomerService(self.tenant.uow, Clock(), LookupKey(b"test")).create(principal, draft)

    async def started(self, principal: Principal, **asked: Any) -> tuple[UUID, Job]:
        export_id, job_id = await self.exports.request(principal, request(**asked))
        assert job_id is not None
        return export_id, await self.start(principal, job_id)

    async def start(self, principal: Principal, job_id: UUID) -> Job:
        async with self.tenant.uow.begin(principal) as tx:
            job = await tx.jobs.start(job_id)
            await tx.commit()
        assert job is not None
        return job

    async def card(self, principal: Principal, export_id: UUID) -> dict[str, Any]:
        async with self.tenant.uow.begin(principal) as tx:
            row = await tx.exports.card(export_id)
        assert row is not None
        return dict(row)

    async def fetch(self, principal: Principal, export_id: UUID) -> bytes:
        file = await self.files_out.open_file(principal, export_id)
        content = b"".join([part async for part in self.files_out.parts(principal, file)])
        assert len(content) == file.size
        return content

    async def file(self, principal: Principal, **asked: Any) -> bytes:
        export_id, job = await self.started(principal, **asked)
        await self.exports.run(principal, job)
        return await self.fetch(principal, export_id)

    async def rows(self, principal: Principal, *columns: str, **asked: Any) -> list[dict[str, str]]:
        content = await self.file(principal, columns=columns or None, **asked)
        return list(csv.DictReader(io.StringIO(content.decode(), newline="")))

    async def audit(self, principal: Principal) -> Sequence[Any]:
        async with self.tenant.uow.begin(principal) as tx:
            return await tx.session.fetch(_AUDIT)

    async def files(self, principal: Principal) -> int:
        async with self.tenant.uow.begin(principal) as tx:
            return int(await tx.session.fetchval(_FILES))


def request(**asked: Any) -> ExportRequest:
    return ExportRequest(**{"what": "customers", "purpose": "a mailing"} | asked)


Scenario = Callable[[Office], Awaitable[None]]


@pytest.fixture
def in_an_office(database: TestDatabase) -> Callable[[Scenario], None]:
    def play(scenario: Scenario) -> None:
        in_a_tenant(database.owner_url, database.service_url, lambda tenant: scenario(Office(tenant=tenant)))

    return play


Play = Callable[[Scenario], None]


def test_everyone_takes_out_only_what_he_reaches(in_an_office: Play) -> None:
    async def scenario(office: Office) -> None:
        head = await office.tenant.staff()
        anna = await office.tenant.staff(reach="own")
        north = await office.tenant.staff(reach="team", teams=("north",))
        await office.add(head, city="Nobody's")
        await office.add(anna, city="Anna's")
        await office.add(north, city="North's")
        other = await office.tenant.staff(reach="own")
        for principal, cities in (
            (head, {"Nobody's", "Anna's", "North's"}),
            (anna, {"Anna's"}),
            (north, {"North's"}),
            (other, set()),
        ):
            rows = await office.rows(principal, "city", "phone", "external_ids", "orders")
            assert {row["city"] for row in rows} == cities

    in_an_office(scenario)


def test_contacts_are_masked_or_clear_as_the_rights_say(in_an_office: Play) -> None:
    async def scenario(office: Office) -> None:
        for reach in ("own", "team", "tenant"):
            clear = await office.tenant.staff(reach=reach, teams=(f"team {reach}",))
            masked = replace(clear, scopes=clear.scopes - {Scope.CONTACTS_REVEAL})
            phones = ({"kind": "phone", "value": "8 913 000-00-00"}, {"kind": "phone", "value": "+7 912 345-67-89"})
            contacts = (phones[0], phones[1] | {"is_primary": True}, {"kind": "email", "value": "Maria@Example.org"})
            mine = await office.add(clear, contacts=contacts)
            for principal, phone, email in (
                (clear, "+79123456789", "maria@example.org"),
                (masked, "+7 ••• ••• 67 89", "m•••@•••.org"),
            ):
                rows = await office.rows(principal, "customer_id", "phone", "email")
                shown = {row["customer_id"]: (_unmarked(row["phone"]), row["email"].lower()) for row in rows}
                assert shown[str(mine)] == (phone, email)

    in_an_office(scenario)


def test_a_reveal_is_written_down_before_and_every_step_is(in_an_office: Play) -> None:
    async def scenario(office: Office) -> None:
        head = await office.tenant.staff()
        await office.add(head, contacts=[{"kind": "phone", "value": "+7 912 345-67-89"}])
        await office.file(head, columns=("phone",))
        trail = await office.audit(head)
        assert [(row["action"], row["records"]) for row in trail] == [
            ("exports.request", 0),
            ("contacts.reveal", 1),
            ("exports.create", 1),
            ("exports.download", 1),
        ]
        assert {row["reason"] for row in trail[:3]} == {"a mailing"}
        assert trail[2]["detail"]["columns"] == ["phone"]
        assert "912" not in str([dict(row) for row in trail])

    in_an_office(scenario)


def test_formulas_are_made_harmless_and_phones_are_not_harmed(in_an_office: Play) -> None:
    async def scenario(office: Office) -> None:
        head = await office.tenant.staff()
        await office.add(
            head,
            family_name="=1+1",
            given_name=' "@SUM(1)',
            patronymic="+79123456789",
            region='say "hi", he said;\nbye',
            city="-12.5",
            tags=["=cmd", "b"],
            external_ids=[{"source": "b", "external_id": "2"}, {"source": "a", "external_id": "-x"}],
            contacts=[{"kind": "phone", "value": "+7 912 345-67-89"}],
        )
        columns = ("family_name", "given_name", "patronymic", "region", "city", "tags", "external_ids", "phone")
        for delimiter in (",", ";", "\t"):
            content = (await office.file(head, columns=columns, delimiter=delimiter)).decode()
            header, row = csv.reader(io.StringIO(content, newline=""), delimiter=delimiter)
            assert tuple(header) == columns
            assert [_unmarked(cell) if cell.startswith("+") else cell.rstrip() for cell in row] == [
                "'=1+1",
                "' \"@SUM(1)",
                "+79123456789",
                'say "hi", he said;\nbye',
                "-12.5",
                "'=cmd|b",
                "'-x 2",
                "+79123456789",
            ]

    in_an_office(scenario)


def test_totals_are_exact_and_absent_ones_are_zero(in_an_office: Play) -> None:
    async def scenario(office: Office) -> None:
        head = await office.tenant.staff()
        ids = [await office.add(head) for _ in range(5)]
        await _buy(office, head, ids[:4], revenue=[1_490_000_000, 85_000, -12_345_678, 3_120_488_091_000])
        rows = await office.rows(head, "customer_id", "orders", "revenue", "currency", "first_on", "last_on")
        shown = {row["customer_id"]: row for row in rows}
        assert [shown[str(one)]["revenue"] for one in ids] == ["1490.00", "0.085", "-12.345678", "3120488.091", "0.00"]
        last = shown[str(ids[4])]
        assert (last["orders"], last["currency"], last["first_on"], last["last_on"]) == ("0", "RUB", "", "")

    in_an_office(scenario)


async def _buy(office: Office, principal: Principal, ids: Sequence[UUID], revenue: Sequence[int]) -> None:
    async with office.tenant.uow.begin(principal) as tx:
        await tx.session.execute(
            _TOTALS,
            ids=list(ids),
            orders=[1 + index % 7 for index in range(len(ids))],
            revenue=list(revenue),
            last_on=[date(2026, 2, 1) - timedelta(days=3 * index) for index in range(len(ids))],
        )
        await tx.commit()


def test_filters_narrow_the_file(in_an_office: Play) -> None:
    async def scenario(office: Office) -> None:
        head = await office.tenant.staff()
        await office.add(head, city="Казань", tags=["vip"], status="customer", curator_id=head.staff_id)
        await office.add(head, city="Казань", status="lapsed")
        await office.add(head, city="Москва", tags=["vip"])
        for filters, rows in (
            ({"city": "Казань"}, 2),
            ({"city": "Казань", "status": "lapsed"}, 1),
            ({"tag": "vip"}, 2),
            ({"curator_id": str(head.staff_id)}, 1),
            ({"channel": "none"}, 0),
        ):
            assert len(await office.rows(head, "city", filters=filters)) == rows

    in_an_office(scenario)


def test_a_group_is_that_of_the_rfm_report_masked_or_clear(in_an_office: Play) -> None:
    async def scenario(office: Office) -> None:
        head = await office.tenant.staff()
        phone = {"kind": "phone", "value": "+7 912 345-67-89"}
        ids = [await office.add(head, contacts=[phone]) for _ in range(40)]
        await _buy(office, head, ids[:35], revenue=[(index * 37 % 35 + 1) * 1_000_000 for index in range(35)])
        segmentation = SegmentationService(office.tenant.uow, Clock())
        for group in ("loyal", "hibernating"):
            members = {str(one.customer_id) for one in await segmentation.rfm_customers(head, RfmScheme(), group=group)}
            assert members
            for columns in (("customer_id",), ("customer_id", "phone")):
                assert {row["customer_id"] for row in await office.rows(head, *columns, group=group)} == members

    in_an_office(scenario)


def test_a_job_has_no_wider_rights_than_the_token_that_asked(in_an_office: Play) -> None:
    async def scenario(office: Office) -> None:
        head = await office.tenant.staff()
        await office.add(head, city="Nobody's", contacts=[{"kind": "phone", "value": "+7 912 345-67-89"}])
        await office.add(head, city="Mine", curator_id=head.staff_id)
        left = head.scopes - {Scope.CONTACTS_REVEAL, Scope.REACH_TENANT}
        token = replace(head, reach=Reach.OWN, scopes=left)
        export_id, job = await office.started(token, columns=("city", "phone"))
        await office.exports.run(narrowed(head, job.scopes), job)
        assert await office.fetch(token, export_id) == b"city,phone\nMine,\n"

    in_an_office(scenario)


def test_a_right_that_was_withdrawn_ends_the_job(in_an_office: Play) -> None:
    async def scenario(office: Office) -> None:
        head = await office.tenant.staff()
        export_id, job = await office.started(head)
        await office.exports.run(replace(head, scopes=head.scopes - {Scope.EXPORTS_CREATE}), job)
        card = await office.card(head, export_id)
        assert (card["state"], card["error"]["type"]) == ("failed", "/problems/missing-scope")
        assert await office.files(head) == 0

    in_an_office(scenario)


def test_refused_without_the_right_to_export(in_an_office: Play) -> None:
    async def scenario(office: Office) -> None:
        clerk = await office.tenant.staff(scopes=("customers:read", "contacts:reveal"))
        with pytest.raises(MissingScope):
            await office.exports.request(clerk, request())

    in_an_office(scenario)


def test_a_file_is_fetched_by_its_maker_once_it_is_there_and_for_a_day(in_an_office: Play) -> None:
    async def scenario(office: Office) -> None:
        anna, boris = await office.tenant.staff(reach="own"), await office.tenant.staff()
        export_id, job = await office.started(anna)
        await _refused(office, anna, export_id, ExportNotReady)
        await office.exports.run(anna, job)
        await _refused(office, boris, export_id, ExportOfAnother)
        await _refused(office, await office.tenant.staff(reach="own"), export_id, NoExport)
        await _refused(office, replace(anna, scopes=anna.scopes - {Scope.CONTACTS_REVEAL}), export_id, MissingScope)
        assert await office.fetch(anna, export_id)
        async with office.tenant.uow.begin(anna) as tx:
            await tx.session.execute(_EXPIRE)
            await tx.commit()
        await _refused(office, anna, export_id, ExportExpired)

    in_an_office(scenario)


def _unmarked(phone: str) -> str:
    """The phone as it is stored; a mask is no phone."""
    return phone if "•" in phone else phone.replace(" ", "")


async def _refused(office: Office, principal: Principal, export_id: UUID, kind: type[DomainError]) -> None:
    with pytest.raises(kind):
        await office.files_out.open_file(principal, export_id)


def test_the_same_key_makes_one_export(in_an_office: Play) -> None:
    async def scenario(office: Office) -> None:
        head = await office.tenant.staff()
        once = Once(method="POST", path="/v1/exports", key="k", body_hash=b"1")
        first = await office.exports.request(head, request(), once)
        assert await office.exports.request(head, request(), once) == first
        with pytest.raises(KeyReused):
            await office.exports.request(head, request(), replace(once, body_hash=b"2"))
        async with office.tenant.uow.begin(head) as tx:
            assert len(await tx.exports.page(before=None, limit=10)) == 1

    in_an_office(scenario)


def test_a_cancelled_job_leaves_no_file(in_an_office: Play) -> None:
    async def scenario(office: Office) -> None:
        head = await office.tenant.staff()
        await _fill(office, head, 3_000)
        export_id, job = await office.started(head)
        async with office.tenant.uow.begin(head) as tx:
            assert await tx.jobs.cancel(job.job_id)
            await tx.commit()
        await office.exports.run(head, job)
        assert (await office.card(head, export_id))["state"] == "cancelled"
        assert await office.files(head) == 0
        assert "exports.create" not in {row["action"] for row in await office.audit(head)}

    in_an_office(scenario)


def test_a_run_that_was_overtaken_writes_nothing(in_an_office: Play) -> None:
    async def scenario(office: Office) -> None:
        head = await office.tenant.staff()
        await _fill(office, head, 10)
        export_id, overtaken = await office.started(head)
        job = await office.start(head, overtaken.job_id)
        with pytest.raises(Superseded):
            await office.exports.run(head, overtaken)
        assert await office.files(head) == 0
        await office.exports.run(head, job)
        card = await office.card(head, export_id)
        assert (card["state"], card["rows"], card["done"], card["total"]) == ("done", 10, 10, 10)

    in_an_office(scenario)


def test_stopping_the_worker_leaves_the_job_to_be_taken_up_again(in_an_office: Play) -> None:
    async def scenario(office: Office) -> None:
        head = await office.tenant.staff()
        await _fill(office, head, 20_000)
        export_id, job = await office.started(head)
        running = asyncio.ensure_future(office.exports.run(head, job))
        await asyncio.sleep(0.05)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert await office.files(head) == 0
        await office.exports.run(head, await office.start(head, job.job_id))
        assert (await office.card(head, export_id))["rows"] == 20_000

    in_an_office(scenario)


def test_memory_does_not_grow_with_the_file(in_an_office: Play) -> None:
    async def scenario(office: Office) -> None:
        head = await office.tenant.staff()
        await _fill(office, head, 50_000)
        export_id, job = await office.started(head, columns=("customer_id", "display_name", "trade_name", "phone"))
        tracemalloc.start()
        try:
            await office.exports.run(head, job)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        card = await office.card(head, export_id)
        assert card["rows"] == 50_000
        assert card["bytes"] > 40_000_000
        assert peak < 12_000_000

    in_an_office(scenario)


async def _fill(office: Office, principal: Principal, rows: int) -> None:
    async with office.tenant.uow.begin(principal, timeout_ms=60_000) as tx:
        await tx.policies.change({"exports": {"approval_above_rows": 1_000_000}})
        await tx.session.execute(_MANY, rows=rows)
        await tx.commit()


def test_an_empty_file_has_a_header_and_a_mark_if_asked(in_an_office: Play) -> None:
    async def scenario(office: Office) -> None:
        head = await office.tenant.staff(scopes=MASKED)
        assert (
            await office.file(head, columns=("city", "phone"), bom=True, delimiter=";") == b"\xef\xbb\xbfcity;phone\n"
        )

    in_an_office(scenario)


async def _ledger(office: Office, principal: Principal, export_id: UUID) -> Sequence[Any]:
    async with office.tenant.uow.begin(principal) as tx:
        return await tx.session.fetch(_LEDGER, export_id=export_id)


def test_the_ledger_names_the_records_of_the_file_in_chunks_of_a_thousand(in_an_office: Play) -> None:
    async def scenario(office: Office) -> None:
        head = await office.tenant.staff()
        for rows, chunks in ((0, []), (1_000, [1_000]), (20_000, [1_000] * 21), (1_500, [1_000] * 22 + [500])):
            await _fill(office, head, rows)
            export_id, job = await office.started(head, columns=("customer_id",))
            await office.exports.run(head, job)
            kept = await _ledger(office, head, export_id)
            assert [len(row["customer_ids"]) for row in kept] == chunks
            ids = [str(one) for row in kept for one in row["customer_ids"]]
            assert ids == sorted(ids)
            assert all(row["first_id"] == row["customer_ids"][0] for row in kept)
            assert all(row["last_id"] == row["customer_ids"][-1] for row in kept)
            content = await office.fetch(head, export_id)
            assert sorted(content.decode().splitlines()[1:]) == ids

    in_an_office(scenario)


def test_the_ledger_is_that_of_the_file_in_every_reach_filter_and_group(in_an_office: Play) -> None:
    async def scenario(office: Office) -> None:
        head = await office.tenant.staff()
        anna = await office.tenant.staff(reach="own")
        north = await office.tenant.staff(reach="team", teams=("north",))
        phone = {"kind": "phone", "value": "+7 912 345-67-89"}
        ids = [await office.add(head, contacts=[phone], city=("Казань", "Москва")[i % 2]) for i in range(40)]
        await _buy(office, head, ids[:35], revenue=[(index * 37 % 35 + 1) * 1_000_000 for index in range(35)])
        for principal in (anna, north):
            await office.add(principal, contacts=[phone], city="Казань")
        cases: list[tuple[Principal, dict[str, Any]]] = [
            (head, {}),
            (head, {"filters": {"city": "Казань"}}),
            (head, {"group": "loyal"}),
            (head, {"group": "hibernating", "filters": {"city": "Москва"}}),
            (anna, {}),
            (north, {"filters": {"city": "Казань"}}),
        ]
        for principal, asked in cases:
            for columns in (("customer_id",), ("customer_id", "phone")):
                export_id, job = await office.started(principal, columns=columns, **asked)
                await office.exports.run(principal, job)
                lines = (await office.fetch(principal, export_id)).decode().splitlines()[1:]
                kept = await _ledger(office, principal, export_id)
                assert lines, asked
                assert [str(one) for row in kept for one in row["customer_ids"]] == sorted(x[:36] for x in lines)

    in_an_office(scenario)


def test_who_comes_while_the_file_is_written_is_in_neither(in_an_office: Play) -> None:
    async def scenario(office: Office) -> None:
        head = await office.tenant.staff()
        await _fill(office, head, 3)
        asked = request(columns=("customer_id",))
        pieces: list[bytes] = []

        async def sink(piece: bytes) -> None:
            pieces.append(piece)

        async with office.tenant.uow.begin(head, snapshot=True) as tx:
            plan = decide(head, "customers", ("customer_id",))
            assert await tx.exports.count({}) == 3
            await _fill(office, head, 5)
            await tx.exports.stream(plan, asked, "RUB", sink, expected=3)
            await _fill(office, head, 5)
            chunks = [chunk async for page in tx.exports.taken(asked) for chunk in page]
        assert chunks[0].strip("{}").split(",") == sorted(b"".join(pieces).decode().splitlines()[1:])

    in_an_office(scenario)


def test_an_export_that_failed_has_no_ledger(in_an_office: Play) -> None:
    async def scenario(office: Office) -> None:
        head = await office.tenant.staff()
        await _fill(office, head, 3_000)
        export_id, job = await office.started(head)
        async with office.tenant.uow.begin(head) as tx:
            assert await tx.jobs.cancel(job.job_id)
            await tx.commit()
        await office.exports.run(head, job)
        assert await _ledger(office, head, export_id) == []

    in_an_office(scenario)
