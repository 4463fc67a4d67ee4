"""Tags put on and taken off many records at once.

Tags that a record has keep their order, new ones follow in the order given, each once. A record that would have more
than fifty is left as it is; so is one whose processing is restricted. One call moves at most 100 000 records.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol
from uuid import UUID

from service.domain.errors import Rejected
from service.domain.rules.model import Asked

MOST_TAGS = 50
MOST_RECORDS = 100_000


class NoTagsNamed(Rejected):
    code = "tags-missing"
    title = "Name at least one tag to add or to remove, and none on both sides."


class TooManyRecords(Rejected):
    code = "too-many-records"
    title = "A hundred thousand records are the most for one call; narrow it and repeat it for the rest."


@dataclass(frozen=True, slots=True, kw_only=True)
class Tagging:
    """Which tags come and which go."""

    add: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not (self.add or self.remove) or set(self.add) & set(self.remove):
            raise NoTagsNamed(pointer="/add")
        object.__setattr__(self, "add", tuple(dict.fromkeys(self.add)))

    def of(self, tags: Sequence[str]) -> list[str]:
        """The tags of a record afterwards; those it has now when they would be too many."""
        fresh = [*(tag for tag in tags if tag not in self.remove), *(tag for tag in self.add if tag not in tags)]
        return fresh if len(fresh) <= MOST_TAGS else list(tags)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tagged:
    """How many records were meant, were changed (and which), and were left because they have too many tags already."""

    matched: int
    changed: int
    full: int
    touched: Sequence[UUID] = field(default=(), compare=False, repr=False)


class Tags(Protocol):
    async def apply(
        self,
        tagging: Tagging,
        *,
        customer_ids: Sequence[UUID] | None,
        filters: Mapping[str, object],
        rule: Asked | None = None,
    ) -> Tagged:
        """Move the tags of the records within reach, with history and changes. Raises TooManyRecords."""
        ...
