"""Every public e-mail, phone, requisite and naughty string is kept to the byte, or refused with a reason."""

import csv
import json
from collections.abc import Iterator
from typing import Any
from uuid import UUID

from tests.api.support import Api, in_the_api
from tests.postgres import TestDatabase
from tests.shared_data import shared_data

_KINDS = ("email", "phone", "messenger", "street", "inn", "kpp", "ogrn", "bic", "account", "vat", "iban")


def _rows(name: str) -> list[dict[str, str]]:
    with shared_data(f"C_validity/{name}").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _emails() -> Iterator[tuple[str, str, str | None]]:
    for row in _rows("email_isemail_half.csv"):
        yield "email", json.loads(row["address_json"]), None
    for row in _rows("email_validator_cases_half.csv"):
        yield "email", json.loads(row["input_json"]), None


def _phones() -> Iterator[tuple[str, str, str | None]]:
    for row in _rows("phones_libphonenumber_half.csv"):
        for name in ("e164", "national", "international"):
            yield "phone", row[name], row["region"]


def _requisites() -> Iterator[tuple[str, str, str | None]]:
    for row in _rows("ru_ids.csv"):
        yield ("inn" if row["type"].startswith("inn") else "ogrn"), row["value"], "RU"
    stem = "30450011600015"  # its remainder is 10, which the library refuses
    yield "ogrn", f"{stem}{int(stem) % 13 % 10}", "RU"


def _naughty() -> Iterator[tuple[str, str, str | None]]:
    for text in json.loads(shared_data("C_validity/blns.json").read_text(encoding="utf-8")):
        for kind in _KINDS:
            yield kind, text, None


def _item(number: int, kind: str, text: str, country: str | None) -> dict[str, Any]:
    external = {"source": "public", "external_id": str(number)}
    contact = {"kind": kind, "value": text, "label": "given"}
    return {"family_name": "Иванова", "country": country, "external_ids": [external], "contacts": [contact]}


def test_every_public_value_comes_back_to_the_byte_or_is_refused_with_a_reason(database: TestDatabase) -> None:
    given = [*_emails(), *_phones(), *_requisites(), *_naughty()]

    async def scenario(world: Api) -> None:
        head = await world.client()
        items = [_item(number, *one) for number, one in enumerate(given)]
        answer = await head.post("/v1/customers/batch", json={"items": items})
        assert answer.status_code == 200, answer.text
        results = answer.json()["items"]
        ids = [UUID(one["customer_id"]) for one in results if one["customer_id"]]
        async with world.tenant.uow.begin(head.principal) as tx, tx.reveals.turn():
            kept = {str(row["customer_id"]): row["value"] for row in await tx.reveals.clear(ids)}
        written = 0
        for (kind, text, _), result in zip(given, results, strict=True):
            if result["outcome"] == "created":
                written += 1
                assert kept[result["customer_id"]] == text, (kind, text)
            else:
                assert result["problem"]["detail"], (kind, text)
                assert result["problem"]["type"].startswith("/problems/invalid-"), (kind, text, result)
        assert len(kept) == written > 2000

    in_the_api(database, scenario)


def test_what_is_published_as_right_is_taken(database: TestDatabase) -> None:
    """Save for quoted mailboxes and display names, which are right by the letter and mistaken in a customer base."""
    emails = [json.loads(row["input_json"]) for row in _rows("email_validator_cases_half.csv") if _right(row)]
    good = [("email", text) for text in emails if '"' not in text and "<" not in text]
    # No tax office has the number 00, though the sum is right.
    ids = [row for row in _rows("ru_ids.csv") if row["valid"] == "True" and not row["value"].startswith("00")]
    good += [("inn" if row["type"].startswith("inn") else "ogrn", row["value"]) for row in ids]

    async def scenario(world: Api) -> None:
        head = await world.client()
        items = [_item(number, kind, text, "RU") for number, (kind, text) in enumerate(good)]
        results = (await head.post("/v1/customers/batch", json={"items": items})).json()["items"]
        assert [one for one, result in zip(good, results, strict=True) if result["outcome"] != "created"] == []

    in_the_api(database, scenario)


def _right(row: dict[str, str]) -> bool:
    return row["verdict"] == "valid"
