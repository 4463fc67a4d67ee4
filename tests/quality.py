"""Findings out of nothing, for tests that only need some to be there; what is wrong on the record is really wrong."""

from typing import Any
from uuid import UUID

import asyncpg
import httpx

from service.db.session import without_principal
from service.domain.ids import new_id

_FIND = """INSERT INTO quality_findings (tenant_id, finding_id, customer_id, code, field, detail_id, cause, severity,
    confidence, proposal, value_hash, source) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 1, $9, '', 'api')"""
SURE = {"changes": [], "confidence": 0.99}


async def a_finding(
    pool: asyncpg.Pool,
    tenant_id: int,
    customer_id: str,
    code: str = "email-domain-typo",
    field: str = "contacts",
    *,
    detail_id: str | None = None,
    cause: str = "entry",
    severity: str = "warning",
    proposal: dict[str, Any] | None = SURE,
) -> str:
    """The id of an open finding, as a scan would keep it."""
    finding_id = new_id()
    detail = UUID(detail_id) if detail_id else None
    opening = f"BEGIN; SET LOCAL ROLE clientbase_tenant; SET LOCAL app.tenant = '{tenant_id}'"
    async with without_principal(pool, opening, ending="COMMIT") as connection:
        row = (UUID(customer_id), code, field, detail, cause, severity, proposal)
        await connection.execute(_FIND, tenant_id, finding_id, *row)
    return str(finding_id)


async def a_wrong_email(pool: asyncpg.Pool, tenant_id: int, client: httpx.AsyncClient, customer_id: str) -> str:
    """The finding of a typing error in the domain of an e-mail address that the record gets for that."""
    answer = await client.patch(
        f"/v1/customers/{customer_id}", json={"contacts": [{"kind": "email", "value": f"a{new_id().hex}@gmial.com"}]}
    )
    assert answer.status_code == 200, answer.text
    card = (await client.get(f"/v1/customers/{customer_id}")).json()
    (contact,) = card["contacts"]
    return await a_finding(pool, tenant_id, customer_id, detail_id=contact["detail_id"])
