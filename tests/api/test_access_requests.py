"""Asking for a record of another portfolio: the asker learns no more than the mask, until it is his."""

import asyncio
from typing import Any

from tests.api.support import Api, Client, in_the_api
from tests.postgres import TestDatabase

_RECORD = {
    "family_name": "Иванова",
    "given_name": "Мария",
    "external_ids": [{"source": "shop", "external_id": "C-1"}],
    "contacts": [{"kind": "phone", "value": "+79035551199"}],
}
_ASK = {"external_id": "C-1", "source": "shop", "reason": "She has called me"}


async def two_portfolios(api: Api) -> tuple[Client, Client, str]:
    """Anna with a record, Boris without it."""
    anna, boris = await api.client(reach="own"), await api.client(reach="own")
    made = await anna.post("/v1/customers", json=_RECORD)
    assert made.status_code == 201, made.text
    return anna, boris, str(made.json()["customer_id"])


async def _asked(client: Client, **more: Any) -> dict[str, Any]:
    answer = await client.post("/v1/access-requests", json=_ASK | more)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def test_the_asker_sees_the_mask_and_the_curator_the_record(database: TestDatabase) -> None:
    async def scenario(api: Api) -> None:
        anna, boris, customer_id = await two_portfolios(api)
        asked = await _asked(boris)
        assert (asked["display_name"], asked["customer_id"], asked["state"]) == ("И••• М•••", None, "open")
        listed = await boris.get("/v1/access-requests", params={"view": "asked"})
        assert customer_id not in listed.text
        assert "Иванова" not in listed.text
        seen = (await anna.get("/v1/access-requests", params={"view": "answering"})).json()["items"]
        assert [(one["display_name"], one["customer_id"]) for one in seen] == [("Иванова Мария", customer_id)]
        assert (await anna.get("/v1/access-requests", params={"view": "asked"})).json()["items"] == []

    in_the_api(database, scenario)


def test_a_granted_request_moves_the_record_with_its_history(database: TestDatabase) -> None:
    async def scenario(api: Api) -> None:
        anna, boris, customer_id = await two_portfolios(api)
        request_id = (await _asked(boris))["request_id"]
        path = f"/v1/customers/{customer_id}"
        assert (await boris.get(path)).status_code == 404
        granted = await anna.post(f"/v1/access-requests/{request_id}/grant", json={"answer": "Yours"})
        assert (granted.status_code, granted.json()["state"]) == (200, "granted"), granted.text
        assert (await anna.get(path)).status_code == 404
        assert (await boris.get(path)).json()["curator_id"] == str(boris.principal.staff_id)
        listed = (await boris.get("/v1/access-requests")).json()["items"]
        assert [(one["state"], one["answer"], one["customer_id"]) for one in listed] == [
            ("granted", "Yours", customer_id)
        ]
        head = await api.client()
        owners = (await head.get(f"{path}/access-report")).json()["ownerships"]
        assert (owners[-1]["from_curator_id"], owners[-1]["curator_id"]) == (
            str(anna.principal.staff_id),
            str(boris.principal.staff_id),
        )
        again = await head.post(f"/v1/access-requests/{request_id}/refuse", json={})
        assert (again.status_code, again.json()["type"]) == (409, "/problems/access-decided")

    in_the_api(database, scenario)


def test_a_refused_request_moves_nothing_and_tells_nothing(database: TestDatabase) -> None:
    async def scenario(api: Api) -> None:
        anna, boris, customer_id = await two_portfolios(api)
        request_id = (await _asked(boris))["request_id"]
        refused = await anna.post(f"/v1/access-requests/{request_id}/refuse", json={"answer": "Mine"})
        assert (refused.status_code, refused.json()["state"]) == (200, "refused"), refused.text
        listed = await boris.get("/v1/access-requests")
        assert (listed.json()["items"][0]["answer"], listed.json()["items"][0]["customer_id"]) == ("Mine", None)
        assert "Иванова" not in listed.text
        assert (await boris.get(f"/v1/customers/{customer_id}")).status_code == 404
        assert (await _asked(boris))["state"] == "open"  # he may ask again

    in_the_api(database, scenario)


def test_the_token_of_a_duplicate_names_the_record_for_its_holder_alone(database: TestDatabase) -> None:
    async def scenario(api: Api) -> None:
        _, boris, customer_id = await two_portfolios(api)
        vera = await api.client(reach="own")
        twin = {"family_name": "Иванова", "contacts": _RECORD["contacts"]}
        refused = await boris.post("/v1/customers", params={"on_duplicate": "refuse"}, json=twin)
        assert refused.status_code == 409, refused.text
        assert customer_id not in refused.text
        token = refused.json()["possible_duplicates"][0]["request_token"]
        body = {"request_token": token, "reason": "She has called me"}
        stolen = await vera.post("/v1/access-requests", json=body)
        assert (stolen.status_code, stolen.json()["type"]) == (422, "/problems/bad-request-token")
        asked = await boris.post("/v1/access-requests", json=body)
        assert (asked.status_code, asked.json()["display_name"]) == (201, "И••• М•••"), asked.text
        broken = await boris.post("/v1/access-requests", json=body | {"request_token": token[:-4] + "AAAA"})
        assert broken.status_code == 422

    in_the_api(database, scenario)


def test_only_who_answers_for_a_record_answers(database: TestDatabase) -> None:
    async def scenario(api: Api) -> None:
        anna, boris, customer_id = await two_portfolios(api)
        request_id = (await _asked(boris))["request_id"]
        writer = await api.client(scopes=("customers:read", "customers:write"))
        for client, status, code in (
            (boris, 403, "own-request"),
            (await api.client(reach="own"), 404, "access-request-not-found"),
            (writer, 403, "not-answering"),
        ):
            refused = await client.post(f"/v1/access-requests/{request_id}/grant", json={})
            assert (refused.status_code, refused.json()["type"]) == (status, f"/problems/{code}"), refused.text
        assert (await anna.get(f"/v1/customers/{customer_id}")).status_code == 200
        head = await api.client()
        assert (await head.post(f"/v1/access-requests/{request_id}/grant", json={})).status_code == 200

    in_the_api(database, scenario)


def test_what_can_t_be_asked_for_is_refused(database: TestDatabase) -> None:
    async def scenario(api: Api) -> None:
        anna, boris, _ = await two_portfolios(api)
        for client, body, status, code in (
            (anna, _ASK, 409, "within-reach"),
            (boris, _ASK | {"external_id": "C-2"}, 404, "customer-not-found"),
            (boris, {"reason": "Because"}, 422, "asked-for-nothing"),
            (boris, _ASK | {"request_token": "x"}, 422, "asked-for-nothing"),
            (boris, {"request_token": "x", "reason": "Because"}, 422, "bad-request-token"),
        ):
            refused = await client.post("/v1/access-requests", json=body)
            assert (refused.status_code, refused.json()["type"]) == (status, f"/problems/{code}"), refused.text
        keyed = [boris.post("/v1/access-requests", json=_ASK, headers={"Idempotency-Key": "k"}) for _ in range(3)]
        answers = await asyncio.gather(*keyed)
        assert len({answer.json()["request_id"] for answer in answers}) == 1
        again = await boris.post("/v1/access-requests", json=_ASK)
        assert (again.status_code, again.json()["type"]) == (409, "/problems/access-asked")

    in_the_api(database, scenario)


def test_names_of_records_are_not_guessed_at_leisure(database: TestDatabase) -> None:
    async def scenario(api: Api) -> None:
        _, boris, _ = await two_portfolios(api)
        codes = []
        for number in range(200):
            answer = await boris.post("/v1/access-requests", json=_ASK | {"external_id": f"X-{number}"})
            codes.append(answer.status_code)
            if answer.status_code == 429:
                break
        assert codes[-1] == 429
        assert set(codes[:-1]) == {404}

    in_the_api(database, scenario)
