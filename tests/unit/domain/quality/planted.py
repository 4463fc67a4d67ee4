"""The synthetic Russian base with its planted faults: each row as a card, and what was planted into it.

The dates of last contact end in June 2025: that is the day on which the base is looked at.
"""

import csv
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime

from service.domain.quality.catalogue import examined
from service.domain.quality.model import Card, Change, ContactSeen
from tests.shared_data import shared_data

TODAY = date(2025, 7, 1)
_FIELDS = {
    "Фамилия": "family_name",
    "Имя": "given_name",
    "Отчество": "patronymic",
    "Регион": "region",
    "Город": "city",
    "Индекс": "postal_code",
}
_CONTACTS = {"Телефон": "phone", "E-mail": "email", "Адрес": "street", "ИНН": "inn"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Planted:
    """One row: as a card, its faults, and the values before they were planted."""

    number: str
    card: Card
    faults: frozenset[str]
    truth: Mapping[str, str]


def planted() -> list[Planted]:
    with shared_data("B_dedup/ru_customers_dirty_SYNTHETIC_truth.csv").open(encoding="utf-8-sig") as lines:
        truth = {row["№"]: row for row in csv.DictReader(lines)}
    with shared_data("B_dedup/ru_customers_dirty_SYNTHETIC.csv").open(encoding="utf-8-sig", newline="") as lines:
        rows = list(csv.DictReader(lines, delimiter=";"))
    return [
        Planted(
            number=row["№"],
            card=_card(row),
            faults=frozenset(filter(None, truth[row["№"]]["errors"].split("|"))),
            truth=truth[row["№"]],
        )
        for row in rows
    ]


def _day(text: str) -> date | None:
    for form in ("%d.%m.%Y", "%Y-%m-%d", "%d/%m/%Y", "%d.%m.%y"):
        try:
            day = datetime.strptime(text, form).replace(tzinfo=UTC).date()
        except ValueError:
            continue
        return day if form != "%d.%m.%y" or day <= TODAY else day.replace(year=day.year - 100)
    return None


def _card(row: Mapping[str, str]) -> Card:
    birth = row["Дата рождения"]
    day = _day(birth) if birth else None
    texts = {name: row[column] for column, name in _FIELDS.items() if row[column]}
    if birth and day is None:
        texts["birth_date"] = birth
    contacts = (
        ContactSeen(kind=kind, value=row[column], detail_id=kind) for column, kind in _CONTACTS.items() if row[column]
    )
    return Card(
        customer_id=row["№"],
        fields=texts,
        birth_date=day,
        contacts=tuple(contacts),
        last_active=_day(row["Последний контакт"]),
        today=TODAY,
    )


def mended(card: Card) -> Card:
    """The card after one proposed fix upon the other, until none is left that changes it."""
    for _ in range(20):
        proposals = (finding.proposal for finding in examined(card) if finding.proposal is not None)
        changed = next((after for one in proposals if (after := _changed(card, one.changes)) != card), None)
        if changed is None:
            break
        card = changed
    return card


def _changed(card: Card, changes: tuple[Change, ...]) -> Card:
    texts = dict(card.fields)
    contacts = {one.detail_id: one for one in card.contacts}
    gender = card.gender
    for change in changes:
        if change.detail_id is not None:
            held = contacts.pop(change.detail_id)
            if change.after is not None:
                contacts[change.detail_id] = replace(held, value=change.after)
        elif change.field == "gender":
            gender = change.after
        else:
            texts.pop(change.field, None)
            if change.after is not None:
                texts[change.field] = change.after
    return replace(card, fields=texts, contacts=tuple(contacts.values()), gender=gender)
