"""A file brings contacts of every kind, several of one kind with their labels, and says which is the primary one."""

import json

import pytest

from service.domain.ingestion.fields import Labelled, field_of, labelled
from tests.api.support import Api, Client, in_the_api
from tests.postgres import TestDatabase

_COLUMNS = {
    "external_id": "no",
    "family_name": "name",
    "phone": "phone",
    "phone.work.primary": "work",
    "phone.дача": "dacha",
    "messenger.telegram": "tg",
    "messenger": "wa",
    "email.billing": "mail",
    "iban": "iban",
    "vat": "vat",
}
_ROW = (
    "1,Иванова,+7 912 345-67-89,+7 495 123-45-67,+7 912 345-67-80,@ivanova,+7 912 345-67-89,buh@example.com,"
    "DE89370400440532013000,DE136695976"
)


async def _imported(world: Api, head: Client, columns: dict[str, str], *rows: str) -> dict[str, object]:
    text = "\n".join([",".join(columns.values()), *rows]) + "\n"
    started = await head.post(
        "/v1/imports",
        files={"file": ("c.csv", text)},
        data={"mapping": json.dumps({"kind": "customers", "columns": columns}), "source": "shop"},
    )
    assert started.status_code == 202, started.text
    await world.run_jobs()
    card: dict[str, object] = (await head.get(f"/v1/imports/{started.json()['import_id']}")).json()
    return card


def test_a_row_has_contacts_of_every_kind_with_labels_and_one_primary(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head = await world.client()
        assert (await _imported(world, head, _COLUMNS, _ROW))["rows_applied"] == 1
        (card,) = (await head.get("/v1/customers")).json()["items"]
        contacts = (await head.get(f"/v1/customers/{card['customer_id']}")).json()["contacts"]
        assert {(one["kind"], one["label"], one["is_primary"]) for one in contacts} == {
            ("phone", None, False),
            ("phone", "work", True),
            ("phone", "дача", False),
            ("messenger", None, True),
            ("messenger", "telegram", False),
            ("email", "billing", True),
            ("iban", None, True),
            ("vat", None, True),
        }
        wanted = {"contact": {"kind": "messenger", "value": "t.me/Ivanova"}}
        found = await head.post("/v1/customers/search", json=wanted)
        assert [one["customer_id"] for one in found.json()["items"]] == [card["customer_id"]], found.text

    in_the_api(database, scenario)


def test_what_is_no_kind_of_contact_refuses_the_file(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head = await world.client()
        mapping = {"kind": "customers", "columns": {"external_id": "no", "family_name": "name", "fax.work": "fax"}}
        refused = await head.post(
            "/v1/imports", files={"file": ("c.csv", "no,name,fax\n1,A,2\n")}, data={"mapping": json.dumps(mapping)}
        )
        assert (refused.status_code, refused.json()["type"]) == (422, "/problems/unknown-field"), refused.text

    in_the_api(database, scenario)


@pytest.mark.parametrize(
    ("name", "meaning"),
    [
        ("phone.work", Labelled("phone", "work", False)),
        ("phone.work.primary", Labelled("phone", "work", True)),
        ("phone.primary", Labelled("phone", None, True)),
        ("email.a.b", Labelled("email", "a.b", False)),
        ("phone.primary.x", Labelled("phone", "primary.x", False)),
        ("phone", None),
        ("phone.", None),
        ("phone..primary", None),
        ("phone. work", None),
        ("fax.work", None),
        ("phone." + "x" * 51, None),
    ],
)
def test_the_name_of_a_field_says_kind_label_and_whether_it_is_the_primary_one(
    name: str, meaning: Labelled | None
) -> None:
    assert labelled(name) == meaning
    if meaning is not None:
        assert field_of("customers", name).reads == "text"
