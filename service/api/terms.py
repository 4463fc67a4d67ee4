"""Terms of use: published by version by an administrator, accepted by each person, once for each version."""

import hashlib
from datetime import datetime
from typing import Annotated

from fastapi import Path, Query, Request, Response
from pydantic import AfterValidator, BaseModel, Field, StringConstraints

from service.api.addresses import client_address
from service.api.deps import OnceKey, Wired
from service.api.paging import BadCursor, decode, encode
from service.api.routing import Caller, operation, router
from service.api.schemas import BadIdempotencyKey, Input, Page, as_json, storable
from service.domain.access import Scope
from service.domain.idempotency import KeyReused, StillRunning
from service.domain.staff import TenantReachNeeded, administer
from service.domain.terms import NoTerms, TermsForPersons, TermsSuperseded

routes = router("access")
_LONGEST = 100_000
Version = Annotated[int, Path(ge=1, le=2**31 - 1)]
WholeText = Annotated[str, StringConstraints(min_length=1, max_length=_LONGEST), AfterValidator(storable)]


class TermsIn(Input):
    text: WholeText = Field(examples=["Данные клиентов принадлежат компании …"])


class TermsOut(BaseModel):
    version: int = Field(examples=[1])
    text: str
    sha256: str = Field(description="Of the text in UTF-8; it is kept with each acceptance.")
    published_at: datetime
    accepted_at: datetime | None = Field(description="When you have accepted it.")


@routes.get(
    "/terms",
    response_model=Page[TermsOut],
    summary="Read the terms of use",
    **operation("terms.list", needs_terms=False, problems=(BadCursor,)),
)
async def list_terms(
    principal: Caller,
    services: Wired,
    limit: Annotated[int, Query(ge=1, le=20)] = 5,
    cursor: Annotated[str | None, Query(max_length=1000)] = None,
) -> Response:
    """All versions with their texts, the current one first. Without any, there is nothing to accept."""
    before = None
    if cursor is not None:
        try:
            before = int(str(decode(cursor, "before")["before"]))
        except ValueError:
            raise BadCursor(pointer="/cursor") from None
        if not 0 < before < 2**31:
            raise BadCursor(pointer="/cursor")
    async with services.uow.begin(principal) as tx:
        rows = await tx.terms.page(before, limit + 1)
    more = encode({"before": rows[limit - 1]["version"]}) if len(rows) > limit else None
    return as_json({"items": rows[:limit], "next_cursor": more, "count": None})


@routes.post(
    "/terms",
    response_model=TermsOut,
    status_code=201,
    summary="Publish terms of use",
    **operation(
        "terms.publish",
        Scope.TENANT_ADMIN,
        needs_terms=False,
        problems=(TenantReachNeeded, KeyReused, StillRunning, BadIdempotencyKey),
        requestBody={"content": {"application/json": {"example": {"text": "Данные клиентов принадлежат компании …"}}}},
    ),
)
async def publish_terms(body: TermsIn, principal: Caller, services: Wired, once: OnceKey) -> Response:
    """A new version, which every person has to accept before anything personal is shown or changed; it counts within
    two seconds, for the one who publishes too. No version can be changed or taken back."""
    administer(principal)
    async with services.uow.begin(principal) as tx:
        if known := await tx.idempotency.recall(once):
            row = await tx.terms.version(known["version"])
        else:
            digest = hashlib.sha256(body.text.encode()).hexdigest()
            row = await tx.terms.publish(body.text, digest)
            await tx.journal.audit("terms.publish", "terms", version=row["version"], sha256=digest)
            await tx.idempotency.remember(once, 201, {"version": row["version"]})
            await tx.commit()
    services.principals.forget_tenant(principal.tenant_id)
    return as_json(row, 201, {"Location": "/v1/terms"})


@routes.post(
    "/terms/{version}/accept",
    response_model=TermsOut,
    summary="Accept the terms of use",
    **operation("terms.accept", needs_terms=False, problems=(NoTerms, TermsSuperseded, TermsForPersons)),
)
async def accept_terms(version: Version, request: Request, principal: Caller, services: Wired) -> Response:
    """Accept the current version for yourself. Kept for good: the version, the hash of its text, the time and the
    address that the request came from. Doing it again changes nothing; here it counts at once, in other processes
    of the service within two seconds."""
    if principal.kind != "person":
        raise TermsForPersons
    async with services.uow.begin(principal) as tx:
        row = await tx.terms.version(version)
        current = await tx.terms.current()
        if row is None or current is None:
            raise NoTerms
        if current["version"] != version:
            raise TermsSuperseded(version=current["version"])
        if row["accepted_at"] is None:
            await tx.terms.accept(version, client_address(request.scope)[:64] or None)
            await tx.journal.audit("terms.accept", "terms", version=version, sha256=row["sha256"])
            row = await tx.terms.version(version)
            await tx.commit()
    services.principals.forget(principal.staff_id)
    return as_json(row)
