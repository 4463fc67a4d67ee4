"""The composition root: the only place that names concrete classes and joins them."""

from dataclasses import dataclass
from pathlib import Path

import asyncpg
import structlog

from service.api.edge import Bounds
from service.api.refusals import Refusals
from service.api.security import Principals
from service.api.services import Services
from service.api.signing_keys import KeySource, PublishedKeys, SharedSecret
from service.api.tokens import TokenVerifier
from service.clock import SystemClock
from service.db.audit_seals import PgSealer
from service.db.directory import PgDirectory
from service.db.observatory import PgObservatory
from service.db.operations import PgOperations
from service.db.refusals import PgRefusals
from service.db.session import open_pool
from service.db.sweep import PgSweep
from service.db.unit_of_work import PgUnitOfWork
from service.domain.around.service import AccessService, AroundService
from service.domain.assignments.briefings import BriefingService
from service.domain.assignments.service import AssignmentService
from service.domain.attributes.service import AttributeService
from service.domain.audit.service import AuditService
from service.domain.customers.request_tokens import RequestTokens
from service.domain.customers.service import CustomerService, LookupKey
from service.domain.duplicates.keyed import KeyHash
from service.domain.duplicates.matching import Matcher
from service.domain.duplicates.scanning import DuplicateScan
from service.domain.duplicates.service import DuplicateService
from service.domain.exports.approvals import ApprovalService
from service.domain.exports.delivery import DeliveryService
from service.domain.exports.marks import MarkKeys
from service.domain.exports.service import ExportService
from service.domain.finding.service import FindingService
from service.domain.ingestion.service import IngestionService
from service.domain.keeping.service import KeepingService
from service.domain.leaks.activity import Activity
from service.domain.leaks.service import Evaluation, LeakService
from service.domain.merging.service import MergingService
from service.domain.orders.service import OrderService
from service.domain.privacy.service import PrivacyService
from service.domain.quality.following import Follower
from service.domain.quality.mending import MendingService
from service.domain.quality.scanning import ScanService
from service.domain.quality.tasks import TaskService
from service.domain.quality.verdicts import WriteVerdicts
from service.domain.reveals.service import RevealService
from service.domain.rules.service import RuleService
from service.domain.segmentation.abc_service import AbcService
from service.domain.segmentation.rfm_keeping import RfmService
from service.domain.segmentation.service import SegmentationService
from service.domain.segments.refreshing import SegmentRefresher
from service.domain.segments.service import SegmentService
from service.jobs.anchors import AnchorFile
from service.jobs.examining import Examiners
from service.jobs.handlers import handlers
from service.jobs.runner import Runner
from service.jobs.sealing import Sealing
from service.jobs.watching import Webhook
from service.parsing.reader import KillableReader
from service.scanning.clamd import Clamd, NoScanner, parse_address
from service.settings import Settings, local_secrets

_log = structlog.get_logger("start")


class NotConfigured(RuntimeError):
    """A setting that the service can't start without."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """Everything that a root needs, and how to let go of it."""

    pool: asyncpg.Pool
    services: Services
    runner: Runner
    sweep: PgSweep
    sealing: Sealing
    observatory: PgObservatory
    evaluation: Evaluation
    segments: SegmentRefresher
    matcher: Matcher
    follower: Follower
    webhook: Webhook | None
    reader: KillableReader

    async def aclose(self) -> None:
        await self.reader.aclose()
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


def bounds(settings: Settings) -> Bounds:
    """What the HTTP surface lets through."""
    limits, http = settings.limits, settings.http
    return Bounds(
        body_bytes=limits.body_bytes,
        upload_bytes=limits.upload_bytes,
        caller_per_minute=limits.caller_per_minute,
        address_per_minute=limits.address_per_minute,
        trusted_proxies=http.trusted_proxies,
        behind_tls=http.behind_tls,
    )


def lookup_key(settings: Settings) -> LookupKey:
    return LookupKey(_lookup_secret(settings))


def request_tokens(settings: Settings) -> RequestTokens:
    return RequestTokens(_lookup_secret(settings))


def mark_keys(settings: Settings) -> MarkKeys:
    """The keys of the marks in exported files; whoever traces a file needs the same secret."""
    return MarkKeys(_lookup_secret(settings))


def _lookup_secret(settings: Settings) -> bytes:
    secret = settings.contacts.lookup_key
    return (secret.get_secret_value() if secret else _local(settings.state_dir)["lookup_key"]).encode()


def scanner_of(settings: Settings) -> Clamd | NoScanner:
    """The configured virus scanner; where there is none, the log says so at each start."""
    given = settings.antivirus
    if not given.address:
        _log.warning("no antivirus: uploads are read unscanned", setting="CLIENTBASE_ANTIVIRUS__ADDRESS")
        return NoScanner()
    try:
        address = parse_address(given.address)
    except ValueError as error:
        raise NotConfigured(f"CLIENTBASE_ANTIVIRUS__ADDRESS: {error}") from None
    return Clamd(
        address,
        most_bytes=given.most_bytes,
        at_once_bytes=given.at_once_bytes,
        at_once_s=given.at_once_s,
        patient_s=given.patient_s,
    )


def anchors(settings: Settings) -> AnchorFile:
    """The anchors of the audit trail: their file, and the key that signs them, read when it is first needed."""

    def key() -> str:
        secret = settings.audit.anchor_key
        return secret.get_secret_value() if secret else _local(settings.state_dir)["anchor_key"]

    return AnchorFile(settings.audit.anchor_file or settings.state_dir / "audit.anchors", key)


def audit_of(settings: Settings, pool: asyncpg.Pool) -> AuditService:
    """The audit trail alone, for the operator."""
    return AuditService(PgUnitOfWork(pool), SystemClock(), anchors(settings))


def webhook(settings: Settings) -> Webhook | None:
    """Where leak signals go besides the API; an address without a secret stops the start."""
    signals = settings.signals
    if signals.webhook_url is None:
        return None
    if signals.webhook_secret is None:
        raise NotConfigured("CLIENTBASE_SIGNALS__WEBHOOK_SECRET is not set.")
    secret = signals.webhook_secret.get_secret_value().encode()
    return Webhook(signals.webhook_url, secret, private=signals.webhook_private)


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
    scanner, reader = scanner_of(settings), KillableReader()
    scans = ScanService(uow, clock, Examiners(settings.jobs.examiners), region=region, key=_lookup_secret(settings))
    verdicts = WriteVerdicts(uow, clock, scans, region=region)
    ingestion = IngestionService(
        uow,
        clock,
        lookup,
        reader=reader,
        scanner=scanner,
        region=region,
        chunk_rows=settings.jobs.chunk_rows,
        judge=verdicts,
    )
    rules = RuleService(uow, clock)
    abc = AbcService(uow, clock)
    exports = ExportService(uow, clock, mark_keys(settings), rules)
    anchor_file = anchors(settings)
    services = Services(
        uow=uow,
        clock=clock,
        principals=Principals(verifier, directory),
        operations=operations,
        customers=CustomerService(uow, clock, lookup, region, verdicts),
        finding=FindingService(uow, clock, lookup, request_tokens(settings), region),
        keeping=KeepingService(uow, clock),
        mending=MendingService(uow, clock, lookup, region),
        tasks=TaskService(uow, clock),
        duplicates=DuplicateService(uow, clock, request_tokens(settings)),
        attributes=AttributeService(uow),
        orders=OrderService(uow, clock),
        segmentation=SegmentationService(uow, clock),
        rfm=RfmService(uow, clock, abc),
        abc=abc,
        rules=rules,
        segments=SegmentService(uow),
        ingestion=ingestion,
        scanner=scanner,
        exports=exports,
        export_approvals=ApprovalService(uow),
        export_files=DeliveryService(uow, clock),
        assignments=AssignmentService(uow, clock),
        briefings=BriefingService(uow, clock),
        around=AroundService(uow, clock),
        access=AccessService(uow, clock, request_tokens(settings)),
        privacy=PrivacyService(uow, clock),
        merging=MergingService(uow, clock),
        activity=Activity(),
        leaks=LeakService(uow, clock, lookup.of),
        audit=AuditService(uow, clock, anchor_file),
        refusals=Refusals(PgRefusals(uow)),
        reveals=RevealService(uow),
        quality=scans,
        verdicts=verdicts,
        batch_items=settings.limits.batch_items,
        region=region,
    )
    observatory = PgObservatory(pool)
    key_hash = KeyHash(_lookup_secret(settings))
    matcher = Matcher(uow, observatory.tenants, key_hash)
    runner = Runner(uow, directory, dict(handlers(ingestion, exports, DuplicateScan(uow, key_hash), scans)))
    every = settings.audit
    sealing = Sealing(
        PgSealer(pool), anchor_file, clock, every_s=every.seal_every_s, anchor_every_s=every.anchor_every_s
    )
    return Container(
        pool=pool,
        services=services,
        runner=runner,
        sweep=PgSweep(pool),
        sealing=sealing,
        observatory=observatory,
        evaluation=Evaluation(observatory),
        segments=SegmentRefresher(uow, clock, observatory.tenants),
        matcher=matcher,
        follower=Follower(scans, uow, clock),
        webhook=webhook(settings),
        reader=reader,
    )
