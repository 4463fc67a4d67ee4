"""What stands beside a record in Postgres: notes, contacts made, consents."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from service.db.session import Session
from service.db.statement import sql
from service.domain.around.model import NewConsent, NewInteraction
from service.domain.around.ports import Held

Row = Mapping[str, Any]
_OF = "WHERE tenant_id = :tenant AND customer_id = :customer_id"
# An erasure locks the record for itself alone; whoever writes beside it comes before it, or sees that it was.
_HOLD = sql(f"SELECT erased_at IS NOT NULL AS erased FROM customers {_OF} FOR KEY SHARE")
_REACHES = sql(f"SELECT EXISTS (SELECT FROM customers {_OF})")

_NOTE = f"SELECT note_id, staff_id, text, created_at FROM notes {_OF}"
_NOTE_BY_ID = sql(f"{_NOTE} AND note_id = :note_id")
_NOTES = sql(f"{_NOTE} AND note_id < :before::uuid ORDER BY note_id DESC LIMIT :limit")
_ADD_NOTE = sql("""
    INSERT INTO notes (tenant_id, customer_id, note_id, staff_id, text)
    VALUES (:tenant, :customer_id, :note_id, :staff_id, :text)
""")
_DROP_NOTE = sql(f"DELETE FROM notes {_OF} AND note_id = :note_id")

_INTERACTION = (
    f"SELECT interaction_id, staff_id, kind, direction, at, outcome, text, created_at FROM interactions {_OF}"
)
_INTERACTION_BY_ID = sql(f"{_INTERACTION} AND interaction_id = :interaction_id")
_INTERACTIONS = sql(f"""{_INTERACTION} AND (at, interaction_id) < (:at::timestamptz, :before::uuid)
    ORDER BY at DESC, interaction_id DESC LIMIT :limit""")
_ADD_INTERACTION = sql("""
    INSERT INTO interactions (tenant_id, customer_id, interaction_id, staff_id, kind, direction, at, outcome, text)
    VALUES (:tenant, :customer_id, :interaction_id, :staff_id, :kind, :direction, :at, :outcome, :text)
""")
_DROP_INTERACTION = sql(f"DELETE FROM interactions {_OF} AND interaction_id = :interaction_id")

_CONSENT_COLUMNS = "consent_id, purpose, channel, given, at, source, proof, staff_id, created_at"
_CONSENT = f"SELECT {_CONSENT_COLUMNS} FROM consents {_OF}"
_CONSENT_BY_ID = sql(f"{_CONSENT} AND consent_id = :consent_id")
_CONSENTS = sql(f"""{_CONSENT} AND (at, consent_id) < (:at::timestamptz, :before::uuid)
    ORDER BY at DESC, consent_id DESC LIMIT :limit""")
_STANDING = sql(f"""
    SELECT DISTINCT ON (purpose, channel) {_CONSENT_COLUMNS} FROM consents {_OF}
    ORDER BY purpose, channel, at DESC, consent_id DESC
""")
_ADD_CONSENT = sql("""
    INSERT INTO consents (tenant_id, customer_id, consent_id, purpose, channel, given, at, source, proof, staff_id)
    VALUES (:tenant, :customer_id, :consent_id, :purpose, :channel, :given, :at, :source, :proof, :staff_id)
""")
_AFTER_ALL = UUID(int=(1 << 128) - 1)
_END_OF_TIME = datetime(9999, 1, 1, tzinfo=UTC)


class PgAround:
    def __init__(self, session: Session) -> None:
        self._session = session

    async def hold(self, customer_id: UUID) -> Held | None:
        row = await self._session.fetchrow(_HOLD, customer_id=customer_id)
        return None if row is None else Held(customer_id=customer_id, erased=row["erased"])

    async def reaches(self, customer_id: UUID) -> bool:
        return bool(await self._session.fetchval(_REACHES, customer_id=customer_id))

    async def add_note(self, customer_id: UUID, note_id: UUID, text: str) -> None:
        staff_id = self._session.principal.staff_id
        await self._session.execute(_ADD_NOTE, customer_id=customer_id, note_id=note_id, staff_id=staff_id, text=text)

    async def note(self, customer_id: UUID, note_id: UUID) -> Row | None:
        return await self._session.fetchrow(_NOTE_BY_ID, customer_id=customer_id, note_id=note_id)

    async def notes(self, customer_id: UUID, *, before: UUID | None, limit: int) -> Sequence[Row]:
        return await self._session.fetch(_NOTES, customer_id=customer_id, before=before or _AFTER_ALL, limit=limit)

    async def drop_note(self, customer_id: UUID, note_id: UUID) -> None:
        await self._session.execute(_DROP_NOTE, customer_id=customer_id, note_id=note_id)

    async def add_interaction(self, customer_id: UUID, interaction_id: UUID, new: NewInteraction, at: datetime) -> None:
        await self._session.execute(
            _ADD_INTERACTION,
            customer_id=customer_id,
            interaction_id=interaction_id,
            staff_id=self._session.principal.staff_id,
            kind=new.kind,
            direction=new.direction,
            at=at,
            outcome=new.outcome,
            text=new.text,
        )

    async def interaction(self, customer_id: UUID, interaction_id: UUID) -> Row | None:
        return await self._session.fetchrow(_INTERACTION_BY_ID, customer_id=customer_id, interaction_id=interaction_id)

    async def interactions(
        self, customer_id: UUID, *, before: tuple[datetime, UUID] | None, limit: int
    ) -> Sequence[Row]:
        return await self._session.fetch(_INTERACTIONS, customer_id=customer_id, **_position(before), limit=limit)

    async def drop_interaction(self, customer_id: UUID, interaction_id: UUID) -> None:
        await self._session.execute(_DROP_INTERACTION, customer_id=customer_id, interaction_id=interaction_id)

    async def add_consent(self, customer_id: UUID, consent_id: UUID, new: NewConsent, at: datetime) -> None:
        await self._session.execute(
            _ADD_CONSENT,
            customer_id=customer_id,
            consent_id=consent_id,
            purpose=new.purpose,
            channel=new.channel,
            given=new.given,
            at=at,
            source=new.source,
            proof=new.proof,
            staff_id=self._session.principal.staff_id,
        )

    async def consent(self, customer_id: UUID, consent_id: UUID) -> Row | None:
        return await self._session.fetchrow(_CONSENT_BY_ID, customer_id=customer_id, consent_id=consent_id)

    async def consents(self, customer_id: UUID, *, before: tuple[datetime, UUID] | None, limit: int) -> Sequence[Row]:
        return await self._session.fetch(_CONSENTS, customer_id=customer_id, **_position(before), limit=limit)

    async def standing_consents(self, customer_id: UUID) -> Sequence[Row]:
        return await self._session.fetch(_STANDING, customer_id=customer_id)


def _position(before: tuple[datetime, UUID] | None) -> dict[str, object]:
    at, row_id = before or (_END_OF_TIME, _AFTER_ALL)
    return {"at": at, "before": row_id}
