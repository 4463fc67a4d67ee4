"""Reading the values of clauses: each in its own type, or refused with its place within the clause."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal, InvalidOperation
from uuid import UUID

from service.domain.errors import Rejected
from service.domain.money import from_micros, to_micros
from service.domain.rules.errors import BadRule
from service.domain.rules.fields import Type
from service.domain.rules.model import Purchases, RelativeDay, Scalar, Value

_LONGEST = 200
_LONGEST_WINDOW = 36_525
_LISTS = frozenset({"in", "not_in", "has_any", "has_all"})


class Wrong(Exception):
    def __init__(self, at: str, detail: str, kind: type[Rejected] = BadRule) -> None:
        super().__init__(detail)
        self.at, self.detail, self.kind = at, detail, kind


def between(number: int, least: int, most: int, at: str) -> None:
    if not least <= number <= most:
        raise Wrong(at, f"A whole number from {least} to {most} is needed.")


def text_of(value: object, at: str, *, folded: bool = False) -> str:
    if not isinstance(value, str) or not 1 <= len(value) <= _LONGEST:
        raise Wrong(at, f"A text of 1 to {_LONGEST} characters is needed.")
    if "\x00" in value or any("\ud800" <= char <= "\udfff" for char in value):
        raise Wrong(at, "A NUL or half of a surrogate pair can't be compared.")
    if folded and not value.strip():
        raise Wrong(at, "A text needs more than blanks; ask whether the value is missing instead.")
    return value


@dataclass(frozen=True, slots=True)
class Reader:
    today: date

    def value(
        self, of: Type, operators: tuple[str, ...], op: str, given: Value, choices: tuple[str, ...] = ()
    ) -> Value:
        if op not in operators:
            raise Wrong("/op", f"A {of} takes the operators {', '.join(operators)}.")
        if op in ("missing", "present"):
            if given is not None:
                raise Wrong("/value", f"The operator {op} takes no value.")
            return None
        if op not in _LISTS and op != "between":
            return self._scalar(of, given, "/value", choices)
        if not isinstance(given, tuple) or not given:
            raise Wrong("/value", "A list of values is needed.")
        if op == "between" and len(given) != 2:
            raise Wrong("/value", "Two values are needed: from and to.")
        return tuple(self._scalar(of, one, f"/value/{i}", choices) for i, one in enumerate(given))

    def _scalar(self, of: Type, given: Value, at: str, choices: tuple[str, ...]) -> Scalar:
        read = _READERS[of]
        value = read(given, at)
        if isinstance(value, RelativeDay):
            self._day(value, at)
        if choices and of in ("code", "list") and value not in choices:
            raise Wrong(at, f"One of {', '.join(choices)} is needed.")
        return value

    def _day(self, day: RelativeDay, at: str) -> None:
        between(day.today, -_LONGEST_WINDOW, _LONGEST_WINDOW, at)

    def purchases(self, where: Purchases) -> Purchases:
        at = "/where"
        if where.last_days is not None:
            between(where.last_days, 1, _LONGEST_WINDOW, f"{at}/last_days")
            if where.from_on or where.until_on:
                raise Wrong(f"{at}/last_days", "A period is either the last days or between two days.")
        for name in ("from_on", "until_on"):
            if getattr(where, name) is not None:
                day_of(getattr(where, name), f"{at}/{name}")
        for name in ("products", "categories", "channels", "sources"):
            for i, one in enumerate(getattr(where, name)):
                text_of(one, f"{at}/{name}/{i}", folded=True)
        if where.currency is not None and not (len(where.currency) == 3 and where.currency.isascii()):
            raise Wrong(f"{at}/currency", "A currency is three letters.")
        least, most = (
            None if one is None else _money(one, f"{at}/{name}")
            for name, one in (("amount_min", where.amount_min), ("amount_max", where.amount_max))
        )
        return replace(where, amount_min=least, amount_max=most)


def day_of(given: object, at: str) -> date:
    if isinstance(given, str) and len(given) == 10:
        try:
            given = date.fromisoformat(given)
        except ValueError:
            given = None
    if not isinstance(given, date) or not 1600 <= given.year <= 2999:
        raise Wrong(at, 'A day such as "2026-03-01" is needed, or {"today": -90}.')
    return given


def _day(given: object, at: str) -> date | RelativeDay:
    return given if isinstance(given, RelativeDay) else day_of(given, at)


def number_of(given: object, at: str) -> Decimal:
    if isinstance(given, bool) or not isinstance(given, str | int | Decimal):
        raise Wrong(at, "A number is needed.")
    try:
        number = Decimal(given)
    except InvalidOperation:
        raise Wrong(at, "A number is needed.") from None
    if not number.is_finite() or len(number.as_tuple().digits) > 30 or abs(number.adjusted()) > 30:
        raise Wrong(at, "A number of at most 30 digits is needed.")
    return _plain(number)


def _plain(number: Decimal) -> Decimal:
    """Without an exponent and without zeros at the end: one number, one form."""
    normal = number.normalize()
    return Decimal(f"{normal:f}") if normal else Decimal(0)


def _money(given: object, at: str) -> Decimal:
    try:
        return _plain(from_micros(to_micros(number_of(given, at))))
    except Rejected as refused:
        raise Wrong(at, refused.detail) from None


def _count(given: object, at: str) -> int:
    number = number_of(given, at)
    if number != int(number) or not 0 <= number <= 10**9:
        raise Wrong(at, "A whole number is needed.")
    return int(number)


def _share(given: object, at: str) -> Decimal:
    number = number_of(given, at)
    if not 0 <= number <= 1:
        raise Wrong(at, "A share from 0 to 1 is needed.")
    return number


def _boolean(given: object, at: str) -> bool:
    if not isinstance(given, bool):
        raise Wrong(at, "true or false is needed.")
    return given


def _id(given: object, at: str) -> str:
    try:
        return str(UUID(given)) if isinstance(given, str) else str(UUID(""))
    except ValueError:
        raise Wrong(at, "An id (UUID) is needed.") from None


def _plain_text(given: object, at: str) -> str:
    return text_of(given, at)


def _folded_text(given: object, at: str) -> str:
    return text_of(given, at, folded=True)


_READERS: Mapping[Type, Callable[[object, str], Scalar]] = {
    "text": _folded_text,
    "code": _plain_text,
    "list": _plain_text,
    "id": _id,
    "ids": _id,
    "number": number_of,
    "date": _day,
    "moment": _day,
    "boolean": _boolean,
    "count": _count,
    "money": _money,
    "share": _share,
}
