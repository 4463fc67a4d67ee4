"""Forged, odd and stale tokens are refused in one way, good ones pass; doubtful keys and guessable secrets do not."""

import asyncio
import base64
import gzip
import json
import random
from collections.abc import Callable, Coroutine
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from hypothesis import given
from hypothesis import strategies as st
from jose import jwk, jwt  # type: ignore[import-untyped]  # python-jose ships no types

from service.api.signing_keys import (
    InvalidToken,
    PublishedKeys,
    SharedSecret,
    SigningKeysUnavailable,
    Vouched,
    WeakSecret,
)
from service.api.tokens import Claims, TokenVerifier, issue
from tests.forging import Forge, b64, forged
from tests.shared_data import shared_data

NOW = 1_800_000_000
SECRET = "k7Qz!vR2m@Xw9Lp#Tn4Bd$Hs6Jf%Gc8Y"
ISSUER, AUDIENCE, URL = "https://id.example", "clientbase", "https://id.example/keys"
BASE: dict[str, Any] = {
    "sub": "staff-1",
    "tenant": "acme",
    "scope": "customers:read reach:own",
    "iss": ISSUER,
    "aud": AUDIENCE,
    "iat": NOW - 10,
    "exp": NOW + 900,
    "jti": "t-1",
}
HEADER: dict[str, Any] = {"alg": "HS256", "typ": "JWT"}


_FORGE = Forge(secret=SECRET, base=BASE)
signed, with_header, with_claims = _FORGE.signed, _FORGE.with_header, _FORGE.with_claims
without, with_raw = _FORGE.without, _FORGE.with_raw


def verifier(clock: Callable[[], float] = lambda: NOW, **options: Any) -> TokenVerifier:
    return TokenVerifier(keys=SharedSecret(SECRET), issuer=ISSUER, audience=AUDIENCE, clock=clock, **options)


def verify(token: str) -> Claims:
    return asyncio.run(verifier().verify(token))


GOOD = with_claims()
HEAD, BODY, TAIL = GOOD.split(".")
RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EC_KEY = ec.generate_private_key(ec.SECP256R1())
RSA_PEM, EC_PEM = (
    key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode() for key in (RSA_KEY, EC_KEY)
)
RSA_PUBLIC = RSA_KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

FORGED = forged(_FORGE, NOW)


@pytest.mark.parametrize("token", FORGED.values(), ids=FORGED.keys())
def test_a_forged_or_odd_token_is_refused(token: str) -> None:
    with pytest.raises(InvalidToken) as refusal:
        verify(token)
    assert refusal.value.code == "invalid-token"
    assert refusal.value.__cause__ is None
    assert refusal.value.__context__ is None
    assert all(part not in refusal.value.detail for part in token.split(".") if len(part) > 8)


@pytest.mark.parametrize("thing", [None, b"bytes", 1, GOOD.encode()])
def test_what_is_not_text_is_refused(thing: Any) -> None:
    with pytest.raises(InvalidToken):
        verify(thing)


@given(st.text() | st.lists(st.text(alphabet="abcAB01-_=.", max_size=40)).map(".".join))
def test_nothing_but_a_refusal_comes_out_of_random_text(text: str) -> None:
    with pytest.raises(InvalidToken):
        verify(text)


@given(st.integers(0, len(GOOD) - 1), st.sampled_from("AZaz09-_.=+ \x00é"))
def test_no_single_changed_character_passes(position: int, other: str) -> None:
    changed = GOOD[:position] + other + GOOD[position + 1 :]
    if changed != GOOD:
        with pytest.raises(InvalidToken):
            verify(changed)


@pytest.mark.parametrize(
    "token",
    [
        GOOD,
        with_header(typ="at+jwt"),
        with_header(kid="2026-01"),
        signed(b'{"alg":"HS256"}', json.dumps(BASE).encode()),
        with_claims(aud=["other", AUDIENCE]),
        with_claims(nbf=NOW - 5),
        with_claims(iat=NOW + 20, nbf=NOW + 20),
        with_claims(exp=NOW + 24 * 3600),
        with_claims(realm_access={"roles": ["a", "b"]}, auth_time=1.5, email_verified=True, name="Иван"),
        jwt.encode(BASE, SECRET, algorithm="HS256"),
    ],
)
def test_a_good_token_gives_its_claims(token: str) -> None:
    claims = verify(token)
    assert (claims.subject, claims.tenant, claims.token_id) == ("staff-1", "acme", "t-1")
    assert claims.scopes == ("customers:read", "reach:own")


def test_a_token_made_for_years_is_refused_on_its_last_day_too() -> None:
    token = with_claims(iat=NOW - 10 * 365 * 86400)
    with pytest.raises(InvalidToken, match="longer than"):
        verify(token)


def test_no_scope_is_no_rights_and_a_repeated_scope_counts_once() -> None:
    assert verify(with_claims(scope="")).scopes == ()
    assert verify(with_claims(scope="b a b")).scopes == ("b", "a")


def test_an_issued_token_verifies() -> None:
    token = issue(
        SECRET, subject="s", tenant="t", scopes=["a", "b"], issuer=ISSUER, audience=AUDIENCE, ttl_seconds=60, now=NOW
    )
    claims = verify(token)
    times = {"issued_at": NOW, "expires_at": NOW + 60}
    assert claims == Claims(subject="s", tenant="t", scopes=("a", "b"), token_id=claims.token_id, **times)
    assert len(claims.token_id) == 32


@pytest.mark.parametrize(("issuer", "audience"), [("", AUDIENCE), (ISSUER, "")])
def test_a_verifier_for_anybody_can_not_be_built(issuer: str, audience: str) -> None:
    with pytest.raises(ValueError, match="issuer and an audience"):
        TokenVerifier(keys=SharedSecret(SECRET), issuer=issuer, audience=audience)


class Clock:
    def __init__(self, now: float = NOW) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def test_a_remembered_token_is_verified_without_its_key_until_it_expires() -> None:
    async def story() -> None:
        clock, asked = Clock(), CountedSecret(SECRET)
        gate = TokenVerifier(keys=asked, issuer=ISSUER, audience=AUDIENCE, clock=clock)
        first = await gate.verify(GOOD)
        assert await gate.verify(GOOD) is first
        assert asked.count == 1
        clock.now = NOW + 899.9
        assert await gate.verify(GOOD) is first
        clock.now = NOW + 900
        with pytest.raises(InvalidToken, match="expired"):
            await gate.verify(GOOD)

    asyncio.run(story())


class CountedSecret(SharedSecret):
    count = 0

    async def find(self, algorithm: str, kid: str | None) -> Any:
        self.count += 1
        return await super().find(algorithm, kid)


def test_the_memory_of_tokens_is_bounded_and_drops_the_least_used() -> None:
    async def story() -> None:
        asked = CountedSecret(SECRET)
        gate = TokenVerifier(keys=asked, issuer=ISSUER, audience=AUDIENCE, clock=Clock(), remembered=2)
        one, two, three = (with_claims(jti=f"t-{number}") for number in range(3))
        for token in (one, two, one, three, one):
            await gate.verify(token)
        assert asked.count == 3
        await gate.verify(two)
        assert asked.count == 4

    asyncio.run(story())


class Broken:
    def verify(self, msg: bytes, sig: bytes) -> bool:
        raise OverflowError("inside a crypto library")


class BrokenKeys:
    algorithms = frozenset({"HS256"})

    async def find(self, algorithm: str, kid: str | None) -> Vouched:
        return Vouched(key=Broken(), seconds=1)


def test_a_key_that_chokes_on_a_signature_refuses_it() -> None:
    gate = TokenVerifier(keys=BrokenKeys(), issuer=ISSUER, audience=AUDIENCE, clock=Clock())
    with pytest.raises(InvalidToken):
        asyncio.run(gate.verify(GOOD))


def test_a_shared_secret_has_no_key_for_another_algorithm() -> None:
    with pytest.raises(InvalidToken):
        asyncio.run(SharedSecret(SECRET).find("RS256", None))


@pytest.mark.parametrize(
    "secret",
    [
        "",
        "short",
        "k7Qz!vR2m@Xw9Lp#Tn4Bd$Hs6Jf%Gc8",
        "a" * 64,
        "ab" * 32,
        "k7Qz!vR2m@" * 6,
        "abcdefghijklmnopqrstuvwxyz0123456789",
        "0123456789" * 4,
        "00000000000000000000000000000001",
        "qwertyuiopasdfghjklzxcvbnm1234567890",
        "your-super-secret-key-for-signing-tokens",
        "CHANGE_THIS_TO_SOMETHING_ELSE_4f8s7a",
        "0a6b944d-d2fb-46fc-a85e-0295c986cd9f",
        RSA_PUBLIC.decode(),
    ],
)
def test_a_guessable_secret_is_refused(secret: str) -> None:
    with pytest.raises(WeakSecret) as refusal:
        SharedSecret(secret)
    assert not secret or secret not in str(refusal.value)


def test_a_random_secret_is_accepted() -> None:
    chance = random.Random(7)
    for _ in range(300):
        SharedSecret(chance.randbytes(16).hex())
        SharedSecret(base64.b64encode(chance.randbytes(24)).decode())
        SharedSecret(base64.b64encode(chance.randbytes(64)).decode())


def test_a_sample_of_known_secrets_is_refused() -> None:
    path = shared_data("C_validity/jwt_weak_secrets.txt.gz")
    secrets = sorted({line.strip() for line in gzip.decompress(path.read_bytes()).decode().splitlines()})
    for secret in [*secrets[::2000], *(secret for secret in secrets if len(secret) >= 32)][::25]:
        with pytest.raises(WeakSecret):
            SharedSecret(secret, known_secrets=path)


def test_a_secret_on_the_operators_own_list_is_refused(tmp_path: Any) -> None:
    known = tmp_path / "known.txt"
    known.write_text(f"another\r\n{SECRET}\r\n")
    with pytest.raises(WeakSecret, match="list of known"):
        SharedSecret(SECRET, known_secrets=known)
    known.write_text("another\n")
    SharedSecret(SECRET, known_secrets=known)
    for unreadable in (tmp_path / "missing", tmp_path):
        with pytest.raises(WeakSecret, match="can't be read"):
            SharedSecret(SECRET, known_secrets=unreadable)


def test_a_token_can_not_be_issued_with_a_weak_secret() -> None:
    with pytest.raises(WeakSecret):
        issue("secret", subject="s", tenant="t", scopes=[], issuer=ISSUER, audience=AUDIENCE)


def public(key: Any, kid: str, **changes: object) -> dict[str, Any]:
    algorithm = "RS256" if isinstance(key, rsa.RSAPrivateKey) else "ES256"
    pem = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    entry = dict(jwk.construct(pem, algorithm).to_dict())
    return entry | {"kid": kid, "use": "sig"} | changes


RSA_JWK, EC_JWK = public(RSA_KEY, "r1"), public(EC_KEY, "e1")


def token_of(pem: str, algorithm: str, kid: str | None) -> str:
    return str(jwt.encode(BASE | {"exp": NOW + 7200}, pem, algorithm=algorithm, headers={"kid": kid} if kid else None))


RS_TOKEN, ES_TOKEN = token_of(RSA_PEM, "RS256", "r1"), token_of(EC_PEM, "ES256", "e1")


class Publisher:
    """The other end of the wire: answers with a key set, counts, and can be taken down."""

    def __init__(self, *keys: object) -> None:
        self.keys: list[object] = list(keys)
        self.fetches = 0
        self.down = False
        self.answer: Callable[[], httpx.Response] = lambda: httpx.Response(200, json={"keys": self.keys})

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        assert str(request.url) == URL
        self.fetches += 1
        await asyncio.sleep(0)
        if self.down:
            raise httpx.ConnectError("down")
        return self.answer()


class Published:
    """A verifier over a publisher; one clock drives the tokens and the age of the keys."""

    def __init__(self, *keys: object) -> None:
        self.publisher = Publisher(*keys)
        self.age = Clock(0)
        self.source = PublishedKeys(URL, transport=httpx.MockTransport(self.publisher), clock=self.age)
        self.gate = TokenVerifier(keys=self.source, issuer=ISSUER, audience=AUDIENCE, clock=lambda: NOW + self.age.now)

    async def settle(self) -> None:
        for _ in range(20):
            await asyncio.sleep(0)


def run(story: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(story())


def test_published_keys_verify_their_own_algorithm() -> None:
    async def story() -> None:
        world = Published(RSA_JWK, EC_JWK)
        assert (await world.gate.verify(RS_TOKEN)).subject == "staff-1"
        assert (await world.gate.verify(ES_TOKEN)).subject == "staff-1"
        assert world.publisher.fetches == 1
        refused = [
            token_of(RSA_PEM, "RS256", "e1"),  # the id of a key of the other kind
            token_of(EC_PEM, "ES256", "r1"),
            token_of(RSA_PEM, "RS512", "r1"),
            token_of(RSA_PEM, "RS256", None),
            with_header(kid="r1"),  # HS256
            signed(json.dumps(HEADER | {"kid": "r1"}).encode(), json.dumps(BASE).encode(), RSA_PUBLIC),
            RS_TOKEN.rsplit(".", 1)[0] + "." + ES_TOKEN.rsplit(".", 1)[1],
            ES_TOKEN.rsplit(".", 1)[0] + "." + b64(bytes(64)),
        ]
        for token in refused:
            with pytest.raises(InvalidToken):
                await world.gate.verify(token)
        assert world.publisher.fetches == 1

    run(story)


def roca_modulus() -> int:
    primorial = 1
    for prime in (p for p in range(2, 702) if all(p % d for d in range(2, p))):
        primorial *= prime
    factors = [k * primorial + pow(65537, power, primorial) for k, power in ((5 << 20, 12345), (7 << 20, 54321))]
    modulus = factors[0] * factors[1]
    while modulus.bit_length() < 2048:
        modulus *= factors[0]
    return modulus


def long_number(value: int) -> str:
    return b64(value.to_bytes((value.bit_length() + 7) // 8))


DOUBTFUL: dict[str, dict[str, Any]] = {
    "RSA of 1024 bits": public(rsa.generate_private_key(public_exponent=65537, key_size=1024), "r1"),
    "RSA with exponent 3": RSA_JWK | {"e": "Aw"},
    "RSA with exponent 1": RSA_JWK | {"e": "AQ"},
    "RSA with an even modulus": RSA_JWK | {"n": long_number(1 << 2047)},
    "RSA of 16384 bits": RSA_JWK | {"n": long_number((1 << 16383) + 1)},
    "RSA with the ROCA fingerprint": RSA_JWK | {"n": long_number(roca_modulus())},
    "RSA without a modulus": {name: value for name, value in RSA_JWK.items() if name != "n"},
    "RSA with sloppy base64": RSA_JWK | {"n": RSA_JWK["n"] + "=="},
    "private": RSA_JWK | {"d": "AQAB"},
    "symmetric": {"kty": "oct", "kid": "r1", "k": b64(SECRET.encode()), "alg": "HS256"},
    "for encryption": RSA_JWK | {"use": "enc"},
    "use a list": RSA_JWK | {"use": ["sig"]},
    "for signing only": RSA_JWK | {"key_ops": ["sign"]},
    "for wrapping too": RSA_JWK | {"key_ops": ["verify", "wrapKey"]},
    "of another algorithm": RSA_JWK | {"alg": "RS512"},
    "of a symmetric algorithm": RSA_JWK | {"alg": "HS256"},
    "of an unknown kind": RSA_JWK | {"kty": "OKP"},
    "kind a list": RSA_JWK | {"kty": ["RSA"]},
    "without an id": {name: value for name, value in RSA_JWK.items() if name != "kid"},
    "with a list for an id": RSA_JWK | {"kid": ["r1"]},
    "of another curve": public(ec.generate_private_key(ec.SECP384R1()), "r1", alg="ES256"),
    "off its curve": EC_JWK | {"kid": "r1", "x": b64(bytes(31) + b"\x05")},
    "with a short coordinate": EC_JWK | {"kid": "r1", "x": "AQ"},
    "with no coordinate": EC_JWK | {"kid": "r1", "y": None},
}


@pytest.mark.parametrize("entry", DOUBTFUL.values(), ids=DOUBTFUL.keys())
def test_a_doubtful_key_is_left_out_and_the_rest_of_the_set_works(entry: dict[str, Any]) -> None:
    async def story() -> None:
        world = Published(entry, EC_JWK)
        assert await world.gate.verify(ES_TOKEN)
        for kid in ("r1", None):
            with pytest.raises(InvalidToken):
                await world.gate.verify(token_of(RSA_PEM, "RS256", kid))
            with pytest.raises(InvalidToken):
                await world.gate.verify(token_of(EC_PEM, "ES256", "r1"))

    run(story)


def test_two_keys_of_one_id_are_both_left_out() -> None:
    async def story() -> None:
        world = Published(RSA_JWK, EC_JWK | {"kid": "r1"}, "not a key", EC_JWK)
        with pytest.raises(InvalidToken):
            await world.gate.verify(RS_TOKEN)
        assert await world.gate.verify(ES_TOKEN)

    run(story)


def test_a_flood_of_unknown_ids_fetches_once_per_cool_down() -> None:
    async def story() -> None:
        world = Published(RSA_JWK)
        for second in range(60):
            world.age.now = second
            tokens = [with_unknown_id(second * 10 + number) for number in range(10)]
            answers = await asyncio.gather(*(world.gate.verify(token) for token in tokens), return_exceptions=True)
            assert {type(answer) for answer in answers} == {InvalidToken}
        assert world.publisher.fetches == 2
        assert await world.gate.verify(RS_TOKEN)

    run(story)


def with_unknown_id(number: int) -> str:
    header = json.dumps({"alg": "RS256", "kid": f"unknown-{number}"}).encode()
    return f"{b64(header)}.{b64(json.dumps(BASE).encode())}.{b64(bytes(256))}"


def test_a_rotated_key_works_at_its_first_token() -> None:
    async def story() -> None:
        world = Published(RSA_JWK)
        await world.gate.verify(RS_TOKEN)
        world.publisher.keys.append(EC_JWK)
        world.age.now = 31
        assert await world.gate.verify(ES_TOKEN)

    run(story)


def test_a_removed_key_is_dead_within_ten_minutes_even_for_remembered_tokens() -> None:
    async def story() -> None:
        world = Published(RSA_JWK, EC_JWK)
        await world.gate.verify(RS_TOKEN)
        world.publisher.keys.remove(RSA_JWK)
        world.age.now = 599
        assert await world.gate.verify(RS_TOKEN)
        world.age.now = 600
        with pytest.raises(InvalidToken):
            await world.gate.verify(RS_TOKEN)
        assert await world.gate.verify(ES_TOKEN)

    run(story)


def test_an_emptied_set_kills_every_key() -> None:
    async def story() -> None:
        world = Published(RSA_JWK)
        await world.gate.verify(RS_TOKEN)
        world.publisher.keys.clear()
        world.age.now = 600
        with pytest.raises(InvalidToken):
            await world.gate.verify(RS_TOKEN)

    run(story)


def test_keys_are_renewed_in_the_background_before_they_age_out() -> None:
    async def story() -> None:
        world = Published(RSA_JWK, EC_JWK)
        await world.gate.verify(RS_TOKEN)
        world.age.now = 400
        await world.gate.verify(ES_TOKEN)
        await world.settle()
        assert world.publisher.fetches == 2

    run(story)


def test_known_keys_outlive_an_outage_for_an_hour_and_then_nothing_is_verified() -> None:
    async def story() -> None:
        world = Published(RSA_JWK)
        await world.gate.verify(RS_TOKEN)
        world.publisher.down = True
        for age in range(60, 3600, 60):
            world.age.now = age
            assert await world.gate.verify(RS_TOKEN)
            await world.settle()
        world.age.now = 3600
        with pytest.raises(SigningKeysUnavailable):
            await world.gate.verify(RS_TOKEN)
        world.publisher.down = False
        world.age.now = 3631
        assert await world.gate.verify(RS_TOKEN)

    run(story)


def test_an_unknown_id_in_an_outage_is_refused_while_known_keys_serve() -> None:
    async def story() -> None:
        world = Published(RSA_JWK)
        await world.gate.verify(RS_TOKEN)
        world.publisher.down = True
        world.age.now = 100
        with pytest.raises(InvalidToken):
            await world.gate.verify(ES_TOKEN)

    run(story)


UNREADABLE: dict[str, Callable[[], httpx.Response]] = {
    "an error": lambda: httpx.Response(500, json={"keys": [RSA_JWK]}),
    "a redirect": lambda: httpx.Response(302, headers={"location": "https://evil.example/keys"}),
    "not JSON": lambda: httpx.Response(200, text="<html>"),
    "a list": lambda: httpx.Response(200, json=[RSA_JWK]),
    "no keys": lambda: httpx.Response(200, json={"key": RSA_JWK}),
    "keys twice": lambda: httpx.Response(200, text='{"keys": [], "keys": []}'),
    "nested deep": lambda: httpx.Response(200, text='{"keys": ' + "[" * 5000 + "]" * 5000 + "}"),
    "too large": lambda: httpx.Response(200, text=json.dumps({"keys": [], "x": "x" * 300_000})),
    "packed": lambda: httpx.Response(
        200, headers={"content-encoding": "gzip"}, content=gzip.compress(json.dumps({"keys": [RSA_JWK]}).encode())
    ),
}


@pytest.mark.parametrize("answer", UNREADABLE.values(), ids=UNREADABLE.keys())
def test_an_unreadable_answer_makes_the_keys_unavailable(answer: Callable[[], httpx.Response]) -> None:
    async def story() -> None:
        world = Published()
        world.publisher.answer = answer
        for _ in range(3):
            with pytest.raises(SigningKeysUnavailable):
                await world.gate.verify(RS_TOKEN)
        assert world.publisher.fetches == 1

    run(story)


def test_a_publisher_that_never_answers_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    async def hang(request: httpx.Request) -> httpx.Response:
        await asyncio.sleep(60)
        return httpx.Response(200)

    async def story() -> None:
        source = PublishedKeys(URL, transport=httpx.MockTransport(hang), clock=Clock(0))
        source.timeout = 0.05
        with pytest.raises(SigningKeysUnavailable):
            await source.find("RS256", "r1")

    run(story)


def test_a_caller_who_hangs_up_does_not_stop_the_fetch_of_the_others() -> None:
    async def story() -> None:
        world = Published(RSA_JWK)
        first = asyncio.create_task(world.gate.verify(RS_TOKEN))
        second = asyncio.create_task(world.gate.verify(RS_TOKEN))
        await asyncio.sleep(0)
        first.cancel()
        assert (await second).subject == "staff-1"
        assert world.publisher.fetches == 1

    run(story)


@pytest.mark.parametrize(
    "url",
    [
        "http://id.example/keys",
        "http://localhost.evil.example/keys",
        "http://127.0.0.1.nip.io/keys",
        "https://user:word@id.example/keys",
        "file:///etc/passwd",
        "ftp://id.example/keys",
        "https:///keys",
        "id.example/keys",
        "",
    ],
)
def test_an_unsafe_address_of_keys_is_refused(url: str) -> None:
    with pytest.raises(ValueError):
        PublishedKeys(url)


@pytest.mark.parametrize("url", [URL, "http://127.0.0.1:8080/keys", "http://localhost/keys", "http://[::1]/keys"])
def test_a_safe_address_of_keys_is_taken(url: str) -> None:
    PublishedKeys(url)
