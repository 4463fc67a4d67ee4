"""No field of the API separates canaries from the records among which they stand, contacts in clear included.

A naive Bayes over everything that a card and its contacts show, whole and in parts, learns from one half and guesses
other. It must guess no better than a coin; with a planted tell it must.
"""

import random
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from math import log
from typing import Any
from uuid import UUID

from tests.api.support import Api, Client, in_the_api
from tests.postgres import TestDatabase

_WOMEN = ("Мария", "Анна", "Ольга", "Елена", "Дарья", "Нина", "Вера", "Алла")
_MEN = ("Иван", "Пётр", "Олег", "Юрий", "Глеб", "Илья", "Лев", "Марк")
_STEMS = ("Иванов", "Петров", "Сидоров", "Кузнецов", "Смирнов", "Попов", "Волков", "Зайцев", "Орлов", "Серов", "Белов")
_CITIES = ("Казань", "Москва", "Тула", "Пермь", "Омск", "Самара")
_RANGES = ("912345", "903555", "926100", "916777")
_DOMAINS = ("example.com", "example.org", "mail.example.net")
_SIZE = 700
_AT_ONCE = 1_000


def base(rng: random.Random, size: int) -> Iterator[dict[str, Any]]:
    numbers = rng.sample(range(1_000, 90_000), size)
    for number in numbers:
        woman = rng.random() < 0.5
        family = rng.choice(_STEMS) + ("а" if woman else "")
        phone = f"{rng.choice(_RANGES)}{rng.randrange(10_000):04}"
        written = rng.choice((f"+7{phone}", f"8 {phone[:3]} {phone[3:6]}-{phone[6:8]}-{phone[8:]}"))
        contacts = [{"kind": "phone", "value": written}]
        if rng.random() < 0.7:
            local = rng.choice(("user", "mail", "sales", "shop", "info")) + rng.choice(("", ".", "_"))
            contacts.append({"kind": "email", "value": f"{local}{rng.randrange(10_000)}@{rng.choice(_DOMAINS)}"})
        yield {
            "kind": "person",
            "status": rng.choice(("prospect", "prospect", "lapsed", "archived")),
            "family_name": family,
            "given_name": rng.choice(_WOMEN if woman else _MEN),
            "gender": rng.choice(("female" if woman else "male", None)),
            "city": rng.choice(_CITIES),
            "birth_date": rng.choice((None, f"{rng.randrange(1950, 2005)}-05-{rng.randrange(1, 29):02}")),
            "tags": rng.choice(([], [], ["vip"], ["mail"])),
            "external_ids": [{"source": "shop", "external_id": f"C-{number:05}"}],
            "contacts": contacts,
        }


def signs(card: Mapping[str, Any], moment: Callable[[str], float]) -> Iterator[str]:
    """What can be seen of a record: each value, its shape, its length, and how its times and ids lie to each other."""
    born = datetime.fromisoformat(card["created_at"]).timestamp()
    yield f"id {round((UUID(card['customer_id']).int >> 80) / 1000 - born)}"
    yield f"id version {UUID(card['customer_id']).version} {UUID(card['customer_id']).variant}"
    yield f"created {round(moment(card['created_at']), 1)} updated {card['updated_at'] == card['created_at']}"
    yield f"status {card['status_at'] == card['created_at']}"
    for name, value in card.items():
        if name in ("customer_id", "created_at", "updated_at", "status_at", "contacts", "external_ids", "clear"):
            continue
        yield f"{name}={value}"
    yield f"numbers {[(one['source'], _shape(one['external_id'])) for one in card['external_ids']]}"
    for one in card["contacts"]:
        yield f"age {round((UUID(one['detail_id']).int >> 80) / 1000 - born)}"
        yield from (f"{one['kind']} {name}={one[name]}" for name in ("label", "is_primary", "verdict", "verified_at"))
        yield f"{one['kind']} {str(one['source'])[:7]} {one['author_id'] is None} {_shape(one['value'])}"
    for one in card["clear"]:
        yield f"clear {one['kind']} {_shape(one['value'])} {_shape(one['normal'])}"
        part = one["normal"][:8] if one["kind"] == "phone" else one["normal"].partition("@")[2]
        yield f"clear {one['kind']} {part}"


def _shape(text: str) -> str:
    """Digits as nines, runs of letters as one."""
    return re.sub(r"[a-zа-яё]+", "a", re.sub(r"\d", "9", text.lower()))


def auc(real: Sequence[set[str]], false: Sequence[set[str]]) -> float:
    """How often a canary of the unseen half is taken for one rather than a real record is; each half unseen once."""
    hits = total = 0.0
    for fold in (0, 1):
        weights = _learned(real[fold::2], false[fold::2])
        unseen = [[sum(weights.get(sign, 0.0) for sign in one) for one in of[1 - fold :: 2]] for of in (real, false)]
        for guess in unseen[1]:
            hits += sum(1.0 if guess > other else 0.5 if guess == other else 0.0 for other in unseen[0])
            total += len(unseen[0])
    return hits / total


def _learned(real: Sequence[set[str]], false: Sequence[set[str]]) -> dict[str, float]:
    seen = [Counter(sign for one in of for sign in one) for of in (real, false)]
    every = seen[0].keys() | seen[1].keys()
    return {
        sign: log((seen[1][sign] + 1) / (len(false) + 2)) - log((seen[0][sign] + 1) / (len(real) + 2)) for sign in every
    }


async def cards(api: Api, client: Client) -> list[dict[str, Any]]:
    """Every record of the portfolio as the API shows it, with its contacts in clear."""
    found: list[dict[str, Any]] = []
    cursor = None
    while True:
        query: dict[str, Any] = {"limit": 200} | ({"cursor": cursor} if cursor else {})
        page = (await client.get("/v1/customers", params=query)).json()
        found += page["items"]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    async with api.tenant.uow.begin(client.principal) as tx, tx.reveals.turn():
        clear = await tx.reveals.clear([UUID(one["customer_id"]) for one in found])
    return [
        card | {"clear": [row for row in clear if str(row["customer_id"]) == card["customer_id"]]} for card in found
    ]


async def guessed(api: Api, size: int) -> tuple[float, float, str]:
    """How well a classifier tells so many canaries from as many customers (0.5 is a coin's guess), how well where two
    canaries in five have a tell, and by what it tells them."""
    rng = random.Random(15)
    anna, head = await api.client(reach="own"), await api.client()
    items = list(base(rng, size))
    for first in range(0, size, 100):
        part = items[first : first + 100]
        made = await anna.post("/v1/customers/batch", json={"items": part})
        assert made.json()["created"] == len(part), made.text
    for first in range(0, size, _AT_ONCE):
        body = {"curator_id": str(anna.principal.staff_id), "count": min(_AT_ONCE, size - first)}
        planted = await head.post("/v1/canaries", json=body)
        assert planted.json()["planted"] == body["count"], planted.text
    canaries = {one["customer_id"] for one in await all_canaries(head)}
    everything = await cards(api, anna)
    times = sorted(one["created_at"] for one in everything)
    assert len(everything) == 2 * size
    began, ended = (datetime.fromisoformat(one).timestamp() for one in (times[0], times[-1]))

    def moment(text: str) -> float:
        return (datetime.fromisoformat(text).timestamp() - began) / max(ended - began, 1e-9)

    rng.shuffle(everything)
    told = [(set(signs(card, moment)), card["customer_id"] in canaries) for card in everything]
    real, false = [one for one, canary in told if not canary], [one for one, canary in told if canary]
    tell = [one | {"tell"} if number % 5 < 2 else one for number, one in enumerate(false)]
    by = sorted(_learned(real, false).items(), key=lambda one: -abs(one[1]))[:12]
    return auc(real, false), auc(real, tell), str(by)


def test_a_classifier_guesses_canaries_no_better_than_a_coin(database: TestDatabase) -> None:
    async def scenario(api: Api) -> None:
        found, with_a_tell, by = await guessed(api, _SIZE)
        # Chance alone moves it by two hundredths; the proof with five thousand is stricter.
        assert 0.42 <= found <= 0.58, (found, by)
        assert with_a_tell > 0.6

    in_the_api(database, scenario)


async def all_canaries(head: Client) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    cursor = None
    while True:
        query: dict[str, Any] = {"limit": 200} | ({"cursor": cursor} if cursor else {})
        page = (await head.get("/v1/canaries", params=query)).json()
        found += page["items"]
        cursor = page["next_cursor"]
        if cursor is None:
            return found
