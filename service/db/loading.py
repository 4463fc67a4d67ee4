"""Orders and returns on their way in: a batch of documents becomes a handful of set-based statements.

Rows travel as arrays in the binary protocol and are inserted by `INSERT … SELECT FROM unnest`, under the importer's own
role, so that row policies hold for every row (COPY into a table with forced policies is refused by Postgres).
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from uuid import UUID

from service.db.journal import PgJournal
from service.db.orders import PgOrders
from service.db.session import Row, Session
from service.db.statement import Statement, sql
from service.domain.access import Reach
from service.domain.customers.names import fold, search_tokens
from service.domain.ids import new_id
from service.domain.ingestion.documents import Document, Documents, rejected, sku_of
from service.domain.ingestion.faults import Reject
from service.domain.ingestion.ports import Applied
from service.domain.ingestion.rows import OrderLine

# The turn goes with its connection, so one whose process was killed is over as well.
_TURN = sql("SELECT pg_try_advisory_xact_lock(hashtextextended('import ' || :tenant::int::text, 0))")
_BUYERS = sql("""
    SELECT external_id, customer_id FROM customer_external_ids
    WHERE tenant_id = :tenant AND source = :source AND external_id = ANY (:refs::text[])
""")
_ADD_CUSTOMERS = sql("""
    INSERT INTO customers (tenant_id, customer_id, kind, display_name, sort_name, given_name, country, import_id,
                           curator_id, team_id)
    SELECT :tenant, u.customer_id, 'person', u.name, u.sort_name, u.name, u.country, :import_id, :curator_id, :team_id
    FROM unnest(:ids::uuid[], :names::text[], :sort_names::text[], :countries::text[])
         AS u (customer_id, name, sort_name, country)
""")
_ADD_EXTERNAL = sql("""
    INSERT INTO customer_external_ids (tenant_id, source, external_id, customer_id)
    SELECT :tenant, :source, u.external_id, u.customer_id
    FROM unnest(:refs::text[], :ids::uuid[]) AS u (external_id, customer_id)
    ON CONFLICT DO NOTHING RETURNING external_id
""")
_DROP_CUSTOMERS = sql("DELETE FROM customers WHERE tenant_id = :tenant AND customer_id = ANY (:ids::uuid[])")
_ADD_TOKENS = sql("""
    INSERT INTO search_tokens (tenant_id, token, customer_id)
    SELECT :tenant, u.token, u.customer_id FROM unnest(:tokens::text[], :ids::uuid[]) AS u (token, customer_id)
""")
_KNOWN_ORDERS = sql("""
    SELECT external_id, order_id AS document_id, customer_id, currency, import_id FROM orders
    WHERE tenant_id = :tenant AND source = :source AND external_id = ANY (:refs::text[])
    ORDER BY order_id FOR UPDATE
""")
_KNOWN_RETURNS = sql("""
    SELECT external_id, refund_id AS document_id, customer_id, currency, import_id FROM refunds
    WHERE tenant_id = :tenant AND source = :source AND external_id = ANY (:refs::text[])
    ORDER BY refund_id FOR UPDATE
""")
_DOCUMENT_ARRAYS = """unnest(:ids::uuid[], :customers::uuid[], :refs::text[], :currencies::text[], :amounts::bigint[],
    :ats::timestamptz[], :ons::date[], :statuses::text[], :channels::text[], :refundeds::bigint[])
    AS u (id, customer_id, external_id, currency, amount, at, day, status, sales_channel, refunded)"""
_ADD_ORDERS = sql(f"""
    INSERT INTO orders (tenant_id, order_id, customer_id, source, external_id, currency, total, ordered_at, ordered_on,
                        status, sales_channel, refunded, import_id)
    SELECT :tenant, u.id, u.customer_id, :source, u.external_id, u.currency, u.amount, u.at, u.day, u.status,
           u.sales_channel, u.refunded, :import_id
    FROM {_DOCUMENT_ARRAYS} ON CONFLICT DO NOTHING RETURNING external_id
""")
_ADD_RETURNS = sql(f"""
    INSERT INTO refunds (tenant_id, refund_id, customer_id, source, external_id, currency, amount, refunded_at,
                         refunded_on, import_id)
    SELECT :tenant, u.id, u.customer_id, :source, u.external_id, u.currency, u.amount, u.at, u.day, :import_id
    FROM {_DOCUMENT_ARRAYS} ON CONFLICT DO NOTHING RETURNING external_id
""")
# A document that this import began goes on; one from elsewhere is replaced by what the file says. The refunds that are
# recorded for it stay, whether the file knows of them or not.
_LINKED = """(SELECT coalesce(sum(r.amount), 0) FROM refunds r
    WHERE r.tenant_id = :tenant AND r.order_id = o.order_id)"""
_MORE_ORDERS = sql(f"""
    UPDATE orders o SET
        total = CASE WHEN o.import_id = :import_id THEN o.total ELSE 0 END + u.amount,
        refunded = CASE WHEN o.import_id = :import_id THEN o.refunded + u.refunded
                        ELSE greatest(u.refunded, {_LINKED}) END,
        ordered_at = CASE WHEN o.import_id = :import_id THEN least(o.ordered_at, u.at) ELSE u.at END,
        ordered_on = CASE WHEN o.import_id = :import_id THEN least(o.ordered_on, u.day) ELSE u.day END,
        status = u.status, customer_id = u.customer_id, currency = u.currency, sales_channel = u.sales_channel,
        import_id = :import_id, version = o.version + 1, updated_at = now()
    FROM {_DOCUMENT_ARRAYS} WHERE o.tenant_id = :tenant AND o.order_id = u.id
""")
_MORE_RETURNS = sql(f"""
    UPDATE refunds o SET
        amount = CASE WHEN o.import_id = :import_id THEN o.amount ELSE 0 END + u.amount,
        refunded_at = CASE WHEN o.import_id = :import_id THEN least(o.refunded_at, u.at) ELSE u.at END,
        refunded_on = CASE WHEN o.import_id = :import_id THEN least(o.refunded_on, u.day) ELSE u.day END,
        customer_id = u.customer_id, currency = u.currency, import_id = :import_id
    FROM {_DOCUMENT_ARRAYS} WHERE o.tenant_id = :tenant AND o.refund_id = u.id
""")
_DROP_ORDER_LINES = sql("DELETE FROM order_lines WHERE tenant_id = :tenant AND order_id = ANY (:ids::uuid[])")
_DROP_RETURN_LINES = sql("DELETE FROM refund_lines WHERE tenant_id = :tenant AND refund_id = ANY (:ids::uuid[])")


def _add_lines(table: str, key: str) -> Statement:
    return sql(f"""
        INSERT INTO {table} (tenant_id, {key}, line_no, product_id, quantity, unit_price, amount)
        SELECT :tenant, u.id, u.line_no, u.product_id, u.quantity::numeric, u.unit_price, u.amount
        FROM unnest(:ids::uuid[], :numbers::int[], :products::uuid[], :quantities::text[], :prices::bigint[],
                    :amounts::bigint[]) AS u (id, line_no, product_id, quantity, unit_price, amount)
    """)


_ADD_ORDER_LINES = _add_lines("order_lines", "order_id")
_ADD_RETURN_LINES = _add_lines("refund_lines", "refund_id")
_CATEGORISE = sql("""
    UPDATE products p SET category_id = c.category_id
    FROM unnest(:skus::text[], :names::text[]) AS u (sku, name)
    JOIN categories c ON c.tenant_id = :tenant AND c.name = u.name
    WHERE p.tenant_id = :tenant AND p.sku = u.sku AND p.category_id IS DISTINCT FROM c.category_id
""")
_ADD_CATEGORIES = sql("""
    INSERT INTO categories (tenant_id, category_id, name)
    SELECT :tenant, u.category_id, u.name FROM unnest(:ids::uuid[], :names::text[]) AS u (category_id, name)
    ORDER BY u.name ON CONFLICT DO NOTHING
""")
_STAFF = sql("SELECT staff_id, subject, name FROM staff WHERE tenant_id = :tenant")
_CHANNELS = sql("SELECT channel_id, code FROM channels WHERE tenant_id = :tenant")
_TABLES = {
    "orders": (_KNOWN_ORDERS, _ADD_ORDERS, _MORE_ORDERS, _DROP_ORDER_LINES, _ADD_ORDER_LINES, "order"),
    "returns": (_KNOWN_RETURNS, _ADD_RETURNS, _MORE_RETURNS, _DROP_RETURN_LINES, _ADD_RETURN_LINES, "refund"),
}


class PgLoading:
    def __init__(self, session: Session) -> None:
        self._session = session

    async def take_turn(self) -> bool:
        """Be the tenant's one import until this transaction ends, which does nothing else and may take hours."""
        await self._session.command("SET LOCAL idle_in_transaction_session_timeout = 0")
        return bool(await self._session.fetchval(_TURN))

    async def placing(self) -> tuple[Mapping[str, UUID], Mapping[str, UUID]]:
        """Staff by subject and by name, and channels by code."""
        staff = await self._session.fetch(_STAFF)
        by_name = {row["name"]: row["staff_id"] for row in staff} | {row["subject"]: row["staff_id"] for row in staff}
        channels = {row["code"]: row["channel_id"] for row in await self._session.fetch(_CHANNELS)}
        return by_name, channels

    async def apply_documents(self, documents: Documents, *, import_id: UUID, source: str) -> Applied:
        """Buyers, products, orders and returns with their lines."""
        batch = _Batch(self._session, documents, import_id=import_id, source=source)
        return await batch.apply()


class _Batch:
    def __init__(self, session: Session, documents: Documents, *, import_id: UUID, source: str) -> None:
        self._session = session
        self._documents = documents
        self._import_id = import_id
        self._source = source
        self._counts: Counter[str] = Counter()
        self._rejects: list[Reject] = list(documents.rejects)
        self._touched: set[UUID] = set()

    async def apply(self) -> Applied:
        async with self._session.planned_anew():
            buyers = await self._known_buyers()
            products = await self._resolve_products()
            known = {shelf: await self._known(shelf) for shelf in _TABLES}
        buyers |= await self._add_buyers([reference for reference in self._documents.buyers if reference not in buyers])
        await self._session.forget_plans()
        for shelf, stored in known.items():
            await self._apply_shelf(shelf, stored, buyers, products)
        return Applied(customers=sorted(self._touched), counts=self._counts, rejects=self._rejects)

    async def _known_buyers(self) -> dict[str, UUID]:
        rows = await self._session.fetch(_BUYERS, source=self._source, refs=list(self._documents.buyers))
        return {row["external_id"]: row["customer_id"] for row in rows}

    async def _known(self, shelf: str) -> dict[str, Row]:
        references = list(getattr(self._documents, shelf))
        rows = await self._session.fetch(_TABLES[shelf][0], source=self._source, refs=references)
        return {row["external_id"]: row for row in rows}

    async def _add_buyers(self, fresh: Sequence[str]) -> dict[str, UUID]:
        if not fresh:
            return {}
        made = {reference: new_id() for reference in fresh}
        names = [self._documents.buyers[reference].customer_name or reference for reference in fresh]
        principal = self._session.principal
        await self._session.execute(
            _ADD_CUSTOMERS,
            ids=list(made.values()),
            names=names,
            sort_names=[fold(name) for name in names],
            countries=[self._documents.buyers[reference].country for reference in fresh],
            import_id=self._import_id,
            curator_id=principal.staff_id if principal.reach is Reach.OWN else None,
            team_id=next(iter(principal.teams), None) if principal.reach is not Reach.TENANT else None,
        )
        rows = await self._session.fetch(
            _ADD_EXTERNAL, source=self._source, refs=fresh, ids=[made[reference] for reference in fresh]
        )
        held = {row["external_id"] for row in rows}
        lost = [made.pop(reference) for reference in fresh if reference not in held]
        if lost:
            # These numbers belong to records that the importer does not reach.
            await self._session.execute(_DROP_CUSTOMERS, ids=lost)
        pairs = [
            (token, made[reference])
            for reference, name in zip(fresh, names, strict=True)
            if reference in made
            for token in search_tokens([name])
        ]
        await self._session.execute(_ADD_TOKENS, tokens=[p[0] for p in pairs], ids=[p[1] for p in pairs])
        await self._changed("customer", "created", made.values(), made.values())
        self._counts["customers_created"] += len(made)
        return made

    async def _resolve_products(self) -> dict[str, UUID]:
        named = self._documents.products
        categories = {sku: category for sku, (_, category) in named.items() if category}
        products = await PgOrders(self._session).products({sku: name for sku, (name, _) in named.items()})
        if categories:
            names = sorted(set(categories.values()))
            await self._session.execute(_ADD_CATEGORIES, ids=[new_id() for _ in names], names=names)
            await self._session.execute(_CATEGORISE, skus=list(categories), names=list(categories.values()))
        return products

    async def _apply_shelf(
        self, shelf: str, known: Mapping[str, Row], buyers: Mapping[str, UUID], products: Mapping[str, UUID]
    ) -> None:
        found: dict[str, Document] = getattr(self._documents, shelf)
        if not found:
            return
        _, add, more, drop_lines, add_lines, entity = _TABLES[shelf]
        fresh, going, foreign = self._sort(found, known, buyers)
        if fresh:
            placed = await self._session.fetch(add, **self._arrays(fresh, buyers))
            held = {row["external_id"] for row in placed}
            foreign += [document for document in fresh if document.reference not in held]
            fresh = [document for document in fresh if document.reference in held]
        if going:
            replaced = [d.document_id for d in going if known[d.reference]["import_id"] != self._import_id]
            async with self._session.planned_anew():
                await self._session.execute(drop_lines, ids=replaced)
            await self._session.execute(more, **self._arrays(going, buyers))
            self._counts[f"{shelf}_updated"] += len(replaced)
        self._counts[f"{shelf}_created"] += len(fresh)
        for document in foreign:
            self._refuse(document, "order-id-taken")
        await self._session.forget_plans()
        await self._add_lines(add_lines, [*fresh, *going], products)
        await self._settle(entity, -1 if shelf == "returns" else 1, fresh, going, known, buyers)

    def _sort(
        self, found: dict[str, Document], known: Mapping[str, Row], buyers: Mapping[str, UUID]
    ) -> tuple[list[Document], list[Document], list[Document]]:
        """New documents, those that go on or are replaced; what can't be applied is rejected on the way."""
        fresh: list[Document] = []
        going: list[Document] = []
        for document in found.values():
            buyer = buyers.get(document.customer)
            stored = known.get(document.reference)
            if buyer is None:
                self._refuse(document, "external-id-taken")
            elif stored is None:
                fresh.append(document)
            elif stored["import_id"] == self._import_id and (code := _unlike(document, stored, buyer)):
                self._refuse(document, code)
            else:
                document.document_id = stored["document_id"]
                self._touched.add(stored["customer_id"])
                going.append(document)
        return fresh, going, []

    def _refuse(self, document: Document, code: str) -> None:
        self._rejects += [rejected(row, code) for row in document.rows]

    def _arrays(self, documents: Sequence[Document], buyers: Mapping[str, UUID]) -> dict[str, object]:
        return {
            "source": self._source,
            "import_id": self._import_id,
            "ids": [d.document_id for d in documents],
            "customers": [buyers[d.customer] for d in documents],
            "refs": [d.reference for d in documents],
            "currencies": [d.currency for d in documents],
            "amounts": [d.amount for d in documents],
            "ats": [d.at for d in documents],
            "ons": [d.on for d in documents],
            "statuses": [d.status for d in documents],
            "channels": [d.sales_channel for d in documents],
            "refundeds": [d.refunded for d in documents],
        }

    async def _add_lines(
        self, statement: Statement, documents: Sequence[Document], products: Mapping[str, UUID]
    ) -> None:
        lines = [
            (document.document_id, row) for document in documents for row in document.rows if isinstance(row, OrderLine)
        ]
        if not lines:
            return
        await self._session.execute(
            statement,
            ids=[document_id for document_id, _ in lines],
            numbers=[line.row for _, line in lines],
            products=[products[sku_of(line)] for _, line in lines],
            # As texts: the driver takes four times as long over numbers.
            quantities=[str(line.quantity) for _, line in lines],
            prices=[line.unit_price for _, line in lines],
            amounts=[line.amount for _, line in lines],
        )

    async def _settle(
        self,
        entity: str,
        sign: int,
        fresh: Sequence[Document],
        going: Sequence[Document],
        known: Mapping[str, Row],
        buyers: Mapping[str, UUID],
    ) -> None:
        for document in (*fresh, *going):
            self._touched.add(buyers[document.customer])
            self._counts[f"revenue_{document.currency}"] += sign * (document.amount - document.refunded)
        for kind, documents in (("created", fresh), ("updated", going)):
            await self._changed(
                entity, kind, [d.document_id for d in documents], [buyers[d.customer] for d in documents]
            )

    async def _changed(self, entity: str, kind: str, ids: Iterable[UUID], customers: Iterable[UUID]) -> None:
        await PgJournal(self._session).changed_many(entity, kind, list(ids), list(customers))


def _unlike(document: Document, stored: Row, buyer: UUID) -> str | None:
    """Why a document that an earlier batch of this import began can't go on."""
    if document.whole:
        return "order-repeated"
    if stored["customer_id"] != buyer:
        return "customer-differs"
    return "currency-differs" if stored["currency"] != document.currency else None
