"""What the HTTP surface is given to work with; built by the composition root, never by name."""

from dataclasses import dataclass

from service.api.security import Principals
from service.db.operations import PgOperations
from service.db.unit_of_work import PgUnitOfWork
from service.domain.customers.service import CustomerService
from service.domain.exports.service import ExportService
from service.domain.ingestion.service import IngestionService
from service.domain.orders.service import OrderService
from service.domain.ports import Clock
from service.domain.segmentation.service import SegmentationService


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    uow: PgUnitOfWork
    clock: Clock
    principals: Principals
    operations: PgOperations
    customers: CustomerService
    orders: OrderService
    segmentation: SegmentationService
    ingestion: IngestionService
    exports: ExportService
    batch_items: int
    region: str
