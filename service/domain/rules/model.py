"""Rules: which customers are meant, as a closed, recursive language.

A rule is `all`, `any` or `not` over clauses; a clause asks one thing of one customer. A value that is missing meets
`missing` and nothing else, whatever the operator; `not` is the complement, so it takes in those of whom nothing is
known. `not` over `=` and the operator `!=` therefore differ: the first finds customers without a city too.

Text is compared as it is folded (case, Unicode form, ё, blanks), codes, tags and ids to the letter. Days are the
tenant's; a day may be said relative to today. The members are read from JSON by their `kind`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Literal, get_args

from service.domain.rules.fields import Catalogue

Op = Literal[
    "eq", "ne", "in", "not_in", "contains", "starts_with", "lt", "le", "gt", "ge", "between",
    "has_any", "has_all", "missing", "present",
]  # fmt: skip
Measure = Literal["count", "sum", "avg", "max", "first", "last"]
Occasion = Literal["first_order", "created", "customer"]
ConsentState = Literal["given", "withdrawn", "never"]
_CLOSED: Mapping[str, str] = {"extra": "forbid"}


class _ByKind:
    """How a reader of JSON tells the members of a union apart: by `kind` alone, so that a fault is told once."""

    def __get_pydantic_core_schema__(self, source: Any, handler: Callable[[Any], dict[str, Any]]) -> dict[str, Any]:
        kinds = [get_args(member.__annotations__["kind"])[0] for member in get_args(source)]
        choices = dict(zip(kinds, handler(source)["choices"], strict=True))
        return {"type": "tagged-union", "discriminator": "kind", "choices": choices}


@dataclass(frozen=True, slots=True, kw_only=True)
class RelativeDay:
    """A day counted from the tenant's today: -90 is ninety days ago."""

    __pydantic_config__: ClassVar[Mapping[str, str]] = _CLOSED

    today: int


Scalar = str | bool | int | Decimal | RelativeDay | date
Value = Scalar | tuple[Scalar, ...] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """A field of the record against a value."""

    __pydantic_config__: ClassVar[Mapping[str, str]] = _CLOSED

    kind: Literal["field"] = "field"
    field: str
    op: Op
    value: Value = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Purchases:
    """Which counted orders: of the tenant's currency unless another is named, up to today, all conditions at once.

    `last_days` are whole local days that end with today. An order has a product or a category when one of its lines
    has; its amount is what is left of it after refunds. Without conditions on lines, channel, source and amount,
    returns without an order lower sums at their own day.
    """

    __pydantic_config__: ClassVar[Mapping[str, str]] = _CLOSED

    last_days: int | None = None
    from_on: date | None = None
    until_on: date | None = None
    products: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    currency: str | None = None
    amount_min: Decimal | None = None
    amount_max: Decimal | None = None

    @property
    def any_order(self) -> bool:
        """Whether orders are chosen by day and currency alone, so that returns belong to them."""
        lines = self.products or self.categories or self.channels or self.sources
        return not lines and self.amount_min is None and self.amount_max is None

    @property
    def all_time(self) -> bool:
        return self.any_order and self.last_days is None and self.from_on is None and self.until_on is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Orders:
    """A figure of a customer's orders. Who has none has 0 of them and the sum 0; the other figures are missing."""

    __pydantic_config__: ClassVar[Mapping[str, str]] = _CLOSED

    kind: Literal["orders"] = "orders"
    measure: Measure
    op: Op
    value: Value = None
    where: Purchases = Purchases()


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """The share of a category in what was spent, by the amounts of the lines as sold; missing where nothing was."""

    __pydantic_config__: ClassVar[Mapping[str, str]] = _CLOSED

    kind: Literal["share"] = "share"
    category: str
    op: Op
    value: Value = None
    where: Purchases = Purchases()


@dataclass(frozen=True, slots=True, kw_only=True)
class TopCategory:
    """The category on which most was spent, by lines; of several with the same sum each is one."""

    __pydantic_config__: ClassVar[Mapping[str, str]] = _CLOSED

    kind: Literal["top_category"] = "top_category"
    op: Op
    value: Value = None
    where: Purchases = Purchases()


@dataclass(frozen=True, slots=True, kw_only=True)
class Birthday:
    """The next birthday is at most so many days ahead (0: today); 29 February falls on the 28th of other years."""

    __pydantic_config__: ClassVar[Mapping[str, str]] = _CLOSED

    kind: Literal["birthday"] = "birthday"
    within_days: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Anniversary:
    """The next anniversary is at most so many days ahead (0: today), at least a year after the day itself.

    Of the first counted order in the tenant's currency, of the making of the record, or of the day on which somebody
    who is a customer became one; 29 February falls on the 28th of other years.
    """

    __pydantic_config__: ClassVar[Mapping[str, str]] = _CLOSED

    kind: Literal["anniversary"] = "anniversary"
    of: Occasion
    within_days: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Near:
    """The city of the address lies at most so far, as the crow flies, from a city or from a point (places.py).

    Addresses have no coordinates of their own: they are those of the city, which is known by its name alone. Who has
    no city, or one that is not known, is not near.
    """

    __pydantic_config__: ClassVar[Mapping[str, str]] = _CLOSED

    kind: Literal["near"] = "near"
    within_km: int
    city: str | None = None
    latitude: Decimal | None = None
    longitude: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent:
    """What the last word of the customer is for a purpose, by a channel or by all of them (an empty one).

    A word for all channels counts for each of them, so the later of the two holds.
    """

    __pydantic_config__: ClassVar[Mapping[str, str]] = _CLOSED

    kind: Literal["consent"] = "consent"
    purpose: str
    channel: str = ""
    state: ConsentState


@dataclass(frozen=True, slots=True, kw_only=True)
class AllOf:
    __pydantic_config__: ClassVar[Mapping[str, str]] = _CLOSED

    kind: Literal["all"] = "all"
    of: "tuple[Rule, ...]"


@dataclass(frozen=True, slots=True, kw_only=True)
class AnyOf:
    __pydantic_config__: ClassVar[Mapping[str, str]] = _CLOSED

    kind: Literal["any"] = "any"
    of: "tuple[Rule, ...]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Not:
    __pydantic_config__: ClassVar[Mapping[str, str]] = _CLOSED

    kind: Literal["not"] = "not"
    rule: "Rule"


Clause = Field | Orders | Share | TopCategory | Birthday | Anniversary | Near | Consent
Rule = Annotated[
    AllOf | AnyOf | Not | Field | Orders | Share | TopCategory | Birthday | Anniversary | Near | Consent, _ByKind()
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A rule that has been checked, on a day of a tenant: all that its meaning hangs on besides the customer."""

    rule: Rule
    catalogue: Catalogue
    today: date
    time_zone: str
    currency: str
