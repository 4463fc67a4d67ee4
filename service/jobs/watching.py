"""Beside the jobs, the worker watches: it judges what people do, and tells the webhook of signals; each API process
hands over what it has counted."""

import asyncio
import hashlib
import hmac
import ipaddress
import socket
import ssl
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import cache
from typing import Any, Protocol
from urllib.parse import urlsplit
from uuid import UUID

import httpx
import orjson
import structlog

from service.domain.errors import Unavailable
from service.domain.leaks.activity import Activity, Tallies
from service.jobs.rounds import Work, keep
from service.telemetry import LEAK_SIGNALS

_log = structlog.get_logger("watch")
_EVALUATE_S = 300.0
_DELIVER_S = 1.5
_COUNT_S = 2.0
_PATIENCE_S = 5.0


class Outbox(Protocol):
    async def tenants(self) -> list[int]: ...

    async def claim(self, tenant_id: int) -> list[dict[str, Any]]: ...

    async def delivered(self, tenant_id: int, signal_id: UUID) -> None: ...


class PrivateAddress(RuntimeError):
    """The webhook's name leads into a private network, and the settings do not allow that."""


class Webhook:
    """Signed deliveries to one address, without following it anywhere else."""

    def __init__(self, url: str, secret: bytes, *, private: bool = False) -> None:
        self._url = url
        self._secret = secret
        self._private = private

    async def post(self, told: dict[str, Any]) -> bool:
        """Whether it was taken: any answer of 2xx. The signature covers the time and the bytes of the body."""
        body = orjson.dumps(told, default=str)
        moment = str(int(time.time()))
        signature = hmac.new(self._secret, moment.encode() + b"." + body, hashlib.sha256).hexdigest()
        headers = {
            "Content-Type": "application/json",
            "X-Clientbase-Delivery": str(told["signal_id"]),
            "X-Clientbase-Signature": f"t={moment},v1={signature}",
        }
        try:
            if not self._private:
                await _refuse_private(self._url)
            async with httpx.AsyncClient(
                verify=_trusted(), timeout=_PATIENCE_S, follow_redirects=False, trust_env=False
            ) as client:
                answer = await client.post(self._url, content=body, headers=headers)
        except (httpx.HTTPError, OSError, PrivateAddress) as error:
            _log.warning("not delivered", signal=str(told["signal_id"]), error=type(error).__name__)
            return False
        if not answer.is_success:
            _log.warning("not delivered", signal=str(told["signal_id"]), status=answer.status_code)
        return answer.is_success


@cache
def _trusted() -> ssl.SSLContext:
    # Reading the certificates takes longer than a delivery.
    return httpx.create_ssl_context(trust_env=False)


async def _refuse_private(url: str) -> None:
    parts = urlsplit(url)
    found = await asyncio.get_running_loop().getaddrinfo(parts.hostname, parts.port or 443, type=socket.SOCK_STREAM)
    if any(not ipaddress.ip_address(str(address[4][0]).partition("%")[0]).is_global for address in found):
        raise PrivateAddress


async def deliver(outbox: Outbox, webhook: Webhook | None) -> int:
    """Once through all tenants: what is due is tried; how many were taken. A try that fails comes again, later."""
    taken = 0
    for tenant_id in await outbox.tenants():
        # On with the same tenant as long as its receiver takes everything: a burst is not told fifty at a time.
        while due := await outbox.claim(tenant_id):
            before = taken
            for told in due:
                taken += await _tried(outbox, webhook, tenant_id, told)
            if taken - before < len(due):
                break
    return taken


async def _tried(outbox: Outbox, webhook: Webhook | None, tenant_id: int, told: dict[str, Any]) -> bool:
    if told["attempts"] == 1:
        LEAK_SIGNALS.labels(told["kind"], told["severity"]).inc()
        _log.warning("leak signal", kind=told["kind"], severity=told["severity"], signal=str(told["signal_id"]))
    if webhook is None or not await webhook.post(told):
        return False
    await outbox.delivered(tenant_id, told["signal_id"])
    return True


async def keep_judging(evaluate: Callable[[], Awaitable[object]], shutdown: asyncio.Event) -> None:
    await _again(evaluate, shutdown, _EVALUATE_S)


async def keep_delivering(outbox: Outbox, webhook: Webhook | None, shutdown: asyncio.Event) -> None:
    await _again(lambda: deliver(outbox, webhook), shutdown, _DELIVER_S)


async def keep_counting(
    activity: Activity, save: Callable[[Tallies], Awaitable[None]], shutdown: asyncio.Event
) -> None:
    """Hand over what was counted every few seconds, and once more at the end."""
    await _again(lambda: hand_over(activity, save), shutdown, _COUNT_S)
    with suppress(Exception):
        await hand_over(activity, save)


async def hand_over(activity: Activity, save: Callable[[Tallies], Awaitable[None]]) -> None:
    """What can't be saved now goes with the next; a tenant that was saved is not counted twice by it."""
    taken = activity.take()
    for tenant_id in {tenant_id for tenant_id, _ in taken}:
        of_it = {key: tally for key, tally in taken.items() if key[0] == tenant_id}
        try:
            await save(of_it)
        except Unavailable:
            activity.give_back(of_it)


async def _again(work: Work, shutdown: asyncio.Event, every_s: float) -> None:
    await keep(work, shutdown, every_s=every_s, log=_log, trouble="not watched")
