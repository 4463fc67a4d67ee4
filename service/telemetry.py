"""Logs as JSON lines with a request id and no personal data, and the metrics that ops watch.

Only what is named here is logged: method, route template, status, time, ids. Never a query string, a body, a name.
"""

import logging
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, BinaryIO

import orjson
import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

REGISTRY = CollectorRegistry()
REQUESTS = Counter("clientbase_requests", "Requests answered.", ["method", "route", "status"], registry=REGISTRY)
LATENCY = Histogram(
    "clientbase_request_seconds",
    "Time to answer, by route template.",
    ["method", "route"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
    registry=REGISTRY,
)
# The modes say how the processes' values become one when PROMETHEUS_MULTIPROC_DIR is set.
POOL = Gauge(
    "clientbase_pool_connections",
    "Database connections of this process.",
    ["state"],
    multiprocess_mode="livesum",
    registry=REGISTRY,
)
JOBS = Gauge(
    "clientbase_jobs",
    "Jobs in the queue by state, as of the last scrape; NaN when the database did not say.",
    ["state"],
    multiprocess_mode="mostrecent",
    registry=REGISTRY,
)
IMPORT_ROWS = Counter("clientbase_import_rows", "Rows of imports, applied or rejected.", ["outcome"], registry=REGISTRY)
LEAK_SIGNALS = Counter("clientbase_leak_signals", "Leak signals raised.", ["kind", "severity"], registry=REGISTRY)
UNAVAILABLE = Counter("clientbase_unavailable", "Requests refused for lack of the database.", registry=REGISTRY)
# The worker seals the trail of all tenants; these stand still when it does.
AUDIT_UNSEALED = Gauge(
    "clientbase_audit_unsealed_rows",
    "Rows of the audit trail that wait for their seal.",
    multiprocess_mode="mostrecent",
    registry=REGISTRY,
)
AUDIT_LAG = Gauge(
    "clientbase_audit_seal_lag_seconds",
    "Age of the oldest row of the audit trail without a seal.",
    multiprocess_mode="mostrecent",
    registry=REGISTRY,
)
REFUSALS = Counter("clientbase_refusals", "Requests refused, by status.", ["status"], registry=REGISTRY)


class RequestLog:
    """One line a request. As JSON it goes past structlog, whose processors took a tenth of a read by key."""

    def __init__(self) -> None:
        self._lines: BinaryIO | None = None
        self._log = structlog.get_logger("request")

    def straight_to(self, lines: BinaryIO | None) -> None:
        """Where lines of JSON go; None leaves them to structlog."""
        self._lines = lines

    def __call__(self, **told: object) -> None:
        if self._lines is None:
            self._log.info("request", **told)
            return
        told |= {"event": "request", "level": "info", "timestamp": datetime.now(UTC)}
        self._lines.write(orjson.dumps(told, option=orjson.OPT_APPEND_NEWLINE | orjson.OPT_UTC_Z))
        self._lines.flush()


log_request = RequestLog()


def configure_logging(*, level: str = "info", json_logs: bool = True) -> None:
    """Send structlog and the standard library's loggers to standard error in one shape."""
    shared: list[structlog.typing.Processor] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    renderer: structlog.typing.Processor
    factory: Callable[..., Any]
    if json_logs:
        # A line is bytes from the start, and leaves in one write.
        renderer, factory = (
            structlog.processors.JSONRenderer(orjson.dumps),
            structlog.BytesLoggerFactory(sys.stderr.buffer),
        )
    else:
        renderer, factory = structlog.dev.ConsoleRenderer(), structlog.PrintLoggerFactory(sys.stderr)
    minimum = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(
        processors=[*shared, structlog.processors.format_exc_info, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(minimum),
        logger_factory=factory,
        cache_logger_on_first_use=True,
    )
    log_request.straight_to(sys.stderr.buffer if json_logs and minimum <= logging.INFO else None)
    handler = logging.StreamHandler(sys.stderr)
    foreign = structlog.processors.JSONRenderer() if json_logs else renderer
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=[_only_event, foreign])
    )
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    logging.getLogger("uvicorn.access").disabled = True
    # An answer that breaks off is told by the edge, with its request and its reason.
    logging.getLogger("uvicorn.error").addFilter(lambda told: "without completing response" not in told.getMessage())


def _only_event(_: object, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Foreign records keep their message and place; whatever else they carry might be personal."""
    record = event.get("_record")
    place = {"logger": record.name} if record is not None else {}
    return {"event": event.get("event"), "level": event.get("level"), "timestamp": event.get("timestamp"), **place}
