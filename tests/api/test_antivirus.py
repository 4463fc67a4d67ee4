"""Only clamd's explicit word lets an upload be read; whatever else happens, the file waits, unread, and no 5xx."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import asyncpg
import httpx
import orjson
import pytest
from pgqueuer.domain.errors import RetryRequested

from service.db.statement import sql
from service.scanning import clamd
from service.settings import AntivirusSettings
from tests.api.support import Api, Client, api, settings_for
from tests.clamd import FakeClamd, Mood, fake_clamd
from tests.e2e.files import a_line, written
from tests.postgres import TestDatabase

_FILE = written([a_line(1), a_line(2)])
_MAPPING = orjson.dumps(
    {
        "kind": "order_lines",
        "columns": {n: n for n in ("order_id", "customer_id", "ordered_at", "sku", "quantity", "unit_price")},
    }
).decode()
_NO_VERDICT = [mood for mood in get_args(Mood) if mood not in ("ok", "found", "too-large", "hasty")]


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clamd, "_ANSWER_S", 0.3)


@dataclass(frozen=True, slots=True, kw_only=True)
class Guarded:
    """The application with a scanner that does as the test says."""

    api: Api
    head: Client
    scanner: FakeClamd

    async def upload(self, content: bytes = _FILE, name: str = "orders.csv", **form: str) -> httpx.Response:
        data = {"mapping": _MAPPING} | form
        return await self.head.post("/v1/imports", files={"file": (name, content)}, data=data)

    async def work(self, card: dict[str, Any]) -> bool:
        """What the worker does with the job of an import; whether it wants to try again later."""
        staff = str(self.head.principal.staff_id)
        payload = orjson.dumps({"job": card["job_id"], "tenant": self.api.tenant.slug, "staff": staff})
        try:
            await self.api.container.runner.run(payload)
        except RetryRequested:
            return True
        return False

    async def card(self, card: dict[str, Any]) -> dict[str, Any]:
        return dict((await self.head.get(f"/v1/imports/{card['import_id']}")).json())

    async def count(self, what: str) -> int:
        async with self.api.tenant.uow.begin(self.head.principal) as tx:
            return int(await tx.session.fetchval(sql(f"SELECT count(*) FROM {what} WHERE tenant_id = :tenant")))

    async def audited(self, action: str) -> list[dict[str, Any]]:
        query = sql("SELECT detail FROM audit WHERE tenant_id = :tenant AND action = :action")
        async with self.api.tenant.uow.begin(self.head.principal) as tx:
            return [row["detail"] for row in await tx.session.fetch(query, action=action)]


Scenario = Callable[[Guarded], Awaitable[None]]


@asynccontextmanager
async def guarded(database: TestDatabase, folder: Path, mood: Mood = "ok", **given: Any) -> AsyncIterator[Guarded]:
    async with fake_clamd(folder, mood) as scanner:
        antivirus = AntivirusSettings(**{"address": scanner.address, "at_once_s": 0.5, "patient_s": 0.5} | given)
        settings = settings_for(database).model_copy(update={"antivirus": antivirus})
        async with api(database, settings=settings) as world:
            yield Guarded(api=world, head=await world.client(), scanner=scanner)


def within(
    database: TestDatabase,
    folder: Path,
    scenario: Callable[[Guarded], Awaitable[None]],
    mood: Mood = "ok",
    **given: Any,
) -> None:
    async def run() -> None:
        async with guarded(database, folder, mood, **given) as world:
            await scenario(world)

    asyncio.run(run())


def test_a_clean_file_is_imported(database: TestDatabase, tmp_path: Path) -> None:
    async def scenario(world: Guarded) -> None:
        answer = await world.upload()
        assert (answer.status_code, answer.json()["state"]) == (202, "queued")
        assert world.scanner.files == [_FILE]
        assert not await world.work(answer.json())
        assert (await world.card(answer.json()))["rows_applied"] == 2
        assert [one["file"] for one in await world.audited("imports.start")] == ["clean"]

    within(database, tmp_path, scenario)


def test_an_infected_file_is_refused_by_its_name_and_not_kept(database: TestDatabase, tmp_path: Path) -> None:
    async def scenario(world: Guarded) -> None:
        answer = await world.upload()
        told = answer.json()
        assert (answer.status_code, told["type"]) == (422, "/problems/file-infected")
        assert told["signature"] == "Test.Eicar"
        assert "Test.Eicar" in told["detail"]
        assert [await world.count(table) for table in ("files", "file_parts", "imports", "jobs")] == [0, 0, 0, 0]
        assert [one["signature"] for one in await world.audited("imports.infected")] == ["Test.Eicar"]

    within(database, tmp_path, scenario, "found")


@pytest.mark.parametrize("mood", _NO_VERDICT)
def test_a_file_without_a_verdict_waits_unread_and_goes_on_when_there_is_one(
    database: TestDatabase, tmp_path: Path, mood: Mood
) -> None:
    async def scenario(world: Guarded) -> None:
        answer = await world.upload()
        card = answer.json()
        assert (answer.status_code, card["state"]) == (202, "quarantined")
        assert await world.work(card)
        assert (await world.card(card))["state"] == "quarantined"
        assert await world.count("orders") == 0
        world.scanner.mood = "ok"
        assert not await world.work(card)
        now = await world.card(card)
        assert (now["state"], now["kind"], now["rows_applied"]) == ("done", "order_lines", 2)
        assert await world.audited("imports.release")

    within(database, tmp_path, scenario, mood)


def test_an_ok_before_the_end_of_the_file_is_none(database: TestDatabase, tmp_path: Path) -> None:
    async def scenario(world: Guarded) -> None:
        # More than the sockets between the two can hold.
        assert (await world.upload(_FILE + b"x" * (4 << 20))).json()["state"] == "quarantined"

    within(database, tmp_path, scenario, "hasty")


def test_without_clamd_at_its_address_files_wait(database: TestDatabase, tmp_path: Path) -> None:
    async def scenario(world: Guarded) -> None:
        Path(world.scanner.path).unlink()  # noqa: ASYNC240 – a moment
        answer = await world.upload(b"PK\x03\x04 nobody has looked at this")
        assert (answer.status_code, answer.json()["state"], answer.json()["kind"]) == (202, "quarantined", None)
        assert await world.work(answer.json())
        assert (await world.head.get("/v1/imports")).json()["items"][0]["state"] == "quarantined"

    within(database, tmp_path, scenario)


def test_what_is_found_in_quarantine_is_told_and_not_kept(database: TestDatabase, tmp_path: Path) -> None:
    async def scenario(world: Guarded) -> None:
        card = (await world.upload()).json()
        world.scanner.mood = "found"
        assert not await world.work(card)
        now = await world.card(card)
        assert (now["state"], now["error"]["type"]) == ("failed", "/problems/file-infected")
        assert (now["error"]["signature"], now["file_erased"]) == ("Test.Eicar", True)
        assert await world.count("file_parts") == 0
        assert [one["signature"] for one in await world.audited("imports.infected")] == ["Test.Eicar"]

    within(database, tmp_path, scenario, "garbage")


def test_a_broken_file_is_refused_after_its_scan(database: TestDatabase, tmp_path: Path) -> None:
    async def scenario(world: Guarded) -> None:
        card = (await world.upload(b"PK\x03\x04" + bytes(100))).json()
        world.scanner.mood = "ok"
        assert not await world.work(card)
        assert (await world.card(card))["error"]["type"] == "/problems/not-a-text-file"

    within(database, tmp_path, scenario, "garbage")


def test_the_same_file_waits_once(database: TestDatabase, tmp_path: Path) -> None:
    async def scenario(world: Guarded) -> None:
        first = await world.upload()
        again = await world.upload()
        assert (again.status_code, again.json()["import_id"]) == (409, first.json()["import_id"])
        assert (await world.upload(force="true")).status_code == 202

    within(database, tmp_path, scenario, "garbage")


def test_a_wait_in_quarantine_ends_when_the_tenant_says(database: TestDatabase, tmp_path: Path) -> None:
    async def scenario(world: Guarded) -> None:
        card = (await world.upload()).json()
        assert (await world.head.patch("/v1/policies", json={"quarantine": {"wait_hours": 2}})).status_code == 200
        assert await _after(world, card, "1 hour") == "quarantined"
        assert await _after(world, card, "3 hours") == "failed"
        now = await world.card(card)
        assert (now["error"]["type"], now["file_erased"]) == ("/problems/file-not-scanned", True)
        assert await world.count("file_parts") == 0

    within(database, tmp_path, scenario, "garbage")


async def _after(world: Guarded, card: dict[str, Any], age: str) -> str:
    """The state after one more try, had the file come so long ago."""
    connection = await asyncpg.connect(world.api.database.superuser_url)
    try:
        await connection.execute(
            f"UPDATE imports SET created_at = now() - interval '{age}' WHERE import_id = $1", card["import_id"]
        )
    finally:
        await connection.close()
    await world.work(card)
    return str((await world.card(card))["state"])


def test_a_file_in_quarantine_can_be_cancelled_and_is_not_kept(database: TestDatabase, tmp_path: Path) -> None:
    async def scenario(world: Guarded) -> None:
        card = (await world.upload()).json()
        assert await world.work(card)
        assert (await world.head.post(f"/v1/imports/{card['import_id']}/cancel")).status_code == 202
        assert not await world.work(card)
        assert (await world.card(card))["state"] == "cancelled"
        assert await world.count("file_parts") == 0

    within(database, tmp_path, scenario, "garbage")


def test_a_large_file_is_scanned_by_the_worker(database: TestDatabase, tmp_path: Path) -> None:
    async def scenario(world: Guarded) -> None:
        card = (await world.upload()).json()
        assert (card["state"], world.scanner.files) == ("quarantined", [])
        assert not await world.work(card)
        assert world.scanner.files == [_FILE]
        assert (await world.card(card))["state"] == "done"

    within(database, tmp_path, scenario, at_once_bytes=10)


@pytest.mark.parametrize("given", [{"most_bytes": 1024}, {"at_once_s": 5.0}])
def test_a_file_that_is_too_large_to_scan_is_refused(
    database: TestDatabase, tmp_path: Path, given: dict[str, Any]
) -> None:
    async def scenario(world: Guarded) -> None:
        answer = await world.upload(_FILE * 100)
        assert (answer.status_code, answer.json()["type"]) == (413, "/problems/too-large-to-scan")
        assert await world.count("files") == 0

    within(database, tmp_path, scenario, "too-large", **given)


def test_a_file_taken_in_without_a_scanner_is_scanned_where_there_is_one(
    database: TestDatabase, tmp_path: Path
) -> None:
    async def scenario(world: Guarded) -> None:
        async with api(database) as bare:
            client = await bare.client()
            answer = await client.post("/v1/imports", files={"file": ("o.csv", _FILE)}, data={"mapping": _MAPPING})
            assert answer.json()["state"] == "queued"
            there = Guarded(api=world.api, head=client, scanner=world.scanner)
            payload = {"job": answer.json()["job_id"], "tenant": bare.tenant.slug}
            await world.api.container.runner.run(orjson.dumps(payload | {"staff": str(client.principal.staff_id)}))
            assert (await there.card(answer.json()))["error"]["type"] == "/problems/file-infected"

    within(database, tmp_path, scenario, "found")


def test_readiness_tells_of_the_scanner(database: TestDatabase, tmp_path: Path) -> None:
    async def scenario(world: Guarded) -> None:
        async def told() -> str:
            return str((await world.api.http.get("/readyz")).json()["antivirus"])

        assert await told() == "answers"
        world.scanner.mood = "deaf"
        assert await told() == "silent"
        async with api(database) as bare:
            assert (await bare.http.get("/readyz")).json()["antivirus"] == "off"

    within(database, tmp_path, scenario)
