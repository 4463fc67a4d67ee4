"""How much a record tells: `mailing` (a name and a way to reach him), `accounting` (and requisites or an order),
`extended` (and an address, preferences or a second order, and a curator who answers for it).

Each depth has needs, each need is met by any one of its facts, and a depth is reached when its needs and those of all
depths before are met. A field would lift a record when it alone is missing for the next depth. Contacts that can't be
what they claim to be don't count, orders are counted ones, an address is a city or a street line.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Literal, Protocol
from uuid import UUID

Depth = Literal["none", "mailing", "accounting", "extended"]
Need = tuple[str, ...]

# `order` = at least one, `orders` = at least two.
FACTS = ("name", "contact", "requisites", "order", "orders", "address", "preferences", "curator")
# What people can fill in; orders have to come by themselves.
FIELDS = ("name", "contact", "requisites", "address", "preferences", "curator")
LEVELS: Sequence[tuple[Depth, Sequence[Need]]] = (
    ("mailing", (("name",), ("contact",))),
    ("accounting", (("requisites", "order"),)),
    ("extended", (("address", "preferences", "orders"), ("curator",))),
)


class DepthReport(Protocol):
    async def facts(self, customer_id: UUID) -> Collection[str] | None:
        """What is known of a record within reach; None when there is none."""
        ...

    async def base(self) -> Mapping[str, Any]:
        """How many records within reach have each depth, and how many each field alone would lift, by name."""
        ...


def depth(facts: Collection[str]) -> Depth:
    """The depth of a record of which these facts hold."""
    reached: Depth = "none"
    for level, needs in LEVELS:
        if not all(_met(need, facts) for need in needs):
            break
        reached = level
    return reached


def missing(facts: Collection[str]) -> tuple[Depth | None, list[Need]]:
    """The next depth and the needs that stand in its way; None and nothing for a record that has the last one."""
    for level, needs in LEVELS:
        if unmet := [need for need in needs if not _met(need, facts)]:
            return level, unmet
    return None, []


def lifts(facts: Collection[str]) -> list[str]:
    """The fields of which each alone would lift the record."""
    now = depth(facts)
    return [field for field in FIELDS if field not in facts and depth({*facts, field}) != now]


def _met(need: Need, facts: Collection[str]) -> bool:
    return any(fact in facts for fact in need)
