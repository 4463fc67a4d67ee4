"""B12: who has no right to export gets no file, and from no other operation many records or one contact in clear."""

import json
from typing import Any

import httpx

from service.api.app import assemble
from service.api.openapi import document
from tests.api.support import Api, Client, in_the_api
from tests.api.test_export_approvals import problem
from tests.postgres import TestDatabase

_MOST = 50
_PLAIN = ("customers:read", "customers:write", "orders:read", "segments:read", "imports:write", "assignments:write")
_PHONE, _EMAIL = "+7912000", "secret-box"
_LISTS = [
    path
    for path, methods in document(assemble())["paths"].items()
    if "get" in methods and "{" not in path and path.startswith("/v1/")
]


async def fill(head: Client, rows: int) -> None:
    items = [
        {
            "family_name": f"Иванов{number}",
            "city": "Казань",
            "contacts": [
                {"kind": "phone", "value": f"{_PHONE}{number:04}"},
                {"kind": "email", "value": f"{_EMAIL}{number}@example.org"},
            ],
        }
        for number in range(rows)
    ]
    answer = await head.post("/v1/customers/batch", json={"items": items})
    assert answer.status_code == 200, answer.text


def rows_in(value: Any) -> int:
    """How many different customers an answer tells of."""
    found: set[str] = set()

    def look(inner: Any) -> None:
        if isinstance(inner, dict):
            if "display_name" in inner and isinstance(inner.get("customer_id"), str):
                found.add(inner["customer_id"])
            for one in inner.values():
                look(one)
        elif isinstance(inner, list):
            for one in inner:
                look(one)

    look(value)
    return len(found)


def clear_in(answer: httpx.Response) -> bool:
    digits = answer.text.replace(" ", "").replace("-", "")
    return _PHONE in digits or _PHONE[2:] in digits or _EMAIL in answer.text


async def _asked(client: Client) -> list[httpx.Response]:
    answers = []
    for path in _LISTS:
        if path.endswith("/events"):
            continue
        for query in ("", "?limit=200", "?limit=100000", "?limit=-1", "?limit=200&q=и", "?limit=200&count=exact"):
            answers.append(await client.get(path + query))
        for headers in ({"Accept": "text/csv"}, {"Range": "bytes=0-99999"}, {"Accept": "application/vnd.ms-excel"}):
            answers.append(await client.get(path, headers=headers))
        answers.append(await client.head(path))
    for body in ({"q": "и", "limit": 200}, {"city": "Казань", "limit": 200}, {"q": "и", "limit": 100_000}):
        answers.append(await client.post("/v1/customers/search", json=body))
    mapping = json.dumps({"kind": "customers", "columns": {"external_id": "id", "family_name": "name"}})
    upload = {"file": ("c.csv", "id,name\n1,Иванов1\n")}
    answers.append(await client.post("/v1/imports", files=upload, data={"mapping": mapping, "dry_run": "true"}))
    return answers


def test_without_the_right_no_channel_gives_many_records_or_a_contact(database: TestDatabase) -> None:
    async def scenario(api: Api) -> None:
        head = await api.client()
        await fill(head, 120)
        client = await api.client(scopes=_PLAIN)
        answers = await _asked(client)
        assert sum(answer.status_code == 200 for answer in answers) > 20
        for answer in answers:
            assert answer.status_code < 500, (answer.request.url, answer.text)
            assert not clear_in(answer), answer.request.url
            assert "csv" not in answer.headers.get("content-type", ""), answer.request.url
            if answer.status_code == 200 and "json" in answer.headers.get("content-type", "") and answer.content:
                assert rows_in(answer.json()) <= _MOST, (answer.request.url, rows_in(answer.json()))
        refused = await client.post("/v1/exports", json={"what": "customers", "purpose": "to take along"})
        assert problem(refused) == (403, "missing-scope")
        # With the right, but above the threshold and without another's word, there is no file either.
        await head.patch("/v1/policies", json={"exports": {"approval_above_rows": 10}})
        started = (await head.post("/v1/exports", json={"what": "customers", "purpose": "to take along"})).json()
        await api.run_jobs()
        assert problem(await head.get(f"/v1/exports/{started['export_id']}/file")) == (409, "export-not-ready")

    in_the_api(database, scenario)
