"""Customers over HTTP: what is written is read back, changed under a version, found, listed page by page, deleted."""

import asyncio
import random
from typing import Any

import pytest

from tests.api.support import Api, Client, in_the_api
from tests.postgres import TestDatabase

PERSON = {"kind": "person", "family_name": "Иванова", "given_name": "Мария", "city": "Казань"}


async def make(client: Client, **fields: Any) -> dict[str, Any]:
    """A new customer; the body is a person's unless the fields say otherwise."""
    answer = await client.post("/v1/customers", json=PERSON | fields)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def problem(answer: Any) -> tuple[int, str]:
    """Status and code of a refusal; anything but a problem document fails here."""
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    document = answer.json()
    assert document["status"] == answer.status_code
    return answer.status_code, str(document["type"]).removeprefix("/problems/")


def test_a_customer_is_read_as_it_was_written(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head = await world.client(teams=("Волга",))
        channel = {"code": "web", "name": "Web", "kind": "online_sales"}
        channel_id = (await head.post("/v1/channels", json=channel)).json()["channel_id"]
        given = PERSON | {
            "patronymic": "Петровна",
            "birth_date": "1990-02-28",
            "gender": "female",
            "language": "ru",
            "time_zone": "Europe/Moscow",
            "legal_form": "ИП",
            "preferences": ["зелёный чай", "доставка утром"],
            "country": "RU",
            "region": "Татарстан",
            "postal_code": "420000",
            "curator_id": str(head.principal.staff_id),
            "team_id": str(head.principal.teams[0]),
            "channel_id": channel_id,
            "tags": ["vip", "опт"],
            "attributes": {"size": 42, "ratio": 0.1, "likes": ["чай", {"sort": "улун"}], "none": None},
            "status": "lapsed",
        }
        answer = await head.post("/v1/customers", json=given)
        made = answer.json()
        assert answer.status_code == 201
        assert {name: made[name] for name in given} == given
        assert made["display_name"] == "Иванова Мария Петровна"
        assert answer.headers["location"] == f"/v1/customers/{made['customer_id']}"
        again = await head.get(answer.headers["location"])
        assert again.json() == made
        assert again.headers["etag"] == '"1"'

    in_the_api(database, scenario)


def test_a_birthday_may_lack_its_year(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head = await world.client()
        made = await make(head, birth_date="--02-29")
        path = f"/v1/customers/{made['customer_id']}"
        listed = (await head.get("/v1/customers")).json()["items"]
        assert made["birth_date"] == listed[0]["birth_date"] == "--02-29"
        assert (await head.patch(path, json={"city": "Пермь"})).json()["birth_date"] == "--02-29"
        assert (await head.patch(path, json={"birth_date": "1990-05-17"})).json()["birth_date"] == "1990-05-17"
        cleared = (await head.patch(path, json={"birth_date": None})).json()
        assert (cleared["birth_date"], cleared["restricted_at"]) == (None, None)
        assert (await head.patch(path, json={"birth_date": "0999-01-01"})).json()["birth_date"] == "0999-01-01"

    in_the_api(database, scenario)


def test_merge_patch_sets_clears_and_replaces(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head = await world.client()
        made = await make(head, tags=["a", "b"], attributes={"keep": 1, "drop": 2, "deep": {"x": 1, "y": 2}})
        path = f"/v1/customers/{made['customer_id']}"
        patch = {"city": None, "region": "Марий Эл", "tags": ["c"], "attributes": {"drop": None, "deep": {"y": 3}}}
        answer = await head.patch(path, json=patch)
        changed = answer.json()
        assert (answer.status_code, changed["city"], changed["region"]) == (200, None, "Марий Эл")
        assert (changed["tags"], changed["attributes"]) == (["c"], {"keep": 1, "deep": {"x": 1, "y": 3}})
        assert (changed["family_name"], changed["version"], answer.headers["etag"]) == ("Иванова", 2, '"2"')
        assert problem(await head.patch(path, json={"family_name": None, "given_name": None})) == (422, "name-missing")
        assert (await head.get(path)).json() == changed

    in_the_api(database, scenario)


def test_a_change_based_on_an_old_version_is_refused(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head = await world.client()
        path = f"/v1/customers/{(await make(head))['customer_id']}"
        first = await head.patch(path, json={"city": "Москва"}, headers={"If-Match": '"1"'})
        assert (first.status_code, first.headers["etag"]) == (200, '"2"')
        late = await head.patch(path, json={"city": "Пермь"}, headers={"If-Match": '"1"'})
        assert problem(late) == (412, "version-mismatch")
        assert late.json()["current_version"] == 2
        assert problem(await head.delete(path, headers={"If-Match": '"1"'})) == (412, "version-mismatch")
        for tag in (b"abc", b"", b'"-1"', b'"1.0"', b'"\xb2"', b'"9999999999"'):
            refused = await head.patch(path, json={}, headers={b"If-Match": tag})
            assert problem(refused) == (422, "bad-if-match"), tag
        assert (await head.patch(path, json={"city": "Тула"}, headers={"If-Match": "*"})).status_code == 200
        assert (await head.get(path)).json()["city"] == "Тула"

    in_the_api(database, scenario)


def test_of_two_changes_of_one_version_one_is_refused(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head = await world.client()
        path = f"/v1/customers/{(await make(head))['customer_id']}"
        answers = await asyncio.gather(
            *(head.patch(path, json={"city": f"Город {i}"}, headers={"If-Match": '"1"'}) for i in range(5))
        )
        assert sorted(answer.status_code for answer in answers) == [200, 412, 412, 412, 412]
        assert (await head.get(path)).json()["version"] == 2

    in_the_api(database, scenario)


def test_fifty_changes_at_once_lose_nothing(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head = await world.client()
        path = f"/v1/customers/{(await make(head))['customer_id']}"
        late = 0

        async def add(tag: str) -> None:
            nonlocal late
            chance = random.Random(tag)
            while True:
                read = await head.get(path)
                tags = [*read.json()["tags"], tag]
                answer = await head.patch(path, json={"tags": tags}, headers={"If-Match": read.headers["etag"]})
                if answer.status_code == 200:
                    return
                assert problem(answer) in ((412, "version-mismatch"), (503, "unavailable"))
                late += 1
                await asyncio.sleep(chance.random() / 2)

        await asyncio.gather(*(add(f"tag {number}") for number in range(50)))
        kept = (await head.get(path)).json()
        assert sorted(kept["tags"]) == sorted(f"tag {number}" for number in range(50))
        assert kept["version"] == 51
        assert late > 0  # they did meet

    in_the_api(database, scenario)


def test_a_deleted_customer_is_gone_unless_he_has_bought(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head = await world.client()
        contacts = [{"kind": "email", "value": "anna@example.com"}]
        made = await make(head, contacts=contacts, external_ids=[{"external_id": "C-1"}])
        path = f"/v1/customers/{made['customer_id']}"
        order = {"customer_id": made["customer_id"], "ordered_at": "2026-03-01T12:00:00", "total": "1"}
        buyer = await make(head)
        await head.post("/v1/orders", json=order | {"customer_id": buyer["customer_id"]})
        assert (await head.delete(path)).status_code == 204
        assert problem(await head.get(path)) == (404, "customer-not-found")
        assert problem(await head.delete(path)) == (404, "customer-not-found")
        refused = await head.delete(f"/v1/customers/{buyer['customer_id']}")
        assert problem(refused) == (409, "customer-has-orders")
        # The external id is free again.
        assert (await make(head, external_ids=[{"external_id": "C-1"}]))["external_ids"]

    in_the_api(database, scenario)


@pytest.mark.parametrize("sort", ["-created", "created", "name", "-name"])
def test_pages_are_disjoint_complete_and_stable(database: TestDatabase, sort: str) -> None:
    async def scenario(world: Api) -> None:
        head = await world.client()
        # Equal names, and names whose order depends on case, ё and script.
        names = ["Ёлкин", "елкин", "Ежов", "Ярцев", "adams", "Adams", "Zed", "Иванова", "Иванова", "Иванова", "ß", "SS"]
        items = [{"kind": "person", "family_name": name} for name in names]
        batch = await head.post("/v1/customers/batch", json={"items": items})
        expected = {item["customer_id"] for item in batch.json()["items"]}
        seen: list[str] = []
        folded: list[str] = []
        cursor: str | None = ""
        while cursor is not None:
            query = {"limit": "5", "sort": sort} | ({"cursor": cursor} if cursor else {})
            page = (await head.get("/v1/customers", params=query)).json()
            seen += [item["customer_id"] for item in page["items"]]
            folded += [item["display_name"].casefold().replace("ё", "е") for item in page["items"]]
            assert len(page["items"]) <= 5
            if cursor == "":  # what is added meanwhile neither repeats nor hides what was there
                await make(head, family_name="Яя" if sort == "-name" else "Аа")
            cursor = page["next_cursor"]
        assert len(seen) == len(set(seen))
        assert expected <= set(seen)
        if "name" in sort:
            assert folded == sorted(folded, reverse=sort == "-name")

    in_the_api(database, scenario)


def test_filters_narrow_the_list_and_the_count_together(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head = await world.client(teams=("Волга",))
        channel = {"code": "web", "name": "Web", "kind": "online_sales"}
        channel_id = (await head.post("/v1/channels", json=channel)).json()["channel_id"]
        curator, team = str(head.principal.staff_id), str(head.principal.teams[0])
        wanted = await make(
            head,
            status="archived",
            curator_id=curator,
            team_id=team,
            channel_id=channel_id,
            tags=["vip"],
            region="Татарстан",
        )
        await make(head, city="Пермь")
        await make(head, kind="organisation", legal_name="ООО «Ромашка»", city="Пермь")
        for query in (
            {"status": "archived"},
            {"curator_id": curator},
            {"team_id": team},
            {"channel": "web"},
            {"tag": "vip"},
            {"region": "Татарстан"},
            {"city": "Казань"},
            {"kind": "person", "city": "Казань", "tag": "vip", "channel": "web", "q": "иван"},
        ):
            page = (await head.get("/v1/customers", params={**query, "count": "exact"})).json()
            assert [item["customer_id"] for item in page["items"]] == [wanted["customer_id"]], query
            assert page["count"] == 1
        everybody = (await head.get("/v1/customers", params={"limit": 1, "count": "exact"})).json()
        assert (len(everybody["items"]), everybody["count"]) == (1, 3)
        assert (await head.get("/v1/customers")).json()["count"] is None
        assert (await head.get("/v1/customers", params={"channel": "none"})).json()["items"] == []

    in_the_api(database, scenario)


def test_words_find_by_prefix_in_either_script(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head = await world.client()
        items = [
            {"kind": "person", "family_name": "Ёлкин", "given_name": "Пётр", "patronymic": "Ильич"},
            {"kind": "person", "family_name": "Smith", "given_name": "Julia"},
            {"kind": "organisation", "legal_name": "ООО «Ромашка-Трейд»"},
            {"kind": "person", "family_name": "Щукина", "given_name": "Юлия"},
        ]
        await head.post("/v1/customers/batch", json={"items": items})

        async def found(q: str) -> set[str]:
            by_query = (await head.get("/v1/customers", params={"q": q, "count": "exact"})).json()
            by_body = (await head.post("/v1/customers/search", json={"q": q})).json()
            assert [item["customer_id"] for item in by_query["items"]] == [
                item["customer_id"] for item in by_body["items"]
            ]
            assert by_query["count"] == len(by_query["items"])
            return {item["display_name"].split()[0] for item in by_query["items"]}

        for q in ("Ёлкин", "елкин", "ЁЛК", "elkin", "Елк Пет", "пётр ёлк", "ильич", "петр  елкин"):
            assert await found(q) == {"Ёлкин"}, q
        assert await found("Ivanov") == set()
        assert await found("smi") == {"Smith"}
        assert await found("yulia") == {"Smith", "Щукина"}
        assert await found("Shchuk") == {"Щукина"}
        assert await found("трейд ромашка") == {"ООО"}
        assert await found("кин") == set()  # the beginning of a word, not its middle
        assert await found("%") == await found("") == {"Ёлкин", "Smith", "ООО", "Щукина"}

    in_the_api(database, scenario)


def test_an_exact_contact_finds_and_a_part_does_not(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head = await world.client()
        own = await world.client(reach="own")
        made = await make(
            head,
            contacts=[
                {"kind": "phone", "value": "+7 912 345-67-89"},
                {"kind": "email", "value": "Maria@Example.com"},
                {"kind": "inn", "value": "7707083893"},
            ],
        )
        await make(head, contacts=[{"kind": "phone", "value": "+79123456788"}])

        async def found(client: Client, kind: str, value: str) -> list[str]:
            answer = await client.post("/v1/customers/search", json={"contact": {"kind": kind, "value": value}})
            assert answer.status_code == 200, answer.text
            return [item["customer_id"] for item in answer.json()["items"]]

        for kind, value in (
            ("phone", "8 (912) 345-67-89"),
            ("phone", "+79123456789"),
            ("email", "maria@example.com"),
            ("inn", "7707083893"),
        ):
            assert await found(head, kind, value) == [made["customer_id"]]
            assert await found(own, kind, value) == []
        assert await found(head, "email", "maria@example.co") == []
        partly = await head.post("/v1/customers/search", json={"contact": {"kind": "phone", "value": "+7912345"}})
        assert problem(partly) == (422, "invalid-phone")

    in_the_api(database, scenario)


def test_put_creates_then_changes_what_it_names(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head = await world.client()
        path = "/v1/customers/by-external-id/C%2F1 ё?source=shop"
        first = await head.put(path, json=PERSON)
        second = await head.put(path, json={"city": "Москва"})
        assert (first.status_code, second.status_code) == (201, 200)
        made, changed = first.json(), second.json()
        assert made["external_ids"] == [{"source": "shop", "external_id": "C/1 ё"}]
        assert (changed["customer_id"], changed["city"], changed["family_name"], changed["version"]) == (
            made["customer_id"],
            "Москва",
            "Иванова",
            2,
        )
        other_source = await head.put("/v1/customers/by-external-id/C%2F1 ё", json=PERSON)
        assert other_source.json()["customer_id"] != made["customer_id"]

    in_the_api(database, scenario)


def test_puts_at_once_make_one_customer(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head = await world.client()
        answers = await asyncio.gather(
            *(head.put("/v1/customers/by-external-id/C-1", json=PERSON | {"city": f"Город {i}"}) for i in range(6))
        )
        assert sorted(answer.status_code for answer in answers) == [200, 200, 200, 200, 200, 201]
        assert (await head.get("/v1/customers?count=exact")).json()["count"] == 1

    in_the_api(database, scenario)


def test_contacts_are_masked_wherever_a_record_is_shown(database: TestDatabase) -> None:
    secrets = ("9123456789", "345-67-89", "maria@example", "Maria@Example", "7707083893", "Баумана")

    async def scenario(world: Api) -> None:
        head = await world.client()
        contacts = [
            {"kind": "phone", "value": "+7 912 345-67-89", "label": "mobile"},
            {"kind": "email", "value": "Maria@Example.com"},
            {"kind": "inn", "value": "7707083893"},
            {"kind": "street", "value": "ул. Баумана, д. 1, кв. 2"},
        ]
        created = await head.post("/v1/customers", json=PERSON | {"contacts": contacts})
        path = f"/v1/customers/{created.json()['customer_id']}"
        exact = {"contact": {"kind": "email", "value": "maria@example.com"}}
        shown = [
            created,
            await head.get(path),
            await head.get("/v1/customers"),
            await head.patch(path, json={"city": "Москва"}),
            await head.post("/v1/customers/search", json=exact),
            await head.put("/v1/customers/by-external-id/C-1", json=PERSON | {"contacts": contacts}),
            await head.post("/v1/customers/batch", json={"items": [PERSON | {"contacts": contacts}]}),
        ]
        for answer in shown:
            assert answer.is_success
            assert not [secret for secret in secrets if secret in answer.text], answer.request.url
        masked = {one["kind"]: one["value"] for one in created.json()["contacts"]}
        assert masked == {"phone": "+7 ••• ••• 67 89", "email": "m•••@•••.com", "inn": "•••93", "street": "•••"}

    in_the_api(database, scenario)


def test_revealing_takes_the_scope_and_a_reason_and_is_audited(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head = await world.client()
        made = await make(head, contacts=[{"kind": "phone", "value": "+7 912 345-67-89"}])
        path = f"/v1/customers/{made['customer_id']}/reveal"
        shown = await head.post(path, json={"reason": "Call back"})
        assert (shown.status_code, shown.headers["cache-control"]) == (200, "no-store")
        (contact,) = shown.json()["contacts"]
        assert (contact["value"], contact["normal"]) == ("+7 912 345-67-89", "+79123456789")
        poor = await world.client(scopes=("customers:read",))
        assert problem(await poor.post(path, json={"reason": "Call back"})) == (403, "missing-scope")
        narrow = await world.client(reach="own", scopes=("customers:read", "contacts:reveal"))
        assert problem(await narrow.post(path, json={"reason": "Call back"})) == (404, "customer-not-found")
        for body in ({}, {"reason": ""}, {"reason": "ok"}, {"reason": "x" * 2001}, {"reason": "a\x00bc"}):
            assert problem(await head.post(path, json=body)) == (422, "invalid-request")
        async with world.tenant.uow.begin(head.principal) as tx:
            rows = await tx.session.connection.fetch(
                "SELECT staff_id, entity_id, reason FROM audit WHERE action = 'contacts.reveal'"
            )
        assert [(str(r["entity_id"]), r["staff_id"], r["reason"]) for r in rows] == [
            (made["customer_id"], head.principal.staff_id, "Call back")
        ]

    in_the_api(database, scenario)


def test_contacts_replace_the_list_and_keep_one_primary_of_a_kind(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head = await world.client()
        phones = [
            {"kind": "phone", "value": "+79123456789"},
            {"kind": "phone", "value": "+79123456780", "is_primary": True},
            {"kind": "phone", "value": "8 912 345 67 89"},
        ]
        made = await make(head, contacts=phones)
        assert [(one["value"], one["is_primary"]) for one in made["contacts"]] == [
            ("+7 ••• ••• 67 89", False),
            ("+7 ••• ••• 67 80", True),
        ]
        path = f"/v1/customers/{made['customer_id']}"
        assert len((await head.patch(path, json={"city": "Омск"})).json()["contacts"]) == 2
        assert (await head.patch(path, json={"contacts": []})).json()["contacts"] == []
        for kind, value, code in (
            ("phone", "+7 912 ab", "invalid-phone"),
            ("email", "nobody", "invalid-email"),
            ("inn", "7707083894", "invalid-requisite"),
        ):
            refused = await head.patch(path, json={"contacts": [{"kind": kind, "value": value}]})
            assert problem(refused) == (422, code)
            assert value not in refused.text

    in_the_api(database, scenario)


def test_an_unknown_curator_team_or_channel_is_refused(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head = await world.client()
        stranger = "01890000-0000-7000-8000-000000000000"
        for name in ("curator_id", "team_id", "channel_id"):
            refused = await head.post("/v1/customers", json=PERSON | {name: stranger})
            assert problem(refused) == (422, "unknown-reference")

    in_the_api(database, scenario)
