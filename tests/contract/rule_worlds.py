"""Rules and customers for them, drawn by hypothesis from the same few values, so that they meet at every border."""
# ruff: noqa: E501 (a value a line would make pages of it)

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

from hypothesis import strategies as st

from service.db.session import Session
from service.db.statement import sql
from service.db.totals import PgTotals
from service.domain.customers.attributes import Definition
from service.domain.customers.depth import depth
from service.domain.customers.names import fold
from service.domain.rules.fields import MEASURES, OPERATORS, OWN, RECORD, TOP_OPERATORS, Catalogue, FieldSpec
from service.domain.rules.matching import Facts, Line, Order, Return, Word, start_of
from service.domain.rules.model import (
    AllOf,
    Anniversary,
    AnyOf,
    Birthday,
    Consent,
    Field,
    Near,
    Not,
    Orders,
    Purchases,
    RelativeDay,
    Rule,
    Share,
    TopCategory,
)
from service.domain.segmentation.xyz_analysis import LETTERS

TODAY = date(2027, 2, 28)  # no leap year: those of the 29th celebrate today
ZONE = "Europe/Moscow"
DEFINITIONS = (
    Definition(name="tea", kind="text", label="Tea"),
    Definition(name="cups", kind="number", label="Cups"),
    Definition(name="met on", kind="date", label="Met on"),
    Definition(name="vip", kind="boolean", label="VIP"),
)
CATALOGUE = Catalogue.of(DEFINITIONS)
TEXTS = [
    "Казань",
    "казань",
    " КАЗАНЬ ",
    "Ёлкино",
    "елкино",
    "Straße",
    "STRASSE",
    "İzmir",
    "e\u0301a",
    "\u00e9a",
    "a  b",
    "",
    " ",
    "%_",
    "z",
]
_ASKED_TEXTS = [text for text in TEXTS if text.strip()]
_CODES = ["ru", "RU", "en", ""]
_TAGS = ["a", "b", "А", "vip"]
_PEOPLE = [UUID(int=1), UUID(int=2)]
_OFFSETS = st.sampled_from([0, 0, -1, 1, -6, -7, -29, -30, -31, -364, -365, -366, 30, -3650])
_DAYS = st.one_of(
    _OFFSETS.map(lambda offset: TODAY + timedelta(days=offset)), st.sampled_from([date(2024, 2, 29), date(1604, 2, 29)])
)
_MONEY = [0, 1, 10_000_000, 10_000_001, 9_999_999, 33_333_333, 100_000_000, 50_000_000]
PRODUCTS = {"TEA": "Чай", "TEA2": "чай ", "CUP": "Посуда", "ODD": None}
_CHANNELS = ["web", "shop"]
_OWN_VALUES: dict[str, list[Any]] = {
    "tea": [*TEXTS, 5, True],
    "cups": [0, 1, -2, 0.1, 1.5, 1e22, "1", False, 2**53 + 1],
    "met on": ["2027-02-28", "2024-02-29", "2023-02-29", "28.02.2027", "", 5, "0000-01-01"],
    "vip": [True, False, "true", 0],
}  # fmt: skip


def _maybe(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(st.none(), strategy)


# --- customers


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A customer as it is written."""

    columns: dict[str, Any]
    attributes: dict[str, Any]
    channel: str | None
    systems: frozenset[str]
    contacts: tuple[tuple[str, str], ...]
    orders: tuple[tuple[Order, str, int], ...]  # with its status, and what was refunded
    returns: tuple[Return, ...]
    words: tuple[Word, ...]
    scores: tuple[int, int, int, int] | None  # of RFM, the last the number of the group
    classes: tuple[int, int] | None  # of ABC and XYZ, by number
    quality: int | None


_moments = st.builds(
    lambda day, seconds: start_of(day, ZONE).astimezone(UTC) + timedelta(seconds=seconds),
    _OFFSETS.map(lambda offset: TODAY + timedelta(days=offset)),
    st.sampled_from([0, -1, 1, 43_200, 86_399]),
)
_columns = st.fixed_dictionaries(
    {
        "kind": st.sampled_from(["person", "organisation"]),
        "status": st.sampled_from(["prospect", "customer", "lapsed"]),
        "status_at": _maybe(_moments),
        "restricted_at": _maybe(_moments),
        "created_at": _moments,
        "updated_at": _moments,
        "display_name": st.sampled_from(TEXTS),
        "birth_date": _maybe(st.one_of(_DAYS, st.dates(date(1900, 1, 1), date(2027, 3, 1)))),
        "birth_year_known": st.booleans(),
        "gender": _maybe(st.sampled_from(["female", "male"])),
        "language": _maybe(st.sampled_from(_CODES)),
        "time_zone": _maybe(st.sampled_from(["Asia/Omsk", "UTC"])),
        "postal_code": _maybe(st.sampled_from(_CODES)),
        "tags": st.lists(st.sampled_from(_TAGS), unique=True, max_size=3),
        "preferences": st.lists(st.sampled_from(_TAGS), unique=True, max_size=2),
    }
    | {
        name: _maybe(st.one_of(st.sampled_from(TEXTS), st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=3)))
        for name in ("country", "region", "city", "family_name", "given_name", "patronymic", "legal_name", "trade_name", "legal_form")
    }
    | {"curated": st.booleans(), "teamed": st.booleans()}
)  # fmt: skip
_lines = st.builds(
    lambda sku, amount: Line(product=sku, category=PRODUCTS[sku], amount=amount),
    st.sampled_from(list(PRODUCTS)),
    st.sampled_from([*_MONEY, -1]),
)
_order = st.builds(
    lambda day, total, refunded, currency, channel, source, lines, status: (
        Order(day=day, net=total - refunded, currency=currency, channel=channel, source=source, lines=tuple(lines)),
        status,
        refunded,
    ),
    _OFFSETS.map(lambda offset: TODAY + timedelta(days=offset)),
    st.sampled_from(_MONEY),
    st.sampled_from([0, 0, 0, 1, 10_000_000]),
    st.sampled_from(["RUB", "RUB", "RUB", "EUR"]),
    _maybe(st.sampled_from(_CHANNELS)),
    st.sampled_from(["", "till"]),
    st.lists(_lines, max_size=3),
    st.sampled_from(["paid", "completed", "completed", "completed", "new", "cancelled"]),
)
_return = st.builds(
    Return,
    day=_OFFSETS.map(lambda offset: TODAY + timedelta(days=offset)),
    amount=st.sampled_from([1, 10_000_000]),
    currency=st.sampled_from(["RUB", "EUR"]),
)
_word = st.builds(
    Word,
    purpose=st.sampled_from(["marketing", "research"]),
    channel=st.sampled_from(["", "email"]),
    given=st.booleans(),
    at=st.datetimes(datetime(2026, 1, 1), datetime(2026, 12, 1), timezones=st.just(UTC)),
)
made = st.builds(
    Made,
    columns=_columns,
    attributes=st.fixed_dictionaries({}, optional={name: st.sampled_from([None, *values]) for name, values in _OWN_VALUES.items()}),
    channel=_maybe(st.sampled_from(["web", "fair"])),
    systems=st.frozensets(st.sampled_from(["", "1c", "till"]), max_size=2),
    contacts=st.lists(st.tuples(st.sampled_from(["email", "phone", "inn", "street"]), st.sampled_from(["valid", "possible", "invalid"])), max_size=3).map(tuple),
    orders=st.lists(_order, max_size=4).map(tuple),
    returns=st.one_of(st.just(()), st.lists(_return, max_size=2).map(tuple)),
    words=st.lists(_word, max_size=3, unique_by=lambda one: one.at).map(tuple),
    scores=_maybe(st.tuples(st.sampled_from([1, 2]), st.sampled_from([1, 2]), st.sampled_from([1, 2]), st.sampled_from([1, 2]))),
    classes=_maybe(st.tuples(st.integers(0, 2), st.integers(0, 3))),
    quality=_maybe(st.sampled_from([0, 1, 100])),
)  # fmt: skip


def facts_of(one: Made, curator: UUID, team: UUID) -> Facts:
    """What a rule may know of that customer."""
    columns = one.columns
    counted = tuple(
        order
        for order, status, refunded in one.orders
        if status in ("paid", "completed") and not (refunded > 0 and order.net <= 0)
    )
    values = {name: columns.get(name) for name in (spec.name for spec in RECORD)}
    values |= {
        "name": fold(columns["display_name"]),
        "birth_date": columns["birth_date"] if columns["birth_year_known"] else None,
        "tags": frozenset(columns["tags"]),
        "preferences": frozenset(columns["preferences"]),
        "curator": str(curator) if columns["curated"] else None,
        "team": str(team) if columns["teamed"] else None,
        "channel": one.channel,
        "external_ids": one.systems,
        "contacts": frozenset(kind for kind, verdict in one.contacts if verdict != "invalid"),
        "depth": _depth(one, counted),
    }
    values |= _judged(one)
    values |= {OWN + name: _own(name, value) for name, value in one.attributes.items()}
    return Facts(values=values, birthday=columns["birth_date"], orders=counted, returns=one.returns, words=one.words)


def _judged(one: Made) -> dict[str, Any]:
    """By the latest snapshots, and the last scan."""
    r, f, m, group = one.scores or (None, None, None, None)
    abc, xyz = one.classes or (None, None)
    return {
        "rfm.r": r, "rfm.f": f, "rfm.m": m, "rfm.group": group and GROUPS[group - 1],
        "abc.class": None if abc is None else "ABC"[abc], "abc.xyz": None if xyz is None else LETTERS[xyz],
        "quality.score": one.quality,
    }  # fmt: skip


def _depth(one: Made, counted: Sequence[Order]) -> str:
    kinds = {kind for kind, verdict in one.contacts if verdict != "invalid"}
    orders = sum(order.day <= TODAY for order in counted)
    columns = one.columns
    first = columns["family_name"] or columns["given_name"] or None
    named = first or next((columns[name] for name in ("legal_name", "trade_name") if columns[name] is not None), "")
    found = {
        "name": bool(named),
        "contact": bool(kinds & {"email", "phone"}),
        "requisites": "inn" in kinds,
        "order": orders >= 1,
        "orders": orders >= 2,
        "address": bool(columns["city"]) or "street" in kinds,
        "preferences": bool(columns["preferences"]),
        "curator": columns["curated"],
    }
    return depth({name for name, holds in found.items() if holds})


def _own(name: str, value: object) -> Any:
    if name == "tea":
        return value if isinstance(value, str) else None
    if name == "vip":
        return value if isinstance(value, bool) else None
    if name == "cups":
        return Decimal(repr(value)) if isinstance(value, int | float) and not isinstance(value, bool) else None
    try:
        return date.fromisoformat(value) if isinstance(value, str) and len(value) == 10 else None
    except ValueError:
        return None


# --- rules

_CHOSEN = {"kind": ["person", "organisation"], "status": ["prospect", "customer", "archived"], "gender": ["female", "male"],
           "depth": ["none", "mailing", "accounting", "extended"], "channel": ["web", "fair"], "time_zone": ["Asia/Omsk", "UTC"],
           "external_ids": ["1c", "till"], "rfm.group": ["champions", "loyal"], "abc.class": ["A", "B", "C"],
           "abc.xyz": ["X", "Z", "too_short"], "contacts": ["email", "phone", "inn"]}  # fmt: skip


def _scalars(spec: FieldSpec, people: tuple[UUID, UUID]) -> st.SearchStrategy[Any]:
    if spec.name in _CHOSEN:
        return st.sampled_from(_CHOSEN[spec.name])
    match spec.type:
        case "text":
            return st.sampled_from(_ASKED_TEXTS)
        case "list":
            return st.sampled_from(_TAGS)
        case "ids":
            return st.sampled_from([str(uuid4())])
        case "id":
            return st.sampled_from([str(one) for one in (*people, uuid4())])
        case "number":
            return st.sampled_from(
                [Decimal(text) for text in ("0", "1", "0.1", "1.5", "-2", "1e22", "9007199254740993")]
            )
        case "boolean":
            return st.booleans()
        case "date" | "moment":
            return _asked_days
    return st.sampled_from([code for code in _CODES if code])


_asked_days = st.one_of(_DAYS, _OFFSETS.map(lambda offset: RelativeDay(today=offset)))
_AMOUNTS = st.sampled_from(
    [
        Decimal(text)
        for text in ("0", "0.000001", "10", "10.000001", "9.999999", "11.111111", "50", "100", "-1", "16.666667")
    ]
)


_within_days = st.sampled_from([0, 1, 7, 30, 364, 365, 366])


@st.composite
def _filled(draw: st.DrawFn, operators: Sequence[str], scalars: st.SearchStrategy[Any]) -> dict[str, Any]:
    op = draw(st.sampled_from(list(operators)))
    if op in ("missing", "present"):
        return {"op": op, "value": None}
    if op == "between":
        return {"op": op, "value": (draw(scalars), draw(scalars))}
    if op in ("in", "not_in", "has_any", "has_all"):
        return {"op": op, "value": tuple(draw(st.lists(scalars, min_size=1, max_size=3)))}
    return {"op": op, "value": draw(scalars)}


def _tuples(values: list[str]) -> st.SearchStrategy[tuple[str, ...]]:
    return st.one_of(st.just(()), st.just(()), st.lists(st.sampled_from(values), min_size=1, max_size=2).map(tuple))


@st.composite
def purchases(draw: st.DrawFn, *, lines: bool = True) -> Purchases:
    if draw(st.integers(0, 2)) == 0:
        return Purchases()
    last = draw(_maybe(st.sampled_from([1, 7, 30, 31, 365])))
    return Purchases(
        last_days=last,
        from_on=None if last else draw(_maybe(_DAYS)),
        until_on=None if last else draw(_maybe(_DAYS)),
        products=draw(_tuples(["TEA", "CUP", "X"])) if lines else (),
        categories=draw(_tuples(["чай", "ПОСУДА", "Нет"])) if lines else (),
        channels=draw(_tuples(_CHANNELS)),
        sources=draw(_tuples(["till"])),
        currency=draw(st.sampled_from([None, None, "EUR", "RUB"])),
        amount_min=draw(_maybe(_AMOUNTS)),
        amount_max=draw(_maybe(_AMOUNTS)),
    )


@st.composite
def _orders(draw: st.DrawFn) -> Orders:
    measure = draw(st.sampled_from(list(MEASURES)))
    of, operators = MEASURES[measure]
    scalars = {"count": st.integers(0, 3), "money": _AMOUNTS, "date": _asked_days}[of]
    return Orders(measure=measure, where=draw(purchases()), **draw(_filled(operators, scalars)))  # type: ignore[arg-type]


def clauses(people: tuple[UUID, UUID]) -> st.SearchStrategy[Rule]:
    shares = st.sampled_from([Decimal(text) for text in ("0", "0.5", "1", "0.333333", "0.25")])

    @st.composite
    def field(draw: st.DrawFn) -> Field:
        spec = draw(st.sampled_from(CATALOGUE.all()))
        return Field(field=spec.name, **draw(_filled(spec.operators, _scalars(spec, people))))

    return st.one_of(
        field(),
        field(),
        _orders(),
        _orders(),
        st.builds(
            lambda category, where, filled: Share(category=category, where=where, **filled),
            st.sampled_from(["ЧАЙ", "Посуда", "Нет"]),
            purchases(lines=False),
            _filled(OPERATORS["share"], shares),
        ),
        st.builds(
            lambda where, filled: TopCategory(where=where, **filled),
            purchases(lines=False),
            _filled(TOP_OPERATORS, st.sampled_from(["чай", "Посуда"])),
        ),
        st.builds(Birthday, within_days=_within_days),
        st.builds(Anniversary, of=st.sampled_from(["first_order", "created", "customer"]), within_days=_within_days),
        st.builds(Near, city=st.sampled_from(["казань", "Москва"]), within_km=st.sampled_from([1, 700, 730, 2000])),
        st.builds(
            Near,
            latitude=st.just(Decimal("55.75")),
            longitude=st.just(Decimal("37.61")),
            within_km=st.sampled_from([50, 1000]),
        ),
        st.builds(
            Consent,
            purpose=st.sampled_from(["marketing", "research"]),
            channel=st.sampled_from(["", "email"]),
            state=st.sampled_from(["given", "withdrawn", "never"]),
        ),
    )


def rules(people: tuple[UUID, UUID] = (UUID(int=1), UUID(int=2))) -> st.SearchStrategy[Rule]:
    def grown(inner: st.SearchStrategy[Rule]) -> st.SearchStrategy[Rule]:
        several = st.lists(inner, min_size=1, max_size=3).map(tuple)
        return st.one_of(
            st.builds(AllOf, of=several), st.builds(AnyOf, of=several), st.builds(lambda one: Not(rule=one), inner)
        )

    return st.recursive(clauses(people), grown, max_leaves=5)


# --- storing

_COLUMNS = [
    "kind", "status", "status_at", "restricted_at", "created_at", "updated_at", "display_name", "birth_date",
    "birth_year_known", "gender", "language", "time_zone", "postal_code", "tags", "preferences", "country", "region", "city",
    "family_name", "given_name", "patronymic", "legal_name", "trade_name", "legal_form",
]  # fmt: skip
_CUSTOMER = sql(f"""INSERT INTO customers (tenant_id, customer_id, sort_name, attributes, curator_id, team_id, channel_id,
        {", ".join(_COLUMNS)})
    VALUES (:tenant, :id, :sort_name, :attributes, :curator_id, :team_id,
        (SELECT channel_id FROM channels WHERE tenant_id = :tenant AND code = :channel),
        {", ".join(f":{name}" for name in _COLUMNS)})""")
_SYSTEM = sql(
    "INSERT INTO customer_external_ids (tenant_id, source, external_id, customer_id) VALUES (:tenant, :source, :external, :id)"
)
_CONTACT = sql("""INSERT INTO contact_details (tenant_id, customer_id, detail_id, kind, value, normal, masked, lookup, verdict, source)
    VALUES (:tenant, :id, gen_random_uuid(), :kind, '', '', '', '', :verdict, 'api')""")
_ORDER = sql("""INSERT INTO orders (tenant_id, order_id, customer_id, total, refunded, ordered_at, ordered_on, currency, status,
        sales_channel, source)
    VALUES (:tenant, :order_id, :id, :total, :refunded, :day::date::timestamptz, :day, :currency, :status, :channel, :source)""")
_LINE = sql("""INSERT INTO order_lines (tenant_id, order_id, line_no, product_id, unit_price, amount, quantity)
    SELECT :tenant, :order_id, :line_no, product_id, 0, :amount, 1 FROM products WHERE tenant_id = :tenant AND sku = :sku""")
_RETURN = sql("""INSERT INTO refunds (tenant_id, refund_id, customer_id, amount, refunded_at, refunded_on, currency)
    VALUES (:tenant, gen_random_uuid(), :id, :amount, :day::date::timestamptz, :day, :currency)""")
_WORD = sql("""INSERT INTO consents (tenant_id, customer_id, consent_id, purpose, channel, given, at, source, staff_id)
    VALUES (:tenant, :id, gen_random_uuid(), :purpose, :channel, :given, :at, 'api', :staff_id)""")
_CATEGORY = sql("INSERT INTO categories (tenant_id, category_id, name) VALUES (:tenant, :id, :name)")
_PRODUCT = sql(
    "INSERT INTO products (tenant_id, product_id, sku, name, category_id) VALUES (:tenant, gen_random_uuid(), :sku, :sku, :category_id)"
)
_CHANNEL = sql(
    "INSERT INTO channels (tenant_id, channel_id, code, name, kind) VALUES (:tenant, gen_random_uuid(), :code, :code, 'calls')"
)
_STATUS = sql("UPDATE customers SET status = :status WHERE tenant_id = :tenant AND customer_id = :id")


async def furnish(session: Session) -> None:
    """The products, categories and channels of the tenant."""
    for sku, category in PRODUCTS.items():
        category_id = None
        if category is not None:
            category_id = uuid4()
            await session.execute(_CATEGORY, id=category_id, name=category)
        await session.execute(_PRODUCT, sku=sku, category_id=category_id)
    for code in ("web", "fair"):
        await session.execute(_CHANNEL, code=code)


# Rules ask for the latest that is meant for them: of the older ones, of other schemes and of dropped ones they know nothing.
GROUPS = ["champions", "loyal"]
_RFM_SNAPSHOT = sql("""
    INSERT INTO rfm_snapshots (tenant_id, snapshot_id, as_of, currency, bins, cuts, groups, in_rules, scheduled)
    VALUES (:tenant, :number, :day, 'RUB', 2, '{}', :groups, :in_rules, false)
""")
_RFM_SCORE = sql("""
    INSERT INTO rfm_scores (tenant_id, snapshot_id, revenue, customer_id, r, f, m, group_no)
    VALUES (:tenant, :number, 0, :id, :r, :f, :m, :group_no)
""")
_ABC_SNAPSHOT = sql("""
    INSERT INTO abc_snapshots (tenant_id, snapshot_id, as_of, measure, borders, currency, period, xyz_borders, scheduled, dropped)
    VALUES (:tenant, :number, '2027-02-28', 'revenue', '{80,95}', 'RUB', 'month', '{10,25}', false, :dropped)
""")
_ABC_CLASS = sql("""
    INSERT INTO abc_classes (tenant_id, snapshot_id, customer_id, class_no, letter_no)
    VALUES (:tenant, :number, :id, :class_no, :letter_no)
""")
_QUALITY = sql("""
    INSERT INTO quality_scores (tenant_id, customer_id, checked_version, score, fit_call, fit_mail, fit_invoice, fit_deliver)
    VALUES (:tenant, :id, 1, :score, true, true, true, true)
    ON CONFLICT (tenant_id, customer_id) DO UPDATE SET score = excluded.score, checked_at = now()
""")
_LAST = sql("""
    SELECT greatest((SELECT max(snapshot_id) FROM rfm_snapshots WHERE tenant_id = :tenant),
        (SELECT max(snapshot_id) FROM abc_snapshots WHERE tenant_id = :tenant), 0)
""")


async def judge(session: Session, ids: Sequence[UUID], records: Sequence[Made]) -> None:
    """New snapshots of RFM and ABC, in which they are what they are, between others in which they are not."""
    last: int = await session.fetchval(_LAST)
    old, new, other = last + 1, last + 2, last + 3
    day = TODAY + timedelta(days=old)
    for number, in_rules in ((old, True), (new, True), (other, False)):
        await session.execute(_RFM_SNAPSHOT, number=number, day=day, groups=GROUPS, in_rules=in_rules)
        await session.execute(_ABC_SNAPSHOT, number=number, dropped=not in_rules)
    for customer_id, one in zip(ids, records, strict=True):
        for number in (old, new, other):
            r, f, m, group_no = one.scores or (0, 0, 0, 1)
            if number != new:
                r, f, m, group_no = 3 - r, 3 - f, 3 - m, 3 - group_no
            if one.scores or number != new:
                await session.execute(_RFM_SCORE, number=number, id=customer_id, r=r, f=f, m=m, group_no=group_no)
            class_no, letter_no = one.classes or (0, 0)
            if number != new:
                class_no, letter_no = 2 - class_no, 3 - letter_no
            if one.classes or number != new:
                await session.execute(_ABC_CLASS, number=number, id=customer_id, class_no=class_no, letter_no=letter_no)
        if one.quality is not None:
            await session.execute(_QUALITY, id=customer_id, score=one.quality)


async def store(session: Session, records: Sequence[Made], curator: UUID, team: UUID) -> list[UUID]:
    ids = []
    for one in records:
        customer_id = uuid4()
        ids.append(customer_id)
        await session.execute(
            _CUSTOMER,
            id=customer_id,
            sort_name=fold(one.columns["display_name"]),
            attributes=one.attributes,
            curator_id=curator if one.columns["curated"] else None,
            team_id=team if one.columns["teamed"] else None,
            channel=one.channel,
            **{name: one.columns[name] for name in _COLUMNS},
        )
        for source in one.systems:
            await session.execute(_SYSTEM, id=customer_id, source=source, external=str(uuid4()))
        for kind, verdict in one.contacts:
            await session.execute(_CONTACT, id=customer_id, kind=kind, verdict=verdict)
        await _buy(session, one, customer_id)
        for word in one.words:
            staff = session.principal.staff_id
            await session.execute(
                _WORD,
                id=customer_id,
                purpose=word.purpose,
                channel=word.channel,
                given=word.given,
                at=word.at,
                staff_id=staff,
            )
    await judge(session, ids, records)
    await PgTotals(session).refresh(ids, TODAY)
    for customer_id, one in zip(ids, records, strict=True):  # whoever bought is no prospect any more
        await session.execute(_STATUS, id=customer_id, status=one.columns["status"])
        await session.execute(
            _TIMES, id=customer_id, **{name: one.columns[name] for name in ("status_at", "updated_at")}
        )
    return ids


_TIMES = sql(
    "UPDATE customers SET status_at = :status_at, updated_at = :updated_at WHERE tenant_id = :tenant AND customer_id = :id"
)


async def _buy(session: Session, one: Made, customer_id: UUID) -> None:
    for order, status, refunded in one.orders:
        order_id = uuid4()
        await session.execute(
            _ORDER,
            order_id=order_id,
            id=customer_id,
            total=order.net + refunded,
            refunded=refunded,
            day=order.day,
            currency=order.currency,
            status=status,
            channel=order.channel,
            source=order.source,
        )
        for line_no, line in enumerate(order.lines):
            await session.execute(_LINE, order_id=order_id, line_no=line_no, amount=line.amount, sku=line.product)
    for back in one.returns:
        await session.execute(_RETURN, id=customer_id, amount=back.amount, day=back.day, currency=back.currency)
