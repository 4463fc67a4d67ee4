"""No audit, no data: made unwritable in six ways, the trail lets nothing out, and is at work again at once."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import pytest

from tests.api.support import Api, Client, in_the_api
from tests.api.test_customers import make, problem
from tests.postgres import TestDatabase

_PHONE, _MAIL = "+79123456789", "maria.secret@example.com"
_CONTACTS = [{"kind": "phone", "value": _PHONE}, {"kind": "email", "value": _MAIL}]
_ROLES = "clientbase_own, clientbase_team, clientbase_tenant, clientbase_reveal"
_TRIGGER = """
    CREATE FUNCTION public.spoil() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body}; RETURN NEW; END $$;
    GRANT EXECUTE ON FUNCTION public.spoil TO PUBLIC;
    CREATE TRIGGER spoil BEFORE INSERT ON audit FOR EACH ROW EXECUTE FUNCTION public.spoil()
"""
_UNDO_TRIGGER = "DROP TRIGGER spoil ON audit; DROP FUNCTION public.spoil()"
_WAYS = {
    "right taken away": (f"REVOKE INSERT ON audit FROM {_ROLES}", f"GRANT INSERT ON audit TO {_ROLES}"),
    "trigger fails": (_TRIGGER.format(body="RAISE EXCEPTION 'no'"), _UNDO_TRIGGER),
    "disk full": (_TRIGGER.format(body="RAISE EXCEPTION 'no space' USING ERRCODE = '53100'"), _UNDO_TRIGGER),
    "ten seconds": (_TRIGGER.format(body="PERFORM pg_sleep(10)"), _UNDO_TRIGGER),
    "constraint": (
        "ALTER TABLE audit ADD CONSTRAINT spoil CHECK (action = 'nothing') NOT VALID",
        "ALTER TABLE audit DROP CONSTRAINT spoil",
    ),
    "table locked": ("BEGIN; LOCK TABLE audit IN ACCESS EXCLUSIVE MODE", "ROLLBACK"),
}
# B19: the answer is there in this time, and all is well again in that.
_ANSWERED_S, _RECOVERED_S = 2.5, 5.0


@asynccontextmanager
async def unwritable(database: TestDatabase, way: str) -> AsyncIterator[None]:
    spoil, mend = _WAYS[way]
    owner = await asyncpg.connect(database.owner_url)
    try:
        await owner.execute(spoil)
        yield
    finally:
        await owner.execute(mend)
        await owner.close()


async def _everything_clear(head: Client, customer: str, export: str) -> list[tuple[str, int, str, float]]:
    asked = []
    for method, path, body in (
        ("POST", f"/v1/customers/{customer}/reveal", {"reason": "Call back"}),
        ("GET", f"/v1/customers/{customer}/access-report", None),
        ("GET", f"/v1/exports/{export}/file", None),
    ):
        started = time.monotonic()
        answer = await head.request(method, path, json=body)
        asked.append((path, answer.status_code, answer.text, time.monotonic() - started))
    return asked


async def _a_base(world: Api) -> tuple[Client, str, str]:
    head = await world.client()
    customer = (await make(head, contacts=_CONTACTS))["customer_id"]
    body = {"what": "customers", "purpose": "A mailing", "columns": ["display_name", "phone", "email"]}
    export = (await head.post("/v1/exports", json=body)).json()["export_id"]
    await world.run_jobs()
    return head, customer, export


@pytest.mark.parametrize("way", _WAYS)
def test_nothing_leaves_while_the_trail_cannot_be_written(database: TestDatabase, way: str) -> None:
    async def scenario(world: Api) -> None:
        head, customer, export = await _a_base(world)
        async with unwritable(database, way):
            for path, status, text, seconds in await _everything_clear(head, customer, export):
                assert status == 503, (path, status, text[:200])
                assert "audit-unwritable" in text or "unavailable" in text, path
                assert _PHONE[2:] not in text
                assert _MAIL not in text
                assert seconds < _ANSWERED_S, path
            started = time.monotonic()
            changed = await head.patch(f"/v1/customers/{customer}", json={"city": "Омск"})
            assert problem(changed)[0] == 503
            assert time.monotonic() - started < _ANSWERED_S
        mended = time.monotonic()
        # The controls: nothing was changed meanwhile, and what was refused is shown at once when it is told.
        assert (await head.get(f"/v1/customers/{customer}")).json()["city"] != "Омск"
        revealed = await head.post(f"/v1/customers/{customer}/reveal", json={"reason": "Call back"})
        assert revealed.status_code == 200
        assert _MAIL in revealed.text
        assert time.monotonic() - mended < _RECOVERED_S

    in_the_api(database, scenario)


def test_a_file_is_not_made_while_the_trail_cannot_be_written(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head, _, _ = await _a_base(world)
        body = {"what": "customers", "purpose": "A mailing", "columns": ["display_name", "phone"]}
        export = (await head.post("/v1/exports", json=body)).json()
        async with unwritable(database, "disk full"):
            with pytest.raises(Exception, match="audit-unwritable"):
                await asyncio.wait_for(world.run_jobs(), 30)
        assert (await head.get(f"/v1/exports/{export['export_id']}")).json()["state"] != "done"

    in_the_api(database, scenario)
