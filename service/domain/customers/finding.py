"""What a new record has in common with another: which contacts tell, and how a match is shown."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from service.domain.customers.contacts import ContactKind
from service.domain.errors import Conflict

# What one record shares with no other; a bank's code or a street many share.
TELLING = frozenset(ContactKind) - {ContactKind.BIC, ContactKind.KPP, ContactKind.STREET}


class PossibleDuplicate(Conflict):
    code = "possible-duplicate"
    title = "There is a record with the same contact or requisite already."


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """A record with the same contact or requisite: named when it is within reach, else masked, with a pass to ask."""

    matched: tuple[str, ...]
    kind: str
    display_name: str
    customer_id: UUID | None = None
    request_token: str | None = None

    def told(self) -> dict[str, Any]:
        return {
            "matched": list(self.matched),
            "kind": self.kind,
            "display_name": self.display_name,
            "customer_id": None if self.customer_id is None else str(self.customer_id),
            "request_token": self.request_token,
        }


def masked(name: str) -> str:
    """The first letter of each word of a name: enough to recognise whom one knows."""
    return " ".join(f"{word[0]}•••" for word in name.split()[:4])
