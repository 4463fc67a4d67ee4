"""The keys that verify tokens: one shared secret, or a published key set; weak or doubtful ones are refused.

Each algorithm works with its own kind of key alone: HS256 with one shared secret, RS256 and ES256 with published keys.
The text of a refusal never holds a part of a token or a key.
"""

import asyncio
import base64
import gzip
import json
import math
import re
import ssl
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

import httpx
import structlog
from jose import jwk  # type: ignore[import-untyped]  # python-jose ships no types

from service.domain.errors import Unauthenticated, Unavailable

_MAX_KEY_SET = 256 * 1024
_KID = re.compile(r"[A-Za-z0-9._~:/+=@-]{1,200}")
_log = structlog.get_logger()


class InvalidToken(Unauthenticated):
    code = "invalid-token"
    title = "The bearer token is not valid."


class SigningKeysUnavailable(Unavailable):
    code = "signing-keys-unavailable"
    title = "The keys that verify tokens can't be fetched right now."


class WeakSecret(ValueError):
    """The shared secret could be guessed; the service must not start with it."""


class VerifyingKey(Protocol):
    def verify(self, msg: bytes, sig: bytes) -> bool:
        """Whether the signature is the key's own over the message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Vouched:
    """A key, and for how many seconds a verdict reached with it may be remembered."""

    key: VerifyingKey
    seconds: float


class KeySource(Protocol):
    @property
    def algorithms(self) -> frozenset[str]:
        """The algorithms whose keys this source can give."""

    async def find(self, algorithm: str, kid: str | None) -> Vouched:
        """The one key for it; raises InvalidToken when there is none, SigningKeysUnavailable when it can't be known."""


class SharedSecret:
    """HS256 with one secret, refused at construction when it is short, guessable, or on a list of known ones."""

    algorithms = frozenset({"HS256"})

    def __init__(self, secret: str, *, known_secrets: Path | None = None) -> None:
        reason = _weakness(secret) or (known_secrets and _listed(secret, known_secrets))
        if reason:
            raise WeakSecret(reason)
        self._vouched = Vouched(key=jwk.construct(secret, "HS256"), seconds=math.inf)

    async def find(self, algorithm: str, kid: str | None) -> Vouched:
        """The one secret, whatever the key id says."""
        if algorithm not in self.algorithms:
            raise InvalidToken("The algorithm of the token is not one that this service accepts.")
        return self._vouched


class PublishedKeys:
    """RS256 and ES256 with the key set at a URL: fetched when needed, by one request at a time.

    A set is fresh for ten minutes and renewed in the background after five. When it can't be renewed, its keys go on
    working for an hour; then nothing is verified until the set is back. An unknown key id may ask for a new set at most
    once in thirty seconds, and a failed attempt counts. A key that leaves the set is dead within ten minutes.
    """

    algorithms = frozenset({"RS256", "ES256"})
    timeout, cool_down, renew_after, fresh_for, stale_for = 5.0, 30.0, 300.0, 600.0, 3600.0

    def __init__(
        self,
        url: str,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        _require_safe(url)
        self._url = url
        self._transport = transport
        self._tls: ssl.SSLContext | bool = httpx.create_ssl_context() if transport is None else True
        self._clock = clock
        self._keys: Mapping[tuple[str, str], VerifyingKey] = {}
        self._known_ids: frozenset[str] = frozenset()
        self._fetched_at = self._attempted_at = -math.inf
        self._failing = False
        self._renewal: asyncio.Task[None] | None = None

    async def find(self, algorithm: str, kid: str | None) -> Vouched:
        """The published key of that id, if it is one for that algorithm."""
        if kid is None:
            raise InvalidToken("The token does not say which key signed it.")
        await self._freshen(kid)
        age = self._age()
        if age >= self.stale_for:
            raise SigningKeysUnavailable
        key = self._keys.get((algorithm, kid))
        if key is None:
            raise InvalidToken("The token was signed with an unknown key.")
        left = self.fresh_for - age if age < self.fresh_for else min(self.cool_down, self.stale_for - age)
        return Vouched(key=key, seconds=left)

    def _age(self) -> float:
        return self._clock() - self._fetched_at

    async def _freshen(self, kid: str) -> None:
        age = self._age()
        # While the publisher is down nobody waits for it: the keys at hand serve, and the attempts run beside.
        must_wait = kid not in self._known_ids or age >= self.stale_for or (age >= self.fresh_for and not self._failing)
        if must_wait or age >= self.renew_after:
            renewal = self._renew()
            if must_wait and renewal is not None:
                # Shielded, so that a caller who hangs up does not cancel the fetch that others wait for.
                await asyncio.shield(renewal)

    def _renew(self) -> asyncio.Task[None] | None:
        if self._renewal is not None and not self._renewal.done():
            return self._renewal
        if self._clock() - self._attempted_at < self.cool_down:
            return None
        self._attempted_at = self._clock()
        self._renewal = asyncio.create_task(self._fetch())
        return self._renewal

    async def _fetch(self) -> None:
        started = self._clock()
        try:
            found = _key_set(await self._download())
        except Exception as failure:  # the task is shared: whatever went wrong, its waiters go on with what is known
            self._failing = True
            _log.warning("signing_keys_not_fetched", reason=type(failure).__name__)
            return
        self._keys, self._failing, self._fetched_at = found, False, started
        self._known_ids = frozenset(kid for _, kid in found)

    async def _download(self) -> bytes:
        asked = {"accept": "application/json", "accept-encoding": "identity"}
        client = httpx.AsyncClient(transport=self._transport, verify=self._tls, timeout=self.timeout)
        async with asyncio.timeout(self.timeout), client, client.stream("GET", self._url, headers=asked) as response:
            # Nothing packed is read, so that the limit below holds for what is held in memory.
            if response.status_code != 200 or response.headers.get("content-encoding", "identity") != "identity":
                raise ValueError("not a key set")
            body = bytearray()
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > _MAX_KEY_SET:
                    raise ValueError("too large for a key set")
        return bytes(body)


def decoded(segment: str) -> bytes | None:
    # Re-encoding must give the same text: one token, one spelling, or a deny-list by text could be walked around.
    try:
        raw = base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4))
    except ValueError:
        return None
    return raw if base64.urlsafe_b64encode(raw).rstrip(b"=") == segment.encode() else None


def parsed(raw: bytes) -> dict[str, object] | None:
    # None instead of an exception, because a parser's exception carries the text that it could not read.
    try:
        value = json.loads(raw.decode(), object_pairs_hook=_unique, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name is repeated")
    return found


def _no_constant(_: str) -> object:
    raise ValueError("not a JSON number")


def is_kid(value: object) -> bool:
    return isinstance(value, str) and _KID.fullmatch(value) is not None


def _require_safe(url: str) -> None:
    parts = urlsplit(url)
    safe = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in ("localhost", "127.0.0.1", "::1"))
    if not safe or not parts.hostname or parts.username is not None:
        raise ValueError("The address of the key set must be an https URL (http only on this machine).")


_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_PLACEHOLDERS = re.compile(r"secret|passw|change.?(?:me|this)|default|example|replace|placeholder|qwerty|random", re.I)


def _weakness(secret: str) -> str | None:
    raw = secret.encode(errors="surrogatepass")
    if len(raw) < 32:
        return "The shared secret must have at least 32 bytes."
    if _UUID.fullmatch(secret) or _PLACEHOLDERS.search(secret):
        return "The shared secret looks like an identifier or a placeholder; make one with a random generator."
    # The steps between neighbours betray keyboard runs and alphabets, which use many letters but no chance.
    steps = [after - before for before, after in pairwise(raw)]
    repeated = (raw + raw).find(raw, 1) < len(raw)
    if repeated or min(_bits(raw), _bits(steps)) < 96:
        return "The shared secret has too little chance in it; make one with a random generator."
    if raw.lstrip().startswith((b"-----BEGIN", b"ssh-", b"ecdsa-")):
        return "The shared secret is a key of another kind."
    return None


def _bits(values: Iterable[int]) -> float:
    counts = Counter(values).values()
    total = sum(counts)
    return sum(count * math.log2(total / count) for count in counts)


def _listed(secret: str, known: Path) -> str | None:
    wanted = secret.strip().encode(errors="surrogatepass")
    try:
        with gzip.open(known, "rb") if known.suffix == ".gz" else known.open("rb") as lines:
            found = any(line.strip() == wanted for line in lines)
    except (OSError, EOFError):
        return "The list of known secrets can't be read."
    return "The shared secret is on the list of known secrets." if found else None


_PRIVATE = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
_ROCA_PRIMES = (11, 13, 17, 19, 37, 53, 61, 71, 73, 79, 97, 103, 107, 109, 127, 151, 157)
_ROCA = {prime: frozenset(pow(65537, power, prime) for power in range(prime)) for prime in _ROCA_PRIMES}


def _key_set(body: bytes) -> dict[tuple[str, str], VerifyingKey]:
    # A doubtful key is left out and reported; the others of the set work on. An empty set is an answer: no key works.
    document = parsed(body) if body.count(b"{") + body.count(b"[") <= 1024 else None
    published = document.get("keys") if document is not None else None
    if not isinstance(published, list):
        raise ValueError("not a key set")
    ids = Counter(entry["kid"] for entry in published if isinstance(entry, dict) and isinstance(entry.get("kid"), str))
    found: dict[tuple[str, str], VerifyingKey] = {}
    for entry in published:
        kid = entry.get("kid") if isinstance(entry, dict) else None
        algorithm = _algorithm(entry) if isinstance(kid, str) and is_kid(kid) and ids[kid] == 1 else None
        key = _constructed(entry, algorithm) if algorithm is not None else None
        if isinstance(kid, str) and algorithm is not None and key is not None:
            found[algorithm, kid] = key
    if len(found) < len(published):
        _log.warning("signing_keys_left_out", kept=len(found), left_out=len(published) - len(found))
    return found


def _algorithm(entry: dict[str, object]) -> str | None:
    if entry.get("use", "sig") != "sig" or entry.get("key_ops", ["verify"]) != ["verify"] or _PRIVATE & entry.keys():
        return None
    algorithm = {"RSA": "RS256", "EC": "ES256"}.get(str(entry.get("kty")))
    if algorithm is None or entry.get("alg", algorithm) != algorithm:
        return None
    sound = _sound_rsa(entry) if algorithm == "RS256" else _sound_curve(entry)
    return algorithm if sound else None


def _sound_rsa(entry: dict[str, object]) -> bool:
    modulus, exponent = _number(entry.get("n")), _number(entry.get("e"))
    if not 2048 <= modulus.bit_length() <= 8192 or modulus % 2 == 0:
        return False
    if exponent % 2 == 0 or not 65537 <= exponent < 2**32:
        return False
    # The fingerprint of CVE-2017-15361 (ROCA): a sound modulus has it once in some ten million.
    return not all(modulus % prime in residues for prime, residues in _ROCA.items())


def _sound_curve(entry: dict[str, object]) -> bool:
    # 32 bytes each; whether the point lies on the curve is checked when the key is built.
    lengths = [len(decoded(value) or b"") if isinstance(value := entry.get(axis), str) else 0 for axis in ("x", "y")]
    return entry.get("crv") == "P-256" and lengths == [32, 32]


def _number(value: object) -> int:
    raw = decoded(value) if isinstance(value, str) else None
    return int.from_bytes(raw) if raw else 0


def _constructed(entry: dict[str, object], algorithm: str) -> VerifyingKey | None:
    try:
        key: VerifyingKey = jwk.construct(entry, algorithm)
    except Exception:  # a point off its curve or a modulus that OpenSSL refuses: python-jose lets any exception out
        return None
    return key
