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
from service.demo.company import ADMIN, LEADS, MANAGER, Company
from service.demo.generate import CUSTOMER_FILES, LINE_COLUMNS, ORDERS_FILE, RETURN_PREFIX, Recipe, Truth, generate
from service.demo.run import JobFailed, Load, Show, Stage, farewell
from service.domain.errors import DomainError
from service.domain.ingestion.batches import Options, head
from service.domain.ingestion.presets import PRESETS, recognise

_START_S, _STOP_S, _HEAD = 60.0, 25.0, 1 << 17
_CURRENCY = "RUB"
# The service's own format, with the one thing that it leaves open: which numbers are those of returns.
_MAPPING = {
    "kind": "order_lines",
    "columns": {column: column for column in LINE_COLUMNS},
    "decimal": "point",
    "return_prefix": RETURN_PREFIX,
}


# The child ends when this process does, however it ends: it watches its standard input.
_SERVE = "from service.main import end_with_parent; end_with_parent(); from service.cli import app; app()"


class NotStarted(Exception):
    """The service did not become ready."""


def demo(*, file: Path | None, once: bool, customers: int, orders: int, seed: int, port: int, state_dir: Path) -> int:
    """Load a generated base or a real file, show what the service makes of it; returns the exit code."""
    console = Console(width=None if sys.stdout.isatty() else 120)
    signal.signal(signal.SIGTERM, _interrupt)
    recipe = Recipe(customers=customers, orders=orders, seed=seed, as_of=date.today())  # noqa: DTZ011 - the user's day
    try:
        with ExitStack() as held:
            _perform(console, held, file, recipe, once=once, port=port, state_dir=state_dir.resolve())
    except KeyboardInterrupt:
        console.print("\nstopped")
    except (Refused, JobFailed, NotStarted, EmbeddedServerError, OSError, httpx.HTTPError) as error:
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
        database_url = server.url(user="clientbase_service")
        serving, base_url = held.enter_context(_serving(_free(port), database_url, state_dir))
    console.print(f"[bold]Clientbase[/] on {base_url}, tenant {firm.tenant}, up in {time.monotonic() - began:.1f} s")
    if making is not None:
        stage = _generated(console, firm, base_url, folder, making)
    else:
        assert file is not None
        stage = _real(firm, base_url, file)
    show = Show(console, stage)
    held.callback(show.close)
    show.run()
    console.print(f"all of this in {time.monotonic() - began:.0f} s", style="dim", highlight=False)
    if not once:
        farewell(console, stage)
        console.print("Ctrl-C ends it.", style="dim")
        serving.wait()


def _generated(console: Console, firm: Company, base_url: str, folder: Path, making: "Future[Truth]") -> Stage:
    with console.status("generating customers and orders"):
        tokens = firm.tokens()
        with Service(base_url, tokens[ADMIN]) as admin:
            company.populate(admin)
        truth = making.result()
    lead_loads = [
        Load(path=folder / name, caller=LEADS[team], fields={"kind": "customers", "preset": "clientbase_customers"})
        for team, name in CUSTOMER_FILES.items()
    ]
    fields = {"kind": "order_lines", "mapping": orjson.dumps(_MAPPING).decode()}
    orders = Load(path=folder / ORDERS_FILE, caller=ADMIN, fields=fields)
    return Stage(
        base_url=base_url,
        tokens=tokens,
        guard=firm.guard(),
        loads=(*lead_loads, orders),
        exports=Path("exports"),
        truth=truth,
    )


def _real(firm: Company, base_url: str, file: Path) -> Stage:
    tokens = {name: token for name, token in firm.tokens().items() if name in (ADMIN, MANAGER)}
    with Service(base_url, tokens[ADMIN]) as admin:
        company.populate(admin)
    loads = (Load(path=file, caller=ADMIN),)
    exports = Path("exports")
    return Stage(base_url=base_url, tokens=tokens, guard=firm.guard(), loads=loads, exports=exports, from_file=True)


def _currency(file: Path) -> str:
    """The currency of the file's format, so that the tenant reckons in it."""
    with file.open("rb") as opened:
        start = opened.read(_HEAD)
    try:
        name = recognise(head(start, Options(time_zone="UTC", currency=_CURRENCY)).header)
    except DomainError:
        return _CURRENCY  # the service will say in its own words what is wrong with the file
    return PRESETS[name].mapping.constants.get("currency", _CURRENCY) if name else _CURRENCY


@contextmanager
def _meanwhile(recipe: Recipe, folder: Path) -> Iterator["Future[Truth]"]:
    """The base is generated while the database starts."""
    with ThreadPoolExecutor(1) as pool:
        yield pool.submit(generate, recipe, folder)


@contextmanager
def _serving(port: int, database_url: str, state_dir: Path) -> Iterator[tuple["subprocess.Popen[bytes]", str]]:
    """The service with its worker as a process of its own, ready; its log goes to a file beside the database."""
    base_url = f"http://127.0.0.1:{port}"
    env = {name: value for name, value in os.environ.items() if not name.startswith("CLIENTBASE_")}
    env |= {"CLIENTBASE_DATABASE__URL": database_url, "CLIENTBASE_STATE_DIR": str(state_dir)}
    log = state_dir / "demo.log"
    command = [sys.executable, "-c", _SERVE, "serve", "--port", str(port)]
    with (
        log.open("wb") as out,
        subprocess.Popen(  # noqa: S603 - our own interpreter and words
            command, env=env, stdin=subprocess.PIPE, stdout=out, stderr=out, start_new_session=True
        ) as child,
    ):
        try:
            _wait_ready(child, base_url, log)
            yield child, base_url
        finally:
            child.terminate()
            try:
                child.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                child.kill()


def _wait_ready(child: "subprocess.Popen[bytes]", base_url: str, log: Path) -> None:
    deadline = time.monotonic() + _START_S
    while time.monotonic() < deadline and child.poll() is None:
        try:
            if httpx.get(f"{base_url}/readyz", trust_env=False).is_success:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.05)
    last = log.read_text(errors="replace").splitlines()[-15:]
    raise NotStarted("the service is not ready; the end of its log:\n" + "\n".join(last))


def _free(port: int) -> int:
    """The port, or any other where it is taken."""
    for wanted in (port, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", wanted))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise NotStarted("no port of 127.0.0.1 is free")


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
