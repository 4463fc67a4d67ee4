"""The composition root: the only place that names concrete classes and joins them."""

from dataclasses import dataclass
from pathlib import Path

import asyncpg

from service.api.security import Principals
from service.api.services import Services
from service.api.signing_keys import KeySource, PublishedKeys, SharedSecret
from service.api.tokens import TokenVerifier
from service.clock import SystemClock
from service.db.directory import PgDirectory
from service.db.operations import PgOperations
from service.db.session import open_pool
from service.db.sweep import PgSweep
from service.db.unit_of_work import PgUnitOfWork
from service.domain.around.service import AccessService, AroundService
from service.domain.assignments.briefings import BriefingService
from service.domain.assignments.service import AssignmentService
from service.domain.attributes.service import AttributeService
from service.domain.customers.request_tokens import RequestTokens
from service.domain.customers.service import CustomerService, LookupKey
from service.domain.exports.service import ExportService
from service.domain.finding.service import FindingService
from service.domain.ingestion.service import IngestionService
from service.domain.keeping.service import KeepingService
from service.domain.orders.service import OrderService
from service.domain.privacy.service import PrivacyService
from service.domain.segmentation.service import SegmentationService
from service.jobs.handlers import handlers
from service.jobs.runner import Runner
from service.settings import Settings, local_secrets


class NotConfigured(RuntimeError):
    """A setting that the service can't start without."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """Everything that a root needs, and how to let go of it."""

    pool: asyncpg.Pool
    services: Services
    runner: Runner
    sweep: PgSweep

    async def aclose(self) -> None:
        await self.pool.close()


def database_url(settings: Settings) -> str:
    """The service's own login; the roots fill it in when the embedded server is used."""
    if settings.database.url is None:
        raise NotConfigured("CLIENTBASE_DATABASE__URL is not set.")
    return settings.database.url.get_secret_value()


def key_source(settings: Settings) -> KeySource:
    """Published keys where a JWKS is named, else the shared secret; a weak one stops the start."""
    auth = settings.auth
    if auth.jwks_url is not None:
        return PublishedKeys(auth.jwks_url)
    return SharedSecret(auth_secret(settings), known_secrets=auth.known_secrets_file)


def auth_secret(settings: Settings) -> str:
    """The shared secret of the settings, else that of this stand-alone installation."""
    if settings.auth.secret is not None:
        return settings.auth.secret.get_secret_value()
    return _local(settings.state_dir)["auth_secret"]


def _local(state_dir: Path) -> dict[str, str]:
    return local_secrets(state_dir)


def lookup_key(settings: Settings) -> LookupKey:
    return LookupKey(_lookup_secret(settings))


def request_tokens(settings: Settings) -> RequestTokens:
    return RequestTokens(_lookup_secret(settings))


def _lookup_secret(settings: Settings) -> bytes:
    secret = settings.contacts.lookup_key
    return (secret.get_secret_value() if secret else _local(settings.state_dir)["lookup_key"]).encode()


async def build_container(settings: Settings) -> Container:
    """Connect, refuse an unsafe login, and join the parts."""
    pool = await open_pool(database_url(settings), size=settings.database.pool_size)
    clock = SystemClock()
    uow = PgUnitOfWork(pool, acquire_timeout=settings.database.acquire_timeout_s)
    directory = PgDirectory(pool)
    operations = PgOperations(pool)
    await operations.check_login()
    auth = settings.auth
    verifier = TokenVerifier(keys=key_source(settings), issuer=auth.issuer, audience=auth.audience)
    lookup = lookup_key(settings)
    region = settings.contacts.region
    ingestion = IngestionService(uow, clock, lookup, region=region, chunk_rows=settings.jobs.chunk_rows)
    exports = ExportService(uow, clock)
    services = Services(
        uow=uow,
        clock=clock,
        principals=Principals(verifier, directory),
        operations=operations,
        customers=CustomerService(uow, clock, lookup, region),
        finding=FindingService(uow, clock, lookup, request_tokens(settings), region),
        keeping=KeepingService(uow, clock),
        attributes=AttributeService(uow),
        orders=OrderService(uow, clock),
        segmentation=SegmentationService(uow, clock),
        ingestion=ingestion,
        exports=exports,
        assignments=AssignmentService(uow, clock),
        briefings=BriefingService(uow, clock),
        around=AroundService(uow, clock),
        access=AccessService(uow, clock, request_tokens(settings)),
        privacy=PrivacyService(uow, clock),
        batch_items=settings.limits.batch_items,
        region=region,
    )
    runner = Runner(uow, directory, dict(handlers(ingestion, exports)))
    return Container(pool=pool, services=services, runner=runner, sweep=PgSweep(pool))
