"""Saved schemes of RFM over HTTP: kept by those whose reach is the whole tenant, used by everybody within his reach."""

from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import Annotated, Any
from uuid import UUID

from fastapi import Response
from pydantic import BaseModel, Field

from service.api.deps import Expected, OnceKey, Wired
from service.api.routing import Caller, operation, router
from service.api.rule_schemas import RULE_PROBLEMS, RuleJson, rule_json
from service.api.schemas import BadIdempotencyKey, BadVersion, Currency, Input, Money, Page, Text, as_json, money
from service.api.services import Services
from service.domain.access import Principal, Scope
from service.domain.errors import NameTaken, Precondition
from service.domain.idempotency import KeyReused, StillRunning
from service.domain.ids import new_id
from service.domain.money import from_micros, to_micros
from service.domain.rules.parsing import parse
from service.domain.rules.printing import printed
from service.domain.segmentation.rfm import Method, Monetary, RfmScheme, RfmSchemeInvalid, Thresholds
from service.domain.segmentation.rfm_groups import DEFAULT_GROUPS, Box, GroupMap, GroupMapIncomplete
from service.domain.segmentation.rfm_schemes import NoScheme, SavedScheme, SchemeInRules, TooManySchemes
from service.domain.staff import TenantReachNeeded, administer

routes = router("segmentation")
_FAULTS = (RfmSchemeInvalid, GroupMapIncomplete, NameTaken, TenantReachNeeded, *RULE_PROBLEMS)
_Days = Annotated[int, Field(ge=0, le=100_000)]
_Range = Annotated[list[Annotated[int, Field(ge=-1_000, le=1_000)]], Field(min_length=2, max_length=2)]
_NO_NAME = ("name", None)
_EXAMPLE = {
    "name": "Розница, год",
    "method": "quantile",
    "bins": 2,
    "window": "365d",
    "population": {"kind": "field", "field": "kind", "op": "eq", "value": "person"},
    "groups": [
        {"group": "best", "r": [2, 2], "f": [2, 2]},
        {"group": "fresh", "r": [2, 2], "f": [1, 1]},
        {"group": "gone", "r": [1, 1], "f": [1, 2]},
    ],
}


class RfmBox(Input):
    """A group takes all scores from … to; a group may have several boxes."""

    group: Annotated[Text, Field(max_length=60, examples=["champions"])]
    r: _Range = Field(examples=[[5, 5]])
    f: _Range = Field(examples=[[4, 5]])
    m: _Range | None = Field(None, description="Every monetary score, unless stated.")


class RfmThresholds(Input):
    """Absolute cuts, `bins - 1` of each letter."""

    recency_days: Annotated[list[_Days], Field(min_length=1, max_length=9, examples=[[30, 60, 90, 180]])]
    frequency: Annotated[list[Annotated[int, Field(ge=0, le=10**9)]], Field(min_length=1, max_length=9)]
    monetary: Annotated[list[Money], Field(min_length=1, max_length=9)]


class _Scheme(Input):
    method: Method = Method.QUANTILE
    bins: Annotated[int, Field(ge=2, le=10)] = 5
    window: Annotated[str, Field(pattern=r"^(all|[1-9][0-9]{0,4}d)$", examples=["all", "365d"])] = "all"
    currency: Currency | None = None
    monetary: Monetary = Monetary.SUM
    trimmed: Annotated[Decimal, Field(ge=0, lt=Decimal("0.5"), decimal_places=4)] = Decimal(0)
    thresholds: RfmThresholds | None = None
    population: RuleJson | None = Field(None, description="A rule: whom the scheme is about; everybody, unless stated.")
    groups: Annotated[list[RfmBox], Field(max_length=1_000)] | None = Field(
        None, description="Each cell of scores in exactly one group. Five scores have a usual map, others need one."
    )
    in_rules: bool = Field(False, description="Rules (`rfm.r`, `rfm.group` …) ask for the scores of this scheme.")

    @property
    def scheme(self) -> RfmScheme:
        return RfmScheme(
            bins=self.bins,
            method=self.method,
            monetary=self.monetary,
            window_days=None if self.window == "all" else int(self.window[:-1]),
            currency=self.currency,
            thresholds=self._thresholds(),
            trimmed_share=Fraction(self.trimmed),
            groups=self._groups(),
        )

    def _thresholds(self) -> Thresholds | None:
        given = self.thresholds
        if given is None:
            return None
        return Thresholds(
            recency_days=tuple(given.recency_days),
            frequency=tuple(given.frequency),
            monetary=tuple(to_micros(one) for one in given.monetary),
        )

    def _groups(self) -> GroupMap:
        if self.groups is None:
            return DEFAULT_GROUPS
        boxes = (
            Box(
                group=box.group,
                r=(box.r[0], box.r[1]),
                f=(box.f[0], box.f[1]),
                m=(box.m[0], box.m[1]) if box.m else None,
            )
            for box in self.groups
        )
        return GroupMap(bins=self.bins, boxes=tuple(boxes))


class RfmSchemeIn(_Scheme):
    name: Text


class RfmSchemeChange(_Scheme):
    """Members that are named are set."""

    name: Text | None = None


class RfmSchemeOut(BaseModel):
    scheme_id: UUID
    name: str
    method: Method
    bins: int
    window: str
    currency: str | None
    monetary: Monetary
    trimmed: str
    thresholds: dict[str, list[Any]] | None
    population: dict[str, Any] | None
    population_text: str | None = Field(description="The rule as text.")
    groups: list[dict[str, Any]]
    in_rules: bool
    version: int
    created_at: datetime
    updated_at: datetime


def _thresholds_sent(given: Thresholds | None) -> RfmThresholds | None:
    if given is None:
        return None
    return RfmThresholds.model_construct(
        recency_days=list(given.recency_days),
        frequency=list(given.frequency),
        monetary=[from_micros(one) for one in given.monetary],
    )


def _sent(saved: SavedScheme) -> RfmSchemeIn:
    """What one would send to save it so."""
    scheme = saved.scheme
    return RfmSchemeIn.model_construct(
        name=saved.name,
        method=scheme.method,
        bins=scheme.bins,
        window="all" if scheme.window_days is None else f"{scheme.window_days}d",
        currency=scheme.currency,
        monetary=scheme.monetary,
        trimmed=Decimal(scheme.trimmed_share.numerator) / scheme.trimmed_share.denominator,
        thresholds=_thresholds_sent(saved.scheme.thresholds),
        population=None if saved.population is None else parse(saved.population).rule,
        groups=[
            RfmBox.model_construct(group=box.group, r=list(box.r), f=list(box.f), m=list(box.m) if box.m else None)
            for box in scheme.groups.boxes
        ],
        in_rules=saved.in_rules,
    )


async def _wanted(
    body: RfmSchemeIn, scheme_id: UUID, principal: Principal, services: Services, version: int = 1
) -> SavedScheme:
    """The scheme of a body, its map and its rule checked."""
    scheme, text = body.scheme, None
    if body.population is not None:
        asked = await services.rules.asked(principal, rule=body.population, at="/population")
        text = printed(asked.rule)
    return SavedScheme(
        scheme_id=scheme_id, name=body.name, scheme=scheme, population=text, in_rules=body.in_rules, version=version
    )


def _shown(saved: SavedScheme) -> dict[str, Any]:
    """As it may be sent again."""
    sent = _sent(saved)
    return {
        **{name: getattr(sent, name) for name in ("name", "method", "bins", "window", "currency", "monetary")},
        "scheme_id": saved.scheme_id,
        "trimmed": str(sent.trimmed),
        "thresholds": _plain(saved.scheme.thresholds),
        "population": None if sent.population is None else rule_json(sent.population),
        "population_text": saved.population,
        "groups": [box.model_dump(exclude_none=True) for box in sent.groups or ()],
        "in_rules": saved.in_rules,
        "version": saved.version,
        "created_at": saved.created_at,
        "updated_at": saved.updated_at,
    }


def _answer(saved: SavedScheme, status: int = 200) -> Response:
    """The scheme, with its version as ETag."""
    headers = {"ETag": f'"{saved.version}"'}
    if status == 201:
        headers["Location"] = f"/v1/rfm/schemes/{saved.scheme_id}"
    return as_json(_shown(saved), status, headers)


def _plain(given: Thresholds | None) -> dict[str, Any] | None:
    if given is None:
        return None
    shown = {"recency_days": list(given.recency_days), "frequency": list(given.frequency)}
    return shown | {"monetary": [money(one) for one in given.monetary]}


@routes.post(
    "/rfm/schemes",
    response_model=RfmSchemeOut,
    status_code=201,
    summary="Save an RFM scheme",
    **operation(
        "rfm.create_scheme",
        Scope.SEGMENTS_WRITE,
        problems=(*_FAULTS, TooManySchemes, KeyReused, StillRunning, BadIdempotencyKey),
        requestBody={"content": {"application/json": {"example": _EXAMPLE}}},
    ),
)
async def create_scheme(body: RfmSchemeIn, principal: Caller, services: Wired, once: OnceKey) -> Response:
    """How the base is scored, under a name. A map of groups with gaps or overlaps is refused, cell by cell."""
    saved = await services.rfm.save(principal, await _wanted(body, new_id(), principal, services), once=once)
    return _answer(saved, 201)


@routes.get(
    "/rfm/schemes",
    response_model=Page[RfmSchemeOut],
    summary="List RFM schemes",
    **operation("rfm.list_schemes", Scope.SEGMENTS_READ, takes_input=False),
)
async def list_schemes(principal: Caller, services: Wired) -> Response:
    """All of the tenant's, at most fifty, by name."""
    async with services.uow.begin(principal) as tx:
        found = await tx.rfm_schemes.all()
    return as_json({"items": [_shown(one) for one in found], "next_cursor": None, "count": len(found)})


@routes.get(
    "/rfm/schemes/{scheme_id}",
    response_model=RfmSchemeOut,
    summary="Read an RFM scheme",
    **operation("rfm.get_scheme", Scope.SEGMENTS_READ, problems=(NoScheme,)),
)
async def get_scheme(scheme_id: UUID, principal: Caller, services: Wired) -> Response:
    """One scheme, as it may be sent again."""
    async with services.uow.begin(principal) as tx:
        found = await tx.rfm_schemes.one(scheme_id)
    if found is None:
        raise NoScheme
    return _answer(found)


@routes.patch(
    "/rfm/schemes/{scheme_id}",
    response_model=RfmSchemeOut,
    summary="Change an RFM scheme",
    **operation(
        "rfm.update_scheme",
        Scope.SEGMENTS_WRITE,
        problems=(NoScheme, SchemeInRules, Precondition, BadVersion, *_FAULTS),
        requestBody={"content": {"application/json": {"example": {"window": "180d"}}}},
    ),
)
async def change_scheme(
    scheme_id: UUID, body: RfmSchemeChange, principal: Caller, services: Wired, expected: Expected
) -> Response:
    """What is named is set; snapshots that were made stay as they are. Who changes it at the same time is told 412."""
    administer(principal)
    async with services.uow.begin(principal) as tx:
        known = await tx.rfm_schemes.one(scheme_id)
    if known is None:
        raise NoScheme
    if expected not in (None, known.version):
        raise Precondition
    changes = {name: getattr(body, name) for name in body.model_fields_set if (name, getattr(body, name)) != _NO_NAME}
    wanted = await _wanted(_sent(known).model_copy(update=changes), scheme_id, principal, services, known.version)
    return _answer(await services.rfm.change(principal, wanted))


@routes.delete(
    "/rfm/schemes/{scheme_id}",
    status_code=204,
    response_class=Response,
    summary="Delete an RFM scheme",
    **operation("rfm.delete_scheme", Scope.SEGMENTS_WRITE, problems=(NoScheme, SchemeInRules, TenantReachNeeded)),
)
async def delete_scheme(scheme_id: UUID, principal: Caller, services: Wired) -> Response:
    """The scheme and its snapshots; not the one that rules ask for."""
    await services.rfm.drop(principal, scheme_id)
    return Response(status_code=204)
