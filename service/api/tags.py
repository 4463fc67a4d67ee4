"""Tags on many records at once."""

from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import Response
from pydantic import BaseModel, Field, model_validator

from service.api.deps import OnceKey, Wired
from service.api.routing import Caller, operation, router
from service.api.rule_schemas import RULE_PROBLEMS, RuleJson, RuleText, rule_of
from service.api.schemas import BadIdempotencyKey, Input, Text, as_json
from service.domain.access import Scope
from service.domain.idempotency import KeyReused, StillRunning
from service.domain.rules.binding import told as asks
from service.domain.tags import MOST_TAGS, NoTagsNamed, Tagging, TooManyRecords

routes = router("customers")
# A hundred thousand records with their history take about ten seconds.
_TIMEOUT_MS = 60_000
TagList = Annotated[list[Text], Field(max_length=MOST_TAGS)]


class TagFilters(Input):
    """Which records, as in a list; each filter narrows it."""

    status: Literal["prospect", "customer", "lapsed", "archived"] | None = None
    kind: Literal["person", "organisation"] | None = None
    curator_id: UUID | None = None
    team_id: UUID | None = None
    city: Text | None = None
    region: Text | None = None
    channel: Text | None = Field(None, description="Code of the acquisition channel.")
    tag: Text | None = None
    attribute: Annotated[str, Field(max_length=300, pattern=r"^[^:]+:.+$", examples=["tea:green"])] | None = None

    @property
    def given(self) -> dict[str, object]:
        return {name: value for name in type(self).model_fields if (value := getattr(self, name)) is not None}


class TagIn(Input):
    """Tags to add and to remove, and the records: a list of ids, filters, a rule; all that is given must hold."""

    add: TagList = Field(default_factory=list)
    remove: TagList = Field(default_factory=list)
    customer_ids: Annotated[list[UUID], Field(min_length=1, max_length=10_000)] | None = None
    filters: TagFilters | None = None
    rule: RuleJson | None = None
    text: RuleText | None = Field(None, description="The rule as text.")

    @model_validator(mode="after")
    def _says_which(self) -> "TagIn":
        if self.rule is not None and self.text is not None:
            raise ValueError("give the rule either as rule or as text")
        ruled = self.rule is not None or self.text is not None
        if self.customer_ids is None and not (self.filters and self.filters.given) and not ruled:
            raise ValueError("name the records by customer_ids, by at least one filter, or by a rule")
        return self


class TaggedOut(BaseModel):
    matched: int = Field(description="Records within your reach that were meant.", examples=[120])
    changed: int = Field(description="Those whose tags are others now.", examples=[118])
    full: int = Field(description="Those left as they are because they would have more than fifty tags.", examples=[0])


_EXAMPLE = {"add": ["spring-2026"], "remove": ["winter-2025"], "filters": {"city": "Казань", "status": "customer"}}


@routes.post(
    "/customers/tag",
    response_model=TaggedOut,
    summary="Add and remove tags of many customers",
    **operation(
        "customers.tag",
        Scope.CUSTOMERS_WRITE,
        problems=(NoTagsNamed, TooManyRecords, KeyReused, StillRunning, BadIdempotencyKey, *RULE_PROBLEMS),
        requestBody={"content": {"application/json": {"example": _EXAMPLE}}},
    ),
)
async def tag_customers(body: TagIn, principal: Caller, services: Wired, once: OnceKey) -> Response:
    """All records within your reach that the ids, filters and rule name, in one transaction; what is out of reach is
    not there, and restricted records are left alone."""
    tagging = Tagging(add=tuple(body.add), remove=tuple(body.remove))
    filters = body.filters.given if body.filters else {}
    asked = await rule_of(body, principal, services)
    async with services.uow.begin(principal, timeout_ms=_TIMEOUT_MS) as tx:
        answer: dict[str, Any] | None = await tx.idempotency.recall(once)
        if answer is None:
            tagged = await tx.tags.apply(tagging, customer_ids=body.customer_ids, filters=filters, rule=asked)
            answer = {name: getattr(tagged, name) for name in ("matched", "changed", "full")}
            told: dict[str, Any] = {
                "add": tagging.add,
                "remove": tagging.remove,
                "filters": {k: str(v) for k, v in filters.items()},
                **({"rule": asks(asked.rule)} if asked else {}),
            }
            told["touched"] = tagged.touched
            await tx.journal.audit("customers.tag", "customer", records=tagged.changed, **told)
            await tx.idempotency.remember(once, 200, answer)
            await tx.commit()
    return as_json(answer)
