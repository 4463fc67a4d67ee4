"""Merging records over HTTP: the preview, what moves, where old ids lead, the undo and what stands in its way."""

import asyncio
from typing import Any

import asyncpg

from tests.api.support import Api, Client, in_the_api
from tests.api.test_around import a_customer
from tests.api.test_privacy import (
    CONTACTS,
    MARKERS,
    _file,
    _left,
    a_planted_person,
    erasing,
    imported,
    the_whole_database,
)
from tests.postgres import TestDatabase

Json = dict[str, Any]


async def told(client: Client, method: str, path: str, status: int = 200, **options: Any) -> Any:
    answer = await client.request(method, path, **options)
    assert answer.status_code == status, f"{method} {path}: {answer.status_code} {answer.text[:600]}"
    return answer.json() if answer.content else None


async def merge(client: Client, *ids: str, **more: Any) -> Json:
    body = {"customer_ids": list(ids), "dry_run": False} | more
    made: Json = await told(client, "POST", "/v1/customers/merge", 201, json=body)
    return made


async def undo(client: Client, made: Json) -> Json:
    report: Json = await told(client, "POST", f"/v1/merges/{made['merge_id']}/undo")
    return report


async def an_order(client: Client, customer_id: str, total: str = "100", **more: Any) -> str:
    body = {"customer_id": customer_id, "ordered_at": "2026-03-01T12:00:00Z", "status": "completed", "total": total}
    return str((await told(client, "POST", "/v1/orders", 201, json=body | more))["order_id"])


async def card(client: Client, customer_id: str) -> Json:
    found: Json = await told(client, "GET", f"/v1/customers/{customer_id}")
    return found


async def two_of_one(client: Client) -> tuple[str, str]:
    """The same woman twice, with something of each kind on either record."""
    one = await a_customer(
        client,
        given_name="Мария",
        city="Казань",
        tags=["vip", "чай"],
        attributes={"size": "M"},
        external_ids=[{"source": "shop", "external_id": "S-1"}],
        contacts=[{"kind": "phone", "value": "+7 912 345-67-89"}, {"kind": "email", "value": "one@example.com"}],
    )
    other = await a_customer(
        client,
        given_name="Маша",
        patronymic="Петровна",
        birth_date="1990-05-17",
        city="Москва",
        postal_code="101000",
        tags=["чай", "новая"],
        attributes={"size": "L", "hobby": "шахматы"},
        external_ids=[{"source": "till", "external_id": "T-1"}],
        contacts=[{"kind": "phone", "value": "8 (912) 345-67-89"}, {"kind": "phone", "value": "+7 903 555 00 11"}],
    )
    for customer_id in (one, other):
        await told(client, "POST", f"/v1/customers/{customer_id}/notes", 201, json={"text": f"of {customer_id}"})
        await told(
            client, "POST", f"/v1/customers/{customer_id}/consents", 201, json={"purpose": "mailing", "given": True}
        )
    await an_order(client, other, "700")
    return one, other


def test_a_dry_run_shows_what_survives_field_by_field_and_changes_nothing(database: TestDatabase) -> None:
    async def scenario(api: Api) -> None:
        head = await api.client()
        one, other = await two_of_one(head)
        body = {"customer_ids": [one, other], "survivor_id": one, "fields": {"given_name": {"customer_id": other}}}
        before = await the_whole_database(api)
        shown = await told(head, "POST", "/v1/customers/merge", json=body)
        assert await the_whole_database(api) == before
        fields = {field["field"]: field for field in shown["preview"]["fields"]}
        assert (shown["state"], shown["survivor_id"], shown["merged_ids"]) == ("dry_run", one, [other])
        assert (fields["given_name"]["value"], fields["given_name"]["rule"]) == ("Маша", None)
        assert (fields["patronymic"]["value"], fields["patronymic"]["customer_id"]) == ("Петровна", other)
        assert fields["place"]["value"] == {"country": None, "region": None, "city": "Казань", "postal_code": None}
        assert (fields["tags"]["value"], fields["tags"]["rule"]) == (["vip", "чай", "новая"], "union")
        assert (fields["status"]["value"], fields["status"]["rule"]) == ("customer", "furthest")
        assert fields["attributes.size"]["differs"] is True
        assert [value["value"] for value in fields["attributes.hobby"]["values"]] == ["шахматы"]
        assert shown["moved"]["orders"] == 1
        same = [contact for contact in shown["preview"]["contacts"] if contact["same_as"]]
        assert [(contact["customer_id"], contact["kind"]) for contact in same] == [(other, "phone")]
        assert "345" not in str(shown["preview"]["contacts"])

    in_the_api(database, scenario)


def test_everything_that_hangs_on_the_others_moves(database: TestDatabase) -> None:
    async def scenario(api: Api) -> None:
        head = await api.client()
        one, other = await two_of_one(head)
        firm = await a_customer(head, kind="organisation", trade_name="Ромашка")
        await told(head, "POST", f"/v1/customers/{other}/links", 201, json={"kind": "works_at", "other_id": firm})
        made = await merge(head, one, other, survivor_id=one)
        whole = await card(head, one)
        assert (whole["patronymic"], whole["birth_date"], whole["status"]) == ("Петровна", "1990-05-17", "customer")
        assert {contact["kind"] for contact in whole["contacts"]} == {"phone", "email"}
        assert sum(contact["is_primary"] for contact in whole["contacts"] if contact["kind"] == "phone") == 1
        assert len(whole["contacts"]) == 3
        assert {known["external_id"] for known in whole["external_ids"]} == {"S-1", "T-1"}
        assert len((await told(head, "GET", f"/v1/customers/{one}/notes"))["items"]) == 2
        assert len((await told(head, "GET", f"/v1/customers/{one}/orders"))["items"]) == 1
        assert [link["other_id"] for link in (await told(head, "GET", f"/v1/customers/{one}/links"))["items"]] == [firm]
        timeline = (await told(head, "GET", f"/v1/customers/{one}/timeline"))["items"]
        assert sum(item["kind"] == "created" for item in timeline) == 2
        assert timeline[0]["kind"] in ("merged", "status")
        put = await told(head, "PUT", "/v1/customers/by-external-id/T-1?source=till", json={"trade_name": "x"})
        assert put["customer_id"] == one
        listed = (await told(head, "GET", "/v1/merges", params={"customer_id": one}))["items"]
        assert [merge["merge_id"] for merge in listed] == [made["merge_id"]]
        assert listed[0]["moved"]["notes"] == 1

    in_the_api(database, scenario)


def test_old_ids_lead_to_the_survivor(database: TestDatabase) -> None:
    async def scenario(api: Api) -> None:
        head, anna = await api.client(), await api.client(reach="own")
        one, other = await two_of_one(head)
        third = await a_customer(head, given_name="Мария")
        await merge(head, one, other, survivor_id=one)
        await merge(head, one, third, survivor_id=third)
        for old in (one, other):
            for rest in ("", "/timeline?limit=3", "/notes"):
                answer = await head.get(f"/v1/customers/{old}{rest}")
                assert (answer.status_code, answer.headers["Location"]) == (301, f"/v1/customers/{third}{rest}")
                assert answer.headers["Cache-Control"] == "no-store"
            assert (await head.get(f"/v1/customers/{old}", follow_redirects=True)).json()["customer_id"] == third
            refused = await head.patch(f"/v1/customers/{old}", json={"city": "Тверь"})
            assert (refused.status_code, refused.json()["type"]) == (409, "/problems/customer-merged")
            assert refused.json()["customer_id"] == third
            assert (await anna.get(f"/v1/customers/{old}")).status_code == 404
        assert (await head.get(f"/v1/customers/{third[:-4]}0000")).status_code == 404

    in_the_api(database, scenario)


def test_an_undo_brings_the_records_back(database: TestDatabase) -> None:
    async def scenario(api: Api) -> None:
        head = await api.client()
        one, other = await two_of_one(head)
        before = [await card(head, one), await card(head, other)]
        made = await merge(head, one, other, survivor_id=one)
        report = await undo(head, made)
        assert (report["restored"], report["fields"], report["gone"], report["stayed"]) == ([other], [], {}, {})
        after = [await card(head, one), await card(head, other)]
        times = ("version", "updated_at", "status_at")
        assert [{k: v for k, v in r.items() if k not in times} for r in after] == [
            {k: v for k, v in r.items() if k not in times} for r in before
        ]
        assert len((await told(head, "GET", f"/v1/customers/{other}/orders"))["items"]) == 1
        found = await told(head, "GET", "/v1/customers", params={"q": "Маша"})
        assert [row["customer_id"] for row in found["items"]] == [other]
        kinds = {item["kind"] for item in (await told(head, "GET", f"/v1/customers/{one}/timeline"))["items"]}
        assert {"merged", "unmerged"} <= kinds
        again = await head.post(f"/v1/merges/{made['merge_id']}/undo")
        assert (again.status_code, again.json()["type"]) == (409, "/problems/merge-undone")

    in_the_api(database, scenario)


def test_what_was_written_since_stays_and_is_reported(database: TestDatabase) -> None:
    async def scenario(api: Api) -> None:
        head = await api.client()
        one, other = await two_of_one(head)
        firm = await a_customer(head, kind="organisation", trade_name="Ромашка")
        link = {"kind": "works_at", "other_id": firm}
        await told(head, "POST", f"/v1/customers/{other}/links", 201, json=link)
        note = (await told(head, "GET", f"/v1/customers/{other}/notes"))["items"][0]["note_id"]
        made = await merge(head, one, other, survivor_id=one)
        kept = [{"kind": "email", "value": "one@example.com"}, {"kind": "phone", "value": "+7 903 555 00 11"}]
        changed = {"patronymic": "Павловна", "tags": ["vip", "новая", "потом"], "contacts": kept}
        await told(head, "PATCH", f"/v1/customers/{one}", json=changed)
        await told(head, "DELETE", f"/v1/customers/{one}/notes/{note}", 204)
        await told(head, "POST", f"/v1/customers/{one}/notes", 201, json={"text": "since"})
        order = await an_order(head, one, "55")
        orders = (await told(head, "GET", f"/v1/customers/{one}/orders"))["items"]
        moved = next(row["order_id"] for row in orders if row["order_id"] != order)
        await told(head, "POST", f"/v1/orders/{moved}/refunds", 201, json={"amount": "10"})
        await told(head, "DELETE", f"/v1/customers/{firm}", 204)

        report = await undo(head, made)
        assert [(field["field"], field["before"], field["merged"], field["now"]) for field in report["fields"]] == [
            ("patronymic", None, "Петровна", "Павловна")
        ]
        assert report["gone"] == {"notes": 1, "customer_links": 1}
        assert (report["stayed"]["notes"], report["stayed"]["orders"]) == (1, 1)
        survivor, back = await card(head, one), await card(head, other)
        assert (survivor["patronymic"], survivor["tags"]) == ("Павловна", ["vip", "потом"])
        assert sum(contact["is_primary"] for contact in survivor["contacts"] if contact["kind"] == "phone") <= 1
        assert sum(contact["kind"] == "phone" for contact in back["contacts"]) == 2
        assert [row["order_id"] for row in (await told(head, "GET", f"/v1/customers/{one}/orders"))["items"]] == [order]
        refunds = await told(head, "GET", f"/v1/customers/{other}/timeline", params={"kinds": "refund"})
        assert len(refunds["items"]) == 1
        listed = (await told(head, "GET", f"/v1/merges/{made['merge_id']}"))["undone"]
        assert (listed["fields"], listed["gone"]) == (["patronymic"], report["gone"])

    in_the_api(database, scenario)


def test_the_later_merge_is_undone_first(database: TestDatabase) -> None:
    async def scenario(api: Api) -> None:
        head = await api.client()
        one, other = await two_of_one(head)
        third = await a_customer(head, given_name="Мария")
        first = await merge(head, one, other, survivor_id=one)
        second = await merge(head, one, third, survivor_id=third)
        refused = await head.post(f"/v1/merges/{first['merge_id']}/undo")
        assert (refused.status_code, refused.json()["type"]) == (409, "/problems/merge-superseded")
        assert refused.json()["merge_id"] == second["merge_id"]
        await undo(head, second)
        assert (await head.get(f"/v1/customers/{other}")).headers["Location"] == f"/v1/customers/{one}"
        await undo(head, first)
        assert {(await card(head, id_))["given_name"] for id_ in (one, other, third)} == {"Мария", "Маша"}

    in_the_api(database, scenario)


def test_what_can_not_be_one_is_refused(database: TestDatabase) -> None:
    async def scenario(api: Api) -> None:
        head, anna = await api.client(), await api.client(reach="own")
        one, other = await two_of_one(head)
        firm = await a_customer(head, kind="organisation", trade_name="Ромашка")
        hers = await a_customer(anna)
        gone = await a_customer(head)
        await told(head, "POST", f"/v1/customers/{gone}/erase", 201, json=erasing(gone))
        marked = await a_customer(head)
        pair = {"customer_id": one, "other_id": marked}
        await told(head, "POST", "/v1/quality/never-merge", 201, json=pair)
        missing = f"{other[:-4]}0000"
        for client, body, status, code in (
            (head, {"customer_ids": [one, firm]}, 422, "kinds-differ"),
            (head, {"customer_ids": [one, gone]}, 409, "customer-erased"),
            (head, {"customer_ids": [one, missing]}, 404, "customer-not-found"),
            (head, {"customer_ids": [one, marked]}, 409, "marked-as-different"),
            (head, {"customer_ids": [one]}, 422, "invalid-request"),
            (head, {"customer_ids": [one, one]}, 422, "invalid-request"),
            (head, {"customer_ids": [one, other], "survivor_id": firm}, 422, "bad-survivorship"),
            (head, {"customer_ids": [one, other], "fields": {"colour": {"rule": "newest"}}}, 422, "bad-survivorship"),
            (head, {"customer_ids": [one, other], "fields": {"city": {"rule": "newest"}}}, 422, "bad-survivorship"),
            (head, {"customer_ids": [one, other], "fields": {"gender": {"rule": "union"}}}, 422, "bad-survivorship"),
            (head, {"customer_ids": [one, other], "fields": {"place": {"customer_id": firm}}}, 422, "bad-survivorship"),
            (head, {"customer_ids": [one, other], "fields": {"place": {}}}, 422, "invalid-request"),
            (head, {"customer_ids": [one, other], "versions": {other: 7}}, 412, "version-mismatch"),
            (anna, {"customer_ids": [one, hers]}, 404, "customer-not-found"),
        ):
            for dry_run in (True, False):
                answer = await client.post("/v1/customers/merge", json=body | {"dry_run": dry_run})
                assert (answer.status_code, answer.json()["type"]) == (status, f"/problems/{code}"), answer.text
        nobody = await api.client(scopes=("customers:read", "customers:write"))
        assert (await nobody.post("/v1/customers/merge", json={"customer_ids": [one, other]})).status_code == 403

    in_the_api(database, scenario)


def test_a_merge_lies_within_the_reach_of_who_sees_or_undoes_it(database: TestDatabase) -> None:
    async def scenario(api: Api) -> None:
        head, anna, boris = await api.client(), await api.client(reach="own"), await api.client(reach="own")
        ids = [await a_customer(anna, city=city) for city in ("Казань", "Москва")]
        made = await merge(anna, *ids)
        assert (await boris.get(f"/v1/merges/{made['merge_id']}")).status_code == 404
        assert (await boris.post(f"/v1/merges/{made['merge_id']}/undo")).status_code == 404
        assert (await told(boris, "GET", "/v1/merges"))["items"] == []
        # Handed over since: she neither sees it nor brings back what would be hers.
        survivor = made["survivor_id"]
        await told(head, "PATCH", f"/v1/customers/{survivor}", json={"curator_id": str(boris.principal.staff_id)})
        assert (await anna.post(f"/v1/merges/{made['merge_id']}/undo")).status_code == 404
        assert (await anna.get(f"/v1/customers/{made['merged_ids'][0]}")).status_code == 404
        refused = await boris.post(f"/v1/merges/{made['merge_id']}/undo")
        assert (refused.status_code, refused.json()["type"]) == (422, "/problems/outside-reach")
        await undo(head, made)
        assert (await card(anna, made["merged_ids"][0]))["curator_id"] == str(anna.principal.staff_id)

    in_the_api(database, scenario)


def test_the_same_key_merges_once_and_two_at_a_time_do_not_tangle(database: TestDatabase) -> None:
    async def scenario(api: Api) -> None:
        head = await api.client()
        one, other = await two_of_one(head)
        body = {"customer_ids": [one, other], "dry_run": False}
        asked = [head.post("/v1/customers/merge", json=body, headers={"Idempotency-Key": "k"}) for _ in range(4)]
        answers = await asyncio.gather(*asked)
        assert {answer.status_code for answer in answers} == {201}
        assert len({answer.text for answer in answers}) == 1
        ids = [await a_customer(head) for _ in range(4)]
        pairs = [(ids[n], ids[(n + 1) % 4]) for n in range(4)]
        racing = [head.post("/v1/customers/merge", json={"customer_ids": pair, "dry_run": False}) for pair in pairs]
        writing = [head.post(f"/v1/customers/{ids[n % 4]}/notes", json={"text": "quick"}) for n in range(8)]
        answers = await asyncio.gather(*racing, *writing)
        merges, notes = answers[:4], answers[4:]
        assert {answer.status_code for answer in notes} <= {201, 404, 409, 422}
        assert {answer.status_code for answer in merges} <= {201, 404}
        assert 201 in {answer.status_code for answer in merges}

    in_the_api(database, scenario)


def test_nothing_of_a_person_is_left_after_the_survivor_is_erased(database: TestDatabase) -> None:
    async def scenario(api: Api) -> None:
        head = await api.client()
        planted = await a_planted_person(head)
        name = [MARKERS["family_name"], MARKERS["given_name"]]
        known = [MARKERS["external_id"], *name, "1981-02-03", f"+7{MARKERS['phone']}"]
        await imported(api, head, _file([known]), f"{MARKERS['family_name']}.csv", "shop")
        await told(head, "PATCH", f"/v1/customers/{planted}", json={"contacts": CONTACTS})
        await told(head, "POST", "/v1/exports", 202, json={"what": "customers", "purpose": "A mailing"})
        await api.run_jobs()
        other = await a_customer(head, family_name="Замужняя", given_name="Ксения", city="Тверь")
        names = {field: {"customer_id": other} for field in ("family_name", "given_name", "place")}
        await merge(head, planted, other, survivor_id=other, fields=names)
        whole = await the_whole_database(api)
        assert {marker for _, marker in _left(whole)} >= {"family_name", "email", "city", "external_id"}
        await told(head, "POST", f"/v1/customers/{other}/erase", 201, json=erasing(other))
        assert _left(await the_whole_database(api)) - {("refunds", "refund")} == set()
        answer = await head.get(f"/v1/customers/{planted}")
        assert (answer.status_code, answer.headers["Location"]) == (301, f"/v1/customers/{other}")

    in_the_api(database, scenario)


def test_after_an_undo_the_one_record_tells_nothing_of_the_other(database: TestDatabase) -> None:
    async def scenario(api: Api) -> None:
        head = await api.client()
        planted = await a_planted_person(head)
        other = await a_customer(head, given_name="Ксения")
        await undo(head, await merge(head, planted, other, survivor_id=other))
        await told(head, "POST", f"/v1/customers/{planted}/erase", 201, json=erasing(planted))
        assert _left(await the_whole_database(api)) == set()
        kept = await told(head, "GET", f"/v1/customers/{other}/timeline", params={"kinds": "merged,unmerged"})
        assert [item["kind"] for item in kept["items"]] == ["unmerged", "merged"]

    in_the_api(database, scenario)


def test_systems_that_keep_a_copy_learn_of_it(database: TestDatabase) -> None:
    async def scenario(api: Api) -> None:
        head = await api.client()
        one, other = await two_of_one(head)
        since = (await told(head, "GET", "/v1/changes", params={"since": "now"}))["next_since"]
        made = await merge(head, one, other, survivor_id=one)
        await undo(head, made)
        found: list[tuple[str, ...]] = []
        for _ in range(100):  # an older transaction somewhere in the cluster may have to end first
            page = await told(head, "GET", "/v1/changes", params={"since": since})
            since = page["next_since"]
            found += [(row["kind"], row["entity_id"], row["customer_id"]) for row in page["items"]]
            if [kind for kind, _, _ in found].count("updated") >= 2 and "unmerged" in {kind for kind, _, _ in found}:
                break
            await asyncio.sleep(0.1)
        merged, unmerged = found.index(("merged", other, one)), found.index(("unmerged", other, other))
        assert merged < unmerged
        assert ("updated", one, one) in found[merged:unmerged]
        assert ("updated", one, one) in found[unmerged:]

    in_the_api(database, scenario)


def test_a_look_at_what_was_merged_costs_as_many_looks_as_there_were_records(database: TestDatabase) -> None:
    async def scenario(api: Api) -> None:
        head, anna = await api.client(), await api.client(reach="own")
        owned = {"curator_id": str(anna.principal.staff_id)}
        ids = [
            await a_customer(head, contacts=[{"kind": "email", "value": "many@example.com"}], **owned) for _ in range(4)
        ]
        await told(anna, "POST", f"/v1/customers/{ids[0]}/reveal", json={"reason": "She has called"})
        made = await merge(anna, *ids)
        await told(anna, "POST", f"/v1/customers/{made['survivor_id']}/reveal", json={"reason": "She has called"})
        taken = "SELECT count(*) FROM reveals WHERE tenant_id = $1 AND staff_id = $2"
        root = await asyncpg.connect(api.database.superuser_url or api.database.owner_url)
        try:
            assert await root.fetchval(taken, api.tenant.tenant_id, anna.principal.staff_id) == 4
        finally:
            await root.close()

    in_the_api(database, scenario)


def test_merging_is_no_way_around_the_watch(database: TestDatabase) -> None:
    async def scenario(api: Api) -> None:
        head, anna = await api.client(), await api.client(reach="own")
        for number in range(22):
            await a_customer(
                head, given_name=f"Имя {number}", contacts=[{"kind": "phone", "value": f"+7 912 345 67 {number + 10}"}],
                curator_id=str(anna.principal.staff_id),
            )  # fmt: skip
        await told(head, "POST", "/v1/canaries", 201, json={"curator_id": str(anna.principal.staff_id)})
        ids = [row["customer_id"] for row in (await told(anna, "GET", "/v1/customers?limit=100"))["items"]]
        planted = {row["customer_id"] for row in (await told(head, "GET", "/v1/canaries"))["items"]}
        assert planted
        made = await merge(anna, *ids)
        assert (await told(head, "GET", "/v1/canaries"))["items"] == []
        signals = (await told(head, "GET", "/v1/leaks", params={"kind": "canary"}))["items"]
        assert [signal["staff_id"] for signal in signals] == [str(anna.principal.staff_id)]
        await undo(anna, made)
        assert {row["customer_id"] for row in (await told(head, "GET", "/v1/canaries"))["items"]} == planted

    in_the_api(database, scenario)
