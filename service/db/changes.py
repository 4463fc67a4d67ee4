"""The stream of changes, read in the order of transactions and below the oldest one that still runs."""

from service.db.session import Session
from service.db.statement import sql
from service.domain.changes import Place, Told, UnknownPlace

_HORIZON = "(pg_snapshot_xmin(pg_current_snapshot())::text)::bigint"
_PRESENT = sql(f"SELECT {_HORIZON}")
# The horizon comes from the snapshot of the statement itself; with rows or without, the answer says where it stood.
_SINCE = sql(f"""
    SELECT h.horizon, c.xid, c.change_id, c.at, c.entity, c.entity_id, c.kind, c.customer_id
    FROM (SELECT {_HORIZON} AS horizon) h LEFT JOIN LATERAL (
        SELECT * FROM changes c
        WHERE c.tenant_id = :tenant AND (c.xid, c.change_id) > (:xid::bigint, :change_id::bigint) AND c.xid < h.horizon
            AND (:orders::boolean OR c.entity NOT IN ('order', 'refund'))
        ORDER BY c.xid, c.change_id LIMIT :limit
    ) c ON true
    ORDER BY c.xid, c.change_id
""")
_SHOWN = ("at", "entity", "entity_id", "kind", "customer_id")


class PgChanges:
    def __init__(self, session: Session) -> None:
        self._session = session

    async def since(self, place: Place, *, limit: int, orders: bool) -> Told:
        rows = await self._session.fetch(
            _SINCE, xid=place.transaction, change_id=place.change_id, orders=orders, limit=limit + 1
        )
        if place.transaction > int(rows[0]["horizon"]):
            raise UnknownPlace(pointer="/since")
        told = [row for row in rows if row["xid"] is not None]
        shown = [{name: row[name] for name in _SHOWN} for row in told[:limit]]
        if len(told) > limit:
            last = told[limit - 1]
            return Told(changes=shown, behind=Place(transaction=last["xid"], change_id=last["change_id"]), more=True)
        # Everything up to the horizon has been told, what is out of reach included: it need not be looked at again.
        horizon = int(rows[0]["horizon"])
        behind = place if horizon == place.transaction else Place(transaction=horizon)
        return Told(changes=shown, behind=behind, more=False)

    async def present(self) -> Place:
        return Place(transaction=int(await self._session.fetchval(_PRESENT)))
