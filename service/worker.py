"""The job root: takes jobs from the queue until it is told to stop; what it was doing is taken up again elsewhere."""

import asyncio
import gc
import signal

import uvloop

from service import telemetry
from service.bootstrap import build_container, database_url
from service.db.jobs import ENTRYPOINT, listen, queries
from service.jobs.checking import keep_checked
from service.jobs.matching import keep_matched
from service.jobs.mending import keep_mended
from service.jobs.runner import queue_manager, work
from service.jobs.segmenting import keep_refreshed
from service.jobs.snapshotting import keep_snapshots
from service.jobs.sweeping import keep_swept
from service.jobs.watching import keep_delivering, keep_judging
from service.settings import Settings


async def _run(settings: Settings) -> None:
    container = await build_container(settings)
    connection = await listen(database_url(settings))
    manager = queue_manager(queries(connection), ENTRYPOINT, container.runner)
    loop = asyncio.get_running_loop()

    def stop() -> None:
        manager.shutdown.set()
        container.runner.stop()

    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop)
    # Millions of short-lived rows pass through here; what lives for ever need not be looked at each time.
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
    sweeping = asyncio.create_task(keep_swept(container.sweep.sweep, manager.shutdown))
    sealing = asyncio.create_task(container.sealing.keep_sealed(manager.shutdown))
    watching = [
        asyncio.create_task(keep_judging(container.evaluation.evaluate, manager.shutdown)),
        asyncio.create_task(keep_delivering(container.observatory, container.webhook, manager.shutdown)),
        asyncio.create_task(keep_snapshots(container.observatory.tenants, container.services.rfm, manager.shutdown)),
        asyncio.create_task(keep_refreshed(container.segments.refresh, manager.shutdown)),
        asyncio.create_task(keep_checked(container.observatory.tenants, container.follower, manager.shutdown)),
        asyncio.create_task(
            keep_mended(container.observatory.tenants, container.services.mending.mend_tenant, manager.shutdown)
        ),
        asyncio.create_task(keep_matched(container.matcher.refresh, manager.shutdown)),
    ]
    try:
        await work(manager, heartbeat_s=settings.jobs.heartbeat_s, concurrency=settings.jobs.concurrency)
    finally:
        for task in (sweeping, *watching):
            task.cancel()
        # The sealer ends by itself, with a last anchor.
        manager.shutdown.set()
        await asyncio.gather(sweeping, *watching, asyncio.wait_for(sealing, 10), return_exceptions=True)
        await connection.close()
        await container.aclose()


def run(settings: Settings) -> None:
    telemetry.configure_logging(level=settings.telemetry.level, json_logs=settings.telemetry.json_logs)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_run(settings))
