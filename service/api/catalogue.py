"""Every code that a refusal can carry, read from the classes themselves.

A code is public API: documented here, never renamed, never reused. A kind that narrows another one without a code of
its own shares the other's entry. `python -m service.api.catalogue` prints the page `docs/problems.md`.
"""

import importlib
import pkgutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass

import service.api
import service.domain
from service.api.problems import InternalError, MethodNotAllowed, status_of
from service.domain.errors import DomainError

# Kinds whose status is not that of a category.
_OWN_STATUS: dict[type[DomainError], int] = {MethodNotAllowed: 405, InternalError: 500}
_CURE = {
    401: "Get a fresh token for a member of the staff and send it as `Authorization: Bearer …`.",
    403: "Ask an administrator of the tenant for the right, or let somebody do it who has it.",
    404: "Check the id. A record outside your reach does not exist for you.",
    405: "See the operations of this path in the OpenAPI document.",
    409: "Read what is stored and decide anew.",
    412: "Read the record again and repeat the change with its new ETag.",
    413: "Send less at once.",
    422: "Correct the request; `errors` and `pointer`, where present, name the place.",
    429: "Wait for the seconds that `Retry-After` names; the answer says how often is allowed.",
    500: "Tell the operator the request id of the answer.",
    503: "Try again after the seconds that `Retry-After` names.",
    None: "Not an answer of its own; it stands in the `error` of a job.",
}
_HEAD = """# Problems

Every refusal is a problem document (RFC 9457, `application/problem+json`): `type` is `/problems/<code>`, and `title`,
`status`, `detail` and `instance` say the rest. The service explains each code under its own `type` too. Codes are
never renamed and never reused. This page is written by `make problems`.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One code: what it means, the status it is answered with (None: in jobs only), and what to do."""

    code: str
    title: str
    status: int | None
    cure: str


def entries() -> dict[str, Entry]:
    """All codes of the refusals that are imported by now, by code."""
    found: dict[str, Entry] = {}
    # A general kind comes before those that narrow it, and the narrower words win.
    for kind in _kinds(DomainError):
        if kind.__module__.split(".")[0] == "service" and "code" in kind.__dict__:
            status = _status(kind)
            found[kind.code] = Entry(code=kind.code, title=kind.title, status=status, cure=_CURE[status])
    return dict(sorted(found.items()))


def _kinds(kind: type[DomainError]) -> Iterator[type[DomainError]]:
    for narrower in kind.__subclasses__():
        yield narrower
        yield from _kinds(narrower)


def _status(kind: type[DomainError]) -> int | None:
    if kind in _OWN_STATUS:
        return _OWN_STATUS[kind]
    status = status_of(kind())
    return None if status == 500 else status


def import_all() -> None:
    """Load every module of the service that may define a refusal."""
    for package in (service.api, service.domain):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            importlib.import_module(module.name)


def markdown() -> str:
    """The page of all codes, by status."""
    listed = sorted(entries().values(), key=lambda entry: (entry.status or 999, entry.code))
    parts = [_HEAD]
    for status in dict.fromkeys(entry.status for entry in listed):
        parts.append(f"\n## {status or 'In jobs'}\n\n{_CURE[status]}\n\n| code | meaning |\n|---|---|\n")
        parts.extend(f"| `{entry.code}` | {entry.title} |\n" for entry in listed if entry.status == status)
    return "".join(parts)


if __name__ == "__main__":
    import_all()
    sys.stdout.write(markdown())
