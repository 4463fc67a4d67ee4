"""Forged, odd and stale tokens of every kind that is known to have passed somewhere, made for a given moment."""

import base64
import hashlib
import hmac
import json
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from service.api.tokens import MAX_TOKEN

_HEADER: dict[str, Any] = {"alg": "HS256", "typ": "JWT"}
_DEEP = "[" * 1500 + "]" * 1500
_RSA_PUBLIC = (
    rsa.generate_private_key(public_exponent=65537, key_size=2048)
    .public_key()
    .public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
)


def b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Forge:
    """Tokens signed with the right secret, good but for what is said; `base` are the claims of a good one."""

    secret: str
    base: dict[str, Any]

    def signed(self, header: bytes, payload: bytes, secret: bytes | None = None) -> str:
        message = f"{b64(header)}.{b64(payload)}"
        key = self.secret.encode() if secret is None else secret
        return f"{message}.{b64(hmac.new(key, message.encode(), hashlib.sha256).digest())}"

    def with_header(self, **changes: object) -> str:
        return self.signed(json.dumps(_HEADER | changes).encode(), json.dumps(self.base).encode())

    def with_claims(self, **changes: object) -> str:
        return self.signed(json.dumps(_HEADER).encode(), json.dumps(self.base | changes).encode())

    def without(self, *names: str) -> str:
        return self.with_raw(json.dumps({name: value for name, value in self.base.items() if name not in names}))

    def with_raw(self, payload: str) -> str:
        return self.signed(json.dumps(_HEADER).encode(), payload.encode())


def forged(make: Forge, now: int) -> dict[str, str]:
    """One token of each kind; none of them may pass."""
    base = make.base
    good = make.with_claims()
    head, body, tail = good.split(".")
    return {
        "empty": "",
        "a word": "token",
        "two segments": f"{head}.{body}",
        "four segments": f"{good}.{tail}",
        "five segments, as of an encrypted token": "a.b.c.d.e",
        "no signature": f"{head}.{body}.",
        "no payload": f"{head}..{tail}",
        "no header": f".{body}.{tail}",
        "alg none, unsigned": f"{b64(json.dumps({'alg': 'none'}).encode())}.{body}.",
        "alg none, signed": make.with_header(alg="none"),
        "alg None": make.with_header(alg="None"),
        "alg HS384": make.with_header(alg="HS384"),
        "alg RS256 over a shared secret": make.with_header(alg="RS256"),
        "alg in lower case": make.with_header(alg="hs256"),
        "alg empty": make.with_header(alg=""),
        "alg null": make.with_header(alg=None),
        "alg a list": make.with_header(alg=["HS256"]),
        "alg a number": make.with_header(alg=256),
        "alg twice": make.signed(b'{"alg":"none","alg":"HS256"}', json.dumps(base).encode()),
        "no alg": make.signed(b'{"typ":"JWT"}', json.dumps(base).encode()),
        "signed with a public key": make.signed(json.dumps(_HEADER).encode(), json.dumps(base).encode(), _RSA_PUBLIC),
        "signed with another secret": make.signed(json.dumps(_HEADER).encode(), json.dumps(base).encode(), b"x" * 32),
        "signed with nothing": make.signed(json.dumps(_HEADER).encode(), json.dumps(base).encode(), b""),
        "payload exchanged": f"{head}.{b64(json.dumps(base | {'tenant': 'other'}).encode())}.{tail}",
        "signature cut": good[:-4],
        "signature of zeros": f"{head}.{body}.{b64(bytes(32))}",
        "last character re-encoded": good[:-1] + chr(ord(good[-1]) + 1),
        "padded": good + "==",
        "padded header": f"{head}=.{body}.{tail}",
        "standard base64 alphabet": f"{head}.{body}.{tail.replace('-', '+').replace('_', '/')}+",
        "line break inside": f"{head}.{body}\n.{tail}",
        "space in front": " " + good,
        "Bearer in front": "Bearer " + good,
        "NUL at the end": good + "\x00",
        "Cyrillic look-alike": good.replace("e", "е", 1),
        "lone surrogate": good + "\ud800",
        "crit": make.with_header(crit=["exp"]),
        "unknown crit": make.with_header(crit=["x"], x=1),
        "b64 false": make.with_header(b64=False),
        "jku": make.with_header(jku="https://evil.example/keys"),
        "x5u": make.with_header(x5u="https://evil.example/cert"),
        "embedded jwk": make.with_header(jwk={"kty": "oct", "k": b64(make.secret.encode())}),
        "cty": make.with_header(cty="JWT"),
        "zip": make.with_header(zip="DEF"),
        "typ unknown": make.with_header(typ="JOSE"),
        "typ null": make.with_header(typ=None),
        "typ a number": make.with_header(typ=1),
        "kid a path": make.with_header(kid="../../../dev/null\x00"),
        "kid with SQL": make.with_header(kid="1' OR '1'='1"),
        "kid a list": make.with_header(kid=["a"]),
        "kid null": make.with_header(kid=None),
        "kid empty": make.with_header(kid=""),
        "kid long": make.with_header(kid="k" * 201),
        "header a list": make.signed(b'["HS256"]', json.dumps(base).encode()),
        "header a string": make.signed(b'"HS256"', json.dumps(base).encode()),
        "header not JSON": make.signed(b"{alg:HS256}", json.dumps(base).encode()),
        "header in UTF-16": make.signed(json.dumps(_HEADER).encode("utf-16"), json.dumps(base).encode()),
        "header with BOM": make.signed(b"\xef\xbb\xbf" + json.dumps(_HEADER).encode(), json.dumps(base).encode()),
        "header over 1 KiB": make.with_header(kid="k" * 1100),
        "header nested deep": make.signed(('{"alg":' + _DEEP + "}").encode(), b"{}"),
        "payload nested deep": make.with_raw(json.dumps(base)[:-1] + ', "x": ' + _DEEP + "}"),
        "payload nested too much": make.with_raw(json.dumps(base | {"x": [[] for _ in range(128)]})),
        "payload a list": make.with_raw("[]"),
        "payload a number": make.with_raw("1"),
        "payload empty": make.with_raw(" "),
        "payload not JSON": make.with_raw("{'sub': 'staff-1'}"),
        "payload not UTF-8": make.signed(
            json.dumps(_HEADER).encode(), json.dumps(base).encode()[:-1] + b',"x":"\xff"}'
        ),
        "payload with a long number": make.with_raw(json.dumps(base)[:-1] + ', "x": ' + "9" * 5000 + "}"),
        "too large": make.with_claims(x="x" * MAX_TOKEN),
        "exp missing": make.without("exp"),
        "exp null": make.with_claims(exp=None),
        "exp a string": make.with_claims(exp=str(now + 900)),
        "exp a float": make.with_claims(exp=now + 900.0),
        "exp huge": make.with_claims(exp=1e308),
        "exp infinite": make.with_claims(exp=float("inf")),
        "exp overflowing": make.with_raw(json.dumps(base).replace(str(now + 900), "1e999")),
        "exp not a number": make.with_claims(exp=float("nan")),
        "exp true": make.with_claims(exp=True),
        "exp a list": make.with_claims(exp=[]),
        "exp in a century": make.with_claims(exp=now + 100 * 365 * 86400),
        "exp past": make.with_claims(exp=now - 1),
        "exp now": make.with_claims(exp=now),
        "exp negative": make.with_claims(exp=-1, iat=-2),
        "exp twice": make.with_raw(json.dumps(base)[:-1] + f', "exp": {now + 901}}}'),
        "exp before iat": make.with_claims(exp=now + 5, iat=now + 10),
        "iat missing": make.without("iat"),
        "iat a string": make.with_claims(iat="now"),
        "iat true": make.with_claims(iat=True),
        "iat in the future": make.with_claims(iat=now + 60),
        "nbf in the future": make.with_claims(nbf=now + 60),
        "nbf a string": make.with_claims(nbf="0"),
        "nbf null": make.with_claims(nbf=None),
        "sub missing": make.without("sub"),
        "sub empty": make.with_claims(sub=""),
        "sub blank": make.with_claims(sub=" "),
        "sub a number": make.with_claims(sub=1),
        "sub a list": make.with_claims(sub=["staff-1"]),
        "sub long": make.with_claims(sub="s" * 201),
        "sub with NUL": make.with_claims(sub="staff\x00-1"),
        "sub with a lone surrogate": make.with_claims(sub="staff\ud800"),
        "sub with a line break": make.with_claims(sub="staff\n1"),
        "tenant missing": make.without("tenant"),
        "tenant a number": make.with_claims(tenant=1),
        "tenant no slug": make.with_claims(tenant="Acme Inc"),
        "tenant with SQL": make.with_claims(tenant="acme'; SET role"),
        "tenant with a line break": make.with_claims(tenant="acme\n"),
        "tenant empty": make.with_claims(tenant=""),
        "tenant long": make.with_claims(tenant="a" * 64),
        "scope missing": make.without("scope"),
        "scope a list": make.with_claims(scope=["customers:read"]),
        "scope with two spaces": make.with_claims(scope="a  b"),
        "scope with a quote": make.with_claims(scope='a"b'),
        "scope with a line break": make.with_claims(scope="a\nb"),
        "scope twice": make.with_raw(json.dumps(base)[:-1] + ', "scope": "tenant:admin"}'),
        "iss missing": make.without("iss"),
        "iss foreign": make.with_claims(iss="https://evil.example"),
        "iss a list": make.with_claims(iss=[base["iss"]]),
        "iss a prefix": make.with_claims(iss=base["iss"] + "/"),
        "aud missing": make.without("aud"),
        "aud foreign": make.with_claims(aud="other"),
        "aud empty list": make.with_claims(aud=[]),
        "aud a list with a number": make.with_claims(aud=[base["aud"], 1]),
        "aud an object": make.with_claims(aud={base["aud"]: 1}),
        "jti missing": make.without("jti"),
        "jti empty": make.with_claims(jti=""),
        "jti a number": make.with_claims(jti=7),
    }
