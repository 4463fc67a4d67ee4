"""What leaves by the real way is marked: a part of it names its export, and an import of it gives the same records."""

import asyncio
import csv
import io
import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

from typer.testing import CliRunner

from service import tracing
from service.bootstrap import mark_keys
from service.cli import app
from service.db.statement import sql
from tests.api.support import Api, Client, in_the_api, settings_for
from tests.postgres import TestDatabase
from tests.unit.domain.exports.test_marks import base

_FIELDS = ("family_name", "given_name", "patronymic", "birth_date", "gender", "city", "postal_code", "tags")
_IMPORTED = ("external_id", *_FIELDS, "legal_name", "trade_name", "email", "phone")
_STORED = sql("""
    SELECT x.external_id, c.kind, c.display_name, c.sort_name, c.family_name, c.given_name, c.patronymic, c.legal_name,
           c.trade_name, c.birth_date, c.birth_year_known, c.gender, c.city, c.postal_code, c.tags,
           (SELECT array_agg((d.kind, d.masked, encode(d.lookup, 'hex'), d.verdict)::text ORDER BY d.kind)
            FROM contact_details d WHERE d.tenant_id = c.tenant_id AND d.customer_id = c.customer_id) AS contacts
    FROM customers c JOIN customer_external_ids x ON x.tenant_id = c.tenant_id AND x.customer_id = c.customer_id
    WHERE c.tenant_id = :tenant ORDER BY x.external_id
""")


def table(rows: Sequence[Sequence[str]]) -> str:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue()


def records(size: int) -> list[list[str]]:
    rows: list[list[str]] = []
    for number, row in enumerate(base(size)):
        _, given, patronymic = row["display_name"].split(" ")
        birth = ["1980-02-29", "--05-17", ""][number % 3]
        person = [row["family_name"], given, patronymic, birth, "female", row["city"], "010101", "vip|new shop"]
        rows.append([f"0{number}", *person, "", "", row["email"], row["phone"]])
    rows.append(["o1", *[""] * 7, "", "ООО Ромашка", "Ромашка", "info@xn--e1afmkfd.example", "+1 202-555-0173"])
    return rows


async def load(client: Client, api: Api, text: str, columns: dict[str, str]) -> None:
    mapping = {"kind": "customers", "columns": columns}
    answer = await client.post(
        "/v1/imports", files={"file": ("c.csv", text)}, data={"mapping": json.dumps(mapping), "source": "shop"}
    )
    assert answer.status_code == 202, answer.text
    await api.run_jobs()
    done = (await client.get(f"/v1/imports/{answer.json()['import_id']}")).json()
    assert (done["state"], done["rows_rejected"]) == ("done", 0), done


async def export(client: Client, api: Api, *columns: str, **more: Any) -> tuple[UUID, list[dict[str, str]]]:
    body = {"what": "customers", "purpose": "a mailing", "columns": columns or None, **more}
    started = (await client.post("/v1/exports", json=body)).json()
    await api.run_jobs()
    file = await client.get(f"/v1/exports/{started['export_id']}/file")
    assert file.status_code == 200, file.text
    return UUID(started["export_id"]), list(csv.DictReader(io.StringIO(file.content.decode(), newline="")))


async def stored(api: Api, client: Client) -> list[dict[str, Any]]:
    async with api.tenant.uow.begin(client.principal) as tx:
        return [dict(row) for row in await tx.session.fetch(_STORED)]


def test_an_import_of_an_exported_file_gives_the_same_records(database: TestDatabase) -> None:
    async def taken_out(api: Api) -> tuple[list[dict[str, str]], list[dict[str, Any]]]:
        head = await api.client()
        await load(head, api, table([_IMPORTED, *records(60)]), {name: name for name in _IMPORTED})
        _, rows = await export(head, api, "external_ids", *_IMPORTED[1:])
        return rows, await stored(api, head)

    rows, before = in_the_api(database, taken_out)
    assert any(row["family_name"].endswith(" ") for row in rows)
    assert any(" " in row["phone"] for row in rows)
    assert any("@E" in row["email"] for row in rows)

    async def taken_in(api: Api) -> list[dict[str, Any]]:
        head = await api.client()
        text = table([list(rows[0]), *(list(row.values()) for row in rows)])
        await load(head, api, text, {"external_id": "external_ids"} | {name: name for name in _IMPORTED[1:]})
        return await stored(api, head)

    after = in_the_api(database, taken_in)
    assert len(before) == 61
    assert after == before


def test_a_leaked_part_names_who_took_it_out(database: TestDatabase, tmp_path: Path) -> None:
    async def scenario(api: Api) -> None:
        head, other = await api.client(), await api.client()
        masked = await api.client(scopes=("exports:create", "customers:read"))
        await load(head, api, table([_IMPORTED, *records(400)]), {name: name for name in _IMPORTED})
        keys = mark_keys(settings_for(database))

        def named(rows: Sequence[Sequence[str]]) -> tuple[list[UUID], tracing.Traced]:
            path = tmp_path / "leaked.csv"
            path.write_text(table(rows), "utf-8")
            traced = tracing.trace(path, database.owner_url, api.tenant.slug, keys)
            return [export.export_id for export, _ in traced.found], traced

        chance = random.Random(5)
        ids = []
        for client, column in ((head, "email"), (other, "display_name"), (masked, "display_name")):
            export_id, rows = await export(client, api)
            ids.append(export_id)
            part = chance.sample(rows, 120)
            found, traced = await asyncio.to_thread(named, [[row["city"], row[column]] for row in part])
            assert found == [export_id]
            assert traced.found[0][0].staff_id == client.principal.staff_id
        assert traced.compared == 3
        plain = [[row["city"], row["email"].lower()] for row in rows]
        assert (await asyncio.to_thread(named, plain))[0] == []

    in_the_api(database, scenario)


def test_the_command_tells_the_operator_who_it_was(database: TestDatabase, tmp_path: Path, monkeypatch: Any) -> None:
    path = tmp_path / "leaked.csv"
    settings = settings_for(database)
    lookup = settings.contacts.lookup_key
    assert lookup is not None
    for name, value in (
        ("DATABASE__URL", database.service_url),
        ("DATABASE__OWNER_URL", database.owner_url),
        ("CONTACTS__LOOKUP_KEY", lookup.get_secret_value()),
    ):
        monkeypatch.setenv(f"CLIENTBASE_{name}", value)

    async def scenario(api: Api) -> None:
        head = await api.client(subject="anna")
        await load(head, api, table([_IMPORTED, *records(200)]), {name: name for name in _IMPORTED})
        export_id, rows = await export(head, api, "phone", "email")
        for file, code, told in (
            (rows, 0, str(export_id)),
            ([{"a": "Иванов"}], 1, "Nobody's"),
        ):
            path.write_text(table([list(row.values()) for row in file]), "utf-8")
            ran = await asyncio.to_thread(CliRunner().invoke, app, ["trace", str(path), "--tenant", api.tenant.slug])
            assert (ran.exit_code, told in ran.output) == (code, True), ran.output
            assert ("Anna" in ran.output) is (code == 0)
        monkeypatch.setenv("CLIENTBASE_CONTACTS__LOOKUP_KEY", "another secret of thirty-two letters")
        path.write_text(table([list(row.values()) for row in rows]), "utf-8")
        ran = await asyncio.to_thread(CliRunner().invoke, app, ["trace", str(path), "--tenant", api.tenant.slug])
        assert ran.exit_code == 1
        assert "1 exports could not be compared" in ran.output
        missing = await asyncio.to_thread(CliRunner().invoke, app, ["trace", str(path), "--tenant", "nobody"])
        assert missing.exit_code == 2

    in_the_api(database, scenario)
