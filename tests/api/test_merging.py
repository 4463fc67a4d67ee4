"""Merging records over HTTP: the preview, what moves, where old ids lead, the undo and what stands in its way."""

from typing import Any

from tests.api.support import Api, Client, in_the_api
from tests.api.test_around import a_customer
from tests.api.test_privacy import the_whole_database
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
