"""Jobs over HTTP: progress, the stream, and cancelling, each within the caller's reach."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import orjson
import pytest

from service.api.jobs import job_events
from service.db.statement import sql
from service.domain.access import Principal
from service.domain.jobs import Superseded
from tests.api.support import Api, in_the_api
from tests.postgres import TestDatabase


async def _job(api: Api, principal: Principal) -> UUID:
    async with api.tenant.uow.begin(principal) as tx:
        job_id = await tx.jobs.enqueue("import", unit="rows", request={})
        await tx.commit()
    return job_id


async def _block(api: Api, principal: Principal) -> None:
    head = await api.client()
    card = await head.patch(f"/v1/staff/{principal.staff_id}", json={"state": "blocked"})
    assert card.status_code == 200, card.text


async def _trail(api: Api, entity_id: str) -> list[tuple[str, dict[str, Any]]]:
    """What the audit tells of one thing, in order."""
    head = await api.tenant.staff()
    async with api.tenant.uow.begin(head) as tx:
        told = sql("SELECT action, detail FROM audit WHERE tenant_id = :tenant AND entity_id = :id ORDER BY audit_id")
        return [(row["action"], row["detail"]) for row in await tx.session.fetch(told, id=UUID(entity_id))]


async def _advance(api: Api, principal: Principal, job_id: UUID, done: int, *, finish: bool = False) -> None:
    async with api.tenant.uow.begin(principal) as tx:
        job = await tx.jobs.start(job_id)
        assert job is not None
        await tx.jobs.advance(job, done=done, total=100)
        if finish:
            await tx.jobs.finish(job, "done")
        await tx.commit()


def test_progress_has_a_rate_and_the_time_left(database: TestDatabase) -> None:
    async def scenario(api: Api) -> None:
        anna = await api.tenant.staff(reach="own", scopes=("imports:write",))
        job_id = await _job(api, anna)
        waiting = (await api.call("GET", f"/v1/jobs/{job_id}", anna)).json()
        assert (waiting["state"], waiting["rate"], waiting["eta_seconds"]) == ("queued", None, None)
        await _advance(api, anna, job_id, 40)
        running = (await api.call("GET", f"/v1/jobs/{job_id}", anna)).json()
        assert (running["state"], running["done"], running["total"]) == ("running", 40, 100)
        assert running["rate"] > 0
        assert running["eta_seconds"] is not None

    in_the_api(database, scenario)


def test_a_colleagues_job_does_not_exist_unless_the_reach_is_the_tenant(database: TestDatabase) -> None:
    async def scenario(api: Api) -> None:
        anna = await api.tenant.staff(reach="own", scopes=())
        boris = await api.tenant.staff(reach="team", scopes=())
        job_id = await _job(api, anna)
        for path in (f"/v1/jobs/{job_id}", f"/v1/jobs/{job_id}/events"):
            refused = await api.call("GET", path, boris)
            assert (refused.status_code, refused.json()["type"]) == (404, "/problems/job-not-found")
        assert (await api.call("POST", f"/v1/jobs/{job_id}/cancel", boris)).status_code == 404
        head = await api.tenant.staff(scopes=())
        assert (await api.call("GET", f"/v1/jobs/{job_id}", head)).status_code == 200

    in_the_api(database, scenario)


def test_cancelling_ends_a_waiting_job_once(database: TestDatabase) -> None:
    async def scenario(api: Api) -> None:
        anna = await api.tenant.staff(reach="own", scopes=())
        job_id = await _job(api, anna)
        cancelled = await api.call("POST", f"/v1/jobs/{job_id}/cancel", anna)
        assert (cancelled.status_code, cancelled.json()["state"]) == (202, "cancelled")
        again = await api.call("POST", f"/v1/jobs/{job_id}/cancel", anna)
        assert (again.status_code, again.json()["type"]) == (409, "/problems/job-over")

    in_the_api(database, scenario)


def test_what_somebody_asked_for_before_he_was_blocked_ends_as_failed(database: TestDatabase) -> None:
    async def scenario(api: Api) -> None:
        anna, head = await api.client(reach="own"), await api.client()
        wanted = {"what": "customers", "purpose": "A letter to them", "columns": ["customer_id"]}
        exported = await anna.post("/v1/exports", json=wanted)
        file = ("people.csv", b"external_id,family_name\n1,Ivanova\n")
        mapping = orjson.dumps({"kind": "customers", "columns": {"external_id": "external_id"}}).decode()
        imported = await anna.post("/v1/imports", files={"file": file}, data={"mapping": mapping})
        assert (exported.status_code, imported.status_code) == (202, 202), (exported.text, imported.text)
        await _block(api, anna.principal)
        assert await api.run_jobs() == 2
        for entity, answer in (("export", exported), ("import", imported)):
            record_id, job_id = answer.json()[f"{entity}_id"], answer.json()["job_id"]
            card = (await head.get(f"/v1/{entity}s/{record_id}")).json()
            assert (card["state"], card["error"]["type"]) == ("failed", "/problems/staff-blocked")
            job = (await head.get(f"/v1/jobs/{job_id}")).json()
            assert (job["state"], job["error"]["type"]) == ("failed", "/problems/staff-blocked")
            ending = {"state": "failed", "code": "staff-blocked"}
            assert (await _trail(api, record_id))[-1] == (f"{entity}s.end", ending)
            assert await _trail(api, job_id) == [("jobs.end", ending)]

    in_the_api(database, scenario)


def test_a_run_that_was_thought_dead_writes_nothing_once_its_person_is_blocked(database: TestDatabase) -> None:
    async def scenario(api: Api) -> None:
        anna = await api.tenant.staff(reach="own")
        job_id = await _job(api, anna)
        async with api.tenant.uow.begin(anna) as tx:
            running = await tx.jobs.start(job_id)
            assert running is not None
            await tx.commit()
        await _block(api, anna)
        await api.run_jobs()
        with pytest.raises(Superseded):
            async with api.tenant.uow.begin(anna) as tx:
                await tx.jobs.advance(running, done=1, total=2)
        await api.container.runner.run(_payload(anna, job_id))
        assert len(await _trail(api, str(job_id))) == 1

    in_the_api(database, scenario)


def _payload(principal: Principal, job_id: UUID) -> bytes:
    return orjson.dumps({"job": str(job_id), "tenant": principal.tenant, "staff": str(principal.staff_id)})


def test_the_stream_tells_each_step_and_ends_with_the_job(database: TestDatabase) -> None:
    async def scenario(api: Api) -> None:
        anna = await api.tenant.staff(reach="own", scopes=())
        job_id = await _job(api, anna)
        following = asyncio.create_task(api.call("GET", f"/v1/jobs/{job_id}/events", anna))
        await asyncio.sleep(0.2)
        await _advance(api, anna, job_id, 40)
        await asyncio.sleep(0.7)
        await _advance(api, anna, job_id, 70, finish=True)
        answer = await following
        assert answer.headers["content-type"].startswith("text/event-stream")
        events = [part.split("\n") for part in answer.text.strip().split("\n\n")]
        names = [lines[0].removeprefix("event: ") for lines in events]
        cards = [orjson.loads(lines[1].removeprefix("data: ")) for lines in events]
        assert names == ["progress", "progress", "progress", "end"]
        assert [(card["state"], card["done"]) for card in cards] == [
            ("queued", 0),
            ("running", 40),
            ("done", 100),
            ("done", 100),
        ]

    in_the_api(database, scenario)


def _herself(principal: Principal) -> Callable[[], Awaitable[Principal]]:
    async def herself() -> Principal:
        return principal

    return herself


def test_a_stream_ends_once_its_listener_is_blocked(database: TestDatabase) -> None:
    async def scenario(api: Api) -> None:
        anna = await api.tenant.staff(reach="own", scopes=())
        job_id = await _job(api, anna)
        following = asyncio.create_task(api.call("GET", f"/v1/jobs/{job_id}/events", anna))
        await asyncio.sleep(0.3)
        assert not following.done()
        await _block(api, anna)
        answer = await asyncio.wait_for(following, 5)
        assert "event: end" not in answer.text

    in_the_api(database, scenario)


def test_a_stream_holds_no_connection_between_its_looks(database: TestDatabase) -> None:
    async def scenario(api: Api) -> None:
        anna = await api.tenant.staff(reach="own", scopes=())
        job_id = await _job(api, anna)
        streams = [job_events(api.services, _herself(anna), job_id) for _ in range(12)]
        for stream in streams:
            assert (await anext(stream)).startswith(b"event: progress")
        assert api.services.operations.pool_numbers()["busy"] == 0
        for stream in streams:
            await stream.aclose()  # type: ignore[attr-defined]

    in_the_api(database, scenario)


def test_a_stream_stops_when_its_client_goes(database: TestDatabase) -> None:
    async def scenario(api: Api) -> None:
        anna = await api.tenant.staff(reach="own", scopes=())
        job_id = await _job(api, anna)
        following = asyncio.create_task(api.call("GET", f"/v1/jobs/{job_id}/events", anna))
        await asyncio.sleep(0.3)
        following.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await following
        assert api.services.operations.pool_numbers()["busy"] == 0

    in_the_api(database, scenario)


def test_a_stream_outlives_a_moment_without_the_database(database: TestDatabase) -> None:
    async def scenario(api: Api) -> None:
        anna = await api.tenant.staff(reach="own", scopes=())
        job_id = await _job(api, anna)
        stream = job_events(api.services, _herself(anna), job_id)
        await anext(stream)
        await api.tenant.pool.expire_connections()
        await _advance(api, anna, job_id, 10, finish=True)
        assert (await anext(stream)).startswith(b"event: progress")
        assert (await anext(stream)).startswith(b"event: end")

    in_the_api(database, scenario)
