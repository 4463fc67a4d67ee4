"""`http.customer_batch`: ten thousand customers with contacts over HTTP, checked and made, against bare INSERTs.

The reference writes the very rows that the service has made (customers, ids, words, contacts, events, changes) with a
raw driver as superuser: arrays into multi-row INSERT … ON CONFLICT, ready beforehand, nothing checked, no policies.
Before each measurement the tables are empty.
"""

import http.client
import json
import secrets
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from typing import Any

import asyncpg
import uvloop

from benchmarks.base import SLUG, Size, base, subject
from benchmarks.databases import STATE, Database, Server, run
from benchmarks.http_rows import connected, free_port, process
from benchmarks.measure import Row, Sides
from benchmarks.search_base import email, people, phone
from service.api.tokens import issue
from service.domain.access import Scope

_TABLES = (
    "customers",
    "customer_external_ids",
    "search_tokens",
    "contact_details",
    "customer_events",
    "changes",
    "audit",
    "audit_entries",
)
_CITIES = ("Москва", "Санкт-Петербург", "Казань", "Пермь", "Омск")
_EMPTY = "TRUNCATE customers, changes, audit, audit_entries CASCADE"


@contextmanager
def _batch(server: Server, scale: float) -> Iterator[Sides]:
    database = base(server, "batch", Size(customers=0, orders=0))
    body = json.dumps({"items": _items(max(1_000, int(10_000 * scale)))}).encode()
    secret, port = secrets.token_urlsafe(48), free_port()
    command = [sys.executable, "-m", "service.cli", "serve", "--no-worker", "--port", str(port)]
    settings = {"CLIENTBASE_DATABASE__URL": database.service_url, "CLIENTBASE_AUTH__SECRET": secret}
    with ExitStack() as stack:
        stack.enter_context(process(command, settings, STATE / "bench-ours.log"))
        token = _token(secret)

        def ours() -> float:
            _emptied(database)
            # A connection that has been idle for the other side's turn may have been closed.
            with closing(connected(port, timeout=120)) as connection:
                started = time.perf_counter()
                answer = _posted(connection, token, body)
                took = time.perf_counter() - started
            if answer["created"] != len(answer["items"]):
                raise RuntimeError(f"refused: {[item for item in answer['items'] if item['problem']][:3]}")
            return took

        ours()
        tables = uvloop.run(_read(database))
        yield Sides(ours=ours, reference=lambda: _inserted(database, tables))


ROWS = (Row(name="http.customer_batch", goal=0.25, unit="s", opened=_batch),)


def _items(number: int) -> list[dict[str, Any]]:
    return [
        {
            "kind": "person",
            "family_name": family,
            "given_name": given,
            "patronymic": patronymic,
            "city": _CITIES[i % len(_CITIES)],
            "country": "RU",
            "tags": ["vip"] if i % 5 == 0 else [],
            "external_ids": [{"source": "shop", "external_id": f"C-{i}"}],
            "contacts": [{"kind": "phone", "value": phone(i)}, {"kind": "email", "value": email(i)}],
        }
        for i, (family, given, patronymic) in enumerate(people(number))
    ]


def _token(secret: str) -> str:
    scopes = [str(scope) for scope in Scope if not scope.startswith("reach:")]
    return issue(
        secret,
        subject=subject("tenant"),
        tenant=SLUG,
        scopes=[*scopes, "reach:tenant"],
        issuer="clientbase",
        audience="clientbase",
        ttl_seconds=6 * 3600,
    )


def _posted(connection: http.client.HTTPConnection, token: str, body: bytes) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    connection.request("POST", "/v1/customers/batch", body=body, headers=headers)
    answer = connection.getresponse()
    text = answer.read()
    if answer.status != 200:
        raise RuntimeError(f"{answer.status} {text[:500]!r}")
    found: dict[str, Any] = json.loads(text)
    return found


def _emptied(database: Database) -> None:
    run(database.superuser_url, f"{_EMPTY}; CHECKPOINT")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Filled:
    """A table's rows as columns, and the statement that writes them."""

    statement: str
    columns: Sequence[Sequence[Any]]


async def _read(database: Database) -> list[_Filled]:
    connection = await asyncpg.connect(database.superuser_url)
    try:
        return [await _filled(connection, table) for table in _TABLES]
    finally:
        await connection.close()


async def _filled(connection: asyncpg.Connection, table: str) -> _Filled:
    named = await connection.fetch(
        """SELECT attname, format_type(atttypid, NULL) AS kind FROM pg_attribute
        WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped AND attidentity = '' AND attgenerated = ''""",
        table,
    )
    # An array of arrays would come apart, so arrays travel as text.
    as_text = {name for name, kind in named if kind.endswith("[]")}
    shown = ", ".join(f"{name}::text" if name in as_text else name for name, _ in named)
    rows = await connection.fetch(f"SELECT {shown} FROM {table} ORDER BY ctid")
    arrays = ", ".join(f"${i + 1}::{'text' if name in as_text else kind}[]" for i, (name, kind) in enumerate(named))
    names = ", ".join(name for name, _ in named)
    cast = ", ".join(f"u.{name}::{kind}" for name, kind in named)
    return _Filled(
        statement=f"INSERT INTO {table} ({names}) SELECT {cast} FROM unnest({arrays}) AS u ({names}) ON CONFLICT DO NOTHING",
        columns=[[row[i] for row in rows] for i in range(len(named))],
    )


def _inserted(database: Database, tables: Sequence[_Filled]) -> float:
    _emptied(database)

    async def insert() -> float:
        connection = await asyncpg.connect(database.superuser_url)
        try:
            for table in tables:
                await connection.prepare(table.statement)
            started = time.perf_counter()
            async with connection.transaction():
                for table in tables:
                    await connection.execute(table.statement, *table.columns)
            return time.perf_counter() - started
        finally:
            await connection.close()

    return uvloop.run(insert())
