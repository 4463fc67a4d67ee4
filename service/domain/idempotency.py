"""A request that must have its effect once, however often it is sent.

A key belongs to (tenant, person, method, path). The same key with the same body gives the stored answer; with another
body it is refused; while the first is still being carried out, the second has to wait.
"""

from dataclasses import dataclass
from typing import Any, Protocol

from service.domain.errors import Conflict, Rejected


class KeyReused(Rejected):
    code = "idempotency-key-reused"
    title = "This Idempotency-Key was used for a request with another body."


class StillRunning(Conflict):
    code = "request-in-flight"
    title = "A request with this Idempotency-Key is still being carried out; ask again in a moment."


@dataclass(frozen=True, slots=True, kw_only=True)
class Once:
    """The caller's key, and the hash of what was asked."""

    method: str
    path: str
    key: str
    body_hash: bytes


class Idempotency(Protocol):
    async def recall(self, once: Once | None) -> Any | None:
        """The stored answer of the same request; None when it is new. Raises KeyReused, StillRunning."""
        ...

    async def remember(self, once: Once | None, status: int, answer: Any) -> None:
        """Keep the answer's ids, in the transaction that had the effect."""
        ...
