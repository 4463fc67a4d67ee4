"""What the match of records needs from storage: all of it sees the whole tenant, and contacts in clear."""

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID

from service.domain.duplicates.model import Found, Surroundings
from service.domain.jobs import Jobs
from service.domain.linkage.model import Model
from service.domain.linkage.profile import Profile
from service.domain.ports import Journal, Transaction

Place = tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """How far records are matched, and up to where everything written is known."""

    place: Place
    horizon: int
    models: Mapping[str, Model]


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """Records that were written behind a place, the place behind them, and whether more were."""

    customer_ids: Sequence[UUID]
    behind: Place
    more: bool


class Matching(Protocol):
    """Everything of it is asked inside of `acting`."""

    def acting(self) -> AbstractAsyncContextManager[None]:
        """Be, for a block, the role that compares records."""
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

    async def candidates(self, keys: Mapping[UUID, Collection[int]], *, earlier: bool) -> Sequence[tuple[UUID, UUID]]:
        """Each of these records with those that share a key; with `earlier`, only with those of lesser ids."""
        ...

    async def replace_pairs(
        self, customer_ids: Collection[UUID], found: Sequence[Found], *, earlier: bool
    ) -> set[UUID]:
        """These are the pairs of the records from now on; which records' pairs are others than before."""
        ...

    async def surroundings(self, customer_ids: Collection[UUID]) -> Surroundings: ...

    async def regroup(self, before: Mapping[UUID, UUID], after: Mapping[UUID, UUID]) -> None: ...

    async def proceed(self, place: Place) -> None:
        """Note up to where records are matched."""
        ...

    async def size(self) -> int:
        """How many records the base has, about."""
        ...

    async def records(self, after: UUID | None, limit: int) -> Sequence[UUID]:
        """The next records in the order of their ids."""
        ...

    async def scanned_to(self, job_id: UUID) -> UUID | None:
        """Behind which record this job goes on; None from the start."""
        ...

    async def scanned(self, job_id: UUID, to: UUID | None) -> None:
        """Note how far the job is; None when it is through."""
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
    def jobs(self) -> Jobs: ...

    @property
    def journal(self) -> Journal: ...
