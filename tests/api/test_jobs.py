"""Jobs over HTTP: progress, the stream, and cancelling, each within the caller's reach."""

import asyncio
import contextlib
from uuid import UUID

import orjson

from service.api.jobs import job_events
from service.domain.access import Principal
from tests.api.support import Api, in_the_api
from tests.postgres import TestDatabase


async def _job(api: Api, principal: Principal) -> UUID:
    async with api.tenant.uow.begin(principal) as tx:
        job_id = await tx.jobs.enqueue("import", unit="rows", request={})
        await tx.commit()
    return job_id


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


def test_a_stream_holds_no_connection_between_its_looks(database: TestDatabase) -> None:
    async def scenario(api: Api) -> None:
        anna = await api.tenant.staff(reach="own", scopes=())
        job_id = await _job(api, anna)
        streams = [job_events(api.services, anna, job_id) for _ in range(12)]
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
        stream = job_events(api.services, anna, job_id)
        await anext(stream)
        await api.tenant.pool.expire_connections()
        await _advance(api, anna, job_id, 10, finish=True)
        assert (await anext(stream)).startswith(b"event: progress")
        assert (await anext(stream)).startswith(b"event: end")

    in_the_api(database, scenario)
