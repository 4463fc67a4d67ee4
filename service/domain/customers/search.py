"""What a search looks for: whole words first, then words that only begin so; keys and contacts by their whole form.

A word of three letters or more finds what begins with it, a shorter one only itself. A key of another system or the
number of an order is found as it is written. Whoever asks for exact contacts is counted, by the hour: with enough
tries, a list of numbers would be told apart into those that are customers and those that are not.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from service.domain.customers.names import query_tokens
from service.domain.errors import TooMany

CANDIDATES = 10_000
SHORTEST_PREFIX = 3
MOST_WORDS = 6
PROBES_AN_HOUR = 60


class ProbesUsedUp(TooMany):
    code = "probe-budget-used-up"
    title = "The hour's budget of exact look-ups is used up."


@dataclass(frozen=True, slots=True, kw_only=True)
class Sought:
    """The words that a record must all have, and the text as it may stand for a key."""

    words: tuple[str, ...] = ()
    key: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where in the order of relevance a record stands: whole words, else how many, the word that it was found by."""

    whole: bool
    rank: int
    token: str
    customer_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Records by relevance with their places; `more`: only the first ten thousand that match were looked at."""

    places: Sequence[Place]
    more: bool = False


def sought(text: str | None) -> Sought:
    """Read what was typed: words, and the key that it may be when it is one word or has a digit in it."""
    stripped = (text or "").strip()
    may_be_key = bool(stripped) and (not any(map(str.isspace, stripped)) or any(map(str.isdigit, stripped)))
    return Sought(words=query_tokens(stripped)[:MOST_WORDS], key=stripped if may_be_key else None)


def is_prefix(word: str) -> bool:
    return len(word) >= SHORTEST_PREFIX


def probe_limit(policies: Mapping[str, Any]) -> int:
    """How many exact look-ups a person has in an hour, by the tenant's policy."""
    limit = policies.get("contact_probes_per_hour", PROBES_AN_HOUR)
    return limit if isinstance(limit, int) and not isinstance(limit, bool) and limit >= 0 else PROBES_AN_HOUR
