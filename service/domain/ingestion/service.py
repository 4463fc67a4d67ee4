"""Bulk in: a file is taken in whole, checked whole, and applied in chunks that each carry their watermark.

A file-level fault (cut short, wrong encoding, unknown column) is found before the first row is applied, so a broken
file changes nothing. A rejected row is data: it is kept with its reason. A run that was killed goes on behind the last
watermark; the same file again is recognised by its content. Imports of one tenant follow one another: two that took
turns within an order would each replace what the other has begun.
"""

import asyncio
import hashlib
from collections import Counter, deque
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import asdict, dataclass, replace
from typing import Any, NamedTuple
from uuid import UUID

from service.domain.access import Principal, Reach
from service.domain.customers.model import ExternalId, Record, as_mapping, checked, merge_patch, with_one_primary
from service.domain.customers.ports import WriteJudge, Written
from service.domain.customers.service import Draft, LookupKey, begun, gone_on
from service.domain.errors import Conflict, DomainError, NotFound, Unavailable
from service.domain.idempotency import Once
from service.domain.ids import new_id
from service.domain.ingestion import people
from service.domain.ingestion.batches import Batch, Batcher, Options
from service.domain.ingestion.binding import bind
from service.domain.ingestion.documents import group
from service.domain.ingestion.errors import PoolOutOfReach, UnknownPreset
from service.domain.ingestion.faults import Reject
from service.domain.ingestion.mapping import ColumnMapping, check
from service.domain.ingestion.ports import Applied, FileReader, ImportRun, IngestionTransaction, NewImport, Parcel
from service.domain.ingestion.presets import preset as preset_named
from service.domain.ingestion.presets import recognise
from service.domain.ingestion.quarantine import Quarantine
from service.domain.ingestion.report import Report, restored
from service.domain.ingestion.rows import CustomerRow
from service.domain.ingestion.scanning import FileInfected, FileNotScanned, Scanner
from service.domain.jobs import Cancelled, Job, Superseded
from service.domain.money import from_micros
from service.domain.ports import Clock, UnitOfWork

_HEAD = 1 << 17
_CHUNK_TIMEOUT_MS = 120_000
# A file whose records take no more memory than this is read once: what the check has read is applied.
_MOST_KEPT = 32 << 20


class NoImport(NotFound):
    code = "import-not-found"
    title = "There is no such import within the caller's reach."


class ImportFailed(DomainError):
    code = "import-failed"
    title = "The import met a fault of the service; what was applied stays, and the file can be sent again."


class AlreadyImported(Conflict):
    code = "already-imported"
    title = "This very file was imported already; nothing was doubled. Send force=true to apply it again."


class AnotherImport(Unavailable):
    code = "another-import"
    title = "Another import of this tenant is at work; this one follows."


class UnrecognisedFile(UnknownPreset):
    code = "unrecognised-file"
    title = "The header is not that of a known format; name a preset or send a mapping."


class _Read(NamedTuple):
    """What the first rows of a file have shown."""

    mapping: ColumnMapping
    preset: str | None
    delimiter: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """A file on its way in, and what the caller says of it.

    Where its size is told, its content can be gone through more than once.
    """

    name: str
    content: AsyncIterable[bytes]
    size: int | None = None
    kind: str | None = None
    preset: str | None = None
    mapping: ColumnMapping | None = None
    source: str = ""
    encoding: str | None = None
    delimiter: str | None = None
    force: bool = False


class IngestionService:
    def __init__(
        self,
        uow: UnitOfWork[IngestionTransaction],
        clock: Clock,
        lookup: LookupKey,
        *,
        reader: FileReader,
        scanner: Scanner,
        region: str,
        chunk_rows: int,
        judge: WriteJudge | None = None,
    ) -> None:
        self._uow = uow
        self._clock = clock
        self._lookup = lookup
        self._reader = reader
        self._quarantine = Quarantine(uow, clock, scanner)
        self._region = region
        self._chunk_rows = chunk_rows
        self._judge = judge

    async def accept(self, principal: Principal, upload: Upload, once: Once | None = None) -> UUID:
        """Take a file in and queue its import. What its first rows show to be wrong is refused at once.

        Nothing of a file that waits for the virus scanner is looked at.
        """
        stands = await self._quarantine.at_upload(principal, upload.content, upload.size)
        first, rest = await _begin(upload.content)
        read = None if stands == "waiting" else await self._read(principal, upload, first)
        kind = read.mapping.kind if read else upload.kind
        async with self._uow.begin(principal, timeout_ms=_CHUNK_TIMEOUT_MS) as tx:
            if known := await tx.idempotency.recall(once):
                return UUID(known["import_id"])
            pool = (await tx.policies.read()).get("imports_into") == "pool"
            if pool and principal.reach is not Reach.TENANT:
                raise PoolOutOfReach
            file_id, _, digest = await tx.files.write(rest, name=upload.name, media_type="text/csv", verdict=stands)
            if not upload.force and (same := await tx.imports.same_content(kind, digest)):
                raise AlreadyImported(import_id=str(same))
            import_id = new_id()
            job_id = await tx.jobs.enqueue("import", unit="rows", request={"import_id": str(import_id)})
            new = NewImport(
                import_id=import_id,
                job_id=job_id,
                file_id=file_id,
                kind=kind,
                preset=read.preset if read else upload.preset,
                source=upload.source,
                mapping=_kept(upload, read) | ({"pool": True} if pool else {}),
                state="queued" if read else "quarantined",
                content_hash=hashlib.sha256(digest + import_id.bytes).digest() if upload.force else digest,
            )
            await tx.imports.add(new)
            await tx.journal.audit("imports.start", "import", import_id, kind=kind, file=stands)
            await tx.idempotency.remember(once, 202, {"import_id": str(import_id)})
            await tx.commit()
        return import_id

    async def run(self, principal: Principal, job: Job) -> Mapping[str, int]:
        """Carry out an import: scan the file if need be, check it whole, then apply it from the last watermark on.

        Returns how many rows this run has applied and rejected.
        """
        run = await self._run_of(principal, job)
        if run.state not in ("quarantined", "queued", "running"):
            return {}
        state = _State(run)
        try:
            await self._go_on(principal, job, run)
            if self._quarantine.holds(run):
                run = await self._released(principal, job, run)
            async with self._uow.begin(principal) as turn:
                if not await turn.loading.take_turn():
                    raise AnotherImport
                total, kept = await self._checked(principal, job, run)
                await self._apply(principal, job, run, state, total, kept)
        except (Superseded, Unavailable):
            raise
        except DomainError as error:
            await self._end(principal, job, run, "cancelled" if isinstance(error, Cancelled) else "failed", error)
        except Exception:
            await self._end(principal, job, run, "failed", ImportFailed())
            raise
        else:
            await self._end(principal, job, run, "done", None)
        return state.since_start()

    async def _released(self, principal: Principal, job: Job, run: ImportRun) -> ImportRun:
        """Let a file out of quarantine that the scanner finds clean, and see what it is."""
        await self._quarantine.judge(principal, run, self._parts(principal, run))
        read = None
        if run.state == "quarantined":
            upload = _upload_of(run, self._parts(principal, run))
            read = await self._read(principal, upload, (await _begin(upload.content))[0])
        async with self._uow.begin(principal) as tx:
            await tx.jobs.advance(job, done=run.watermark, total=None)
            await tx.files.judged(run.file_id, "clean", keep=True)
            if read:
                kind = read.mapping.kind
                same = await tx.imports.same_content(kind, run.content_hash, but=run.import_id)
                if same and not upload.force:
                    raise AlreadyImported(import_id=str(same))
                mapping = _kept(upload, read) | {k: v for k, v in run.mapping.items() if k == "pool"}
                await tx.imports.release(run.import_id, kind=kind, preset=read.preset, mapping=mapping)
            await tx.journal.audit("imports.release", "import", run.import_id)
            await tx.commit()
        return await self._run_of(principal, job)

    async def _read(self, principal: Principal, upload: Upload, first: bytes) -> _Read:
        """The mapping to use, bound once to the first rows: a wrong header is refused before anything is kept."""
        preset = preset_named(upload.preset) if upload.preset else None
        delimiter = upload.delimiter or (preset.delimiter if preset else None)
        options = Options(
            time_zone=principal.time_zone,
            currency=principal.currency,
            encoding=upload.encoding,
            delimiter=delimiter,
        )
        found = await self._reader.look(first, options)
        if upload.mapping is None and preset is None:
            name = recognise(found.header)
            if name is None:
                raise UnrecognisedFile(header=found.header[:100])
            preset = preset_named(name)
            delimiter = delimiter or preset.delimiter
        mapping = upload.mapping or (preset.mapping if preset else None)
        assert mapping is not None
        if upload.kind is not None and upload.kind != mapping.kind:
            raise UnrecognisedFile(f"The file is one of {mapping.kind}, not of {upload.kind}.")
        check(mapping)
        bind(found.header, mapping, time_zone=principal.time_zone, currency=principal.currency, sample=found.sample)
        return _Read(mapping, preset.name if preset else None, delimiter)

    async def _run_of(self, principal: Principal, job: Job) -> ImportRun:
        async with self._uow.begin(principal) as tx:
            run = await tx.imports.find(UUID(str(job.request["import_id"])))
            if run is None:
                raise NoImport
            return run

    async def _checked(self, principal: Principal, job: Job, run: ImportRun) -> tuple[int, deque[Parcel] | None]:
        """Read the whole file once without applying anything; returns how many rows it has, and all of it if small."""
        options = self._options(principal, run, skip_rows=1 << 62)
        batcher = Batcher(_mapping_of(run), options)
        kept: deque[Parcel] | None = deque()
        most = _MOST_KEPT if run.size <= _MOST_KEPT else 0

        async def parts() -> AsyncIterator[bytes]:
            async for part in self._parts(principal, run):
                yield part
                await self._go_on(principal, job, run)

        async with aclosing(self._reader.blocks(parts(), options, size=run.size, most=most)) as parcels:
            async for parcel in parcels:
                if isinstance(parcel, int):
                    batcher.count(parcel)
                    kept = None
                    continue
                if batcher.bound is None:
                    _drain(batcher, parcel)
                else:
                    batcher.count(parcel.count)
                if kept is not None:
                    kept.append(parcel)
        list(batcher.end())
        return batcher.rows_read, kept

    async def _again(self, principal: Principal, run: ImportRun, options: Options) -> AsyncGenerator[Parcel, None]:
        """The records of a file that was checked."""
        async with aclosing(self._reader.blocks(self._parts(principal, run), options, size=run.size)) as parcels:
            async for parcel in parcels:
                assert not isinstance(parcel, int)
                yield parcel

    async def _go_on(self, principal: Principal, job: Job, run: ImportRun) -> None:
        async with self._uow.begin(principal) as tx:
            await tx.jobs.advance(job, done=run.watermark, total=None)
            await tx.commit()

    async def _apply(
        self, principal: Principal, job: Job, run: ImportRun, state: "_State", total: int, kept: deque[Parcel] | None
    ) -> None:
        """Judge rows ahead in a thread while the batch before is being applied: both cores are at work."""
        queue: asyncio.Queue[Batch | None] = asyncio.Queue(maxsize=1)

        async def parse() -> None:
            options = self._options(principal, run, skip_rows=run.watermark)
            batcher = Batcher(_mapping_of(run), options)
            again = self._again(principal, run, options) if kept is None else _given(kept)
            async with aclosing(again) as parcels:
                async for parcel in parcels:
                    for batch in await asyncio.to_thread(_drain, batcher, parcel):
                        await queue.put(batch)
            for batch in list(batcher.end()):
                await queue.put(batch)
            await queue.put(None)

        parsing = asyncio.create_task(parse())
        try:
            while (batch := await _next(queue, parsing)) is not None:
                await self._apply_batch(principal, job, run, state, batch, total)
        finally:
            parsing.cancel()
            await asyncio.gather(parsing, return_exceptions=True)

    async def _apply_batch(
        self, principal: Principal, job: Job, run: ImportRun, state: "_State", batch: Batch, total: int
    ) -> None:
        async with self._uow.begin(principal, timeout_ms=_CHUNK_TIMEOUT_MS) as tx:
            await tx.jobs.advance(job, done=batch.last_row, total=total)
            if run.kind == "customers":
                rows = [row for row in batch.rows if isinstance(row, CustomerRow)]
                applied = await self._apply_customers(tx, principal, run, rows)
            else:
                documents = group((row for row in batch.rows if not isinstance(row, CustomerRow)), new_id)
                applied = await tx.loading.apply_documents(documents, import_id=run.import_id, source=run.source)
                today = self._clock.today(principal.time_zone)
                await tx.totals.refresh(applied.customers, today, source=f"import {run.import_id}")
            rejects = [*batch.rejects, *applied.rejects]
            await tx.imports.keep_rejects(run.import_id, rejects)
            after = state.after(batch, applied)
            if applied.customers:
                touched = applied.customers
                await tx.journal.audit("imports.apply", "import", run.import_id, records=len(touched), touched=touched)
            await tx.imports.note(
                run.import_id, watermark=batch.last_row, report=after.report.stored(), counts=after.counts
            )
            await tx.commit()
        state.take(after)

    async def _apply_customers(
        self, tx: IngestionTransaction, principal: Principal, run: ImportRun, rows: Sequence[CustomerRow]
    ) -> Applied:
        refuse = await self._judge.refusing(principal, "import") if self._judge else None
        staff, channels = await tx.loading.placing()
        source, origin, now = run.source, f"import {run.import_id}", self._clock.now()
        owners = await tx.customers.owners_of([ExternalId(source=source, external_id=r.external_id) for r in rows])
        stored = await tx.customers.lock(sorted(set(owners.values())))
        own = {name for row in rows for name, _ in row.attributes}
        definitions = await tx.attributes.among(own) if own else {}
        rejects: list[Reject] = []
        fresh: dict[str, Written] = {}
        changed: dict[str, Written] = {}
        for row in rows:
            draft = people.draft(row, source, staff, channels, definitions)
            if isinstance(draft, Reject):
                rejects.append(draft)
                continue
            if run.mapping.get("pool"):
                draft = _unplaced(draft)
            known = stored.get(owners.get(draft.external_ids[0], new_id()))
            shelf = changed if known else fresh
            earlier = shelf.get(row.external_id)
            base = earlier.record if earlier else known.record if known else Record(kind="person")
            record = _merged(base, draft, principal)
            found = people.contacts(row, self._lookup, record.country or self._region)
            contacts = with_one_primary(found) if found else None
            if known:
                written = gone_on(known, record, source=origin, now=now, contacts=contacts, external_ids=())
            else:
                written = begun(
                    earlier.customer_id if earlier else new_id(),
                    record,
                    source=origin,
                    contacts=contacts,
                    external_ids=draft.external_ids,
                    import_id=run.import_id,
                )
            if refuse and (problem := refuse(written)):
                rejects.append(people.rejected(row, str(problem.extra["pointer"]).strip("/"), problem.code))
                continue
            shelf[row.external_id] = written
        if fresh:
            taken = await tx.customers.insert(list(fresh.values()))
            fresh = {ref: written for ref, written in fresh.items() if written.customer_id not in taken}
            left_out = [row for row in rows if row.external_id not in fresh and row.external_id not in changed]
            known_rejects = {reject.row for reject in rejects}
            rejects += [
                people.rejected(row, "external_id", "external-id-taken")
                for row in left_out
                if row.row not in known_rejects
            ]
        if changed:
            await tx.customers.replace(list(changed.values()))
        touched: list[UUID] = []
        for kind, shelf in (("created", fresh), ("updated", changed)):
            ids = [written.customer_id for written in shelf.values()]
            await tx.journal.changed_many("customer", kind, ids, ids)
            touched += ids
        counts = Counter(customers_created=len(fresh), customers_updated=len(changed))
        return Applied(customers=touched, counts=counts, rejects=rejects)

    async def _parts(self, principal: Principal, run: ImportRun) -> AsyncIterator[bytes]:
        number = 0
        while True:
            async with self._uow.begin(principal) as tx:
                part = await tx.files.part(run.file_id, number)
            if part is None:
                return
            yield part
            number += 1

    async def _end(self, principal: Principal, job: Job, run: ImportRun, state: str, error: DomainError | None) -> None:
        told = None
        if error is not None and state == "failed":
            told = {"type": f"/problems/{error.code}", "title": error.title, "detail": error.detail, **error.extra}
        async with self._uow.begin(principal) as tx:
            await tx.jobs.finish(job, state, told)
            await tx.imports.finish(run.import_id, state, told)
            if isinstance(error, FileInfected):
                await tx.files.judged(run.file_id, "infected", keep=False)
                await tx.journal.audit("imports.infected", "import", run.import_id, signature=error.extra["signature"])
            elif isinstance(error, FileNotScanned) or (run.state == "quarantined" and state == "cancelled"):
                await tx.files.judged(run.file_id, "given-up", keep=False)
            await tx.journal.audit("imports.end", "import", run.import_id, state=state)
            await tx.commit()

    def _options(self, principal: Principal, run: ImportRun, *, skip_rows: int) -> Options:
        return Options(
            time_zone=principal.time_zone,
            currency=principal.currency,
            encoding=run.mapping.get("encoding"),
            delimiter=run.mapping.get("delimiter"),
            batch_rows=self._chunk_rows,
            skip_rows=skip_rows,
        )


@dataclass(slots=True)
class _After:
    report: Report
    counts: dict[str, int]


class _State:
    """The running report; it moves on only when the batch that it tells of is committed."""

    def __init__(self, run: ImportRun) -> None:
        stored: Mapping[str, Any] = run.report or {"read": 0, "accepted": 0, "rejected": 0, "reasons": []}
        self._begun = self._stored = stored
        self._counts = Counter(run.counts)

    def after(self, batch: Batch, applied: Applied) -> _After:
        report = restored(**self._stored)
        report.add(batch)
        report.reject(applied.rejects)
        report.accepted -= len(applied.rejects)
        return _After(report, dict(self._counts + applied.counts))

    def since_start(self) -> dict[str, int]:
        """Rows applied and rejected since this run began."""
        names = {"applied": "accepted", "rejected": "rejected"}
        return {name: int(self._stored[key]) - int(self._begun[key]) for name, key in names.items()}

    def take(self, after: _After) -> None:
        self._stored, self._counts = after.report.stored(), Counter(after.counts)


def _merged(base: Record, draft: Draft, principal: Principal) -> Record:
    return checked(Record(**merge_patch(as_mapping(base), draft.changes)), principal)


def _unplaced(draft: Draft) -> Draft:
    """The draft of a row whose record lands in the pool, or stays where it is: nobody is its curator by a file."""
    return replace(draft, changes={name: value for name, value in draft.changes.items() if name != "curator_id"})


def _kept(upload: Upload, read: _Read | None) -> dict[str, Any]:
    """What an import keeps of how its file is to be read; in quarantine, all that its sender has said."""
    if read:
        return asdict(read.mapping) | {"encoding": upload.encoding, "delimiter": read.delimiter}
    asked = {"kind": upload.kind, "preset": upload.preset, "delimiter": upload.delimiter, "force": upload.force}
    mapping = asdict(upload.mapping) if upload.mapping else None
    return {"encoding": upload.encoding, "asked": asked | {"mapping": mapping}}


def _upload_of(run: ImportRun, content: AsyncIterable[bytes]) -> Upload:
    """The upload as it came, from what is kept of it in quarantine."""
    asked = dict(run.mapping["asked"])
    mapping = asked.pop("mapping")
    return Upload(
        name="",
        content=content,
        mapping=ColumnMapping(**mapping) if mapping else None,
        source=run.source,
        encoding=run.mapping["encoding"],
        **asked,
    )


def _mapping_of(run: ImportRun) -> ColumnMapping:
    known = {name: value for name, value in run.mapping.items() if name not in ("encoding", "delimiter", "pool")}
    return ColumnMapping(**known)


async def _given(kept: deque[Parcel]) -> AsyncGenerator[Parcel, None]:
    while kept:
        yield kept.popleft()


def _drain(batcher: Batcher, parcel: Parcel) -> list[Batch]:
    return list(batcher.take(parcel.opened()))


async def _next(queue: "asyncio.Queue[Batch | None]", parsing: "asyncio.Task[None]") -> Batch | None:
    """The next batch; a parser that failed fails the run instead of leaving it to wait."""
    getting = asyncio.ensure_future(queue.get())
    await asyncio.wait({getting, parsing}, return_when=asyncio.FIRST_COMPLETED)
    if not getting.done() and parsing.done():
        await parsing  # raises what the parser met; a parser that ended well has put its last word into the queue
    return await getting


async def _begin(content: AsyncIterable[bytes]) -> tuple[bytes, AsyncIterator[bytes]]:
    """The first bytes of a stream, and the whole stream."""
    first = bytearray()
    pieces = aiter(content)
    async for piece in pieces:
        first += piece
        if len(first) >= _HEAD:
            break

    async def whole() -> AsyncIterator[bytes]:
        yield bytes(first)
        async for piece in pieces:
            yield piece

    return bytes(first), whole()


def net_revenue(counts: Mapping[str, int]) -> dict[str, str]:
    """Net revenue by currency as decimal strings, from the counts of a run."""
    return {
        name.removeprefix("revenue_"): str(from_micros(micros))
        for name, micros in counts.items()
        if name.startswith("revenue_")
    }
