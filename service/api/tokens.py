"""Bearer tokens: a strict gate around python-jose, and the only importer of it.

python-jose checks the signature and nothing else here: on its own it accepts unknown `crit`, claims of the wrong type,
repeated keys and sloppy base64. Size, form, header and nesting are judged before any key is touched; every claim is
judged by type and value after the signature. A token that is refused for any reason gives `InvalidToken`, whose text
never holds a part of the token. Unknown claims are let through (identity providers add them), unknown header names
are not.

Each algorithm works with its own kind of key alone: HS256 with one shared secret, RS256 and ES256 with published keys.
"""

import asyncio
import base64
import gzip
import hashlib
import json
import math
import re
import ssl
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit
from uuid import uuid4

import httpx
import structlog
from jose import jwk, jwt  # type: ignore[import-untyped]  # python-jose ships no types

from service.domain.errors import Unauthenticated, Unavailable

MAX_TOKEN = 8 * 1024
_MAX_HEADER = 1024
_MAX_NESTING = 128  # objects and lists in one payload; the parser's own limit is the interpreter's recursion limit
_MAX_KEY_SET = 256 * 1024
_TYPES = frozenset({"JWT", "at+jwt"})
_HEADER_NAMES = frozenset({"alg", "typ", "kid"})
_TENANT = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_SCOPE = re.compile(r"(?:[!#-\[\]-~]+(?: [!#-\[\]-~]+)*)?")  # RFC 6749, 3.3
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Claims:
    """What a verified token says of its bearer."""

    subject: str
    tenant: str
    scopes: tuple[str, ...]
    expires_at: int
    token_id: str


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


class TokenVerifier:
    """Verifies bearer tokens and remembers the verified ones, by hash, until they or their key expire."""

    def __init__(
        self,
        *,
        keys: KeySource,
        issuer: str,
        audience: str,
        clock: Callable[[], float] = time.time,
        leeway: int = 30,
        max_lifetime: int = 24 * 3600,
        remembered: int = 10_000,
    ) -> None:
        if not issuer or not audience:
            raise ValueError("An issuer and an audience are needed: a token for anybody is a token for nobody.")
        self._keys = keys
        self._issuer = issuer
        self._audience = audience
        self._clock = clock
        self._leeway = leeway
        self._max_lifetime = max_lifetime
        self._remembered = remembered
        self._seen: OrderedDict[bytes, tuple[float, Claims]] = OrderedDict()

    async def verify(self, token: str) -> Claims:
        """The claims of a token that passes every check; raises InvalidToken otherwise."""
        if not isinstance(token, str) or len(token) > MAX_TOKEN or not token.isascii():
            raise InvalidToken("The token is too long or is not text of a token.")
        digest = hashlib.sha256(token.encode()).digest()
        seen = self._seen.get(digest)
        if seen is not None and self._clock() < seen[0]:
            self._seen.move_to_end(digest)
            return seen[1]
        return await self._verify_new(token, digest)

    async def _verify_new(self, token: str, digest: bytes) -> Claims:
        self._seen.pop(digest, None)
        segments = token.split(".")
        algorithm, kid = self._header(segments)
        payload, signature = _decoded(segments[1]), _decoded(segments[2])
        if payload is None or signature is None:
            raise InvalidToken("The token is not canonical base64url.")
        vouched = await self._keys.find(algorithm, kid)
        if not _signed(vouched.key, f"{segments[0]}.{segments[1]}".encode(), signature):
            raise InvalidToken("The signature of the token does not match.")
        now = self._clock()
        claims = self._claims(payload, now)
        self._seen[digest] = (min(claims.expires_at, now + vouched.seconds), claims)
        if len(self._seen) > self._remembered:
            self._seen.popitem(last=False)
        return claims

    def _header(self, segments: list[str]) -> tuple[str, str | None]:
        raw = _decoded(segments[0]) if len(segments) == 3 and all(segments) else None
        # A header is flat, so anything nested is refused unparsed.
        if raw is None or len(raw) > _MAX_HEADER or raw.count(b"{") != 1 or b"[" in raw:
            raise InvalidToken("The token does not have the form of a signed token.")
        header = _parsed(raw)
        if header is None or not header.keys() <= _HEADER_NAMES or header.get("typ", "JWT") not in _TYPES:
            raise InvalidToken("The header of the token is not one that this service accepts.")
        algorithm, kid = header.get("alg"), header.get("kid")
        if not isinstance(algorithm, str) or algorithm not in self._keys.algorithms:
            raise InvalidToken("The algorithm of the token is not one that this service accepts.")
        if "kid" in header and not _is_kid(kid):
            raise InvalidToken("The key id of the token is not one that this service accepts.")
        return algorithm, kid if isinstance(kid, str) else None

    def _claims(self, payload: bytes, now: float) -> Claims:
        if payload.count(b"{") + payload.count(b"[") > _MAX_NESTING:
            raise InvalidToken("The claims of the token are nested too deep.")
        claims = _parsed(payload)
        if claims is None:
            raise InvalidToken("The claims of the token can't be read.")
        self._require_ours(claims)
        expires_at = self._require_current(claims, now)
        subject, tenant, scope, token_id = (claims.get(name) for name in ("sub", "tenant", "scope", "jti"))
        if not _is_name(subject) or not _is_name(token_id):
            raise InvalidToken("The token needs a subject and an id.")
        if not isinstance(tenant, str) or not _TENANT.fullmatch(tenant):
            raise InvalidToken("The token names no tenant.")
        if not isinstance(scope, str) or not _SCOPE.fullmatch(scope):
            raise InvalidToken("The scope of the token is not a list of words.")
        scopes = tuple(dict.fromkeys(scope.split()))
        return Claims(subject=str(subject), tenant=tenant, scopes=scopes, expires_at=expires_at, token_id=str(token_id))

    def _require_ours(self, claims: Mapping[str, object]) -> None:
        if claims.get("iss") != self._issuer:
            raise InvalidToken("The token was issued by somebody else.")
        audience = claims.get("aud")
        named = audience if isinstance(audience, list) else [audience]
        if not all(isinstance(name, str) for name in named) or self._audience not in named:
            raise InvalidToken("The token is meant for somebody else.")

    def _require_current(self, claims: Mapping[str, object], now: float) -> int:
        expires_at, issued_at, not_before = claims.get("exp"), claims.get("iat"), claims.get("nbf", 0)
        # `type(…) is int`: True is an int to Python, and 1e308 and "1" are numbers to python-jose.
        if type(expires_at) is not int or type(issued_at) is not int or type(not_before) is not int:
            raise InvalidToken("The times of the token are not whole numbers.")
        if expires_at <= now:
            raise InvalidToken("The token has expired.")
        if expires_at > now + self._max_lifetime + self._leeway or expires_at <= issued_at:
            raise InvalidToken("The token is made to live for longer than this service accepts.")
        if max(issued_at, not_before) > now + self._leeway:
            raise InvalidToken("The token is not valid yet.")
        return expires_at


def issue(
    secret: str,
    *,
    subject: str,
    tenant: str,
    scopes: Iterable[str],
    issuer: str,
    audience: str,
    ttl_seconds: int = 900,
    token_id: str | None = None,
    now: float | None = None,
) -> str:
    """A development token (HS256); the secret is held to the same standard as at verification."""
    SharedSecret(secret)
    issued_at = int(time.time() if now is None else now)
    claims = {
        "sub": subject,
        "tenant": tenant,
        "scope": " ".join(scopes),
        "iss": issuer,
        "aud": audience,
        "iat": issued_at,
        "exp": issued_at + ttl_seconds,
        "jti": token_id or uuid4().hex,
    }
    return str(jwt.encode(claims, secret, algorithm="HS256"))


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


def _decoded(segment: str) -> bytes | None:
    # Re-encoding must give the same text: one token, one spelling, or a deny-list by text could be walked around.
    try:
        raw = base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4))
    except ValueError:
        return None
    return raw if base64.urlsafe_b64encode(raw).rstrip(b"=") == segment.encode() else None


def _parsed(raw: bytes) -> dict[str, object] | None:
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


def _signed(key: VerifyingKey, message: bytes, signature: bytes) -> bool:
    try:
        return key.verify(message, signature) is True
    except Exception:  # whatever a crypto library makes of a forged signature, it is no signature
        return False


def _is_kid(value: object) -> bool:
    return isinstance(value, str) and _KID.fullmatch(value) is not None


def _is_name(value: object) -> bool:
    # isprintable() is False for controls, NUL and lone surrogates, which the database could not store.
    return isinstance(value, str) and 0 < len(value) <= 200 and value.isprintable() and value == value.strip()


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
    with gzip.open(known, "rb") if known.suffix == ".gz" else known.open("rb") as lines:
        found = any(line.strip() == wanted for line in lines)
    return "The shared secret is on the list of known secrets." if found else None


_PRIVATE = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
_ROCA_PRIMES = (11, 13, 17, 19, 37, 53, 61, 71, 73, 79, 97, 103, 107, 109, 127, 151, 157)
_ROCA = {prime: frozenset(pow(65537, power, prime) for power in range(prime)) for prime in _ROCA_PRIMES}


def _key_set(body: bytes) -> dict[tuple[str, str], VerifyingKey]:
    # A doubtful key is left out and reported; the others of the set work on. An empty set is an answer: no key works.
    document = _parsed(body) if body.count(b"{") + body.count(b"[") <= 1024 else None
    published = document.get("keys") if document is not None else None
    if not isinstance(published, list):
        raise ValueError("not a key set")
    ids = Counter(entry["kid"] for entry in published if isinstance(entry, dict) and isinstance(entry.get("kid"), str))
    found: dict[tuple[str, str], VerifyingKey] = {}
    for entry in published:
        kid = entry.get("kid") if isinstance(entry, dict) else None
        algorithm = _algorithm(entry) if isinstance(kid, str) and _is_kid(kid) and ids[kid] == 1 else None
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
    lengths = [len(_decoded(value) or b"") if isinstance(value := entry.get(axis), str) else 0 for axis in ("x", "y")]
    return entry.get("crv") == "P-256" and lengths == [32, 32]


def _number(value: object) -> int:
    raw = _decoded(value) if isinstance(value, str) else None
    return int.from_bytes(raw) if raw else 0


def _constructed(entry: dict[str, object], algorithm: str) -> VerifyingKey | None:
    try:
        key: VerifyingKey = jwk.construct(entry, algorithm)
    except Exception:  # a point off its curve or a modulus that OpenSSL refuses: python-jose lets any exception out
        return None
    return key
