"""The wire forms of customers: what is taken in, what is shown, how lists are asked for."""

from datetime import datetime
from functools import cache
from typing import Annotated, Any, Literal
from uuid import UUID
from zoneinfo import available_timezones

from pydantic import AfterValidator, BaseModel, Field, model_validator

from service.api.quality_schemas import IssueOut
from service.api.rule_schemas import RuleJson, RuleText
from service.api.schemas import (
    Attributes,
    Input,
    Key,
    Page,
    ProblemItem,
    Source,
    Text,
    storable,
)
from service.domain.customers.model import ContactInput, ExternalId, birthday
from service.domain.customers.service import Draft


@cache
def _time_zones() -> frozenset[str]:
    return frozenset(available_timezones())


def _time_zone(name: str) -> str:
    if name not in _time_zones():
        raise ValueError("the IANA list has no such time zone")
    return name


def _birth_date(text: str) -> str:
    birthday(text)
    return text


TimeZone = Annotated[str, Field(max_length=60, examples=["Europe/Moscow"]), AfterValidator(_time_zone)]
BirthDate = Annotated[
    str,
    Field(
        pattern=r"^([0-9]{4}|-)-[0-9]{2}-[0-9]{2}$",
        examples=["1990-05-17"],
        description="A day; `--05-17` where the year is not known.",
    ),
    AfterValidator(_birth_date),
]


def _not_blank(text: str) -> str:
    if not text.strip():
        raise ValueError("a text needs more than blanks; null clears a field")
    return text


# What people and partners write of a customer is kept to the byte, blanks at its ends too.
AsGiven = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(storable), AfterValidator(_not_blank)]


StatedBy = Literal["staff", "customer"]


class ContactIn(Input):
    kind: Literal["email", "phone", "messenger", "street", "inn", "kpp", "ogrn", "bic", "account", "vat", "iban"]
    value: Annotated[str, Field(min_length=1, max_length=320)]
    label: Text | None = None
    is_primary: bool = False


class ExternalIdIn(Input):
    external_id: Key
    source: Source = ""


class CustomerFields(Input):
    """The fields of a record that may be written; null clears one."""

    kind: Literal["person", "organisation"] | None = None
    status: Literal["prospect", "customer", "lapsed", "archived"] | None = None
    family_name: AsGiven | None = None
    given_name: AsGiven | None = None
    patronymic: AsGiven | None = None
    legal_name: AsGiven | None = None
    trade_name: AsGiven | None = None
    legal_form: AsGiven | None = None
    birth_date: BirthDate | None = None
    gender: Literal["female", "male"] | None = None
    language: Annotated[str, Field(pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$")] | None = None
    time_zone: TimeZone | None = None
    country: AsGiven | None = None
    region: AsGiven | None = None
    city: AsGiven | None = None
    postal_code: AsGiven | None = None
    curator_id: UUID | None = None
    team_id: UUID | None = None
    channel_id: UUID | None = None
    tags: Annotated[list[AsGiven], Field(max_length=50)] | None = None
    preferences: Annotated[list[AsGiven], Field(max_length=50)] | None = None
    attributes: Attributes | None = None
    external_ids: Annotated[list[ExternalIdIn], Field(max_length=20)] = Field(default_factory=list)
    contacts: Annotated[list[ContactIn], Field(max_length=50)] | None = None

    def draft(self, *, by: StatedBy = "staff") -> Draft:
        changes = self.model_dump(exclude_unset=True, exclude={"external_ids", "contacts"})
        if "birth_date" in changes:
            born = changes["birth_date"]
            changes["birth_date"], changes["birth_year_known"] = birthday(born) if born else (None, True)
        contacts = self.contacts if "contacts" in self.model_fields_set else None
        return Draft(
            changes=changes,
            contacts=None if contacts is None else [ContactInput(**one.model_dump()) for one in contacts],
            external_ids=tuple(ExternalId(**one.model_dump()) for one in self.external_ids),
            by_customer=by == "customer",
        )


class ContactOut(BaseModel):
    detail_id: UUID
    kind: str
    value: str = Field(description="Masked.", examples=["+7 ••• ••• 67 89"])
    label: str | None
    is_primary: bool
    verdict: Literal["valid", "possible", "invalid"]
    source: str = Field(description="Where it came from: `api`, `import …`, `curator …` or `customer`.")
    author_id: UUID | None = Field(description="Who of the staff entered it.")
    verified_at: datetime | None


class ExternalIdOut(BaseModel):
    source: str
    external_id: str


class Customer(BaseModel):
    """A record with its contacts masked."""

    customer_id: UUID
    display_name: str
    kind: Literal["person", "organisation"]
    status: Literal["prospect", "customer", "lapsed", "archived"]
    family_name: str | None
    given_name: str | None
    patronymic: str | None
    legal_name: str | None
    trade_name: str | None
    legal_form: str | None
    birth_date: str | None = Field(examples=["1990-05-17"], description="`--05-17` where the year is not known.")
    gender: Literal["female", "male"] | None
    language: str | None
    time_zone: str | None
    country: str | None
    region: str | None
    city: str | None
    postal_code: str | None
    curator_id: UUID | None
    team_id: UUID | None
    channel_id: UUID | None
    tags: list[str]
    preferences: list[str]
    attributes: dict[str, Any]
    external_ids: list[ExternalIdOut]
    contacts: list[ContactOut]
    status_at: datetime = Field(description="Since when the status holds.")
    restricted_at: datetime | None = Field(description="Since when the processing is restricted, if it is.")
    version: int
    created_at: datetime
    updated_at: datetime


_FILTERS = (
    "status", "kind", "curator_id", "team_id", "city", "region", "channel", "tag", "attribute", "segment_id",
)  # fmt: skip


class CustomerQuery(Input):
    """Filters of a list; each narrows it."""

    q: Annotated[str, Field(max_length=200)] | None = Field(
        None, description="Words of the name, in any order; or a key of another system, or the number of an order."
    )
    status: Literal["prospect", "customer", "lapsed", "archived"] | None = None
    kind: Literal["person", "organisation"] | None = None
    curator_id: UUID | None = None
    team_id: UUID | None = None
    city: Text | None = None
    region: Text | None = None
    channel: Text | None = Field(None, description="Code of the acquisition channel.")
    tag: Text | None = None
    attribute: Annotated[str, Field(max_length=300, pattern=r"^[^:]+:.+$", examples=["tea:green"])] | None = Field(
        None, description="An own field and its value, as `name:value`."
    )
    segment_id: UUID | None = Field(None, description="Members of a saved segment; needs segments:read.")
    sort: Literal["relevance", "-created", "created", "name", "-name"] | None = Field(
        None, description="By default, what is searched for comes by relevance, a list newest first."
    )
    limit: Annotated[int, Field(ge=1, le=200)] = 50
    cursor: Annotated[str, Field(max_length=1000)] | None = None
    count: Literal["exact", "estimate"] | None = Field(
        None, description="Ask for the count within your reach; an estimate costs next to nothing."
    )
    fields: Annotated[str, Field(max_length=1000, examples=["display_name,city"])] | None = Field(
        None, description="Names of the fields to answer, with commas between; `customer_id` always comes along."
    )

    @property
    def chosen(self) -> tuple[str, ...] | None:
        """The fields to answer, each once; None when it is all of them. Raises ValueError."""
        if self.fields is None:
            return None
        names = dict.fromkeys(("customer_id", *(name.strip() for name in self.fields.split(","))))
        if unknown := [name for name in names if name not in Customer.model_fields]:
            raise ValueError(f"There is no field {unknown[0]!r}")
        return tuple(names)

    @model_validator(mode="after")
    def _says_what_there_is(self) -> "CustomerQuery":
        assert self.chosen is None or self.chosen
        if self.sort == "relevance" and not self.q:
            raise ValueError("Without words there is no relevance")
        return self

    @property
    def filters(self) -> dict[str, object]:
        return {name: getattr(self, name) for name in _FILTERS if getattr(self, name) is not None}


class ContactExact(Input):
    """A whole contact, looked up by its normal form."""

    kind: Literal["email", "phone", "messenger", "inn"]
    value: Annotated[str, Field(min_length=1, max_length=320)]


class CustomerSearch(CustomerQuery):
    contact: ContactExact | None = None
    rule: RuleJson | None = Field(None, description="Newest first; besides filters, not words or a contact.")
    text: RuleText | None = Field(None, description="The rule as text.")

    @model_validator(mode="after")
    def _rule_alone(self) -> "CustomerSearch":
        ruled = (self.rule is not None) + (self.text is not None)
        if ruled > 1:
            raise ValueError("give the rule either as rule or as text")
        if ruled and (self.q or self.contact or self.sort not in (None, "-created")):
            raise ValueError("a rule goes with filters, not with words, a contact or another order")
        return self


class CustomerPage(Page[Customer]):
    """One page of a list or search."""

    more: bool = Field(
        False, description="More than 10 000 records match; the first ones by relevance were looked at. Add a word."
    )


class DuplicateOut(BaseModel):
    """A record with the same contact or requisite; of another portfolio only a mask, and a pass to ask for it."""

    matched: list[str]
    kind: Literal["person", "organisation"]
    display_name: str = Field(examples=["И••• М•••"])
    customer_id: UUID | None
    request_token: str | None = Field(description="For POST /v1/access-requests, within a day.")


class ChangedCustomer(Customer):
    quality_issues: list[IssueOut] = Field([], description="Only where the tenant's policy is to `warn`.")


class CreatedCustomer(ChangedCustomer):
    possible_duplicates: list[DuplicateOut] = Field([], description="Only with `on_duplicate=warn`.")


class BatchItemOut(BaseModel):
    index: int
    outcome: Literal["created", "updated", "refused", "skipped"]
    customer_id: UUID | None
    problem: ProblemItem | None


class BatchOut(BaseModel):
    created: int
    updated: int
    refused: int
    items: list[BatchItemOut]
