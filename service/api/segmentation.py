"""RFM over HTTP: computed now, over what the caller reaches."""

from dataclasses import asdict
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Annotated, Any
from uuid import UUID

from fastapi import Query, Response
from pydantic import BaseModel, ConfigDict, Field

from service.api.deps import Wired
from service.api.paging import BadCursor, bounded, encode, id_of
from service.api.routing import Caller, operation, router
from service.api.schemas import Currency, Input, Micros, Page, as_json, money
from service.domain.access import Scope
from service.domain.money import to_micros
from service.domain.rules.errors import BadRule, FieldClosed
from service.domain.segmentation.basis import WindowInvalid
from service.domain.segmentation.rfm import Method, Monetary, RfmScheme, RfmSchemeInvalid, Thresholds
from service.domain.segmentation.rfm_schemes import NoScheme, OfScheme
from service.domain.segmentation.service import UnknownGroup

routes = router("segmentation")
# What a saved scheme may be refused for when it is used.
SCHEME_PROBLEMS = (NoScheme, WindowInvalid, BadRule, FieldClosed)
Share = Annotated[str | None, Field(description="A share of the whole as a decimal string, 0…1; null of nothing.")]


class Window(Input):
    """Over which purchases a report is made."""

    window: Annotated[str, Field(pattern=r"^(all|[1-9][0-9]{0,4}d)$", examples=["all", "365d"])] = "all"
    currency: Currency | None = Field(None, description="The tenant's, unless stated; sums never mix currencies.")
    as_of: date | None = Field(None, description="The tenant's today, unless stated.")

    @property
    def window_days(self) -> int | None:
        return None if self.window == "all" else int(self.window[:-1])


_Cuts = Annotated[str, Field(pattern=r"^-?[0-9.]+(,-?[0-9.]+)*$", max_length=300)]


# What a saved scheme has decided.
_OF_A_SCHEME = {
    "window", "currency", "method", "monetary", "trimmed", "recency_days", "frequency", "monetary_cuts",
}  # fmt: skip


class RfmQuery(Window):
    scheme_id: UUID | None = Field(None, description="A saved scheme; beside it only `as_of` may be given.")
    method: Method = Method.QUANTILE
    monetary: Monetary = Monetary.SUM
    trimmed: Annotated[Decimal, Field(ge=0, lt=Decimal("0.5"), decimal_places=4)] = Decimal(0)
    recency_days: _Cuts | None = Field(None, description="Thresholds, worst last: 30,60,90,180.")
    frequency: _Cuts | None = Field(None, description="Thresholds: 1,2,4,9.")
    monetary_cuts: _Cuts | None = Field(None, description="Thresholds in money: 1000,5000,20000,100000.")

    @property
    def scheme(self) -> RfmScheme | OfScheme:
        if self.scheme_id is not None:
            if spoken := self.model_fields_set & _OF_A_SCHEME:
                raise RfmSchemeInvalid("A saved scheme says this itself.", pointer=f"/{min(spoken)}")
            return OfScheme(scheme_id=self.scheme_id, as_of=self.as_of)
        return RfmScheme(
            method=self.method,
            monetary=self.monetary,
            window_days=self.window_days,
            currency=self.currency,
            as_of=self.as_of,
            trimmed_share=Fraction(self.trimmed),
            thresholds=self._thresholds(),
        )

    def _thresholds(self) -> Thresholds | None:
        given = (self.recency_days, self.frequency, self.monetary_cuts)
        if not any(given):
            return None
        if not all(given):
            raise RfmSchemeInvalid("Thresholds are needed for all three letters.")
        try:
            days, counts, sums = ([Decimal(part) for part in str(text).split(",")] for text in given)
            return Thresholds(
                recency_days=tuple(int(value) for value in days),
                frequency=tuple(int(value) for value in counts),
                monetary=tuple(to_micros(value) for value in sums),
            )
        except ArithmeticError:
            raise RfmSchemeInvalid("A threshold is not a number.") from None


class RfmCustomersQuery(RfmQuery):
    group: Annotated[str, Field(max_length=60, examples=["champions"])] | None = None
    r: Annotated[int, Field(ge=1, le=10)] | None = None
    f: Annotated[int, Field(ge=1, le=10)] | None = None
    m: Annotated[int, Field(ge=1, le=10)] | None = None
    limit: Annotated[int, Field(ge=1, le=200)] = 50
    cursor: Annotated[str, Field(max_length=1000)] | None = None


class RfmGroup(BaseModel):
    group: str = Field(examples=["champions"])
    customers: int
    share: Share
    revenue: Micros
    revenue_share: Share
    mean_recency_days: str | None
    mean_frequency: str | None
    mean_monetary: str | None


class RfmCell(BaseModel):
    r: int
    f: int
    group: str | None
    customers: int
    revenue: Micros


class RfmCuts(BaseModel):
    """From worse to better."""

    recency_days: list[int]
    frequency: list[int]
    monetary: list[str]


class RfmExcluded(BaseModel):
    other_currencies: int
    after_as_of: int


class RfmOut(BaseModel):
    """The base in groups by recency, frequency and money."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "as_of": "2026-03-01",
                    "currency": "RUB",
                    "window_days": None,
                    "bins": 5,
                    "method": "quantile",
                    "monetary": "sum",
                    "computed_at": "2026-03-01T09:00:00Z",
                    "population": 1,
                    "revenue": "1490.00",
                    "no_orders": 0,
                    "prospects": 0,
                    "groups": [],
                    "grid": [{"r": 5, "f": 1, "group": "new", "customers": 1, "revenue": "1490.00"}],
                    "cuts": {"recency_days": [3], "frequency": [1], "monetary": ["1490.00"]},
                    "undistinguished": ["recency", "frequency", "monetary"],
                    "excluded_orders": {"other_currencies": 0, "after_as_of": 0},
                    "scheme": None,
                }
            ]
        }
    )
    as_of: date
    currency: str
    window_days: int | None
    bins: int
    method: Method
    monetary: Monetary
    computed_at: datetime
    population: int = Field(description="Customers in reach with a counted order in the window.")
    revenue: Micros
    no_orders: int = Field(description="Customers with returns or uncounted orders only.")
    prospects: int = Field(description="Customers without any record of purchases.")
    groups: list[RfmGroup]
    grid: list[RfmCell]
    cuts: RfmCuts
    undistinguished: list[str]
    excluded_orders: RfmExcluded
    scheme: str | None = Field(description="The name of the saved scheme.")


class RfmCustomerOut(BaseModel):
    customer_id: UUID
    name: str
    r: int
    f: int
    m: int
    group: str
    last_on: date
    recency_days: int
    orders: int
    revenue: Micros


def texts(value: Any) -> Any:
    """Decimals as strings, all the way down."""
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, dict):
        return {name: texts(inner) for name, inner in value.items()}
    return [texts(inner) for inner in value] if isinstance(value, (list, tuple)) else value


@routes.get(
    "/rfm",
    response_model=RfmOut,
    summary="RFM report",
    **operation("rfm.report", Scope.SEGMENTS_READ, problems=(RfmSchemeInvalid, *SCHEME_PROBLEMS)),
)
async def rfm_report(query: Annotated[RfmQuery, Query()], principal: Caller, services: Wired) -> Response:
    """Groups of customers by recency, frequency and money spent, over what you may see."""
    shown: dict[str, Any] = texts(asdict(await services.segmentation.rfm_report(principal, query.scheme)))
    shown["revenue"] = money(shown["revenue"])
    for group in shown["groups"]:
        group["revenue"], group["mean_monetary"] = money(group["revenue"]), money(group["mean_monetary"])
    for cell in shown["grid"]:
        cell["revenue"] = money(cell["revenue"])
    shown["cuts"]["monetary"] = [money(cut) for cut in shown["cuts"]["monetary"]]
    return as_json(shown)


@routes.get(
    "/rfm/customers",
    response_model=Page[RfmCustomerOut],
    summary="Customers of an RFM group or cell",
    **operation(
        "rfm.customers",
        Scope.SEGMENTS_READ,
        problems=(RfmSchemeInvalid, UnknownGroup, BadCursor, *SCHEME_PROBLEMS),
    ),
)
async def rfm_customers(query: Annotated[RfmCustomersQuery, Query()], principal: Caller, services: Wired) -> Response:
    """Who is in a group, or has given scores, with the values behind them."""
    query = bounded(principal, query)
    after = id_of(query.cursor, "after")
    found = await services.segmentation.rfm_customers(
        principal,
        query.scheme,
        group=query.group,
        r=query.r,
        f=query.f,
        m=query.m,
        limit=query.limit + 1,
        cursor=after,
    )
    items = [asdict(one) | {"revenue": money(one.revenue)} for one in found[: query.limit]]
    more = encode({"after": items[-1]["customer_id"]}) if len(found) > query.limit else None
    return as_json({"items": items, "next_cursor": more, "count": None})
