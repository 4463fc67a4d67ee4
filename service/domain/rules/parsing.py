"""Rules from text: `city = "Казань" and orders.sum(last 365 days) >= 50000`.

`not` binds closest, then `and`, then `or`; brackets group. A fault is told with the line and the column of the
character where reading stopped. Reading makes no sense of fields and types: binding.py does, and `Parsed.place` tells
where in the text it found a fault.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, get_args

from service.domain.rules.binding import DEEPEST, MOST_CLAUSES, MOST_VALUES
from service.domain.rules.errors import RuleTooLarge, RuleUnreadable
from service.domain.rules.model import (
    AllOf,
    Anniversary,
    AnyOf,
    Birthday,
    Clause,
    Consent,
    ConsentState,
    Field,
    Measure,
    Near,
    Not,
    Occasion,
    Op,
    Orders,
    Purchases,
    RelativeDay,
    Rule,
    Scalar,
    Share,
    TopCategory,
)

LONGEST_TEXT = 50_000
_TOKEN = re.compile(
    r"""(?P<day>[0-9]{4}-[0-9]{2}-[0-9]{2}(?![0-9]))
    |(?P<number>-?[0-9]+(?:\.[0-9]+)?)
    |(?P<text>"(?:[^"\\\n]|\\.)*")
    |(?P<word>[A-Za-z_][A-Za-z0-9_]*)
    |(?P<sign><=|>=|!=|[=<>(),.+-])""",
    re.VERBOSE,
)
_BLANK = re.compile(r"\s*")
_COMPARISONS: Mapping[str, Op] = {"=": "eq", "!=": "ne", "<": "lt", "<=": "le", ">": "gt", ">=": "ge"}
_MEASURES: Sequence[str] = get_args(Measure)
_STATES: Sequence[str] = get_args(ConsentState)
_OCCASIONS: Sequence[str] = get_args(Occasion)
_LISTED = {"product": "products", "category": "categories", "channel": "channels", "source": "sources"}


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    at: int


@dataclass(frozen=True, slots=True)
class Spot:
    """Where a part of the rule begins, and its members."""

    at: int
    members: "tuple[Spot, ...]" = ()


@dataclass(frozen=True, slots=True)
class Parsed:
    text: str
    rule: Rule
    spot: Spot

    def place(self, pointer: str) -> tuple[int, int]:
        """Line and column, from 1, of what the JSON pointer into the rule names."""
        spot = self.spot
        for part in pointer.split("/"):
            if part == "rule" and spot.members:
                spot = spot.members[0]
            elif part.isdigit() and int(part) < len(spot.members):
                spot = spot.members[int(part)]
        return line_and_column(self.text, spot.at)


def line_and_column(text: str, at: int) -> tuple[int, int]:
    return text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at)


def parse(text: str) -> Parsed:
    """Read a rule; raises RuleUnreadable with line and column, or RuleTooLarge."""
    if len(text) > LONGEST_TEXT:
        raise RuleTooLarge(f"The text of a rule may have {LONGEST_TEXT} characters.", pointer="/text")
    reader = _Reader(text, _tokens(text))
    rule, spot = reader.any_of(1)
    if reader.next.kind != "end":
        raise reader.fault("and, or, or the end")
    return Parsed(text, rule, spot)


def _unreadable(text: str, at: int, detail: str) -> RuleUnreadable:
    line, column = line_and_column(text, at)
    errors = [{"pointer": "/text", "detail": detail, "line": line, "column": column}]
    return RuleUnreadable(f"{detail} (line {line}, column {column})", line=line, column=column, errors=errors)


def _tokens(text: str) -> list[_Token]:
    found: list[_Token] = []
    at = 0
    while (at := _blank(text, at)) < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            what = "A text that does not end." if text[at] == '"' else "This character means nothing here."
            raise _unreadable(text, at, what)
        found.append(_Token(str(match.lastgroup), match.group(), at))
        at = match.end()
    return [*found, _Token("end", "", len(text))]


def _blank(text: str, at: int) -> int:
    found = _BLANK.match(text, at)
    return found.end() if found else at


class _Reader:
    def __init__(self, text: str, tokens: list[_Token]) -> None:
        self._text = text
        self._tokens = tokens
        self._place = 0
        self._clauses = 0

    @property
    def next(self) -> _Token:
        return self._tokens[self._place]

    def fault(self, wanted: str, at: int | None = None) -> RuleUnreadable:
        found = f"{self.next.text[:40]!r}" if self.next.kind != "end" else "the end"
        detail = f"Here {wanted} is needed; found {found}." if at is None else wanted
        return _unreadable(self._text, self.next.at if at is None else at, detail)

    def any_of(self, level: int) -> tuple[Rule, Spot]:
        return self._joined("or", level, self._all_of, lambda of: AnyOf(of=of))

    def _all_of(self, level: int) -> tuple[Rule, Spot]:
        return self._joined("and", level, self._one, lambda of: AllOf(of=of))

    def _joined(
        self,
        word: str,
        level: int,
        read: Callable[[int], tuple[Rule, Spot]],
        made: Callable[[tuple[Rule, ...]], Rule],
    ) -> tuple[Rule, Spot]:
        at = self.next.at
        found = [read(level)]
        while self._took(word):
            found.append(read(level))
        if len(found) == 1:
            return found[0]
        return made(tuple(rule for rule, _ in found)), Spot(at, tuple(spot for _, spot in found))

    def _one(self, level: int) -> tuple[Rule, Spot]:
        at = self.next.at
        if level > 2 * DEEPEST:
            raise RuleTooLarge(f"Rules may be nested {DEEPEST} levels deep.", pointer="/text")
        if self._took("not"):
            rule, spot = self._one(level + 1)
            return Not(rule=rule), Spot(at, (spot,))
        if self._took("("):
            inner = self.any_of(level + 1)
            self._need(")")
            return inner
        self._clauses += 1
        if self._clauses > MOST_CLAUSES:
            raise RuleTooLarge(f"A rule may have {MOST_CLAUSES} clauses.", pointer="/text")
        return self._clause(), Spot(at)

    def _clause(self) -> Clause:
        name = self._word("a field, not or (")
        match name:
            case "orders":
                return self._orders()
            case "share":
                self._need("(")
                category = self._text_value()
                where = self._where(")") if self._took(",") else self._closed()
                return Share(category=category, where=where, **self._compared())
            case "top_category":
                where = self._where(")") if self._took("(") else Purchases()
                return TopCategory(where=where, **self._compared())
            case "birthday":
                self._need("within")
                days = self._whole()
                self._need("days")
                return Birthday(within_days=days)
            case "anniversary":
                return self._anniversary()
            case "near":
                return self._near()
            case "consent":
                return self._consent()
        while self._took("."):
            name += "." + (self._text_value() if self.next.kind == "text" else self._word("a name"))
        return Field(field=name, **self._compared())

    def _orders(self) -> Orders:
        self._need(".")
        measure: Any = self._one_of(_MEASURES)
        where = self._where(")") if self._took("(") else Purchases()
        return Orders(measure=measure, where=where, **self._compared())

    def _consent(self) -> Consent:
        purpose = self._text_value()
        channel = self._text_value() if self._took("by") else ""
        state: Any = self._one_of(_STATES)
        return Consent(purpose=purpose, channel=channel, state=state)

    def _anniversary(self) -> Anniversary:
        self._need("of")
        occasion: Any = self._one_of(_OCCASIONS)
        self._need("within")
        days = self._whole()
        self._need("days")
        return Anniversary(of=occasion, within_days=days)

    def _near(self) -> Near:
        where: dict[str, Any]
        if self.next.kind == "text":
            where = {"city": self._text_value()}
        else:
            latitude = Decimal(self._take("number", "a city in quotes or a latitude"))
            self._need(",")
            where = {"latitude": latitude, "longitude": Decimal(self._take("number", "a longitude"))}
        self._need("within")
        km = self._whole()
        self._need("km")
        return Near(within_km=km, **where)

    def _closed(self) -> Purchases:
        self._need(")")
        return Purchases()

    def _where(self, end: str) -> Purchases:
        found: dict[str, Any] = {}
        while True:
            at = self.next.at
            name, value = self._condition()
            if name in found:
                raise self.fault("This condition is there already.", at)
            found[name] = value
            if not self._took(","):
                self._need(end)
                return Purchases(**found)

    def _condition(self) -> tuple[str, Any]:
        word = self._word("last, from, until, product, category, channel, source, currency or amount")
        if word == "last":
            days = self._whole()
            self._need("days")
            return "last_days", days
        if word in ("from", "until"):
            return f"{word}_on", self._day()
        if word in _LISTED:
            values = self._list(self._text_value) if self._took("in") else (self._text_value(),)
            return _LISTED[word], values
        if word == "currency":
            return "currency", self._word("a currency such as RUB")
        if word == "amount":
            sign = self._one_of((">=", "<="))
            return "amount_min" if sign == ">=" else "amount_max", Decimal(self._take("number", "an amount"))
        self._place -= 1
        raise self.fault("last, from, until, product, category, channel, source, currency or amount")

    def _compared(self) -> dict[str, Any]:
        """The operator and its value."""
        token = self.next
        if token.text in _COMPARISONS and token.kind == "sign":
            self._place += 1
            return {"op": _COMPARISONS[token.text], "value": self._scalar()}
        match self._word("an operator"):
            case "is":
                return {"op": self._one_of(("missing", "present"))}
            case "in":
                return {"op": "in", "value": self._list(self._scalar)}
            case "not":
                self._need("in")
                return {"op": "not_in", "value": self._list(self._scalar)}
            case "between":
                low = self._scalar()
                self._need("and")
                return {"op": "between", "value": (low, self._scalar())}
            case "contains":
                return {"op": "contains", "value": self._scalar()}
            case "starts":
                self._need("with")
                return {"op": "starts_with", "value": self._scalar()}
            case "has":
                op = "has_" + self._one_of(("any", "all"))
                return {"op": op, "value": self._list(self._scalar)}
        self._place -= 1
        raise self.fault("an operator")

    def _list(self, read: Callable[[], Any]) -> tuple[Any, ...]:
        self._need("(")
        found = [read()]
        while self._took(","):
            found.append(read())
            if len(found) > MOST_VALUES:
                raise RuleTooLarge(f"A list may have {MOST_VALUES} values.", pointer="/text")
        self._need(")")
        return tuple(found)

    def _scalar(self) -> Scalar:
        token = self.next
        match token.kind:
            case "text":
                return self._text_value()
            case "day":
                return self._day()
            case "number":
                self._place += 1
                return Decimal(token.text)
            case "word":
                self._place += 1
                if token.text == "today":
                    return self._relative()
                return {"true": True, "false": False}.get(token.text, token.text)
        raise self.fault("a value")

    def _relative(self) -> RelativeDay:
        token = self.next
        if token.kind == "number" and token.text.startswith("-"):  # today -90 days
            days = self._whole()
        elif self._took("-"):
            days = -self._whole()
        elif self._took("+"):
            days = self._whole()
        else:
            return RelativeDay(today=0)
        self._need("days")
        return RelativeDay(today=days)

    def _day(self) -> date:
        token = self.next
        if token.kind != "day":
            raise self.fault("a day such as 2026-03-01")
        try:
            day = date.fromisoformat(token.text)
        except ValueError:
            raise self.fault("There is no such day.", token.at) from None
        self._place += 1
        return day

    def _whole(self) -> int:
        token = self.next
        if token.kind != "number" or "." in token.text or len(token.text) > 9:
            raise self.fault("a whole number")
        self._place += 1
        return int(token.text)

    def _text_value(self) -> str:
        token = self.next
        if token.kind != "text":
            raise self.fault('a text in "quotes"')
        try:
            value = json.loads(token.text, strict=False)
        except ValueError:
            raise self.fault("A text with a backslash that means nothing.", token.at) from None
        self._place += 1
        return str(value)

    def _word(self, wanted: str) -> str:
        return self._take("word", wanted)

    def _take(self, kind: str, wanted: str) -> str:
        token = self.next
        if token.kind != kind:
            raise self.fault(wanted)
        self._place += 1
        return token.text

    def _one_of(self, words: Sequence[str]) -> str:
        token = self.next
        if token.kind not in ("word", "sign") or token.text not in words:
            raise self.fault(" or ".join(words))
        self._place += 1
        return token.text

    def _took(self, text: str) -> bool:
        taken = self.next.kind in ("word", "sign") and self.next.text == text
        self._place += taken
        return taken

    def _need(self, text: str) -> None:
        if not self._took(text):
            raise self.fault(repr(text).strip("'"))
