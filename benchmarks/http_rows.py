"""`http.*`: the service with all its security on, against plain FastAPI, one API process each, the same base.

By key, a manager reads the records that are his own; the page is the head's, who sees the whole tenant, so both sides
find the same rows. Every answer must be the very body that was expected, and the bodies of both sides must say the same.
"""

import http.client
import json
import os
import re
import secrets
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

from benchmarks.base import SLUG, Size, base, subject
from benchmarks.databases import ROOT, STATE, Database, Server, run
from benchmarks.measure import Row, Side, Sides
from service.api.tokens import issue
from service.domain.access import Scope

_CONNECTIONS = 16
_MOMENT = re.compile(r"(T[\d:]{8}(?:\.\d*[1-9])?)\.?0*\+00:00$")
_SECONDS = 4.0
_CITIES = ("Москва", "Санкт-Петербург", "Казань", "Пермь", "Омск", "Тула", "Самара", "Уфа", "Сочи", "Тверь")
_STATUSES = ("customer", "prospect", "lapsed", "archived")


@contextmanager
def _by_key(server: Server, scale: float, *, reference: str) -> Iterator[Sides]:
    database = _base(server, scale)
    rows = run(
        database.superuser_url,
        f"""SELECT customer_id FROM customers c JOIN staff s ON s.staff_id = c.curator_id
        WHERE s.subject = '{subject("own")}' ORDER BY md5(customer_id::text) LIMIT 1000""",
    )
    paths = [f"/v1/customers/{row['customer_id']}" for row in rows]
    with _side_by_side(database, paths, subject("own"), "own", reference) as sides:
        yield sides


@contextmanager
def _page(server: Server, scale: float) -> Iterator[Sides]:
    paths = [f"/v1/customers?city={quote(city)}&status={status}&limit=50" for city in _CITIES for status in _STATUSES]
    with _side_by_side(_base(server, scale), paths, subject("tenant"), "tenant", "http_raw") as sides:
        yield sides


ROWS = (
    Row(name="http.customer_by_key.raw", goal=0.8, unit="req/s", opened=partial(_by_key, reference="http_raw")),
    Row(name="http.customer_by_key.orm", goal=1.5, unit="req/s", opened=partial(_by_key, reference="http_orm")),
    Row(name="http.customer_page.raw", goal=0.6, unit="req/s", opened=_page),
)


def _base(server: Server, scale: float) -> Database:
    return base(server, "http", Size(customers=max(2_000, int(200_000 * scale)), orders=0))


@contextmanager
def _side_by_side(database: Database, paths: Sequence[str], staff: str, reach: str, reference: str) -> Iterator[Sides]:
    secret = secrets.token_urlsafe(48)
    ours_port, reference_port = free_port(), free_port()
    ours = [sys.executable, "-m", "service.cli", "serve", "--no-worker", "--port", str(ours_port)]
    theirs = [sys.executable, "-m", f"benchmarks.references.{reference}", str(reference_port)]
    settings = {
        "CLIENTBASE_DATABASE__URL": database.service_url,
        "CLIENTBASE_AUTH__SECRET": secret,
        # One caller asks for all; every request is still counted.
        "CLIENTBASE_LIMITS__CALLER_PER_MINUTE": "100000000",
    }
    scopes = [str(scope) for scope in Scope if not scope.startswith("reach:")]
    token = issue(
        secret,
        subject=staff,
        tenant=SLUG,
        scopes=[*scopes, f"reach:{reach}"],
        issuer="clientbase",
        audience="clientbase",
        ttl_seconds=6 * 3600,
    )
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        stack.enter_context(process(ours, settings, STATE / "bench-ours.log"))
        # The reference logs in as superuser, so that no policy binds it.
        stack.enter_context(process(theirs, {"DATABASE_URL": database.superuser_url}, STATE / "bench-reference.log"))
        sides = {
            "ours": _spec(folder / "ours.json", ours_port, paths, {"Authorization": f"Bearer {token}"}),
            "reference": _spec(folder / "reference.json", reference_port, paths, {}),
        }
        _agree(sides["ours"], sides["reference"])
        yield Sides(ours=_loaded(sides["ours"]), reference=_loaded(sides["reference"]))


def _loaded(spec: Path) -> Side:
    def press() -> float:
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.load", str(spec)], cwd=ROOT, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise RuntimeError(f"a wrong answer under load: {done.stderr}")
        return float(json.loads(done.stdout)["rate"])

    return press


def _spec(path: Path, port: int, paths: Sequence[str], headers: Mapping[str, str]) -> Path:
    """Ask for everything once, and write down what the load generator needs."""
    connection = connected(port)
    bodies = []
    for one in paths:
        connection.request("GET", one, headers=dict(headers))
        answer = connection.getresponse()
        body = answer.read().decode()
        if answer.status != 200:
            raise RuntimeError(f"{one}: {answer.status} {body}")
        bodies.append(body)
    connection.close()
    lines = "".join(f"{name}: {value}\r\n" for name, value in {"Host": "127.0.0.1", **headers}.items())
    requests = [f"GET {one} HTTP/1.1\r\n{lines}\r\n" for one in paths]
    shared = {"port": port, "connections": _CONNECTIONS, "seconds": _SECONDS}
    path.write_text(json.dumps(shared | {"requests": requests, "bodies": bodies}))
    return path


def _agree(ours: Path, reference: Path) -> None:
    said, expected = (
        [json.loads(body) for body in json.loads(path.read_text())["bodies"]] for path in (ours, reference)
    )
    for one, other in zip(said, expected, strict=True):
        if _plain(one) != _plain(other):
            raise RuntimeError(f"the sides answer differently:\n{one}\n{other}")


def _plain(value: Any) -> Any:
    """The answer without the choices between +00:00 and Z, .120 and .12."""
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    return _MOMENT.sub(r"\1Z", value) if isinstance(value, str) else value


@contextmanager
def process(command: Sequence[str], settings: Mapping[str, str], log: Path) -> Iterator[None]:
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd=ROOT, env=os.environ | settings, stdout=output, stderr=output)
        try:
            yield
        finally:
            process.terminate()
            process.wait(20)


def connected(port: int, *, timeout: float = 10) -> http.client.HTTPConnection:
    deadline = time.monotonic() + 30
    while True:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
        try:
            connection.connect()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return connection


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
