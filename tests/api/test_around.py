"""Beside a record: notes, contacts made, consents; what is out of reach is not there."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.api.support import Api, Client, in_the_api
from tests.postgres import TestDatabase


async def a_customer(client: Client, **fields: Any) -> str:
    answer = await client.post("/v1/customers", json={"family_name": "Иванова"} | fields)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["customer_id"])


def test_notes_are_listed_newest_first_page_by_page(database: TestDatabase) -> None:
    async def scenario(api: Api) -> None:
        head = await api.client()
        path = f"/v1/customers/{await a_customer(head)}/notes"
        for text in ("one", "two", "three"):
            assert (await head.post(path, json={"text": text})).status_code == 201
        first = (await head.get(path, params={"limit": 2})).json()
        assert (await head.post(path, json={"text": "meanwhile"})).status_code == 201
        rest = (await head.get(path, params={"limit": 2, "cursor": first["next_cursor"]})).json()
        assert [one["text"] for one in first["items"] + rest["items"]] == ["three", "two", "one"]
        assert rest["next_cursor"] is None
        assert first["items"][0]["staff_id"] == str(head.principal.staff_id)

    in_the_api(database, scenario)


def test_the_same_key_makes_one_row(database: TestDatabase) -> None:
    async def scenario(api: Api) -> None:
        head = await api.client()
        base = f"/v1/customers/{await a_customer(head)}"
        bodies: dict[str, dict[str, Any]] = {
            "notes": {"text": "once"},
            "interactions": {"kind": "call", "direction": "out"},
            "consents": {"purpose": "mailing", "given": True},
        }
        for name, body in bodies.items():
            asked = [head.post(f"{base}/{name}", json=body, headers={"Idempotency-Key": "k"}) for _ in range(4)]
            answers = await asyncio.gather(*asked)
            assert {answer.status_code for answer in answers} == {201}, answers[0].text
            assert len({answer.text for answer in answers}) == 1
            other = await head.post(f"{base}/{name}", json=body | {"text": "x"}, headers={"Idempotency-Key": "k"})
            assert other.status_code == 422
            assert len((await head.get(f"{base}/{name}")).json()["items"]) == 1

    in_the_api(database, scenario)


def test_only_the_author_takes_back(database: TestDatabase) -> None:
    async def scenario(api: Api) -> None:
        head, other = await api.client(), await api.client()
        base = f"/v1/customers/{await a_customer(head)}"
        note = (await head.post(f"{base}/notes", json={"text": "mine"})).json()["note_id"]
        made = await head.post(f"{base}/interactions", json={"kind": "visit", "direction": "in"})
        for path in (f"{base}/notes/{note}", f"{base}/interactions/{made.json()['interaction_id']}"):
            refused = await other.delete(path)
            assert (refused.status_code, refused.json()["type"]) == (403, "/problems/not-yours")
            assert (await head.delete(path)).status_code == 204
            assert (await head.delete(path)).status_code == 404
        assert (await head.get(f"{base}/notes")).json()["items"] == []

    in_the_api(database, scenario)


def test_what_is_out_of_reach_is_not_there(database: TestDatabase) -> None:
    async def scenario(api: Api) -> None:
        head, anna, stranger = await api.client(), await api.client(reach="own"), await api.client(reach="own")
        base = f"/v1/customers/{await a_customer(anna)}"
        assert (await anna.post(f"{base}/notes", json={"text": "mine"})).status_code == 201
        for name, body in (
            ("notes", {"text": "x"}),
            ("interactions", {"kind": "call", "direction": "in"}),
            ("consents", {"purpose": "mailing", "given": False}),
        ):
            for answer in (await stranger.get(f"{base}/{name}"), await stranger.post(f"{base}/{name}", json=body)):
                assert (answer.status_code, answer.json()["type"]) == (404, "/problems/customer-not-found")
            assert (await head.get(f"{base}/{name}")).status_code == 200

    in_the_api(database, scenario)


def test_interactions_stand_in_the_order_of_their_moments(database: TestDatabase) -> None:
    async def scenario(api: Api) -> None:
        head = await api.client()
        path = f"/v1/customers/{await a_customer(head)}/interactions"
        for day in (3, 1, 2, 2):
            body = {"kind": "call", "direction": "out", "at": f"2026-01-0{day}T10:00:00Z", "outcome": f"day {day}"}
            assert (await head.post(path, json=body)).status_code == 201
        seen, cursor = [], None
        while True:
            page = (await head.get(path, params={"limit": 1} | ({"cursor": cursor} if cursor else {}))).json()
            seen += [one["outcome"] for one in page["items"]]
            if (cursor := page["next_cursor"]) is None:
                break
        assert seen == ["day 3", "day 2", "day 2", "day 1"]

    in_the_api(database, scenario)


def test_the_latest_consent_of_a_purpose_and_channel_counts(database: TestDatabase) -> None:
    async def scenario(api: Api) -> None:
        head = await api.client()
        path = f"/v1/customers/{await a_customer(head)}/consents"
        rows = [
            {"purpose": "mailing", "channel": "sms", "given": True, "at": "2026-01-01T10:00:00Z", "proof": "form 17"},
            {"purpose": "mailing", "channel": "sms", "given": False, "at": "2026-03-01T10:00:00Z"},
            {"purpose": "mailing", "channel": "sms", "given": True, "at": "2026-02-01T10:00:00Z"},
            {"purpose": "mailing", "channel": "email", "given": True},
            {"purpose": "survey", "given": True},
        ]
        for body in rows:
            assert (await head.post(path, json=body)).status_code == 201
        found = (await head.get(path, params={"limit": 2})).json()
        standing = {(one["purpose"], one["channel"]): one["given"] for one in found["standing"]}
        assert standing == {("mailing", "email"): True, ("mailing", "sms"): False, ("survey", ""): True}
        assert len(found["items"]) == 2
        assert found["next_cursor"] is not None

    in_the_api(database, scenario)


def test_what_has_not_happened_is_refused_and_so_is_nonsense(database: TestDatabase) -> None:
    async def scenario(api: Api) -> None:
        head = await api.client()
        base = f"/v1/customers/{await a_customer(head)}"
        later = (datetime.now(UTC) + timedelta(days=1)).isoformat()
        for name, body in (
            ("interactions", {"kind": "call", "direction": "in", "at": later}),
            ("consents", {"purpose": "mailing", "given": True, "at": later}),
        ):
            refused = await head.post(f"{base}/{name}", json=body)
            assert (refused.status_code, refused.json()["type"]) == (422, "/problems/in-the-future")
        for name, nonsense in (
            ("notes", {"text": "  "}),
            ("notes", {"text": "\x00"}),
            ("notes", {"text": "x" * 2001}),
            ("interactions", {"kind": "telepathy", "direction": "in"}),
            ("consents", {"purpose": "A B", "given": True}),
        ):
            answer = await head.post(f"{base}/{name}", json=nonsense)
            assert answer.status_code == 422, (name, nonsense, answer.text)
        local = {"purpose": "mailing", "given": True, "at": "2026-01-01T10:00:00"}
        assert (await head.post(f"{base}/consents", json=local)).json()["at"] == "2026-01-01T07:00:00+00:00"
        for cursor in ("nonsense", "eyJhIjoxfQ"):
            for name in ("notes", "interactions", "consents"):
                assert (await head.get(f"{base}/{name}", params={"cursor": cursor})).status_code == 422

    in_the_api(database, scenario)
