"""Bearer tokens: a strict gate around python-jose.

python-jose checks the signature and nothing else here: on its own it accepts unknown `crit`, claims of the wrong type,
repeated keys and sloppy base64. Size, form, header and nesting are judged before any key is touched; every claim is
judged by type and value after the signature. A token that is refused for any reason gives `InvalidToken`, whose text
never holds a part of the token. Unknown claims are let through (identity providers add them), unknown header names
are not.
"""

import hashlib
import re
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from uuid import uuid4

from jose import jwt  # type: ignore[import-untyped]  # python-jose ships no types

from service.api.signing_keys import InvalidToken, KeySource, SharedSecret, VerifyingKey, decoded, is_kid, parsed

MAX_TOKEN = 8 * 1024
_MAX_HEADER = 1024
_MAX_NESTING = 128  # objects and lists in one payload; the parser's own limit is the interpreter's recursion limit
_TYPES = frozenset({"JWT", "at+jwt"})
_HEADER_NAMES = frozenset({"alg", "typ", "kid"})
_TENANT = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_SCOPE = re.compile(r"(?:[!#-\[\]-~]+(?: [!#-\[\]-~]+)*)?")  # RFC 6749, 3.3


@dataclass(frozen=True, slots=True, kw_only=True)
class Claims:
    """What a verified token says of its bearer."""

    subject: str
    tenant: str
    scopes: tuple[str, ...]
    issued_at: int
    expires_at: int
    token_id: str


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
        payload, signature = decoded(segments[1]), decoded(segments[2])
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
        raw = decoded(segments[0]) if len(segments) == 3 and all(segments) else None
        # A header is flat, so anything nested is refused unparsed.
        if raw is None or len(raw) > _MAX_HEADER or raw.count(b"{") != 1 or b"[" in raw:
            raise InvalidToken("The token does not have the form of a signed token.")
        header = parsed(raw)
        if header is None or not header.keys() <= _HEADER_NAMES or header.get("typ", "JWT") not in _TYPES:
            raise InvalidToken("The header of the token is not one that this service accepts.")
        algorithm, kid = header.get("alg"), header.get("kid")
        if not isinstance(algorithm, str) or algorithm not in self._keys.algorithms:
            raise InvalidToken("The algorithm of the token is not one that this service accepts.")
        if "kid" in header and not is_kid(kid):
            raise InvalidToken("The key id of the token is not one that this service accepts.")
        return algorithm, kid if isinstance(kid, str) else None

    def _claims(self, payload: bytes, now: float) -> Claims:
        if payload.count(b"{") + payload.count(b"[") > _MAX_NESTING:
            raise InvalidToken("The claims of the token are nested too deep.")
        claims = parsed(payload)
        if claims is None:
            raise InvalidToken("The claims of the token can't be read.")
        self._require_ours(claims)
        issued_at, expires_at = self._require_current(claims, now)
        subject, tenant, scope, token_id = (claims.get(name) for name in ("sub", "tenant", "scope", "jti"))
        if not _is_name(subject) or not _is_name(token_id):
            raise InvalidToken("The token needs a subject and an id.")
        if not isinstance(tenant, str) or not _TENANT.fullmatch(tenant):
            raise InvalidToken("The token names no tenant.")
        if not isinstance(scope, str) or not _SCOPE.fullmatch(scope):
            raise InvalidToken("The scope of the token is not a list of words.")
        return Claims(
            subject=str(subject),
            tenant=tenant,
            scopes=tuple(dict.fromkeys(scope.split())),
            issued_at=issued_at,
            expires_at=expires_at,
            token_id=str(token_id),
        )

    def _require_ours(self, claims: Mapping[str, object]) -> None:
        if claims.get("iss") != self._issuer:
            raise InvalidToken("The token was issued by somebody else.")
        audience = claims.get("aud")
        named = audience if isinstance(audience, list) else [audience]
        if not all(isinstance(name, str) for name in named) or self._audience not in named:
            raise InvalidToken("The token is meant for somebody else.")

    def _require_current(self, claims: Mapping[str, object], now: float) -> tuple[int, int]:
        expires_at, issued_at, not_before = claims.get("exp"), claims.get("iat"), claims.get("nbf", 0)
        # `type(…) is int`: True is an int to Python, and 1e308 and "1" are numbers to python-jose.
        if type(expires_at) is not int or type(issued_at) is not int or type(not_before) is not int:
            raise InvalidToken("The times of the token are not whole numbers.")
        if expires_at <= now:
            raise InvalidToken("The token has expired.")
        # Judged by its issue, not by now: one made for ten years would come of age on its last day.
        if not issued_at < expires_at <= issued_at + self._max_lifetime + self._leeway:
            raise InvalidToken("The token is made to live for longer than this service accepts.")
        if max(issued_at, not_before) > now + self._leeway:
            raise InvalidToken("The token is not valid yet.")
        return issued_at, expires_at


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


def _signed(key: VerifyingKey, message: bytes, signature: bytes) -> bool:
    try:
        return key.verify(message, signature) is True
    except Exception:  # whatever a crypto library makes of a forged signature, it is no signature
        return False


def _is_name(value: object) -> bool:
    # isprintable() is False for controls, NUL and lone surrogates, which the database could not store.
    return isinstance(value, str) and 0 < len(value) <= 200 and value.isprintable() and value == value.strip()
