"""Refusals of people who are known, to be kept in the trail: counted together, so that a flood of them stays small.

What the same person was refused for the same reason at the same record within a moment is one row with its count. When
too many different ones wait, records are no longer told apart; nothing is lost, and no request ever waits.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Protocol
from uuid import UUID

from service.domain.access import Principal

_KEPT_APART = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """What was refused: the operation, the code of the answer, and the record in its path, if there is one."""

    operation: str
    status: int
    code: str
    entity_id: UUID | None = None


class RefusalBook(Protocol):
    async def keep(self, principal: Principal, counted: Mapping[Refusal, int]) -> None:
        """Write them in a transaction of their own. Raises Unavailable."""
        ...


class Waiting:
    """Refusals that are not written yet, by person."""

    def __init__(self, kept_apart: int = _KEPT_APART) -> None:
        self._kept_apart = kept_apart
        self._counted: dict[tuple[int, UUID], tuple[Principal, Counter[Refusal]]] = {}
        self._kinds = 0

    def add(self, principal: Principal, refusal: Refusal, times: int = 1) -> None:
        _, counted = self._counted.setdefault((principal.tenant_id, principal.staff_id), (principal, Counter()))
        if refusal not in counted:
            if self._kinds >= self._kept_apart:
                refusal = replace(refusal, entity_id=None)
            if refusal not in counted:
                self._kinds += 1
        counted[refusal] += times

    def take(self) -> list[tuple[Principal, Mapping[Refusal, int]]]:
        """All of them, out of here."""
        taken: list[tuple[Principal, Mapping[Refusal, int]]] = list(self._counted.values())
        self._counted = {}
        self._kinds = 0
        return taken

    def __len__(self) -> int:
        return self._kinds
