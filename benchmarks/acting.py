"""The service as the rows use it: its container in this process, its worker in one of its own, as in production."""

import asyncio
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

import asyncpg
import uvloop
from pydantic import SecretStr

from benchmarks.databases import ROOT, STATE, Database
from service.bootstrap import Container, build_container
from service.db.directory import PgDirectory
from service.domain.access import Principal
from service.settings import AuthSettings, ContactSettings, DatabaseSettings, Settings

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Acting:
    """A container, a principal, and a superuser's connection that looks on from outside."""

    runner: asyncio.Runner
    container: Container
    principal: Principal
    onlooker: asyncpg.Connection

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(work)

    def until_done(self, table: str, key: str, record: UUID) -> float:
        """Wait for a job's record to be done; returns the seconds from now on."""

        async def wait() -> float:
            started = time.perf_counter()
            query = f"SELECT state, error FROM {table} WHERE {key} = $1"
            while True:
                state, error = await self.onlooker.fetchrow(query, record)
                if state == "done":
                    return time.perf_counter() - started
                if state not in ("queued", "running"):
                    raise RuntimeError(f"{table}: {state} {error}")
                await asyncio.sleep(0.01)

        return self.run(wait())

    def until_worker_listens(self) -> None:
        """Wait until the worker has asked for jobs and found none, so that its start is not part of what is measured."""

        async def wait() -> None:
            asking = """SELECT FROM pg_stat_activity WHERE datname = current_database()
                AND application_name = 'clientbase-worker' AND query ILIKE '%pgqueuer%'"""
            async with asyncio.timeout(30):
                while not await self.onlooker.fetch(asking):
                    await asyncio.sleep(0.05)

        self.run(wait())

    def command(self, text: str) -> None:
        self.run(self.onlooker.execute(text))

    @contextmanager
    def apart_from_servers(self) -> Iterator[None]:
        """This process on one core, the servers of both sides on another, as behind a network.

        Left to the scheduler, a question of 0.1 ms is as fast as the place that its server happens to get: on the
        client's core it takes half the time, and the ratio of two equal sides was anything from 0.35 to 0.9.
        """
        cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_setaffinity") else []
        if len(cores) < 2:
            yield
            return
        for server in self.run(self._servers()):
            os.sched_setaffinity(server, {cores[1]})
        os.sched_setaffinity(0, {cores[0]})
        try:
            yield
        finally:
            os.sched_setaffinity(0, cores)

    async def _servers(self) -> list[int]:
        """The processes behind both sides' connections."""
        listed = (
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND backend_type = 'client backend'"
        )
        return [row["pid"] for row in await self.onlooker.fetch(listed)]


@contextmanager
def acting(
    database: Database, *, tenant: str, subject: str, scopes: Sequence[str], worker: bool = False
) -> Iterator[Acting]:
    """Act as a member of the staff, with a worker beside if jobs are to be run."""
    auth, lookup = secrets.token_urlsafe(48), secrets.token_urlsafe(48)
    settings = Settings(
        database=DatabaseSettings(url=SecretStr(database.service_url)),
        auth=AuthSettings(secret=SecretStr(auth)),
        contacts=ContactSettings(lookup_key=SecretStr(lookup)),
    )
    environment = {
        "CLIENTBASE_DATABASE__URL": database.service_url,
        "CLIENTBASE_AUTH__SECRET": auth,
        "CLIENTBASE_CONTACTS__LOOKUP_KEY": lookup,
    }
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        container = runner.run(build_container(settings))
        onlooker = runner.run(asyncpg.connect(database.superuser_url))
        directory = PgDirectory(container.pool)
        principal = runner.run(directory.by_subject(tenant, subject, tuple(scopes)))
        commands = [[sys.executable, "-m", "service.cli", "worker"]] if worker else []
        try:
            with _running(commands, environment):
                yield Acting(runner=runner, container=container, principal=principal, onlooker=onlooker)
        finally:
            runner.run(onlooker.close())
            runner.run(container.aclose())


@contextmanager
def process(command: Sequence[str], environment: Mapping[str, str], log: Path) -> Iterator[None]:
    """A process beside this one, its words in a file."""
    with log.open("wb") as output:
        started = subprocess.Popen(command, cwd=ROOT, env=os.environ | environment, stdout=output, stderr=output)
        try:
            yield
        finally:
            started.terminate()
            try:
                started.wait(20)
            except subprocess.TimeoutExpired:
                started.kill()
                started.wait()


@contextmanager
def _running(commands: Sequence[Sequence[str]], environment: Mapping[str, str]) -> Iterator[None]:
    if not commands:
        yield
        return
    with process(commands[0], environment, STATE / "bench-worker.log"):
        yield
