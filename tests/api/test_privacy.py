"""Personal-data law: restriction, the report, and that nothing of a person is left after an erasure."""

import asyncio
import csv
import gzip
import io
import re
import zlib
from contextlib import suppress
from typing import Any
from uuid import UUID

import asyncpg

from service.db.erasing import BLANKED, KEPT
from service.db.tables import customers
from tests.api.support import Api, Client, in_the_api
from tests.api.test_around import a_customer
from tests.postgres import TestDatabase

# Each stands in one place that the API can write; none may be left anywhere.
MARKERS = {
    "family_name": "Маркерова", "given_name": "Уникалия", "patronymic": "Редковна",
    "city": "Градомаркер", "region": "Краемаркер", "postal_code": "913577", "country": "Странамаркер",
    "tag": "меткамаркер", "attribute": "признакмаркер", "preference": "любимаркер",
    "external_id": "EXT-MARKER-77",
    "email": "unikalia.marker@example.com", "phone": "9161234599", "street": "улица Маркерная, дом 17",
    "label": "меткаконтакта", "note": "запискамаркер", "outcome": "исходмаркер", "said": "разговормаркер",
    "proof": "справкамаркер", "consent_source": "формамаркер", "purpose": "purposemarker",
    "refund": "возвратмаркер",
}  # fmt: skip
CONTACTS = [
    {"kind": "email", "value": MARKERS["email"], "label": MARKERS["label"]},
    {"kind": "phone", "value": f"+7 ({MARKERS['phone'][:3]}) {MARKERS['phone'][3:6]}-{MARKERS['phone'][6:]}"},
    {"kind": "street", "value": MARKERS["street"]},
]
_TABLES = """
    SELECT c.oid::regclass::text AS name FROM pg_class c
    WHERE c.relkind IN ('r', 'p') AND c.relnamespace IN ('public'::regnamespace, 'jobs'::regnamespace)
"""
# Generated columns and the expressions that they are made by.
_MADE_OF = {column.name: str(column.computed.sqltext) for column in customers.columns if column.computed is not None}


async def made_by_the_database(api: Api, customer_id: str) -> dict[str, Any]:
    connection = await asyncpg.connect(api.database.superuser_url or api.database.owner_url)
    try:
        columns = ", ".join(_MADE_OF)
        row = await connection.fetchrow(f"SELECT {columns} FROM customers WHERE customer_id = $1", UUID(customer_id))
        assert row is not None
        return dict(row)
    finally:
        await connection.close()


async def the_whole_database(api: Api) -> dict[str, str]:
    """Every row of every table as text; bytes as they are, unpacked, and in the encodings that people use."""
    connection = await asyncpg.connect(api.database.superuser_url or api.database.owner_url)
    found: dict[str, str] = {}
    try:
        for row in await connection.fetch(_TABLES):
            rows = await connection.fetch(f"SELECT * FROM {row['name']}")
            found[row["name"]] = "\n".join(_shown(value) for one in rows for value in one.values())
    finally:
        await connection.close()
    return found


def _shown(value: Any) -> str:
    if not isinstance(value, bytes):
        return str(value)
    forms = [value]
    with suppress(zlib.error):
        forms.append(zlib.decompress(value, wbits=31))
    texts = [form.decode(encoding, errors="ignore") for form in forms for encoding in ("utf-8", "cp1251", "utf-16-le")]
    return "\n".join([*texts, value.hex()])


def _left(whole: dict[str, str], markers: dict[str, str] = MARKERS) -> set[tuple[str, str]]:
    return {
        (table, name)
        for table, text in whole.items()
        for name, marker in markers.items()
        if marker.casefold() in text.casefold()
    }


async def a_planted_person(head: Client) -> str:
    answer = await head.post(
        "/v1/customers",
        json={
            **{name: MARKERS[name] for name in ("family_name", "given_name", "patronymic")},
            **{name: MARKERS[name] for name in ("city", "region", "postal_code", "country")},
            "birth_date": "1981-02-03",
            "tags": [MARKERS["tag"]],
            "preferences": [MARKERS["preference"]],
            "attributes": {"hobby": MARKERS["attribute"]},
            "external_ids": [{"source": "shop", "external_id": MARKERS["external_id"]}],
            "contacts": CONTACTS,
        },
        headers={"Idempotency-Key": f"created-{MARKERS['email']}"},
    )
    assert answer.status_code == 201, answer.text
    customer_id = str(answer.json()["customer_id"])
    base = f"/v1/customers/{customer_id}"
    for path, body in (
        (f"{base}/notes", {"text": f"a {MARKERS['note']} b"}),
        (
            f"{base}/interactions",
            {"kind": "call", "direction": "in", "outcome": MARKERS["outcome"], "text": MARKERS["said"]},
        ),
        (
            f"{base}/consents",
            {
                "purpose": MARKERS["purpose"],
                "given": True,
                "source": MARKERS["consent_source"],
                "proof": MARKERS["proof"],
            },
        ),
    ):
        made = await head.post(path, json=body)
        assert made.status_code == 201, made.text
    changed = await head.patch(base, json={"given_name": "Другая", "trade_name": None})
    assert changed.status_code == 200, changed.text
    changed = await head.patch(base, json={"given_name": MARKERS["given_name"]})
    assert changed.status_code == 200, changed.text
    return customer_id


async def an_order_with_refund(head: Client, customer_id: str) -> str:
    order = await head.post(
        "/v1/orders",
        json={
            "customer_id": customer_id,
            "external_id": "ORD-1",
            "ordered_at": "2026-03-01T12:00:00Z",
            "status": "completed",
            "currency": "RUB",
            "lines": [{"sku": "A", "quantity": "1", "unit_price": "100.00"}],
        },
    )
    assert order.status_code == 201, order.text
    order_id = str(order.json()["order_id"])
    refund = await head.post(f"/v1/orders/{order_id}/refunds", json={"amount": "10.00", "reason": MARKERS["refund"]})
    assert refund.status_code == 201, refund.text
    return order_id


def _file(rows: list[list[str]]) -> bytes:
    buffer = io.StringIO()
    csv.writer(buffer).writerows([["external_id", "family_name", "given_name", "birth_date", "phone"], *rows])
    return buffer.getvalue().encode()


async def imported(api: Api, head: Client, content: bytes, name: str, source: str) -> str:
    columns = {field: field for field in ("external_id", "family_name", "given_name", "birth_date", "phone")}
    mapping = '{"kind": "customers", "columns": ' + str(columns).replace("'", '"') + "}"
    answer = await head.post(
        "/v1/imports",
        files={"file": (name, content, "text/csv")},
        data={"kind": "customers", "source": source, "mapping": mapping},
    )
    assert answer.status_code == 202, answer.text
    await api.run_jobs()
    card = (await head.get(f"/v1/imports/{answer.json()['import_id']}")).json()
    assert card["state"] == "done", card
    return str(card["import_id"])


def erasing(customer_id: str, **more: Any) -> dict[str, Any]:
    return {"confirm": customer_id, "reason": "Request 17"} | more


def test_nothing_of_a_person_is_left_in_the_whole_database(database: TestDatabase) -> None:
    async def scenario(api: Api) -> None:
        head = await api.client()
        customer_id = await a_planted_person(head)
        order_id = await an_order_with_refund(head, customer_id)
        name = [MARKERS["family_name"], MARKERS["given_name"]]
        known = [MARKERS["external_id"], *name, "1981-02-03", f"+7{MARKERS['phone']}"]
        rejected = ["", *name, "never", f"8-916-123-45-{MARKERS['phone'][-2:]}"]
        other = ["EXT-2", "Петров", "Пётр", "1990-01-01", "+79035550011"]
        import_id = await imported(api, head, _file([known, other]), f"{MARKERS['family_name']}.csv", "shop")
        packed = gzip.compress(_file([["EXT-3", "Сидоров", "Иван", "never", ""], rejected]))
        of_rejects = await imported(api, head, packed, "second.csv.gz", "elsewhere")
        third = _file([["EXT-4", "Фёдоров", "Фёдор", "1990-01-01", "+79035550012"]])
        unrelated = await imported(api, head, third, "third.csv", "elsewhere")
        # The file has replaced the contacts by its own.
        assert (await head.patch(f"/v1/customers/{customer_id}", json={"contacts": CONTACTS})).status_code == 200
        firm = await a_customer(head, kind="organisation", trade_name="Ромашка")
        told = f"Opens at nine\nAsk {MARKERS['given_name']} {MARKERS['family_name']}, +7 916 123 45 99"
        assert (await head.post(f"/v1/customers/{firm}/notes", json={"text": told})).status_code == 201
        export = await head.post("/v1/exports", json={"what": "customers", "purpose": "A mailing"})
        assert export.status_code == 202, export.text
        await api.run_jobs()
        assert None not in (await made_by_the_database(api, customer_id)).values()
        before = {name for _, name in _left(await the_whole_database(api))}
        assert before >= set(MARKERS)

        erased = await head.post(f"/v1/customers/{customer_id}/erase", json=erasing(customer_id))
        assert erased.status_code == 201, erased.text
        assert _left(await the_whole_database(api)) == set()

        act = erased.json()
        assert act == (await head.get(erased.headers["Location"])).json()
        assert set(act["imports"]) == {import_id, of_rejects}
        assert act["counts"]["contact_details"] == 3
        assert act["counts"]["import_rejects"] == 1
        assert act["counts"]["export_files"] == 1
        assert {line["action"] for line in act["log"]} >= {"customers.create", "customers.erase"}
        notes = (await head.get(f"/v1/customers/{firm}/notes")).json()["items"]
        assert [one["text"] for one in notes] == ["Opens at nine\n—"]
        shell = (await head.get(f"/v1/customers/{customer_id}")).json()
        assert (shell["display_name"], shell["contacts"], shell["tags"]) == ("—", [], [])
        assert await made_by_the_database(api, customer_id) == dict.fromkeys(_MADE_OF, None)
        assert (await head.get(f"/v1/orders/{order_id}")).json()["customer_id"] == customer_id
        timeline = (await head.get(f"/v1/customers/{customer_id}/timeline")).json()["items"]
        assert {"erased", "order", "refund"} <= {one["kind"] for one in timeline}
        assert "note" not in {one["kind"] for one in timeline}
        assert (await head.get(f"/v1/imports/{import_id}")).json()["file_erased"] is True
        assert (await head.get(f"/v1/imports/{unrelated}")).json()["file_erased"] is False
        gone = await head.get(f"/v1/exports/{export.json()['export_id']}/file")
        assert (gone.status_code, gone.json()["type"]) == (404, "/problems/export-expired")

    in_the_api(database, scenario)


def test_an_erased_record_takes_nothing_back(database: TestDatabase) -> None:
    async def scenario(api: Api) -> None:
        head = await api.client()
        customer_id = await a_customer(head)
        base = f"/v1/customers/{customer_id}"
        assert (await head.post(f"{base}/erase", json=erasing(customer_id))).status_code == 201
        for answer in (
            await head.post(f"{base}/erase", json=erasing(customer_id)),
            await head.post(f"{base}/notes", json={"text": "back"}),
            await head.post(f"{base}/consents", json={"purpose": "mailing", "given": True}),
            await head.post(f"{base}/restrict", json={"reason": "why not"}),
            await head.patch(base, json={"family_name": "Иванова"}),
        ):
            assert (answer.status_code, answer.json()["type"]) == (409, "/problems/customer-erased"), answer.text

    in_the_api(database, scenario)


def test_what_is_written_at_the_same_moment_goes_too_or_is_refused(database: TestDatabase) -> None:
    async def scenario(api: Api) -> None:
        head = await api.client()
        customer_id = await a_customer(head)
        base = f"/v1/customers/{customer_id}"
        writing = [head.post(f"{base}/notes", json={"text": "quick"}) for _ in range(12)]
        changing = [head.patch(base, json={"city": f"City {number}"}) for number in range(12)]
        erased, *others = await asyncio.gather(
            head.post(f"{base}/erase", json=erasing(customer_id)), *writing, *changing
        )
        assert erased.status_code == 201, erased.text
        assert {answer.status_code for answer in others} <= {200, 201, 409, 503}
        assert (await head.get(f"{base}/notes")).json()["items"] == []
        shell = (await head.get(base)).json()
        assert (shell["display_name"], shell["city"]) == ("—", None)

    in_the_api(database, scenario)


def test_an_erasure_is_confirmed_reasoned_and_of_the_whole_base(database: TestDatabase) -> None:
    async def scenario(api: Api) -> None:
        head, anna = await api.client(), await api.client(reach="own")
        customer_id = await a_customer(head, given_name="Мария")
        path = f"/v1/customers/{customer_id}/erase"
        other = await a_customer(head)
        future = erasing(customer_id, asked_on="2999-01-01")
        for client, body, status, code in (
            (head, erasing(other), 422, "erasure-not-confirmed"),
            (head, erasing(customer_id, reason="Мария ИВАНОВА has asked"), 422, "reason-names-person"),
            (head, future, 422, "future-request"),
            (anna, erasing(customer_id), 403, "privacy-needs-tenant-reach"),
        ):
            refused = await client.post(path, json=body)
            assert (refused.status_code, refused.json()["type"]) == (status, f"/problems/{code}"), refused.text
        stale = await head.post(path, json=erasing(customer_id), headers={"If-Match": '"7"'})
        assert stale.status_code == 412
        missing = await head.post(f"/v1/customers/{other[:-1]}0/erase", json=erasing(other[:-1] + "0"))
        assert missing.status_code in (201, 404)
        assert (await head.get(f"/v1/customers/{customer_id}")).json()["display_name"] == "Иванова Мария"
        assert (await head.get(f"/v1/erasures/{other}")).status_code == 404

    in_the_api(database, scenario)


def test_the_same_key_erases_once_and_deadlines_follow_the_policy(database: TestDatabase) -> None:
    async def scenario(api: Api) -> None:
        head = await api.client()
        owner = await asyncpg.connect(api.database.superuser_url or api.database.owner_url)
        await owner.execute(
            "UPDATE tenants SET policies = $1::text::jsonb WHERE slug = $2",
            '{"privacy": {"erasure_days": 3}}',
            api.tenant.slug,
        )
        await owner.close()
        customer_id = await a_customer(head)
        path = f"/v1/customers/{customer_id}/erase"
        body = erasing(customer_id, asked_on="2026-01-01")
        asked = [head.post(path, json=body, headers={"Idempotency-Key": "k"}) for _ in range(4)]
        answers = await asyncio.gather(*asked)
        assert {answer.status_code for answer in answers} == {201}
        assert len({answer.text for answer in answers}) == 1
        act = answers[0].json()
        assert (act["due_on"], act["in_time"]) == ("2026-01-04", False)
        listed = (await head.get("/v1/erasures", params={"customer_id": customer_id})).json()
        assert [one["erasure_id"] for one in listed["items"]] == [act["erasure_id"]]

    in_the_api(database, scenario)


def test_an_erasure_waits_for_bulk_work(database: TestDatabase) -> None:
    async def scenario(api: Api) -> None:
        head = await api.client()
        customer_id = await a_customer(head)
        path = f"/v1/customers/{customer_id}/erase"
        assert (await head.post("/v1/exports", json={"what": "customers", "purpose": "A mailing"})).status_code == 202
        refused = await head.post(path, json=erasing(customer_id))
        assert (refused.status_code, refused.json()["type"]) == (409, "/problems/bulk-work-at-hand")
        await api.run_jobs()
        assert (await head.post(path, json=erasing(customer_id))).status_code == 201

    in_the_api(database, scenario)


def test_the_report_tells_all_that_is_kept(database: TestDatabase) -> None:
    async def scenario(api: Api) -> None:
        head, anna = await api.client(), await api.client(reach="own")
        customer_id = await a_planted_person(head)
        await an_order_with_refund(head, customer_id)
        path = f"/v1/customers/{customer_id}/access-report"
        answer = await head.get(path, params={"asked_on": "2026-01-01"})
        assert answer.status_code == 200
        report = answer.json()
        wanted = {name: marker for name, marker in MARKERS.items() if not name.startswith("attribute")}
        assert _left({"report": answer.text}, wanted) == {("report", name) for name in wanted}
        assert report["due_on"] == "2026-01-31"
        assert report["orders"][0]["lines"][0]["amount"] == "100.00"
        assert report["record"][0]["birth_date"] == "1981-02-03"
        assert "privacy.report" in {one["action"] for one in report["accesses"]}
        assert (await anna.get(path)).status_code == 403
        assert (await head.get(f"/v1/customers/{head.principal.staff_id}/access-report")).status_code == 404

    in_the_api(database, scenario)


def test_many_rows_are_reported_to_the_last(database: TestDatabase) -> None:
    async def scenario(api: Api) -> None:
        head = await api.client()
        customer_id = await a_customer(head)
        owner = await asyncpg.connect(api.database.superuser_url or api.database.owner_url)
        await owner.execute(
            "INSERT INTO notes (tenant_id, customer_id, note_id, staff_id, text) SELECT $1, $2, gen_random_uuid(), $3, "
            "i::text FROM generate_series(1, 1200) i",
            api.tenant.tenant_id,
            customer_id,
            head.principal.staff_id,
        )
        await owner.close()
        report = (await head.get(f"/v1/customers/{customer_id}/access-report")).json()
        assert sorted(int(one["text"]) for one in report["notes"]) == list(range(1, 1201))

    in_the_api(database, scenario)


def test_a_restricted_record_is_marked_and_left_out_of_exports(database: TestDatabase) -> None:
    async def scenario(api: Api) -> None:
        head = await api.client()
        customer_id = await a_customer(head, family_name="Ограниченная")
        await a_customer(head, family_name="Свободная")
        path = f"/v1/customers/{customer_id}/restrict"
        restricted = await head.post(path, json={"reason": "Accuracy is disputed"})
        assert restricted.status_code == 200
        assert restricted.json()["restricted_at"] is not None
        again = await head.post(path, json={"reason": "Accuracy is disputed"})
        assert again.json()["version"] == restricted.json()["version"]
        assert "Ограниченная" not in await _exported(api, head)
        lifted = await head.post(path, json={"reason": "Settled", "restricted": False})
        assert lifted.json()["restricted_at"] is None
        text = await _exported(api, head)
        assert "Ограниченная" in text
        assert "Свободная" in text

    in_the_api(database, scenario)


def test_a_restriction_stays_within_reach(database: TestDatabase) -> None:
    async def scenario(api: Api) -> None:
        anna, boris = await api.client(reach="own"), await api.client(reach="own")
        path = f"/v1/customers/{await a_customer(anna)}/restrict"
        assert (await boris.post(path, json={"reason": "Not mine"})).status_code == 404
        assert (await anna.post(path, json={"reason": "Disputed"})).json()["restricted_at"] is not None
        reader = await api.client(scopes=("customers:read", "customers:write"))
        refused = await reader.post(path, json={"reason": "No right"})
        assert (refused.status_code, refused.json()["type"]) == (403, "/problems/missing-scope")

    in_the_api(database, scenario)


async def _exported(api: Api, head: Client) -> str:
    started = await head.post("/v1/exports", json={"what": "customers", "purpose": "A mailing"})
    await api.run_jobs()
    return (await head.get(f"/v1/exports/{started.json()['export_id']}/file")).text


def test_every_column_of_a_record_is_kept_or_blanked() -> None:
    assert KEPT | BLANKED.keys() == {column.name for column in customers.columns} - _MADE_OF.keys()
    assert not KEPT & BLANKED.keys()


def test_what_the_database_makes_of_a_record_is_made_of_blanked_columns() -> None:
    names = {column.name for column in customers.columns}
    assert _MADE_OF
    for made, text in _MADE_OF.items():
        sources = {word for word in re.findall(r"\w+", text) if word in names}
        assert sources, made
        assert sources <= BLANKED.keys(), made
