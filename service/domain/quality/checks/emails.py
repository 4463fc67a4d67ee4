"""E-mail addresses: what can't be mailed to, what was meant, and what was given only to be left alone."""

import re
from collections.abc import Iterator
from functools import cache

from disposable_email_domains import blocklist
from email_validator import SPECIAL_USE_DOMAIN_NAMES
from rapidfuzz.distance import OSA

from service.domain.customers.contacts import ContactKind, assess
from service.domain.quality.checks.places import Place, found, mended, of_kind, once, words
from service.domain.quality.model import Card, Cause, Check, Finding, Severity

# The providers whose names people mistype; a domain within one slip of one of them is that one.
_PROVIDERS = tuple(
    sorted(
        words("""
            gmail.com mail.ru yandex.ru ya.ru bk.ru inbox.ru list.ru internet.ru rambler.ru lenta.ru autorambler.ru
            myrambler.ru yandex.by yandex.kz yandex.com yandex.ua hotmail.com outlook.com live.com icloud.com me.com
            mac.com yahoo.com aol.com protonmail.com proton.me gmx.de gmx.net gmx.com web.de t-online.de tut.by ukr.net
            i.ua meta.ua mail.com googlemail.com hotmail.fr hotmail.co.uk yahoo.co.uk yahoo.fr yahoo.de orange.fr
            free.fr wanadoo.fr libero.it qq.com 163.com zoho.com fastmail.com vk.com xmail.ru pochta.ru narod.ru
            nextmail.ru e1.ru ngs.ru sibmail.com msn.com
        """)
    )
)
_KNOWN = frozenset(_PROVIDERS)
_ROLES = words("""
    abuse accounting accounts admin administrator billing booking bookkeeping buh buhgalteria career careers contact
    contacts customerservice delivery director enquiries feedback finance help helpdesk hello hostmaster hr info
    information inquiry invoice it jobs kadry mail mailbox marketing media news newsletter no-reply noreply noc office
    opt order orders partner partners postmaster pr press priemnaya reception reklama robot root sale sales sbyt
    secretary security service shop spam staff subscribe support sysadmin team tech webmaster welcome zakaz zakupki
""")
_PLACEHOLDERS = re.compile(
    r"(?:no|non|net|none|нет|not?_?-?(?:e?mail|mail|address))(?:[._-]?(?:e?mail|mail))?"
    r"|(?:test|тест|asdf+|qwerty|qwe|asd|zxc|aaa+|xxx+|abc|123+4*5*|fake|user|example|name|email|unknown)\d{0,2}"
)
_ROLE_TAIL = re.compile(r"[\d._-]+$")


@once
def _shaped(card: Card) -> list[tuple[Place, str, str]]:
    """The addresses that are ones, with what stands before and after the sign."""
    parted = ((place, *place.value.strip().lower().rpartition("@")) for place in of_kind(card, "email"))
    return [(place, local, domain) for place, local, _, domain in parted if local and "." in domain]


_AT = re.compile(r"\s*(?:\(at\)|\[at\]|\{at\}|\(собака\)|\[собака\]|\s(?:at|собака)\s)\s*", re.IGNORECASE)
_DOT = re.compile(r"\s*(?:\(dot\)|\[dot\]|\(точка\)|\[точка\]|\s(?:dot|точка)\s)\s*", re.IGNORECASE)
_WRAPPED = re.compile(r"^(?:mailto:|e-?mail:|почта:)|^[<\"'(\[]+|[>\"')\].,;:!]+$", re.IGNORECASE)


def _meant(text: str) -> str | None:
    """The address that was meant, where only its signs are wrong."""
    tried = _DOT.sub(".", _AT.sub("@", text.strip()))
    if "<" in tried and ">" in tried:
        tried = tried[tried.index("<") + 1 : tried.rindex(">")]
    tried = _WRAPPED.sub("", _WRAPPED.sub("", tried))
    tried = re.sub(r"@{2,}", "@", tried)
    tried = re.sub(r"\.{2,}", ".", "".join(tried.split())).replace(".@", "@").replace("@.", "@").replace(",", ".")
    tried = tried.strip(".")
    local, sign, domain = tried.rpartition("@")
    if sign and "." not in domain:
        tried = f"{local}@{_slip(domain.lower()) or domain}"
    elif not sign:
        tried = _glued(tried.lower()) or tried
    if tried != text and assess(ContactKind.EMAIL, tried, "").verdict == "valid":
        return tried
    return None


def _glued(text: str) -> str | None:
    for provider in _PROVIDERS:
        for tail in (provider, provider.replace(".", "")):
            if text.endswith(tail) and len(text) > len(tail) + 2:
                local = text[: -len(tail)].rstrip("@. _-")
                return f"{local}@{provider}"
    return None


def _syntax(card: Card) -> Iterator[Finding]:
    for place in of_kind(card, "email"):
        if assess(ContactKind.EMAIL, place.value, "").verdict == "invalid":
            meant = _meant(place.value)
            yield mended("email-syntax", place, meant, 0.93) if meant else found("email-syntax", place)


@cache
def _slip(domain: str) -> str | None:
    bare = domain.replace(".", "").replace(",", "")
    for provider in _PROVIDERS:
        if bare == provider.replace(".", ""):
            return provider
    if len(domain) < 5:
        return None
    near = [
        one for one in _PROVIDERS if abs(len(one) - len(domain)) < 2 and OSA.distance(domain, one, score_cutoff=1) == 1
    ]
    return near[0] if near else None


def _domain_typo(card: Card) -> Iterator[Finding]:
    for place, local, domain in _shaped(card):
        if domain not in _KNOWN and len(domain) < 24:
            meant = _slip(domain)
            if meant is not None:
                yield mended("email-domain-typo", place, f"{local}@{meant}", 0.95, 0.97)


def _role(card: Card) -> Iterator[Finding]:
    if card.kind != "person":
        return
    for place, local, _ in _shaped(card):
        if local in _ROLES or _ROLE_TAIL.sub("", local) in _ROLES:
            yield found("email-role", place, 0.95)


def _disposable(card: Card) -> Iterator[Finding]:
    for place, _, domain in _shaped(card):
        # A throw-away address may lie on a subdomain of its provider.
        if domain in blocklist or domain.partition(".")[2] in blocklist:
            yield found("email-disposable", place)


def _placeholder(card: Card) -> Iterator[Finding]:
    for place, local, domain in _shaped(card):
        reserved = domain in _EXAMPLES or domain.rpartition(".")[2] in _EXAMPLES
        if reserved or _PLACEHOLDERS.fullmatch(local) or local == domain.partition(".")[0]:
            yield found("email-placeholder", place, 0.95)


_EXAMPLES = frozenset((*SPECIAL_USE_DOMAIN_NAMES, "example.com", "example.org", "example.net", "test.ru", "test.com"))

CHECKS = (
    Check(
        code="email-syntax",
        cause=Cause.ENTRY,
        severity=Severity.ERROR,
        fields=("contacts",),
        title="No mail can be sent to this address: it isn't one.",
        example="ivan(at)mail.ru",
        cure="Write it as name@domain; where only its signs are wrong, the address that was meant is proposed.",
        examine=_syntax,
    ),
    Check(
        code="email-domain-typo",
        cause=Cause.ENTRY,
        severity=Severity.ERROR,
        fields=("contacts",),
        title="The domain is one slip away from that of a large provider.",
        example="ivan@gmial.com",
        cure="Take the provider's domain, and ask the customer.",
        examine=_domain_typo,
    ),
    Check(
        code="email-role",
        cause=Cause.FALSE,
        severity=Severity.WARNING,
        fields=("contacts",),
        title="The address belongs to an office, not to the person.",
        example="info@company.ru",
        cure="Ask the customer for an address of their own.",
        examine=_role,
    ),
    Check(
        code="email-disposable",
        cause=Cause.FALSE,
        severity=Severity.ERROR,
        fields=("contacts",),
        title="The address is of a provider of throw-away addresses.",
        example="ivan@mailinator.com",
        cure="Ask the customer for an address that they read.",
        examine=_disposable,
    ),
    Check(
        code="email-placeholder",
        cause=Cause.FALSE,
        severity=Severity.ERROR,
        fields=("contacts",),
        title="The address was made up to fill the field.",
        example="test@test.ru",
        cure="Ask the customer for an address, or leave the field empty.",
        examine=_placeholder,
    ),
)
