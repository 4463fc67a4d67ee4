"""What the match of records needs from storage: all of it sees the whole tenant, and contacts in clear."""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID

from service.domain.duplicates.model import Found, Surroundings
from service.domain.jobs import Jobs
from service.domain.linkage.profile import Profile
from service.domain.ports import Journal, Transaction

Place = tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """How far records are matched, and up to where everything written is known."""

    place: Place
    horizon: int
    # Of what was learnt of the base; 0 when nothing was.
    model_version: int
    scanned: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """Records that were written behind a place, the place behind them, and whether more were."""

    customer_ids: Sequence[UUID]
    behind: Place
    more: bool


class Matching(Protocol):
    """Everything of it is asked inside of `acting`."""

    def acting(self, *, lasting: bool = True) -> AbstractAsyncContextManager[None]:
        """Be, for a block, the role that compares records.

        What is not `lasting` the next round finds again: the transaction's end waits for no disk.
        """
        ...

    async def begin(self, *, patiently: bool) -> Begun | None:
        """Hold the tenant for the rest of the transaction; None when somebody else matches, unless waited for."""
        ...

    async def changed(self, begun: Begun, limit: int) -> Changed: ...

    async def profiles(self, customer_ids: Collection[UUID]) -> dict[UUID, Profile]:
        """The comparable values of these records; those that are gone or erased are absent."""
        ...

    async def rekey(self, customer_ids: Collection[UUID], keys: Mapping[UUID, Collection[int]]) -> None:
        """Keep the keys of these records, and none of those that have none."""
        ...

    async def model(self) -> Mapping[str, Any]:
        """What was learnt of the base, as it is stored."""
        ...

    async def candidates(self, keys: Mapping[UUID, Collection[int]]) -> Sequence[tuple[UUID, UUID]]:
        """Each of these records with those that share a key."""
        ...

    async def replace_pairs(self, customer_ids: Collection[UUID], found: Sequence[Found]) -> set[UUID]:
        """These are the pairs of the records from now on; which records' pairs are others than before."""
        ...

    async def surroundings(self, customer_ids: Collection[UUID]) -> Surroundings: ...

    async def regroup(self, before: Mapping[UUID, UUID], after: Mapping[UUID, UUID]) -> None: ...

    async def proceed(self, place: Place) -> None:
        """Note up to where records are matched."""
        ...


class Scanning(Protocol):
    """What a search through the whole base needs besides, asked as the role that compares too."""

    async def size(self) -> int: ...

    def everyone(self) -> AsyncIterator[Sequence[Any]]:
        """All records in the order of their ids, in batches that `read` understands."""
        ...

    def read(self, rows: Sequence[Any]) -> list[tuple[UUID, Profile]]: ...

    async def keep_records(self, keys: Mapping[UUID, Collection[int]]) -> None:
        """Note the keys of these records, where none are known."""
        ...

    async def spread_keys(self) -> None:
        """Let records be found by the keys that are noted for them."""
        ...

    async def keep_model(self, model: Mapping[str, Any], records: int) -> None: ...

    async def replace_range(self, after: UUID, to: UUID, found: Sequence[Found]) -> set[UUID]:
        """These are the pairs whose first record lies in the range; which records' pairs are others than before."""
        ...

    async def scanned(self) -> None:
        """Note that the whole base was compared."""
        ...


class Duplicates(Protocol):
    """What people see: every method within the caller's reach, but the one that says otherwise."""

    async def page(self, *, after: UUID | None, limit: int, kind: str | None) -> Sequence[Mapping[str, Any]]:
        """Clusters of which two records or more are within reach, the newest first."""
        ...

    async def cluster(self, cluster_id: UUID) -> Mapping[str, Any] | None: ...

    async def of_customer(self, customer_id: UUID) -> Mapping[str, Any] | None:
        """The pairs and the cluster of a record; None when it is out of reach."""
        ...

    async def elsewhere(self, customer_id: UUID) -> Sequence[Mapping[str, Any]]:
        """The likes of a record that are out of reach: a look beyond it, by pairs that count as matches."""
        ...

    async def under_way(self, kind: str) -> UUID | None:
        """The job of the tenant that has not ended."""
        ...

    async def state(self) -> Mapping[str, Any]:
        """When records were last compared, and how many are still to be."""
        ...

    async def mark(self, first: UUID, second: UUID) -> bool | None:
        """Say that two records are not the same; False when that was said, None when one is out of reach."""
        ...

    async def the_mark(self, first: UUID, second: UUID) -> Mapping[str, Any] | None: ...

    async def unmark(self, first: UUID, second: UUID) -> bool: ...

    async def marks(self, after: tuple[UUID, UUID] | None, limit: int) -> Sequence[Mapping[str, Any]]: ...


class MatchingTransaction(Transaction, Protocol):
    @property
    def matching(self) -> Matching: ...

    @property
    def duplicate_scanning(self) -> Scanning: ...

    @property
    def jobs(self) -> Jobs: ...

    @property
    def journal(self) -> Journal: ...
