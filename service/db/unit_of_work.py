"""The unit of work: every repository of the service, on one transaction of one principal."""

from functools import cached_property
from uuid import UUID

import asyncpg

from service.db.abc_snapshots import PgAbcSnapshots
from service.db.access_requests import PgAccessRequests
from service.db.around import PgAround
from service.db.assignments import PgAssignments
from service.db.attributes import PgAttributes
from service.db.audit import PgTrail
from service.db.canaries import PgCanaries
from service.db.changes import PgChanges
from service.db.channels import PgChannels
from service.db.contacts import PgContacts
from service.db.customer_search import PgCustomerSearch
from service.db.customers import CARD, PgCustomers
from service.db.depth import PgDepth
from service.db.duplicate_matching import PgMatching, PgScanning
from service.db.duplicates import PgDuplicates
from service.db.erasing import PgErasing
from service.db.exports import PgExports
from service.db.files import PgFiles
from service.db.glance import glance
from service.db.history import PgHistory
from service.db.imports import PgImports
from service.db.jobs import PgJobs
from service.db.journal import PgIdempotency, PgJournal
from service.db.leaks import PgLeaks
from service.db.leaving import PgApprovals, PgFetches
from service.db.links import PgLinks
from service.db.loading import PgLoading
from service.db.merging import PgMerging
from service.db.orders import PgOrders
from service.db.overview import PgOverview
from service.db.policies import PgPolicies
from service.db.portfolio_sizes import PortfolioSizes
from service.db.portfolios import PgPortfolios
from service.db.privacy import PgPrivacy
from service.db.purchases import PgPurchases
from service.db.quality import PgQuality
from service.db.quality_fixes import PgMending
from service.db.quality_scanning import PgQualityScanning
from service.db.quality_tasks import PgTasks
from service.db.reveals import PgReveals
from service.db.rfm import PgRfmSchemes, PgRfmSnapshots
from service.db.saved_segments import PgSavedSegments
from service.db.segment_refreshing import PgSegmentRefreshing
from service.db.segments import PgSegments
from service.db.session import Transaction, preamble, settings
from service.db.staff import PgStaff
from service.db.tags import PgTags
from service.db.terms import PgTerms
from service.db.timeline import PgTimeline
from service.db.tokens import PgRevocations
from service.db.totals import PgTotals
from service.domain.access import Principal

_REMEMBERED = 1_000


class PgTransaction(Transaction):
    def __init__(
        self, pool: asyncpg.Pool, principal: Principal, opening: str, acquire_timeout: float, sizes: PortfolioSizes
    ) -> None:
        super().__init__(pool, principal, opening, acquire_timeout)
        self.sizes = sizes

    @cached_property
    def customers(self) -> PgCustomers:
        return PgCustomers(self.session)

    @cached_property
    def search(self) -> PgCustomerSearch:
        return PgCustomerSearch(self.session, self.sizes)

    @cached_property
    def attributes(self) -> PgAttributes:
        return PgAttributes(self.session)

    @cached_property
    def audit(self) -> PgTrail:
        return PgTrail(self.session)

    @cached_property
    def contacts(self) -> PgContacts:
        return PgContacts(self.session)

    @cached_property
    def history(self) -> PgHistory:
        return PgHistory(self.session)

    @cached_property
    def links(self) -> PgLinks:
        return PgLinks(self.session)

    @cached_property
    def depth(self) -> PgDepth:
        return PgDepth(self.session)

    @cached_property
    def orders(self) -> PgOrders:
        return PgOrders(self.session)

    @cached_property
    def totals(self) -> PgTotals:
        return PgTotals(self.session)

    @cached_property
    def purchases(self) -> PgPurchases:
        return PgPurchases(self.session)

    @cached_property
    def abc_snapshots(self) -> PgAbcSnapshots:
        return PgAbcSnapshots(self.session)

    @cached_property
    def mending(self) -> PgMending:
        return PgMending(self.session)

    @cached_property
    def tasks(self) -> PgTasks:
        return PgTasks(self.session)

    @cached_property
    def rfm_schemes(self) -> PgRfmSchemes:
        return PgRfmSchemes(self.session)

    @cached_property
    def rfm_snapshots(self) -> PgRfmSnapshots:
        return PgRfmSnapshots(self.session)

    @cached_property
    def terms(self) -> PgTerms:
        return PgTerms(self.session)

    @cached_property
    def reveals(self) -> PgReveals:
        return PgReveals(self.session)

    @cached_property
    def journal(self) -> PgJournal:
        return PgJournal(self.session)

    @cached_property
    def idempotency(self) -> PgIdempotency:
        return PgIdempotency(self.session)

    @cached_property
    def files(self) -> PgFiles:
        return PgFiles(self.session)

    @cached_property
    def jobs(self) -> PgJobs:
        return PgJobs(self.session)

    @cached_property
    def imports(self) -> PgImports:
        return PgImports(self.session)

    @cached_property
    def loading(self) -> PgLoading:
        return PgLoading(self.session)

    @cached_property
    def exports(self) -> PgExports:
        return PgExports(self.session)

    @cached_property
    def export_approvals(self) -> PgApprovals:
        return PgApprovals(self.session)

    @cached_property
    def export_fetches(self) -> PgFetches:
        return PgFetches(self.session)

    @cached_property
    def staff(self) -> PgStaff:
        return PgStaff(self.session)

    @cached_property
    def leaks(self) -> PgLeaks:
        return PgLeaks(self.session)

    @cached_property
    def canaries(self) -> PgCanaries:
        return PgCanaries(self.session)

    @cached_property
    def privacy(self) -> PgPrivacy:
        return PgPrivacy(self.session)

    @cached_property
    def erasing(self) -> PgErasing:
        return PgErasing(self.session)

    @cached_property
    def duplicates(self) -> PgDuplicates:
        return PgDuplicates(self.session)

    @cached_property
    def matching(self) -> PgMatching:
        return PgMatching(self.session)

    @cached_property
    def duplicate_scanning(self) -> PgScanning:
        return PgScanning(self.session)

    @cached_property
    def access_requests(self) -> PgAccessRequests:
        return PgAccessRequests(self.session)

    @cached_property
    def around(self) -> PgAround:
        return PgAround(self.session)

    @cached_property
    def changes(self) -> PgChanges:
        return PgChanges(self.session)

    @cached_property
    def channels(self) -> PgChannels:
        return PgChannels(self.session)

    @cached_property
    def segments(self) -> PgSegments:
        return PgSegments(self.session)

    @cached_property
    def saved_segments(self) -> PgSavedSegments:
        return PgSavedSegments(self.session)

    @cached_property
    def segment_refreshing(self) -> PgSegmentRefreshing:
        return PgSegmentRefreshing(self.session)

    @cached_property
    def tags(self) -> PgTags:
        return PgTags(self.session)

    @cached_property
    def timeline(self) -> PgTimeline:
        return PgTimeline(self.session)

    @cached_property
    def merging(self) -> PgMerging:
        return PgMerging(self.session)

    @cached_property
    def overview(self) -> PgOverview:
        return PgOverview(self.session)

    @cached_property
    def assignments(self) -> PgAssignments:
        return PgAssignments(self.session)

    @cached_property
    def policies(self) -> PgPolicies:
        return PgPolicies(self.session)

    @cached_property
    def quality(self) -> PgQuality:
        return PgQuality(self.session)

    @cached_property
    def quality_scanning(self) -> PgQualityScanning:
        return PgQualityScanning(self.session)

    @cached_property
    def revocations(self) -> PgRevocations:
        return PgRevocations(self.session)

    @cached_property
    def portfolios(self) -> PgPortfolios:
        return PgPortfolios(self.session, self.purchases)


class PgUnitOfWork:
    def __init__(self, pool: asyncpg.Pool, *, acquire_timeout: float = 2.0) -> None:
        self._pool = pool
        self._acquire_timeout = acquire_timeout
        self._sizes = PortfolioSizes()
        # A principal is the same object for as long as the service trusts it; so is what opens its transactions.
        self._openings: dict[tuple[int, bool, int], tuple[Principal, str]] = {}
        self._acting: dict[int, tuple[Principal, tuple[str, ...]]] = {}

    def begin(self, principal: Principal, *, snapshot: bool = False, timeout_ms: int = 5_000) -> PgTransaction:
        key = (id(principal), snapshot, timeout_ms)
        known = self._openings.get(key)
        if known is None or known[0] is not principal:
            known = self._remember(key, principal)
        return PgTransaction(self._pool, principal, known[1], self._acquire_timeout, self._sizes)

    async def customer_card(self, principal: Principal, customer_id: UUID) -> tuple[str, str] | None:
        """Version and JSON of a record within reach, read in one trip; None when there is none."""
        known = self._acting.get(id(principal))
        if known is None or known[0] is not principal:
            if len(self._acting) >= _REMEMBERED:
                self._acting.clear()
            known = self._acting[id(principal)] = (principal, settings(principal))
        values = {"tenant": principal.tenant_id, "customer_id": customer_id}
        found = await glance(self._pool, known[1], CARD, values, acquire_timeout=self._acquire_timeout)
        return None if found is None else (found[0], found[1])

    def _remember(self, key: tuple[int, bool, int], principal: Principal) -> tuple[Principal, str]:
        if len(self._openings) >= _REMEMBERED:
            self._openings.clear()
        _, snapshot, timeout_ms = key
        made = (principal, preamble(principal, snapshot=snapshot, timeout_ms=timeout_ms))
        self._openings[key] = made
        return made
