"""Plain FastAPI over a raw asyncpg pool: no security, no logging, the driver's rows straight into the answer's bytes.

The pool sends no reset query, statements are prepared once per connection, ids arrive as text, nested lists as JSON
that the database has written. `python -m benchmarks.references.http_raw PORT`, with DATABASE_URL in the environment.
"""

import base64
import gc
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import asyncpg
import orjson
import uvicorn
from fastapi import FastAPI, HTTPException, Query, Response

_CARD = """
SELECT c.customer_id, c.display_name, c.kind, c.status, c.family_name, c.given_name, c.patronymic, c.legal_name,
       c.trade_name, c.legal_form,
       to_char(c.birth_date, CASE WHEN c.birth_year_known THEN 'YYYY-MM-DD' ELSE '--MM-DD' END) AS birth_date,
       c.gender, c.language, c.time_zone, c.country, c.region, c.city, c.postal_code, c.curator_id,
       c.team_id, c.channel_id, c.tags, c.preferences, c.attributes,
       coalesce((SELECT json_agg(json_build_object('source', e.source, 'external_id', e.external_id)
                                 ORDER BY e.source, e.external_id)
                 FROM customer_external_ids e
                 WHERE e.tenant_id = c.tenant_id AND e.customer_id = c.customer_id), '[]'::json) AS external_ids,
       coalesce((SELECT json_agg(json_build_object('detail_id', d.detail_id, 'kind', d.kind, 'value', d.masked,
                                                   'label', d.label, 'is_primary', d.is_primary, 'verdict', d.verdict,
                                                   'source', d.source, 'author_id', d.author_id,
                                                   'verified_at', d.verified_at)
                                 ORDER BY d.kind, d.detail_id)
                 FROM contact_details d
                 WHERE d.tenant_id = c.tenant_id AND d.customer_id = c.customer_id), '[]'::json) AS contacts,
       coalesce(c.status_at, c.created_at) AS status_at, c.restricted_at, c.version, c.created_at, c.updated_at
FROM customers c
"""
_BY_KEY = _CARD + "WHERE c.tenant_id = $1 AND c.customer_id = $2"
_PAGE = _CARD + ("WHERE c.tenant_id = $1 AND c.city = $2 AND c.status = $3 ORDER BY c.customer_id DESC LIMIT $4")
_TENANT = 1
POOL_SIZE = int(os.environ.get("POOL_SIZE", "10"))


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    async def no_reset(_: asyncpg.Connection) -> None:
        return None

    async def prepare(connection: asyncpg.Connection) -> None:
        # What the database writes as text is not parsed to be written again.
        for name in ("uuid", "json", "jsonb"):
            await connection.set_type_codec(name, schema="pg_catalog", encoder=str, decoder=str, format="text")

    settings = {"timezone": "UTC"}
    async with asyncpg.create_pool(
        os.environ["DATABASE_URL"],
        min_size=POOL_SIZE,
        max_size=POOL_SIZE,
        reset=no_reset,
        init=prepare,
        server_settings=settings,
    ) as pool:
        app.state.pool = pool
        yield


app = FastAPI(lifespan=lifespan)


def _shown(row: asyncpg.Record) -> dict[str, Any]:
    shown = dict(row)
    for name in ("attributes", "external_ids", "contacts"):
        shown[name] = orjson.Fragment(shown[name])
    return shown


@app.get("/v1/customers/{customer_id}")
async def get_customer(customer_id: UUID) -> Response:
    row = await app.state.pool.fetchrow(_BY_KEY, _TENANT, customer_id)
    if row is None:
        raise HTTPException(404)
    return Response(orjson.dumps(_shown(row)), media_type="application/json")


@app.get("/v1/customers")
async def list_customers(city: str, status: str, limit: int = Query(50, ge=1, le=200)) -> Response:
    rows = await app.state.pool.fetch(_PAGE, _TENANT, city, status, limit + 1)
    cursor = None
    if len(rows) > limit:
        position = orjson.dumps({"after_id": rows[limit - 1]["customer_id"]})
        cursor = base64.urlsafe_b64encode(position).decode().rstrip("=")
    page = {"items": [_shown(row) for row in rows[:limit]], "next_cursor": cursor, "count": None}
    return Response(orjson.dumps(page), media_type="application/json")


if __name__ == "__main__":
    # The same care for the runtime as the service takes.
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)
    options = {"loop": "uvloop", "http": "httptools", "log_config": None, "access_log": False, "proxy_headers": False}
    uvicorn.run(app, port=int(sys.argv[1]), **options)
