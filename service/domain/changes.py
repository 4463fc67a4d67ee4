"""What has changed in the base, for systems that keep a copy in step.

Each reader goes on behind the last change it was given. Changes are told in the order of their transactions, and only
below the oldest transaction that still runs: whoever commits late comes later, and is never passed over.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from service.domain.errors import Rejected


class UnknownPlace(Rejected):
    code = "changes-place-unknown"
    title = "The base has not come this far: it was restored from a copy. Start again without `since`."


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Behind which change a reader stands: its transaction, and its number among all."""

    transaction: int = 0
    change_id: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """Some changes, the place behind them, and whether there are more already."""

    changes: Sequence[Mapping[str, Any]]
    behind: Place
    more: bool


class Changes(Protocol):
    async def since(self, place: Place, *, limit: int, orders: bool) -> Told:
        """The changes behind a place within reach, the oldest first; without `orders`, none of purchases.

        Raises UnknownPlace.
        """
        ...

    async def present(self) -> Place:
        """The place behind which stands all that is not told yet."""
        ...
