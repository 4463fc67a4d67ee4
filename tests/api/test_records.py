"""A record's own resources: whose word its values are, what was found right, how deep it is, who belongs to it."""

from datetime import datetime
from typing import Any

from tests.api.support import Api, Client, in_the_api
from tests.api.test_customers import PERSON, make, problem
from tests.api.test_history import imported, told
from tests.postgres import TestDatabase

_MAIL = {"kind": "email", "value": "maria@example.com"}
_PHONE = {"kind": "phone", "value": "+7 912 345-67-89"}


def sources(answer: Any) -> dict[str, tuple[str, bool]]:
    """By field: its source, and whether it was found right."""
    assert answer.status_code == 200, answer.text
    return {one["field"]: (one["source"], one["verified_at"] is not None) for one in answer.json()["fields"]}


def test_every_value_has_a_source_and_a_date(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head = await world.client()
        anna = await world.client(reach="own")
        first = await imported(head, world, "no,name,city\n1,Иванова,Казань\n", city="city")
        [made] = (await head.get("/v1/customers")).json()["items"]
        path = f"/v1/customers/{made['customer_id']}"
        handed = await head.patch(path, json={"curator_id": str(anna.principal.staff_id), "status": "lapsed"})
        assert handed.status_code == 200
        await anna.patch(path, json={"birth_date": "--05-17", "attributes": {"size": 4}, "contacts": [_PHONE]})
        answer = await head.get(f"{path}/provenance")
        me, her = f"curator {head.principal.staff_id}", f"curator {anna.principal.staff_id}"
        assert sources(answer) == {
            "kind": (f"import {first}", False),
            "family_name": (f"import {first}", False),
            "city": (f"import {first}", False),
            "status": ("api", False),
            "curator_id": (me, False),
            "birth_date": (her, False),
            "attributes.size": (her, False),
        }
        [contact] = answer.json()["contacts"]
        assert (contact["source"], contact["author_id"]) == (her, str(anna.principal.staff_id))
        assert contact["value"] == "+7 ••• ••• 67 89"
        set_at = answer.json()["fields"][0]["set_at"]
        assert datetime.fromisoformat(set_at) == datetime.fromisoformat(made["created_at"])

    in_the_api(database, scenario)


def test_the_word_of_the_customer_is_told_apart(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head = await world.client()
        made = await head.post("/v1/customers", params={"by": "customer"}, json=PERSON | {"contacts": [_MAIL]})
        path = f"/v1/customers/{made.json()['customer_id']}"
        await head.patch(path, json={"region": "Татарстан"})
        await head.patch(path, params={"by": "customer"}, json={"birth_date": "--05-17"})
        found = await head.get(f"{path}/provenance")
        by_field = sources(found)
        assert [by_field[name][0] for name in ("family_name", "birth_date", "region")] == [
            "customer",
            "customer",
            "api",
        ]
        assert found.json()["contacts"][0]["source"] == "customer"
        assert problem(await head.patch(path, params={"by": "me"}, json={})) == (422, "invalid-request")

    in_the_api(database, scenario)


def test_what_was_found_right_is_dated_until_it_changes(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head = await world.client()
        made = await make(head, attributes={"size": 4}, contacts=[_PHONE, _MAIL])
        path = f"/v1/customers/{made['customer_id']}"
        some = await head.post(f"{path}/verify", json={"fields": ["city"]}, headers={"If-Match": '"1"'})
        assert {name for name, (_, right) in sources(some).items() if right} == {"city"}
        assert not any(contact["verified_at"] for contact in some.json()["contacts"])
        everything = await head.post(f"{path}/verify", json={"by": "customer"})
        right = {name for name, (_, checked) in sources(everything).items() if checked}
        assert right == {"family_name", "given_name", "city", "attributes.size"}
        card = (await head.get(path)).json()
        assert all(contact["verified_at"] for contact in card["contacts"])
        assert card["version"] == 3
        await head.patch(path, json={"city": "Омск", "contacts": [_MAIL]})
        assert sources(await head.get(f"{path}/provenance"))["city"] == ("api", False)
        assert (await head.get(path)).json()["contacts"][0]["verified_at"] == card["contacts"][0]["verified_at"]
        events = [event for event in await told(head, world, made["customer_id"]) if event["kind"] == "verified"]
        assert [event["source"] for event in events] == ["api", "customer"]
        assert events[0]["detail"] == {"fields": ["city"], "contacts": []}
        assert "912" not in str(events)

    in_the_api(database, scenario)


def test_what_is_not_there_cannot_be_found_right(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head, stranger = await world.client(), await world.client(reach="own")
        made = await make(head, contacts=[_PHONE])
        path = f"/v1/customers/{made['customer_id']}/verify"
        for body in (
            {"fields": ["region"]},
            {"fields": ["status"]},
            {"fields": ["version"]},
            {"contacts": ["01990000-0000-7000-8000-000000000000"]},
        ):
            assert problem(await head.post(path, json=body)) == (422, "nothing-to-verify"), body
        assert problem(await head.post(path, json={}, headers={"If-Match": '"7"'})) == (412, "version-mismatch")
        assert problem(await stranger.post(path, json={})) == (404, "customer-not-found")
        assert problem(await stranger.get(path.replace("verify", "provenance"))) == (404, "customer-not-found")

    in_the_api(database, scenario)


def test_the_depth_of_a_record_names_what_is_missing(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head, stranger = await world.client(), await world.client(reach="own")
        made = await make(head, city=None)
        path = f"/v1/customers/{made['customer_id']}"

        async def depth() -> tuple[str, list[list[str]], list[str]]:
            found = (await head.get(f"{path}/depth")).json()
            return found["depth"], [one["any_of"] for one in found["missing"]], found["lifts"]

        assert await depth() == ("none", [["contact"]], ["contact"])
        await head.patch(path, json={"contacts": [_PHONE]})
        assert await depth() == ("mailing", [["requisites", "order"]], ["requisites"])
        order = {"customer_id": made["customer_id"], "ordered_at": "2026-03-01T12:00:00", "total": "10"}
        await head.post("/v1/orders", json=order)
        assert await depth() == ("accounting", [["address", "preferences", "orders"], ["curator"]], [])
        await head.patch(path, json={"preferences": ["чай"]})
        assert await depth() == ("accounting", [["curator"]], ["curator"])
        await head.patch(path, json={"curator_id": str(head.principal.staff_id)})
        assert await depth() == ("extended", [], [])
        assert problem(await stranger.get(f"{path}/depth")) == (404, "customer-not-found")
        await make(head)
        base = (await head.get("/v1/overview/depth")).json()
        assert (base["total"], base["depths"]) == (2, {"none": 1, "mailing": 0, "accounting": 0, "extended": 1})
        assert base["lifts"][0] == {"field": "contact", "records": 1}
        assert (await stranger.get("/v1/overview/depth")).json()["total"] == 0

    in_the_api(database, scenario)


async def _links(client: Client, customer_id: str) -> list[tuple[str, str, str]]:
    answer = await client.get(f"/v1/customers/{customer_id}/links")
    assert answer.status_code == 200, answer.text
    return [(one["kind"], one["direction"], one["other_id"]) for one in answer.json()["items"]]


def test_links_are_seen_from_both_ends_within_reach(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head, anna = await world.client(), await world.client(reach="own")
        mine = await make(anna)
        firm = await make(head, kind="organisation", legal_name="ООО «Ромашка»")
        one, two = mine["customer_id"], firm["customer_id"]
        path, body = f"/v1/customers/{one}/links", {"kind": "works_at", "other_id": two}
        assert problem(await anna.post(path, json=body)) == (404, "customer-not-found")
        made = await head.post(path, json=body, headers={"Idempotency-Key": "k"})
        again = await head.post(path, json=body, headers={"Idempotency-Key": "k"})
        assert (made.status_code, again.status_code, again.json()) == (201, 201, made.json())
        assert made.json()["items"][0]["other_name"] == "ООО «Ромашка»"
        assert problem(await head.post(path, json=body)) == (409, "link-known")
        assert problem(await head.post(path, json=body | {"other_id": one})) == (422, "link-to-itself")
        assert problem(await head.post(path, json=body | {"kind": "likes"})) == (422, "invalid-request")
        assert await _links(head, one) == [("works_at", "to", two)]
        assert await _links(head, two) == [("works_at", "from", one)]
        assert await _links(anna, one) == []
        assert problem(await anna.get(f"/v1/customers/{two}/links")) == (404, "customer-not-found")
        assert problem(await anna.delete(path, params=body)) == (404, "link-not-found")
        assert (await head.delete(path, params=body)).status_code == 204
        assert problem(await head.delete(path, params=body)) == (404, "link-not-found")
        assert await _links(head, one) == []
        for client, of, direction, other, kinds in (
            (head, one, "to", two, ["unlinked", "linked"]),
            (head, two, "from", one, ["unlinked", "linked"]),
            (anna, one, "to", two, []),
        ):
            page = (await client.get(f"/v1/customers/{of}/timeline?kinds=linked,unlinked")).json()["items"]
            assert [item["kind"] for item in page] == kinds
            for item in page:
                assert item["detail"] == {"link": "works_at", "direction": direction, "other_id": other}
                assert item["by"]["staff_id"] == str(head.principal.staff_id)

    in_the_api(database, scenario)
