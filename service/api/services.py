"""What the HTTP surface is given to work with; built by the composition root, never by name."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from service.api.refusals import Refusals
from service.api.security import Principals
from service.domain.access import Principal
from service.domain.around.ports import AroundTransaction
from service.domain.around.service import AccessService, AroundService
from service.domain.assignments.briefings import BriefingService
from service.domain.assignments.ports import Assignments, Portfolios
from service.domain.assignments.service import AssignmentService
from service.domain.attributes.service import AttributeService
from service.domain.audit.service import AuditService
from service.domain.changes import Changes
from service.domain.channels import Channels
from service.domain.customers.depth import DepthReport
from service.domain.customers.service import CustomerService
from service.domain.duplicates.ports import Duplicates
from service.domain.duplicates.service import DuplicateService
from service.domain.exports.approvals import ApprovalService
from service.domain.exports.delivery import DeliveryService
from service.domain.exports.ports import ExportsTransaction
from service.domain.exports.service import ExportService
from service.domain.finding.service import FindingService
from service.domain.ingestion.ports import IngestionTransaction
from service.domain.ingestion.service import IngestionService
from service.domain.keeping.ports import KeepingTransaction
from service.domain.keeping.service import KeepingService
from service.domain.leaks.activity import Activity
from service.domain.leaks.service import LeakService
from service.domain.merging.ports import Merging
from service.domain.merging.service import MergingService
from service.domain.orders.ports import OrdersTransaction, Overview
from service.domain.orders.service import OrderService
from service.domain.ports import Clock, UnitOfWork
from service.domain.privacy.ports import PrivacyTransaction
from service.domain.privacy.service import PrivacyService
from service.domain.quality.fixing_ports import MendingTransaction, Tasks
from service.domain.quality.mending import MendingService
from service.domain.quality.ports import QualityTransaction
from service.domain.quality.scanning import ScanService
from service.domain.quality.tasks import TaskService
from service.domain.quality.verdicts import WriteVerdicts
from service.domain.reveals.ports import RevealsTransaction
from service.domain.reveals.service import RevealService
from service.domain.rules.ports import RulesTransaction
from service.domain.rules.service import RuleService
from service.domain.segmentation.abc_service import AbcService
from service.domain.segmentation.ports import RfmTransaction
from service.domain.segmentation.rfm_keeping import RfmService
from service.domain.segmentation.service import SegmentationService
from service.domain.segments.ports import SegmentsTransaction
from service.domain.segments.service import SegmentService
from service.domain.staff import Policies, Staff
from service.domain.tags import Tags
from service.domain.terms import Terms
from service.domain.timeline import Timeline
from service.domain.tokens import Revocations


class ApiTransaction(
    KeepingTransaction,
    OrdersTransaction,
    IngestionTransaction,
    ExportsTransaction,
    AroundTransaction,
    PrivacyTransaction,
    RfmTransaction,
    RevealsTransaction,
    MendingTransaction,
    SegmentsTransaction,
    QualityTransaction,
    RulesTransaction,
    Protocol,
):
    """Everything that endpoints may read without a service in between."""

    @property
    def depth(self) -> DepthReport: ...

    @property
    def staff(self) -> Staff: ...

    @property
    def overview(self) -> Overview: ...

    @property
    def assignments(self) -> Assignments: ...

    @property
    def merging(self) -> Merging: ...

    @property
    def policies(self) -> Policies: ...

    @property
    def portfolios(self) -> Portfolios: ...

    @property
    def terms(self) -> Terms: ...

    @property
    def timeline(self) -> Timeline: ...

    @property
    def revocations(self) -> Revocations: ...

    @property
    def tags(self) -> Tags: ...

    @property
    def tasks(self) -> Tasks: ...

    @property
    def channels(self) -> Channels: ...

    @property
    def changes(self) -> Changes: ...

    @property
    def duplicates(self) -> Duplicates: ...


class ApiUnitOfWork(UnitOfWork[ApiTransaction], Protocol):
    async def customer_card(self, principal: Principal, customer_id: UUID) -> tuple[str, str] | None:
        """Version and JSON of a record within reach, read in one trip; None when there is none."""
        ...


class Readiness(Protocol):
    @property
    def ready(self) -> bool: ...

    @property
    def failures(self) -> tuple[str, ...]: ...

    @property
    def schema(self) -> str | None: ...


class Operations(Protocol):
    """What ops ask of the database."""

    async def readiness(self) -> Readiness: ...

    async def queue_states(self) -> Mapping[str, int]: ...

    def pool_numbers(self) -> Mapping[str, int]: ...


class Antivirus(Protocol):
    """What ops ask of the virus scanner."""

    @property
    def on(self) -> bool: ...

    async def answers(self) -> bool: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    uow: ApiUnitOfWork
    clock: Clock
    principals: Principals
    operations: Operations
    customers: CustomerService
    finding: FindingService
    keeping: KeepingService
    mending: MendingService
    tasks: TaskService
    duplicates: DuplicateService
    attributes: AttributeService
    orders: OrderService
    segmentation: SegmentationService
    rfm: RfmService
    abc: AbcService
    rules: RuleService
    segments: SegmentService
    ingestion: IngestionService
    scanner: Antivirus
    exports: ExportService
    export_approvals: ApprovalService
    export_files: DeliveryService
    assignments: AssignmentService
    briefings: BriefingService
    around: AroundService
    access: AccessService
    privacy: PrivacyService
    merging: MergingService
    leaks: LeakService
    activity: Activity
    audit: AuditService
    refusals: Refusals
    quality: ScanService
    verdicts: WriteVerdicts
    reveals: RevealService
    batch_items: int
    region: str
