"""What the driver raises, turned into the domain's refusals at this boundary; never by reading a message."""

import asyncpg

from service.domain.customers.errors import ContactKnown, CustomerHasOrders, ExternalIdTaken
from service.domain.errors import (
    DomainError,
    NameTaken,
    NotFound,
    Unavailable,
    UnknownReference,
    UnstorableText,
)
from service.domain.money import TooPrecise
from service.domain.orders.errors import OrderIdTaken
from service.domain.segmentation.abc_snapshots import AbcSnapshotUnderWay
from service.domain.segmentation.rfm_snapshots import SnapshotUnderWay

# Keys are the constraint names of the metadata's naming convention.
_CONSTRAINTS: dict[str, type[DomainError]] = {
    "pk_customer_external_ids": ExternalIdTaken,
    "uq_orders_tenant_id_external_id_source": OrderIdTaken,
    "uq_refunds_tenant_id_source_external_id": OrderIdTaken,
    "fk_orders_customers_tenant_id_customer_id": CustomerHasOrders,
    "fk_refunds_customers_tenant_id_customer_id": CustomerHasOrders,
    "pk_contact_details": ContactKnown,
    "pk_rfm_snapshots": SnapshotUnderWay,
    "pk_rfm_scores": SnapshotUnderWay,
    "pk_abc_snapshots": AbcSnapshotUnderWay,
    "pk_abc_classes": AbcSnapshotUnderWay,
}


def translate(error: Exception) -> Exception:
    """The refusal that a database error stands for; what nobody expected stays what it is."""
    match error:
        case asyncpg.UniqueViolationError() | asyncpg.ForeignKeyViolationError():
            return _constraint(error)
        case asyncpg.CharacterNotInRepertoireError() | asyncpg.UntranslatableCharacterError() | UnicodeEncodeError():
            return UnstorableText()
        case asyncpg.NumericValueOutOfRangeError():
            return TooPrecise("The customer's sums would be larger than can be kept.")
        case asyncpg.InsufficientPrivilegeError():
            # A row policy refused the write: for the caller the record does not exist.
            return NotFound()
        case (
            asyncpg.QueryCanceledError()
            | asyncpg.LockNotAvailableError()
            | asyncpg.DeadlockDetectedError()
            | asyncpg.SerializationError()
            | asyncpg.OperatorInterventionError()
            | asyncpg.PostgresConnectionError()
            | asyncpg.InsufficientResourcesError()  # too many connections, no memory, a full disk
            | asyncpg.PostgresSystemError()  # the server's own files
            | asyncpg.InterfaceError()
            | asyncpg.InternalClientError()  # the driver has lost the thread of a connection
            | OSError()
            | TimeoutError()
        ):
            return Unavailable()
    return error


def _constraint(error: asyncpg.IntegrityConstraintViolationError) -> DomainError:
    name = str(getattr(error, "constraint_name", "") or "")
    known = _CONSTRAINTS.get(name)
    if known:
        return known()
    return NameTaken() if isinstance(error, asyncpg.UniqueViolationError) else UnknownReference()
