"""Planted faults from their file to mended records and back: import, scan, fixes by themselves, undo."""

import csv
import json
from collections import Counter
from typing import Any

from service.db.session import without_principal
from service.domain.customers.names import fold
from tests.api.support import Api, Client, in_the_api
from tests.postgres import TestDatabase
from tests.shared_data import shared_data

_FILE = "B_dedup/ru_customers_dirty_SYNTHETIC.csv"
_COLUMNS = {
    "external_id": "№",
    "family_name": "Фамилия",
    "given_name": "Имя",
    "patronymic": "Отчество",
    "phone": "Телефон",
    "email": "E-mail",
    "region": "Регион",
    "city": "Город",
    "postal_code": "Индекс",
    "street": "Адрес",
    "inn": "ИНН",
}
_RECORDS = """SELECT e.external_id, to_jsonb(c) - '{version,updated_at}'::text[] AS record
    FROM customers c JOIN customer_external_ids e USING (tenant_id, customer_id) ORDER BY 1"""
_CONTACTS = "SELECT to_jsonb(d) AS contact FROM contact_details d ORDER BY d.customer_id, d.detail_id"
_NAMES = ("family_name", "given_name", "patronymic")
# Of these faults the true name or address can be told from the record.
_TOLD = {"BAD:double_space", "BAD:mojibake", "homoglyph", "layout", "upper", "swap_fio", "email_domain_typo"}
_HIDDEN = {"translit", "typo_surname", "initials", "BAD:placeholder_name", "BAD:gender_disagree", "BAD:email_role"}


async def _kept(world: Api) -> tuple[dict[str, Any], list[Any]]:
    """All records and contacts, in clear."""
    setting = f"SET LOCAL app.tenant = '{world.tenant.tenant_id}'; SET LOCAL app.reach = 'tenant'"
    pool = world.container.pool
    async with without_principal(pool, f"BEGIN; SET LOCAL ROLE clientbase_tenant; {setting}") as connection:
        records = {row["external_id"]: row["record"] for row in await connection.fetch(_RECORDS)}
    async with without_principal(pool, f"BEGIN; SET LOCAL ROLE clientbase_reveal; {setting}") as connection:
        return records, [row["contact"] for row in await connection.fetch(_CONTACTS)]


def _truth() -> dict[str, dict[str, str]]:
    """The rows with a fault that tells its truth, and what they were before."""
    with shared_data(_FILE.replace(".csv", "_truth.csv")).open(encoding="utf-8-sig") as lines:
        rows = {row["№"]: row for row in csv.DictReader(lines)}
    faults = {number: set(row["errors"].split("|")) for number, row in rows.items()}
    return {number: rows[number] for number, his in faults.items() if his & _TOLD and not his & _HIDDEN}


def _lines() -> bytes:
    head, *lines = shared_data(_FILE).read_bytes().splitlines(keepends=True)
    wanted = _truth()
    return head + b"".join(line for line in lines if line.partition(b";")[0].decode() in wanted)


async def _imported(world: Api, head: Client) -> None:
    answer = await head.post(
        "/v1/imports",
        files={"file": ("base.csv", _lines())},
        data={"mapping": json.dumps({"kind": "customers", "columns": _COLUMNS}), "source": "base"},
    )
    assert answer.status_code == 202, answer.text
    await world.run_jobs()


async def _mended(world: Api, head: Client) -> int:
    """The fixes that a scan leads to."""
    assert (await head.post("/v1/quality/scans", json={"scope": "changed"})).status_code == 202
    await world.run_jobs()
    return await world.services.mending.mend_tenant(world.tenant.tenant_id)


async def _latest_run(head: Client) -> str | None:
    """The last run of which something still stands."""
    fixes = (await head.get("/v1/quality/fixes", params={"limit": 200})).json()
    while True:
        for one in fixes["items"]:
            if not one["undone_at"]:
                return str(one["run_id"])
        if not fixes["next_cursor"]:
            return None
        fixes = (await head.get("/v1/quality/fixes", params={"limit": 200, "cursor": fixes["next_cursor"]})).json()


def _restored(records: dict[str, Any], contacts: list[Any]) -> Counter[str]:
    """Of the rows with a fault that tells its truth, how many have it now."""
    emails = {one["customer_id"]: one["normal"] for one in contacts if one["kind"] == "email"}
    counts = Counter[str]()
    for number, row in _truth().items():
        faults = set(row["errors"].split("|"))
        record = records[number]
        name = fold(" ".join(record[part] or "" for part in _NAMES))
        for fault in faults & _TOLD:
            if fault != "email_domain_typo":
                right = fold(row["true_fio"]).startswith(name)
            elif "no_email" not in faults:
                right = emails.get(record["customer_id"]) == row["true_email"].lower()
            else:
                continue
            counts["right" if right else f"wrong {fault}"] += 1
    return counts


def test_a_dirty_base_is_mended_by_itself_and_taken_back_to_the_letter(database: TestDatabase) -> None:
    shared_data(_FILE)

    async def scenario(world: Api) -> None:
        head = await world.client()
        await _imported(world, head)
        before = await _kept(world)
        assert len(before[0]) == len(_truth())
        await head.patch("/v1/policies", json={"quality": {"fix_above": 0.9}})
        made = [await _mended(world, head)]
        while made[-1]:  # what one fix has laid open, another mends
            made.append(await _mended(world, head))
        assert sum(made) > 100
        counts = _restored(*await _kept(world))
        assert counts["right"] / counts.total() >= 0.9, counts

        while run_id := await _latest_run(head):
            assert (await head.post(f"/v1/quality/runs/{run_id}/undo")).json()["conflicts"] == []
        assert await _kept(world) == before

    in_the_api(database, scenario)
