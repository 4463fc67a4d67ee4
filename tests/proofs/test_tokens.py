"""Tokens at full size: forged ones (B1), known secrets (B2), a key set over HTTP (B3), and how soon it ends (B4)."""

import asyncio
import gzip
import json
import secrets
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from service.api import signing_keys
from service.api.signing_keys import InvalidToken, PublishedKeys, SharedSecret, SigningKeysUnavailable, WeakSecret
from service.api.tokens import TokenVerifier
from tests.api.test_forged_tokens import Taken, refusals, taken  # noqa: F401 (a fixture)
from tests.e2e.running import Person, RunningService, TenantOfService, running_service
from tests.postgres import TestDatabase, migrated_database
from tests.shared_data import shared_data
from tests.unit.test_tokens import (
    AUDIENCE,
    DOUBTFUL,
    EC_JWK,
    EC_PEM,
    ES_TOKEN,
    ISSUER,
    NOW,
    RS_TOKEN,
    RSA_JWK,
    Clock,
    token_of,
    with_unknown_id,
)

_KINDS = ("blocked", "scope", "token", "everywhere", "team")
_BOUND_S = 5.0


def test_of_20_000_forged_tokens_none_passes(database: TestDatabase, taken: Taken) -> None:  # noqa: F811
    refused, held, accepted = asyncio.run(refusals(database, taken, 20_000, 1_000))
    sys.stdout.write(f"\nforged {dict(refused)}, connections {held}; good {dict(accepted)}")
    assert set(refused) <= {400, 401}
    assert sum(refused.values()) == 20_000
    assert held == 0
    assert accepted == {200: 1_000}


def test_every_known_secret_is_refused_at_start_up(tmp_path: Path) -> None:
    path = shared_data("C_validity/jwt_weak_secrets.txt.gz")
    listed = [line.decode("utf-8", "surrogateescape") for line in gzip.decompress(path.read_bytes()).splitlines()]
    strong = [secret for secret in listed if signing_keys._weakness(secret) is None]
    sys.stdout.write(
        f"\n{len(listed)} secrets: {len(listed) - len(strong)} refused by themselves, {len(strong)} by the list"
    )
    known = tmp_path / "known.txt"
    known.write_bytes(b"\n".join(secret.encode("utf-8", "surrogateescape") for secret in strong))
    for secret in strong:
        with pytest.raises(WeakSecret):
            SharedSecret(secret, known_secrets=known)
    for secret in [*listed[::5_000], *strong[::100]]:
        with pytest.raises(WeakSecret):
            SharedSecret(secret, known_secrets=path)
    SharedSecret(secrets.token_urlsafe(48), known_secrets=path)


class Stub:
    """A publisher of keys on this machine."""

    def __init__(self) -> None:
        self.keys: list[Any] = [RSA_JWK, EC_JWK]
        self.fetches = 0
        self.down = False

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        self.fetches += 1
        await asyncio.sleep(0.05)
        if not self.down:
            body = json.dumps({"keys": self.keys}).encode()
            head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
            writer.write(f"{head}Connection: close\r\n\r\n".encode() + body)
        writer.close()


@asynccontextmanager
async def _published() -> AsyncIterator[tuple[Stub, TokenVerifier, Clock]]:
    stub, age = Stub(), Clock(0)
    server = await asyncio.start_server(stub, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    keys = PublishedKeys(f"http://127.0.0.1:{port}/keys", clock=age)
    async with server:
        yield stub, TokenVerifier(keys=keys, issuer=ISSUER, audience=AUDIENCE, clock=lambda: NOW + age.now), age


async def _answer(gate: TokenVerifier, token: str) -> str:
    try:
        await gate.verify(token)
    except (InvalidToken, SigningKeysUnavailable) as refusal:
        return refusal.code
    return "accepted"


def test_unknown_ids_keep_to_the_cool_down_and_removed_keys_die() -> None:
    async def story() -> None:
        async with _published() as (stub, gate, age):
            assert await asyncio.gather(*(_answer(gate, RS_TOKEN) for _ in range(500))) == ["accepted"] * 500
            assert stub.fetches == 1  # single flight
            for second in range(60):
                age.now = float(second)
                tokens = [with_unknown_id(second * 1_000 + number) for number in range(167)]
                assert set(await asyncio.gather(*(_answer(gate, token) for token in tokens))) == {"invalid-token"}
            sys.stdout.write(f"\n{60 * 167} unknown ids in 60 s: {stub.fetches} fetches")
            assert stub.fetches <= 3
            stub.keys.remove(RSA_JWK)
            age.now += 600
            assert await _answer(gate, ES_TOKEN) == "accepted"
            assert await _answer(gate, RS_TOKEN) == "invalid-token"

    asyncio.run(story())


def test_known_keys_outlive_an_hour_without_the_publisher_and_no_longer() -> None:
    async def story() -> None:
        async with _published() as (stub, gate, age):
            assert await _answer(gate, RS_TOKEN) == "accepted"
            stub.down = True
            for minute in range(1, 60):
                age.now = minute * 60.0
                assert await _answer(gate, RS_TOKEN) == "accepted", minute
                await asyncio.sleep(0.1)
            age.now = 3_600
            assert await _answer(gate, RS_TOKEN) == "signing-keys-unavailable"
            stub.down = False
            age.now = 3_631
            assert await _answer(gate, RS_TOKEN) == "accepted"

    asyncio.run(story())


def test_doubtful_keys_are_refused_when_they_are_loaded() -> None:
    async def story() -> None:
        async with _published() as (stub, gate, age):
            for number, entry in enumerate(DOUBTFUL.values()):
                stub.keys, age.now = [entry, EC_JWK], number * 700.0 % 7_000
                assert await _answer(gate, token_of(EC_PEM, "ES256", "r1")) != "accepted"

    asyncio.run(story())


def test_whoever_loses_a_right_loses_it_in_every_process_within_five_seconds(tmp_path: Path) -> None:
    with migrated_database() as database:
        folders = [tmp_path / name for name in ("here", "there")]
        for folder in folders:
            folder.mkdir()
        with running_service(database, folders[0], LIMITS__CALLER_PER_MINUTE="0") as here:
            there = RunningService(database=database, folder=folders[1], settings=here.settings, secret=here.secret)
            try:
                there.start()
                took = asyncio.run(_trials(here, there, waves=20, size=50))
            finally:
                there.stop()
                there.http.close()
    for kind, seconds in took.items():
        slowest, mean = max(seconds), sum(seconds) / len(seconds)
        sys.stdout.write(f"\n{kind}: {len(seconds)} trials, slowest {slowest:.2f} s, mean {mean:.2f} s")
    assert sum(map(len, took.values())) == 1_000
    assert all(max(seconds) <= _BOUND_S for seconds in took.values())


async def _trials(here: RunningService, there: RunningService, *, waves: int, size: int) -> dict[str, list[float]]:
    tenant = await asyncio.to_thread(here.tenant)
    head = await asyncio.to_thread(tenant.person)
    took: dict[str, list[float]] = {kind: [] for kind in _KINDS}
    limits = httpx.Limits(max_connections=20, keepalive_expiry=2)  # the service hangs up after five
    async with (
        httpx.AsyncClient(base_url=str(here.http.base_url), headers=head.headers, timeout=30, limits=limits) as admin,
        httpx.AsyncClient(base_url=str(there.http.base_url), timeout=30, limits=limits) as other,
    ):
        team = (await admin.post("/v1/teams", json={"name": "Волга"})).json()["team_id"]
        for wave in range(waves):
            people = await asyncio.to_thread(_people, tenant, size)
            kind = _KINDS[wave % len(_KINDS)]
            took[kind] += await asyncio.gather(*(_trial(admin, other, kind, person, team) for person in people))
    return took


def _people(tenant: TenantOfService, size: int) -> list[Person]:
    return [tenant.person(reach="own", scopes=("customers:read",)) for _ in range(size)]


async def _trial(admin: httpx.AsyncClient, other: httpx.AsyncClient, kind: str, person: Person, team: str) -> float:
    """Seconds until the other process knows; the person pages through his list all the while."""
    me = (await other.get("/v1/me", headers=person.headers)).json()
    change = f"/v1/staff/{me['staff_id']}"
    deeds: dict[str, Callable[[], Awaitable[httpx.Response]]] = {
        "blocked": lambda: admin.patch(change, json={"state": "blocked"}),
        "scope": lambda: admin.patch(change, json={"scopes": []}),
        "team": lambda: admin.patch(change, json={"teams": [team]}),
        "token": lambda: admin.post("/v1/tokens/revoke", json={"token_id": me["token_id"], "reason": "lost"}),
        "everywhere": lambda: admin.post("/v1/tokens/revoke", json={"staff_id": me["staff_id"], "reason": "lost"}),
    }
    answer = await deeds[kind]()
    assert answer.status_code == 200, answer.text
    began = time.monotonic()
    while not await _known(other, kind, person):
        if time.monotonic() - began > 2 * _BOUND_S:
            break
        await asyncio.sleep(0.3)
    return time.monotonic() - began


async def _known(other: httpx.AsyncClient, kind: str, person: Person) -> bool:
    if kind == "team":
        return bool((await other.get("/v1/me", headers=person.headers)).json()["teams"])
    answer = await other.get("/v1/customers", headers=person.headers)
    return answer.status_code == (403 if kind == "scope" else 401)
