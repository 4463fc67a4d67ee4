"""The HTTP root: settings → container → app → uvicorn on a socket of its own.

The first process keeps the others alive: the job worker, and further API processes that share the port by
SO_REUSEPORT. Children end when their parent does, however it ends: they watch the pipe that it holds.
"""

import asyncio
import contextlib
import gc
import os
import signal
import socket
import sys
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import structlog
import uvicorn
from fastapi import FastAPI
from prometheus_client import multiprocess

from service import telemetry
from service.api.app import assemble
from service.api.services import Services
from service.api.wire import OnePacketProtocol
from service.bootstrap import bounds, build_container
from service.jobs.watching import keep_counting
from service.settings import Settings

_log = structlog.get_logger("serve")
_BACKOFF_S = (0.2, 1.0, 5.0)


def create_app(settings: Settings) -> FastAPI:
    """The application of these settings; it connects when it starts."""

    @asynccontextmanager
    async def opened() -> AsyncIterator[Services]:
        container = await build_container(settings)
        ending = asyncio.Event()
        counting = asyncio.create_task(keep_counting(container.services.activity, container.observatory.save, ending))
        try:
            yield container.services
        finally:
            ending.set()
            await counting
            await container.aclose()

    return assemble(opened, bounds(settings))


def listening(host: str, port: int) -> socket.socket:
    """A socket of this process alone on a shared port; the protocol is named, or asyncio would skip TCP_NODELAY."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    listener.bind((host, port))
    listener.set_inheritable(False)
    return listener


def end_with_parent() -> None:
    """Ask this process to stop when its standard input closes, which it does when the parent is gone."""

    stdin = sys.stdin.fileno()

    def watch() -> None:
        with contextlib.suppress(OSError):
            # Not through sys.stdin, whose lock the interpreter would want back when it ends.
            while os.read(stdin, 1):
                pass
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, daemon=True).start()


async def keep_alive(command: Sequence[str]) -> None:
    """Run a child, and run it again when it ends, until cancelled; then it is asked to stop, and waited for."""
    failures = 0
    while True:
        child = await asyncio.create_subprocess_exec(*command, stdin=asyncio.subprocess.PIPE)
        try:
            code = await child.wait()
            _forget_metrics(child.pid)
        except asyncio.CancelledError:
            child.terminate()
            try:
                await asyncio.wait_for(child.wait(), 15)
            except TimeoutError:
                child.kill()
            raise
        _log.warning("child ended", command=command[-1], code=code)
        await asyncio.sleep(_BACKOFF_S[min(failures, len(_BACKOFF_S) - 1)])
        failures += 1


def _forget_metrics(pid: int) -> None:
    """Gauges of a process that is gone no longer count."""
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        multiprocess.mark_process_dead(pid)  # type: ignore[no-untyped-call]


def serve(settings: Settings, *, host: str, port: int, children: Sequence[Sequence[str]] = ()) -> None:
    """Serve until told to stop."""
    telemetry.configure_logging(level=settings.telemetry.level, json_logs=settings.telemetry.json_logs)
    config = uvicorn.Config(
        create_app(settings),
        loop="uvloop",
        http=OnePacketProtocol,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=20,
        lifespan="on",
    )

    async def run() -> None:
        server = uvicorn.Server(config)
        supervised = [asyncio.create_task(keep_alive(command)) for command in children]
        try:
            await server.serve(sockets=[listening(host, port)])
        finally:
            for task in supervised:
                task.cancel()
            await asyncio.gather(*supervised, return_exceptions=True)

    # What is loaded by now stays; to look through it again at every full collection held requests up.
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)
    with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
        runner.run(run())
