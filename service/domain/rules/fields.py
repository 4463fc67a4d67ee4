"""The catalogue: what a rule may ask of the record, of which type it is, and what one may ask of that type.

The tenant's own fields stand beside as `attributes.<name>`, typed by their definitions. What stands in contacts is not
here, and never will be: only which kinds there are.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from service.domain.access import Scope
from service.domain.customers.attributes import Definition
from service.domain.customers.contacts import ContactKind
from service.domain.customers.depth import LEVELS

Type = Literal["text", "code", "id", "number", "date", "moment", "boolean", "list", "ids", "count", "money", "share"]
_KNOWN = ("missing", "present")
_EQUAL = ("eq", "ne", "in", "not_in")
_ORDERED = ("eq", "ne", "lt", "le", "gt", "ge", "between")
OPERATORS: Mapping[Type, tuple[str, ...]] = {
    "text": (*_EQUAL, "contains", "starts_with", *_KNOWN),
    "code": (*_EQUAL, *_KNOWN),
    "id": (*_EQUAL, *_KNOWN),
    "number": (*_ORDERED, *_KNOWN),
    "date": (*_ORDERED, *_KNOWN),
    "moment": (*_ORDERED, *_KNOWN),
    "boolean": ("eq", *_KNOWN),
    "list": ("has_any", "has_all", *_KNOWN),
    "ids": ("has_any", "has_all", *_KNOWN),
    "count": _ORDERED,
    "money": _ORDERED,
    "share": (*_ORDERED, *_KNOWN),
}
OWN = "attributes."
MEMBER = "segment"
_OWN_TYPES: Mapping[str, Type] = {
    "text": "text", "choice": "text", "number": "number", "date": "date", "boolean": "boolean",
}  # fmt: skip
_OWN_EXAMPLES = {"text": "зелёный чай", "number": "3", "date": "2026-03-01", "boolean": "true"}
# The types of figures of orders; first, last, greatest and average can be missing.
MEASURES: Mapping[str, tuple[Type, tuple[str, ...]]] = {
    "count": ("count", _ORDERED),
    "sum": ("money", _ORDERED),
    "avg": ("money", (*_ORDERED, *_KNOWN)),
    "max": ("money", (*_ORDERED, *_KNOWN)),
    "first": ("date", (*_ORDERED, *_KNOWN)),
    "last": ("date", (*_ORDERED, *_KNOWN)),
}
TOP_OPERATORS = ("eq", "in", *_KNOWN)


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldSpec:
    """One field: its type gives its operators, `choices` its only values."""

    name: str
    type: Type
    about: str
    example: str
    choices: tuple[str, ...] = ()
    scope: Scope = Scope.CUSTOMERS_READ

    @property
    def operators(self) -> tuple[str, ...]:
        return OPERATORS[self.type]


def _field(name: str, of: Type, about: str, example: str, *choices: str) -> FieldSpec:
    return FieldSpec(name=name, type=of, about=about, example=example, choices=choices)


def _of_rfm(name: str, of: Type, about: str, example: str) -> FieldSpec:
    return FieldSpec(name=f"rfm.{name}", type=of, about=about, example=example, scope=Scope.SEGMENTS_READ)


RECORD: tuple[FieldSpec, ...] = (
    _field("kind", "code", "Person or organisation.", "kind = person", "person", "organisation"),
    _field(
        "status", "code", "Where the customer stands.", "status in (customer, lapsed)",
        "prospect", "customer", "lapsed", "archived",
    ),
    _field("status_at", "moment", "When the status was last changed.", "status_at >= today - 30 days"),
    _field("name", "text", "The name as it is shown.", 'name contains "иван"'),
    _field("family_name", "text", "Family name of a person.", 'family_name = "Иванова"'),
    _field("given_name", "text", "Given name of a person.", 'given_name in ("Юлия", "Анна")'),
    _field("patronymic", "text", "Patronymic of a person.", "patronymic is missing"),
    _field("legal_name", "text", "Legal name of an organisation.", 'legal_name starts with "ООО"'),
    _field("trade_name", "text", "Trade name of an organisation.", 'trade_name = "Чайная"'),
    _field("legal_form", "text", "Legal form of an organisation.", 'legal_form = "ООО"'),
    _field("birth_date", "date", "Birth date; missing where the year is not known.", "birth_date < 1990-01-01"),
    _field("gender", "code", "Gender.", "gender = female", "female", "male"),
    _field("language", "code", "Language tag.", 'language = "ru"'),
    _field("time_zone", "code", "The customer's own time zone.", 'time_zone = "Asia/Omsk"'),
    _field("country", "text", "Country of the address.", 'country = "Россия"'),
    _field("region", "text", "Region of the address.", 'region = "Татарстан"'),
    _field("city", "text", "City of the address.", 'city = "Казань"'),
    _field("postal_code", "code", "Postal code of the address.", 'postal_code = "420111"'),
    _field("tags", "list", "Tags, to the letter.", 'tags has any ("vip")'),
    _field("preferences", "list", "Preferences, to the letter.", 'preferences has all ("чай", "кофе")'),
    _field("created_at", "moment", "When the record was made.", "created_at >= 2026-01-01"),
    _field("updated_at", "moment", "When the record was last changed.", "updated_at < today - 365 days"),
    _field("restricted_at", "moment", "Since when processing is restricted.", "restricted_at is missing"),
    _field("curator", "id", "Staff id of the curator.", "curator is missing"),
    _field("team", "id", "Id of the team.", "team is present"),
    _field("channel", "code", "Code of the acquisition channel.", 'channel = "web"'),
    _field(
        "depth", "code", "How much the record tells.", "depth in (accounting, extended)",
        "none", *(name for name, _ in LEVELS),
    ),
    _field("external_ids", "list", "Systems in which the customer has an id.", 'external_ids has any ("1c")'),
    _field(
        "contacts", "list", "Kinds of contacts that can be what they claim to be; never what stands in them.",
        "contacts has any (email, phone)", *(str(kind) for kind in ContactKind),
    ),
    _of_rfm("r", "number", "Recency score of the tenant's latest snapshot.", "rfm.r >= 4"),
    _of_rfm("f", "number", "Frequency score of the tenant's latest snapshot.", "rfm.f = 5"),
    _of_rfm("m", "number", "Monetary score of the tenant's latest snapshot.", "rfm.m between 3 and 5"),
    _of_rfm("group", "code", "RFM group of the tenant's latest snapshot.", 'rfm.group in ("champions", "loyal")'),
    FieldSpec(
        name="abc.class", type="code", about="ABC class by the tenant's latest snapshot of classes.",
        example='abc.class in ("A", "B")', choices=tuple("ABCDEFGHIJ"), scope=Scope.SEGMENTS_READ,
    ),
    FieldSpec(
        name="abc.xyz", type="code", about="XYZ letter by the tenant's latest snapshot of classes.",
        example='abc.xyz = "X"', choices=("X", "Y", "Z", "too_short"), scope=Scope.SEGMENTS_READ,
    ),
    FieldSpec(
        name="quality.score", type="number", about="Score of the record, 0 to 100, as it was last examined.",
        example="quality.score < 60", scope=Scope.QUALITY_READ,
    ),
    FieldSpec(
        name=MEMBER, type="ids", about="Ids of the saved segments that the customer is in, as last computed.",
        example='segment has any ("019377a4-6c00-7000-8000-000000000001")', scope=Scope.SEGMENTS_READ,
    ),
)  # fmt: skip
_BY_NAME = {one.name: one for one in RECORD}
_TEXTS = frozenset(one.name for one in RECORD if one.type == "text")
# What people will try, to be told why not.
CLOSED = frozenset({"contact", "requisites", *(str(kind) for kind in ContactKind)})


def is_text(name: str) -> bool:
    """Whether the field's texts are compared as folded; an own field's are, where it has some."""
    return name in _TEXTS or name.startswith(OWN)


def own_field(definition: Definition) -> FieldSpec:
    of = _OWN_TYPES[definition.kind]
    name = OWN + definition.name
    value = definition.choices[0] if definition.choices else _OWN_EXAMPLES[of]
    shown = f'"{value}"' if of == "text" else value
    return FieldSpec(
        name=name, type=of, about=definition.label, example=f'{OWN}"{definition.name}" = {shown}',
        choices=definition.choices,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The fields of one tenant."""

    own: Mapping[str, FieldSpec]

    @classmethod
    def of(cls, definitions: Iterable[Definition]) -> "Catalogue":
        return cls({OWN + one.name: own_field(one) for one in definitions})

    def get(self, name: str) -> FieldSpec | None:
        return _BY_NAME.get(name) or self.own.get(name)

    def all(self) -> tuple[FieldSpec, ...]:
        return (*RECORD, *self.own.values())
