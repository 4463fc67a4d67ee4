"""The demo's root: the embedded server, a fresh tenant, the service with its worker, the show, and on with serving."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import date
from pathlib import Path
from types import FrameType

import httpx
import orjson
from rich.console import Console

from service.db.embedded import running
from service.db.embedded_tools import EmbeddedServerError
from service.db.migrate import migrate
from service.demo import company
from service.demo.client import Refused, Service
from service.demo.company import ADMIN, LEADS, Company
from service.demo.generate import CUSTOMER_FILES, LINE_COLUMNS, ORDERS_FILE, RETURN_PREFIX, Recipe, Truth, generate
from service.demo.run import ImportFailed, Load, Show, Stage, farewell
from service.domain.errors import DomainError
from service.domain.ingestion.batches import Options, head
from service.domain.ingestion.presets import PRESETS, recognise
from service.settings import local_secrets

_START_S, _STOP_S, _HEAD = 60.0, 25.0, 1 << 17
_CURRENCY = "RUB"
# The service's own format, with the one thing that it leaves open: which numbers are those of returns.
_MAPPING = {
    "kind": "order_lines",
    "columns": {column: column for column in LINE_COLUMNS},
    "decimal": "point",
    "return_prefix": RETURN_PREFIX,
}


class NotStarted(Exception):
    """The service did not become ready."""


def demo(
    *, file: Path | None, once: bool, customers: int, orders: int, seed: int, port: int, state_dir: Path
) -> int:
    """Load a generated base or a real file, show what the service makes of it; returns the exit code."""
    console = Console(width=None if sys.stdout.isatty() else 120)
    signal.signal(signal.SIGTERM, _interrupt)
    recipe = Recipe(customers=customers, orders=orders, seed=seed, as_of=date.today())  # noqa: DTZ011 - the user's day
    try:
        with ExitStack() as held:
            _perform(console, held, file, recipe, once=once, port=port, state_dir=state_dir.resolve())
    except KeyboardInterrupt:
        console.print("\nstopped")
    except (Refused, ImportFailed, NotStarted, EmbeddedServerError, OSError, httpx.HTTPError) as error:
        console.print(f"[bold red]The demo ended early:[/] {type(error).__name__}", end=" ")
        console.print(str(error), markup=False, highlight=False)
        return 1
    return 0


def _perform(
    console: Console, held: ExitStack, file: Path | None, recipe: Recipe, *, once: bool, port: int, state_dir: Path
) -> None:
    began = time.monotonic()
    folder = Path(held.enter_context(tempfile.TemporaryDirectory(prefix="clientbase-demo-")))
    making = held.enter_context(_meanwhile(recipe, folder)) if file is None else None
    currency = _currency(file) if file is not None else _CURRENCY
    with console.status("starting the embedded database and the service"):
        server = held.enter_context(running(state_dir / "pg18"))
        owner = server.url(user="clientbase_owner")
        migrate(owner, "clientbase_service", None)
        firm = company.found(owner, state_dir, currency)
        secrets = local_secrets(state_dir)
        url = {"CLIENTBASE_DATABASE__URL": server.url(user="clientbase_service"), "CLIENTBASE_STATE_DIR": str(state_dir)}
        url["CLIENTBASE_AUTH__SECRET"] = secrets["auth_secret"]
        serving, base_url = held.enter_context(_serving(_free(port), url, state_dir / "demo.log"))
    console.print(f"[bold]Clientbase[/] on {base_url}, tenant {firm.tenant}, up in {time.monotonic() - began:.1f} s")
    stage = _real(firm, base_url, file) if file is not None else _generated(console, firm, base_url, folder, making)
    show = Show(console, stage)
    held.callback(show.close)
    show.run()
    console.print(f"all of this in {time.monotonic() - began:.0f} s", style="dim", highlight=False)
    if not once:
        farewell(console, stage)
        console.print("Ctrl-C ends it.", style="dim")
        serving.wait()
