"""The catalogue of checks, and the question that a form asks before saving."""

import json
from typing import Any

from service.domain.quality.catalogue import CHECKS
from tests.api.support import Api, in_the_api
from tests.postgres import TestDatabase
from tests.shared_data import shared_data

FORM = {
    "family_name": "Bdfyjd",
    "given_name": "ПЁТР",
    "patronymic": "Петрович",
    "birth_date": "1990-02-31",
    "region": "Москва",
    "postal_code": "236000",
    "contacts": [
        {"kind": "email", "value": "ivanov@gmial.com"},
        {"kind": "phone", "value": "+7 111 111-11-11"},
    ],
}


def found(answer: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {one["code"]: one for one in answer["findings"]}


def test_a_form_learns_what_is_wrong_where_and_what_would_mend_it(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        client = await world.client()
        answer = await client.post("/v1/quality/check", json=FORM)
        assert answer.status_code == 200, answer.text
        assert answer.headers["cache-control"] == "no-store"
        findings = found(answer.json())
        assert findings["wrong-keyboard-layout"]["proposal"]["changes"] == [
            {"pointer": "/family_name", "before": "Bdfyjd", "after": "Иванов"}
        ]
        assert findings["email-domain-typo"]["pointer"] == "/contacts/0"
        assert findings["email-domain-typo"]["proposal"]["changes"][0]["after"] == "ivanov@gmail.com"
        assert findings["phone-fake"]["pointer"] == "/contacts/1"
        assert findings["birth-date-impossible"]["cause"] == "false"
        assert findings["letter-case"]["pointer"] == "/given_name"
        assert findings["postal-code-region"]["severity"] == "warning"
        assert answer.json()["fit"] == {"call": False, "mail": False, "invoice": False, "deliver": False}

        nothing_kept = await client.get("/v1/customers?count=exact")
        assert nothing_kept.json()["count"] == 0

    in_the_api(database, scenario)


def test_a_good_form_has_nothing_found_on_it(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        client = await world.client()
        answer = await client.post(
            "/v1/quality/check",
            json={
                "family_name": "Иванов",
                "given_name": "Пётр",
                "patronymic": "Сергеевич",
                "birth_date": "--05-17",
                "gender": "male",
                "city": "Казань",
                "postal_code": "420000",
                "contacts": [
                    {"kind": "email", "value": "p.ivanov@mail.ru"},
                    {"kind": "phone", "value": "+7 916 123-45-82"},
                    {"kind": "street", "value": "ул. Баумана, д. 5"},
                ],
            },
        )
        assert answer.json() == {
            "findings": [],
            "score": 100,
            "fit": {"call": True, "mail": True, "invoice": True, "deliver": True},
        }

    in_the_api(database, scenario)


def test_what_the_tenant_has_switched_off_or_weighs_otherwise_is_so(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        head = await world.tenant.staff(reach="tenant")
        async with world.container.services.uow.begin(head) as tx:
            await tx.policies.change({"quality": {"off": ["letter-case"], "severities": {"email-domain-typo": "note"}}})
            await tx.commit()
        client = world.client_of(head)
        findings = found((await client.post("/v1/quality/check", json=FORM)).json())
        assert "letter-case" not in findings
        assert findings["email-domain-typo"]["severity"] == "note"
        rules = {one["code"]: one for one in (await client.get("/v1/quality/rules")).json()["items"]}
        assert not rules["letter-case"]["on"]
        assert rules["email-domain-typo"]["severity"] == "note"

    in_the_api(database, scenario)


def test_a_tenant_says_what_must_be_filled_and_how_long_values_live(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        client = await world.client()
        decided = {"quality": {"required": {"person": ["birth_date"], "customer": ["phone"]}, "lives": {"phone": 6}}}
        answer = await client.patch("/v1/policies", json=decided)
        assert answer.status_code == 200, answer.text
        assert answer.json()["quality"]["required"] == {"person": ["birth_date"], "customer": ["phone"]}
        lives = answer.json()["quality"]["lives"]
        assert (lives["phone"], lives["email"]) == (6, 18)
        asked = await client.post("/v1/quality/check", json={"family_name": "Иванов", "given_name": "Пётр"})
        missing = {one["pointer"] for one in asked.json()["findings"] if one["code"] == "required-missing"}
        assert missing == {"/birth_date", "/phone"}
        assert (await client.patch("/v1/policies", json={"quality": {"lives": {"phone": -1}}})).status_code == 422
        assert (
            await client.patch("/v1/policies", json={"quality": {"required": {"person": ["x"]}}})
        ).status_code == 422

    in_the_api(database, scenario)


def test_the_catalogue_tells_cause_severity_example_and_cure_of_every_check(database: TestDatabase) -> None:
    async def scenario(world: Api) -> None:
        client = await world.client()
        rules = {one["code"]: one for one in (await client.get("/v1/quality/rules")).json()["items"]}
        assert rules.keys() > CHECKS.keys()
        assert {one["cause"] for one in rules.values()} == {"false", "entry", "transfer", "stale", "missing"}
        for one in rules.values():
            assert one["title"].endswith("."), one
            assert one["example"], one
            assert one["cure"].endswith("."), one
        assert rules["contact-on-many"]["scope"] == "base"

    in_the_api(database, scenario)


def test_naughty_strings_get_an_answer(database: TestDatabase) -> None:
    strings = json.loads(shared_data("C_validity/blns.json").read_text(encoding="utf-8"))

    async def scenario(world: Api) -> None:
        client = await world.client()
        for text in strings[::25]:
            form = {"family_name": text, "birth_date": text, "contacts": [{"kind": "email", "value": text}]}
            answer = await client.post("/v1/quality/check", json=form)
            assert answer.status_code in (200, 422), (text, answer.text)

    in_the_api(database, scenario)
