"""How good a record is: the weighted share of its parts that are filled, valid and fresh; and what it is fit for.

A part counts whole without findings, nine tenths with a note, half with a warning, and not at all with an error or when
it is empty. Of several contacts of a kind the best one counts. Fit means that the parts which the purpose needs are
there without an error.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from service.domain.quality.model import Card, Severity

PARTS = ("name", "phone", "email", "address", "birth_date", "requisites")
PURPOSES = ("call", "mail", "invoice", "deliver")
USUAL_WEIGHTS: Mapping[str, int] = {
    "name": 30, "phone": 25, "email": 20, "address": 15, "birth_date": 10, "requisites": 25,
}  # fmt: skip
_LEFT: Mapping[Severity, float] = {Severity.NOTE: 0.9, Severity.WARNING: 0.5, Severity.ERROR: 0.0}
_PERSON, _ORGANISATION = ("family_name", "given_name"), ("legal_name", "trade_name")
_ADDRESS = ("city", "postal_code", "region")
_REQUISITES = ("inn", "ogrn", "vat", "kpp")


class Fault(NamedTuple):
    """Where something is wrong, and how badly."""

    field: str
    detail_id: str | None
    severity: Severity


@dataclass(frozen=True, slots=True)
class Score:
    """0 to 100, and the purposes that the record is fit for."""

    points: int
    call: bool
    mail: bool
    invoice: bool
    deliver: bool


def scored(card: Card, faults: Iterable[Fault], weights: Mapping[str, int] = USUAL_WEIGHTS) -> Score:
    """The score of a card with these faults."""
    left = _Left(card, faults)
    person = card.kind == "person"
    name = left.of_name()
    phone, email = left.of_contacts("phone"), left.of_contacts("email")
    parts = {"name": name, "phone": phone, "email": email, "address": left.of_best(_ADDRESS[:2])}
    if person:
        parts["birth_date"] = left.of_field("birth_date", filled=card.birth_date is not None)
    else:
        parts["requisites"] = max(left.of_contacts(kind) for kind in _REQUISITES)
    whole = sum(weights[part] for part in parts)
    points = round(100 * sum(weights[part] * share for part, share in parts.items()) / whole) if whole else 0
    street = left.of_contacts("street") or left.of_field("postal_code", filled="postal_code" in card.fields)
    return Score(
        points=points,
        call=phone > 0,
        mail=email > 0,
        invoice=left.all_named() and (person or left.of_contacts("inn") > 0 or left.of_contacts("vat") > 0),
        deliver=left.of_field("city", filled="city" in card.fields) > 0 and street > 0 and name > 0,
    )


class _Left:
    """What the worst fault of each place leaves of it."""

    def __init__(self, card: Card, faults: Iterable[Fault]) -> None:
        self._card = card
        self._left: dict[tuple[str, str | None], float] = {}
        for field, detail_id, severity in faults:
            place = (field, detail_id)
            self._left[place] = min(_LEFT[severity], self._left.get(place, 1.0))

    def of_field(self, field: str, *, filled: bool) -> float:
        return self._left.get((field, None), 1.0) if filled else 0.0

    def of_best(self, fields: Iterable[str]) -> float:
        return max(self.of_field(field, filled=field in self._card.fields) for field in fields)

    def of_contacts(self, kind: str) -> float:
        shares = [self._left.get(("contacts", one.detail_id), 1.0) for one in self._card.contacts if one.kind == kind]
        return max((*shares, self.of_field(kind, filled=kind in self._card.fields)))

    def of_name(self) -> float:
        """Half for a person with one of the two names."""
        if self._card.kind != "person":
            return self.of_best(_ORGANISATION)
        return sum(self.of_field(field, filled=field in self._card.fields) for field in _PERSON) / 2

    def all_named(self) -> bool:
        needed = _PERSON if self._card.kind == "person" else _ORGANISATION[:1]
        return all(self.of_field(field, filled=field in self._card.fields) > 0 for field in needed)
