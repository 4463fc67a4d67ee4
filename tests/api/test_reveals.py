"""Contacts in clear are shown within the budget, all or nothing, each look in the audit trail."""

import asyncio
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from service.db.reveals import PgReveals
from service.db.session import preamble
from service.db.sweep import PgSweep
from tests.api.support import Api, Client, in_the_api
from tests.postgres import TestDatabase
from tests.proofs.crawling import backdate, customers_of, drain

_REASON = {"reason": "Call back about an order"}


async def _reveal(client: Client, customer_id: UUID) -> Any:
    return await client.post(f"/v1/customers/{customer_id}/reveal", json=_REASON)


async def _many(client: Client, ids: list[UUID]) -> Any:
    return await client.post("/v1/customers/reveal", json=_REASON | {"customer_ids": [str(one) for one in ids]})


async def _budget(head: Client, **chosen: int | None) -> None:
    answer = await head.patch("/v1/policies", json={"reveals": chosen})
    assert answer.status_code == 200, answer.text


async def _left(client: Client) -> tuple[int, int, int]:
    shown = (await client.get("/v1/me")).json()["reveals"]
    for account in shown.values():
        assert account["left"] == max(0, account["limit"] - account["spent"])
    return shown["hour"]["left"], shown["day"]["left"], shown["month"]["left"]


def test_a_person_sees_half_a_days_budget_in_an_hour_and_is_told_when_there_is_more(database: TestDatabase) -> None:
    async def scenario(api: Api) -> None:
        anna = await api.client(reach="own")
        ids = await customers_of(api, anna.principal, 12)
        assert await _left(anna) == (10, 20, 200)
        answers = [await _reveal(anna, one) for one in ids]
        assert [one.status_code for one in answers] == [200] * 10 + [429] * 2
        refused = answers[-1]
        told = refused.json()
        assert told["type"] == "/problems/reveal-budget-spent"
        assert (told["holder"], told["window"], told["limit"], told["spent"], told["left"], told["asked"]) == (
            "person",
            "hour",
            10,
            10,
            0,
            1,
        )
        assert 3590 <= int(refused.headers["retry-after"]) <= 3601
        assert await _left(anna) == (0, 10, 190)
        assert (await _reveal(anna, ids[0])).status_code == 200  # seen before: free
        await backdate(api, "61 minutes")
        assert await _left(anna) == (10, 10, 190)

    in_the_api(database, scenario)


def test_the_own_base_makes_the_budget(database: TestDatabase) -> None:
    async def scenario(api: Api) -> None:
        anna = await api.client(reach="own")
        await customers_of(api, anna.principal, 500)
        assert await _left(anna) == (25, 50, 500)
        await customers_of(api, anna.principal, 1_500)
        assert await _left(anna) == (75, 150, 2_000)

    in_the_api(database, scenario)


def test_a_large_base_is_counted_to_its_end_before_anything_is_refused(database: TestDatabase) -> None:
    async def scenario(api: Api) -> None:
        head, anna = await api.client(), await api.client(reach="own")
        ids = await customers_of(api, anna.principal, 1_800)
        await _budget(head, own_month_percent=1, own_month_least=0, own_day_most=1_000, hour_percent=100)
        answers = [await _reveal(anna, one) for one in ids[:19]]
        assert [one.status_code for one in answers] == [200] * 18 + [429]
        assert answers[-1].json()["limit"] == 18

    in_the_api(database, scenario)


def test_each_kind_of_caller_has_a_budget_of_its_own(database: TestDatabase) -> None:
    async def scenario(api: Api) -> None:
        head, lead = await api.client(), await api.client(reach="team", teams=("Волга",))
        assert await _left(head) == (100, 200, 1_500)
        assert await _left(lead) == (75, 150, 1_000)
        leaver = await api.client(reach="team", teams=("Волга",))
        await head.patch(f"/v1/staff/{leaver.principal.staff_id}", json={"state": "leaving"})
        assert await _left(leaver) == (8, 15, 100)

    in_the_api(database, scenario)


def test_whoever_leaves_has_a_tenth_and_the_report_to_a_person_is_no_way_around(database: TestDatabase) -> None:
    async def scenario(api: Api) -> None:
        head, leaver = await api.client(), await api.client()
        ids = await customers_of(api, head.principal, 8)
        await _budget(head, tenant_day=40)
        assert (await _reveal(leaver, ids[0])).status_code == 200
        await head.patch(f"/v1/staff/{leaver.principal.staff_id}", json={"state": "leaving"})
        answers = await asyncio.gather(*(_reveal(leaver, one) for one in ids[1:7]))
        assert sorted(one.status_code for one in answers) == [200] + [429] * 5
        assert (await leaver.get(f"/v1/customers/{ids[7]}/access-report")).status_code == 429
        # Others, what is masked, and what he has seen before are not concerned.
        assert (await _reveal(head, ids[7])).status_code == 200
        assert (await leaver.get(f"/v1/customers/{ids[7]}")).status_code == 200
        assert (await _reveal(leaver, ids[0])).status_code == 200

    in_the_api(database, scenario)


def test_a_list_is_shown_whole_or_not_at_all(database: TestDatabase) -> None:
    async def scenario(api: Api) -> None:
        head, anna = await api.client(), await api.client(reach="own")
        ids = await customers_of(api, anna.principal, 14)
        foreign = (await customers_of(api, head.principal, 1))[0]
        shown = await _many(anna, [*ids[:8], ids[0], foreign])
        assert shown.status_code == 200, shown.text
        assert [one["customer_id"] for one in shown.json()["items"]] == [str(one) for one in ids[:8]]
        assert all(one["contacts"][0]["value"].startswith("+7") for one in shown.json()["items"])
        assert shown.json()["missing"] == [str(foreign)]
        refused = await _many(anna, ids[6:14])
        assert (refused.status_code, refused.json()["left"], refused.json()["asked"]) == (429, 2, 6)
        assert "value" not in refused.text
        assert await _left(anna) == (2, 12, 192)
        assert (await _many(anna, ids[6:10])).status_code == 200
        assert (await _many(anna, ids[:1] * 21)).status_code == 422
        assert (await anna.post("/v1/customers/reveal", json={"customer_ids": [str(ids[0])]})).status_code == 422
        async with api.tenant.uow.begin(head.principal) as tx:
            rows = await tx.session.connection.fetch(
                "SELECT entity_id, reason FROM audit WHERE action = 'contacts.reveal'"
            )
        assert len(rows) == 12
        assert {row["entity_id"] for row in rows} == set(ids[:10])

    in_the_api(database, scenario)


def test_team_and_tenant_have_ceilings_over_all_their_people(database: TestDatabase) -> None:
    async def scenario(api: Api) -> None:
        head = await api.client()
        vera, olga = [await api.client(reach="team", teams=("Волга",)) for _ in range(2)]
        ids = await customers_of(api, vera.principal, 9)
        await _budget(head, team_ceiling_day=5, tenant_ceiling_day=7)
        assert [(await _reveal(vera, one)).status_code for one in ids[:3]] == [200] * 3
        answers = [await _reveal(olga, one) for one in ids[:3]]
        assert [one.status_code for one in answers] == [200, 200, 429]
        assert (answers[-1].json()["holder"], answers[-1].json()["limit"]) == ("team", 5)
        answers = [await _reveal(head, one) for one in ids[:3]]
        assert [one.status_code for one in answers] == [200, 200, 429]
        assert answers[-1].json()["holder"] == "tenant"
        assert 86_000 < int(answers[-1].headers["retry-after"]) <= 86_401

    in_the_api(database, scenario)


def test_the_report_to_a_person_takes_from_the_same_budget(database: TestDatabase) -> None:
    async def scenario(api: Api) -> None:
        head = await api.client()
        ids = await customers_of(api, head.principal, 3)
        await _budget(head, tenant_day=4, hour_percent=50)
        assert (await head.get(f"/v1/customers/{ids[0]}/access-report")).status_code == 200
        assert (await _reveal(head, ids[0])).status_code == 200
        assert (await _reveal(head, ids[1])).status_code == 200
        refused = await head.get(f"/v1/customers/{ids[2]}/access-report")
        assert (refused.status_code, refused.json()["type"]) == (429, "/problems/reveal-budget-spent")

    in_the_api(database, scenario)


def test_without_its_audit_row_nothing_is_shown_and_nothing_is_spent(
    database: TestDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(api: Api) -> None:
        anna = await api.client(reach="own")
        ids = await customers_of(api, anna.principal, 1)

        async def broken(*_: Any, **__: Any) -> None:
            raise RuntimeError

        with monkeypatch.context() as patched:
            patched.setattr("service.db.journal.PgJournal.audit", broken)
            refused = await _reveal(anna, ids[0])
        assert refused.status_code == 500
        assert "+7" not in refused.text
        assert await _left(anna) == (10, 20, 200)

    in_the_api(database, scenario)


def test_a_policy_of_nothing_shows_nothing_and_null_brings_the_usual_back(database: TestDatabase) -> None:
    async def scenario(api: Api) -> None:
        head = await api.client()
        ids = await customers_of(api, head.principal, 1)
        await _budget(head, tenant_day=0)
        await _budget(head, tenant_month=5)
        refused = await _reveal(head, ids[0])
        assert (refused.status_code, refused.json()["limit"]) == (429, 0)
        await _budget(head, tenant_day=None)
        assert await _left(head) == (100, 200, 5)
        assert (await _reveal(head, ids[0])).status_code == 200
        wrong = await head.patch("/v1/policies", json={"reveals": {"tenant_day": -1}})
        assert wrong.status_code == 422

    in_the_api(database, scenario)


def test_no_role_but_the_revealing_one_touches_the_book_and_none_changes_it(database: TestDatabase) -> None:
    async def scenario(api: Api) -> None:
        head, anna = await api.client(), await api.client(reach="own")
        ids = await customers_of(api, anna.principal, 1)
        assert (await _reveal(anna, ids[0])).status_code == 200
        insert = f"INSERT INTO reveals VALUES ({api.tenant.tenant_id}, '{{}}', now(), '{ids[0]}')"
        mine, others = insert.format(head.principal.staff_id), insert.format(anna.principal.staff_id)
        count = "SELECT count(*) FROM reveals"
        change = ("UPDATE reveals SET taken_at = now() - interval '1 year'", "DELETE FROM reveals", "TRUNCATE reveals")
        refused = [(f"clientbase_{reach}", what) for reach in ("own", "team", "tenant") for what in (count, mine)]
        refused += [("clientbase_reveal", what) for what in (*change, others)]
        refused.append(("clientbase_keeper", change[0]))
        async with api.container.pool.acquire() as connection:
            for role, statement in [*refused, ("clientbase_reveal", mine), ("clientbase_reveal", count)]:
                await connection.execute(f"{preamble(head.principal)}; SET LOCAL ROLE {role}")
                try:
                    if (role, statement) in refused:
                        with pytest.raises(asyncpg.InsufficientPrivilegeError):
                            await connection.execute(statement)
                    else:
                        await connection.execute(statement)
                finally:
                    await connection.execute("ROLLBACK")

    in_the_api(database, scenario)


def test_looks_that_no_budget_counts_are_swept_away(database: TestDatabase) -> None:
    async def scenario(api: Api) -> None:
        anna = await api.client(reach="own")
        ids = await customers_of(api, anna.principal, 3)
        for one, later in zip(ids, ("12 hours", "17 days", "14 days"), strict=True):
            assert (await _reveal(anna, one)).status_code == 200
            await backdate(api, later)
        # They are 31 and a half, 31 and 14 days old now; the last one is within the month.
        assert (await PgSweep(api.container.pool).sweep()).reveals >= 1
        assert await _left(anna) == (10, 20, 199)
        assert (await PgSweep(api.container.pool).sweep()).reveals == 0

    in_the_api(database, scenario)


@pytest.mark.parametrize("seed", range(3))
def test_no_crawler_sees_more_than_the_budget(database: TestDatabase, seed: int) -> None:
    async def scenario(api: Api) -> None:
        crawl = await drain(api, seed, most=25)
        assert crawl.worst() <= 0
        assert crawl.seen

    in_the_api(database, scenario)


def test_looks_at_the_same_moment_wait_for_each_other(database: TestDatabase) -> None:
    async def scenario(api: Api) -> None:
        anna = await api.client(reach="own")
        *spent, first, second = await customers_of(api, anna.principal, 11)
        assert {(await _reveal(anna, one)).status_code for one in spent} == {200}
        async with api.tenant.uow.begin(anna.principal) as tx:
            async with tx.reveals.turn():
                assert (await tx.reveals.take([first])).fresh == 1
            waiting = asyncio.ensure_future(_reveal(anna, second))
            done, _ = await asyncio.wait({waiting}, timeout=0.3)
            assert not done
            await tx.commit()
        assert (await waiting).status_code == 429

    in_the_api(database, scenario)


def test_without_the_lock_a_crowd_of_requests_overdraws(
    database: TestDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The negative control: the proof above would see it."""

    async def scenario(api: Api) -> None:
        for seed in range(20):
            if (await drain(api, seed, most=25, parallel=12)).worst() > 0:
                return
        raise AssertionError("nothing was overdrawn without the lock")

    monkeypatch.setattr(PgReveals, "queue", lambda _: "")
    in_the_api(database, scenario)
