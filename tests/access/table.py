"""The access matrix: a row for every operation of the OpenAPI document, by hand.

scopes   what the operation asks for; a `+` joins several, `-` is none (one's own affairs)
reach    the narrowest reach that may call it at all; a narrower one gets 403 whatever the record
record   the kind of record that the path names, or (after `#`) the query or body that names it; `-` is none
mine     the answer for a record that the caller holds (is curator of, has made)
within   the answer for a record of somebody else that the caller's reach covers
beyond   the answer for all the others: a colleague's out of reach, another tenant's, one that never was

An operation without a record answers `mine` to whoever may call it. An operation that names records in several places
has a row for each. `409` beside a create stands for the exceptions that design.md names under Existence.
"""

from dataclasses import dataclass

_ROWS = """
operation                    | scopes                         | reach  | record               | mine | within | beyond
customers.get                | customers:read                 | own    | customer             | 200  | 200    | 404
customers.update             | customers:write                | own    | customer             | 200  | 200    | 404
customers.delete             | customers:delete               | own    | customer             | 204  | 204    | 404
customers.create             | customers:write                | own    | -                    | 201  |        |
customers.list               | customers:read                 | own    | -                    | 200  |        |
customers.put_by_external_id | customers:write                | own    | -                    | 201  |        |
customers.batch              | customers:write                | own    | -                    | 200  |        |
customers.reveal             | customers:read+contacts:reveal | own    | customer             | 200  | 200    | 404
customers.provenance         | customers:read                 | own    | customer             | 200  | 200    | 404
customers.verify             | customers:write                | own    | customer             | 200  | 200    | 404
customers.depth              | customers:read                 | own    | customer             | 200  | 200    | 404
customers.links              | customers:read                 | own    | customer             | 200  | 200    | 404
customers.link               | customers:write                | own    | customer             | 201  | 201    | 404
customers.link               | customers:write                | own    | customer#other_id    | 201  | 201    | 404
customers.unlink             | customers:write                | own    | link                 | 204  | 204    | 404
customers.restrict           | privacy:write                  | own    | customer             | 200  | 200    | 404
customers.access_report      | privacy:write                  | tenant | customer             | 200  | 200    | 404
customers.erase              | privacy:write                  | tenant | customer             | 201  | 201    | 404
customers.search             | customers:read                 | own    | -                    | 200  |        |
customers.orders             | customers:read+orders:read     | own    | customer             | 200  | 200    | 404
customers.ownerships         | customers:read                 | own    | customer             | 200  | 200    | 404
customers.tag                | customers:write                | own    | -                    | 200  |        |
customers.tag                | customers:write                | own    | customer#ids         | 200  | 200    | 200
customers.timeline           | customers:read                 | own    | customer             | 200  | 200    | 404
quality.rules                | quality:read                   | own    | -                    | 200  |        |
quality.check                | quality:read                   | own    | -                    | 200  |        |
quality.preview_fix          | quality:read+customers:read    | own    | issue                | 200  | 200    | 404
quality.fix                  | quality:write+customers:write  | own    | issue                | 200  | 200    | 404
quality.fix_many             | quality:write+customers:write  | own    | -                    | 200  |        |
quality.fix_many             | quality:write+customers:write  | own    | issue#issue_ids      | 200  | 200    | 200
quality.dismiss              | quality:write                  | own    | issue                | 200  | 200    | 404
quality.reopen               | quality:write                  | own    | dismissal            | 200  | 200    | 404
quality.schedule             | quality:write                  | own    | issue                | 200  | 200    | 404
quality.fixes                | quality:read+customers:read    | own    | -                    | 200  |        |
quality.undo_fix             | quality:write+customers:write  | own    | fix                  | 200  | 200    | 404
quality.undo_run             | quality:write+customers:write  | own    | fix                  | 200  | 200    | 404
quality.tasks                | quality:read+customers:read    | own    | -                    | 200  |        |
quality.workload             | quality:read                   | own    | -                    | 200  |        |
quality.scan                 | quality:write                  | tenant | -                    | 202  |        |
quality.issues               | quality:read+customers:read    | own    | -                    | 200  |        |
quality.issues               | quality:read+customers:read    | own    | customer#customer_id | 200  | 200    | 200
quality.of_customer          | quality:read+customers:read    | own    | customer             | 200  | 200    | 404
quality.summary              | quality:read                   | own    | -                    | 200  |        |
quality.trend                | quality:read                   | own    | -                    | 200  |        |
quality.chart                | quality:read                   | own    | -                    | 200  |        |
overview.depth               | customers:read                 | own    | -                    | 200  |        |
overview.get                 | customers:read+orders:read     | own    | -                    | 200  |        |
attributes.list              | customers:read                 | own    | -                    | 200  |        |
attributes.create            | tenant:admin                   | tenant | -                    | 201  |        |
attributes.update            | tenant:admin                   | tenant | attribute            | 200  | 200    | 404
attributes.delete            | tenant:admin                   | tenant | attribute            | 204  | 204    | 404
notes.list                   | customers:read                 | own    | customer             | 200  | 200    | 404
notes.create                 | customers:write                | own    | customer             | 201  | 201    | 404
notes.delete                 | customers:write                | own    | note                 | 204  | 403    | 404
interactions.list            | customers:read                 | own    | customer             | 200  | 200    | 404
interactions.create          | customers:write                | own    | customer             | 201  | 201    | 404
interactions.delete          | customers:write                | own    | interaction          | 204  | 403    | 404
consents.list                | customers:read                 | own    | customer             | 200  | 200    | 404
consents.create              | customers:write                | own    | customer             | 201  | 201    | 404
access.ask                   | customers:read                 | own    | -                    | 409  |        |
access.list                  | customers:read                 | own    | -                    | 200  |        |
access.grant                 | customers:write                | own    | request              | 200  | 200    | 404
access.refuse                | customers:write                | own    | request              | 200  | 200    | 404
customers.merge              | customers:merge                | own    | customer#customer_ids | 200  | 200    | 404
merges.list                  | customers:merge                | own    | -                    | 200  |        |
merges.get                   | customers:merge                | own    | merge                | 200  | 200    | 404
merges.undo                  | customers:merge                | own    | merge                | 200  | 200    | 404
erasures.list                | privacy:write                  | own    | -                    | 200  |        |
erasures.list                | privacy:write                  | own    | customer#customer_id | 200  | 200    | 200
erasures.get                 | privacy:write                  | own    | erasure              | 200  | 200    | 404
orders.get                   | orders:read                    | own    | order                | 200  | 200    | 404
orders.update                | orders:write                   | own    | order                | 200  | 200    | 404
orders.list                  | orders:read                    | own    | -                    | 200  |        |
orders.list                  | orders:read                    | own    | customer#customer_id | 200  | 200    | 200
orders.create                | orders:write                   | own    | customer#customer_id | 201  | 201    | 404
orders.put_by_external_id    | orders:write                   | own    | customer#customer_id | 201  | 201    | 404
orders.batch                 | orders:write                   | own    | customer#items       | 200  | 200    | 200
orders.refund                | orders:write                   | own    | order                | 201  | 201    | 404
products.list                | orders:read                    | own    | -                    | 200  |        |
products.put                 | orders:write                   | own    | -                    | 201  |        |
segments.fields              | segments:read                  | own    | -                    | 200  |        |
segments.parse               | segments:read                  | own    | -                    | 200  |        |
segments.preview             | segments:read                  | own    | -                    | 200  |        |
segments.explain             | segments:read                  | own    | customer#customer_id | 200  | 200    | 404
segments.create              | segments:write                 | own    | -                    | 201  |        |
segments.list                | segments:read                  | own    | -                    | 200  |        |
segments.get                 | segments:read                  | own    | segment              | 200  | 200    | 404
segments.update              | segments:write                 | own    | segment              | 200  | 200    | 404
segments.delete              | segments:write                 | own    | segment              | 204  | 204    | 404
segments.members             | segments:read+customers:read   | own    | segment              | 200  | 200    | 404
segments.edit_members        | segments:write                 | own    | segment              | 200  | 200    | 404
segments.upload_members      | segments:write                 | own    | segment              | 200  | 200    | 404
segments.history             | segments:read                  | own    | segment              | 200  | 200    | 404
segments.freeze              | segments:write                 | own    | segment              | 201  | 201    | 404
segments.explain_member      | segments:read                  | own    | segment              | 200  | 200    | 404
segments.overlap             | segments:read                  | own    | segment#segment_ids  | 200  | 200    | 404
rfm.report                   | segments:read                  | own    | -                    | 200  |        |
rfm.customers                | segments:read                  | own    | -                    | 200  |        |
rfm.chart                    | segments:read                  | own    | -                    | 200  |        |
rfm.compare                  | segments:read                  | own    | -                    | 200  |        |
rfm.migration                | segments:read                  | own    | -                    | 404  |        |
rfm.next                     | segments:read                  | own    | customer             | 200  | 200    | 404
rfm.list_snapshots           | segments:read                  | own    | -                    | 200  |        |
rfm.take_snapshot            | segments:write                 | tenant | -                    | 201  |        |
rfm.list_schemes             | segments:read                  | own    | -                    | 200  |        |
rfm.create_scheme            | segments:write                 | tenant | -                    | 201  |        |
rfm.get_scheme               | segments:read                  | own    | scheme               | 200  | 200    | 404
rfm.update_scheme            | segments:write                 | tenant | scheme               | 200  | 200    | 404
rfm.delete_scheme            | segments:write                 | tenant | scheme               | 204  | 204    | 404
abc.report                   | segments:read                  | own    | -                    | 200  |        |
abc.matrix                   | segments:read                  | own    | -                    | 200  |        |
abc.items                    | segments:read                  | own    | -                    | 200  |        |
abc.chart                    | segments:read                  | own    | -                    | 200  |        |
abc.take_snapshot            | segments:write                 | tenant | -                    | 201  |        |
abc.list_snapshots           | segments:read                  | own    | -                    | 200  |        |
curators.concentration       | segments:read                  | own    | -                    | 200  |        |
changes.list                 | customers:read                 | own    | -                    | 200  |        |
imports.presets              | imports:write                  | own    | -                    | 200  |        |
imports.create               | imports:write                  | own    | -                    | 202  |        |
imports.list                 | imports:write                  | own    | -                    | 200  |        |
imports.get                  | imports:write                  | own    | import               | 200  | 200    | 404
imports.events               | imports:write                  | own    | import!done          | 200  | 200    | 404
imports.rejects              | imports:write                  | own    | import!done          | 200  | 200    | 404
imports.cancel               | imports:write                  | own    | import               | 202  | 202    | 404
exports.create               | exports:create+customers:read  | own    | -                    | 202  |        |
exports.list                 | exports:create                 | own    | -                    | 200  |        |
exports.get                  | exports:create                 | own    | export               | 200  | 200    | 404
exports.file                 | exports:create                 | own    | export!done          | 200  | 403    | 404
exports.link                 | exports:create                 | own    | export!done          | 201  | 403    | 404
exports.awaiting             | exports:approve                | own    | -                    | 200  |        |
exports.approve              | exports:approve                | own    | export               | 403  | 409    | 404
exports.reject               | exports:approve                | own    | export               | 403  | 409    | 404
jobs.get                     | -                              | own    | job                  | 200  | 200    | 404
jobs.events                  | -                              | own    | job!done             | 200  | 200    | 404
jobs.cancel                  | -                              | own    | job                  | 202  | 202    | 404
staff.list                   | customers:read                 | own    | -                    | 200  |        |
staff.create                 | tenant:admin                   | tenant | -                    | 201  |        |
staff.update                 | tenant:admin                   | tenant | staff                | 200  | 200    | 404
staff.briefing               | customers:read                 | own    | staff                | 200  | 200    | 404
teams.list                   | customers:read                 | own    | -                    | 200  |        |
teams.create                 | tenant:admin                   | tenant | -                    | 201  |        |
me.get                       | -                              | own    | -                    | 200  |        |
tokens.revoke                | -                              | own    | -                    | 200  |        |
deputies.list                | assignments:write              | team   | -                    | 200  |        |
deputies.create              | assignments:write              | team   | -                    | 201  |        |
deputies.delete              | assignments:write              | team   | deputy               | 204  | 204    | 404
policies.get                 | customers:read                 | own    | -                    | 200  |        |
policies.update              | tenant:admin                   | tenant | -                    | 200  |        |
audit.list                   | audit:read                     | tenant | -                    | 200  |        |
audit.verify                 | audit:read                     | tenant | -                    | 200  |        |
leaks.list                   | audit:read                     | tenant | -                    | 200  |        |
leaks.acknowledge            | audit:read                     | tenant | signal               | 200  | 200    | 404
staff.look_back              | audit:read                     | tenant | staff                | 200  | 200    | 404
canaries.plant               | tenant:admin                   | tenant | -                    | 201  |        |
canaries.list                | tenant:admin                   | tenant | -                    | 200  |        |
assignments.create           | assignments:write              | team   | -                    | 200  |        |
assignments.create           | assignments:write              | team   | customer#select      | 200  | 200    | 200
assignments.list             | assignments:write              | own    | -                    | 200  |        |
assignments.pool             | assignments:write              | team   | -                    | 200  |        |
assignments.get              | assignments:write              | own    | assignment           | 200  | 200    | 404
assignments.undo             | assignments:write              | team   | assignment           | 200  | 200    | 404
assignments.briefing         | customers:read                 | own    | assignment           | 200  | 200    | 404
channels.list                | customers:read                 | own    | -                    | 200  |        |
channels.create              | tenant:admin                   | tenant | -                    | 201  |        |
channels.report              | segments:read                  | own    | -                    | 200  |        |
channels.costs               | segments:read                  | tenant | channel              | 200  | 200    | 404
channels.add_cost            | tenant:admin                   | tenant | channel              | 201  | 201    | 404
channels.remove_cost         | tenant:admin                   | tenant | cost                 | 204  | 204    | 404
duplicates.list              | quality:read+customers:read    | own    | -                    | 200  |        |
duplicates.get               | quality:read+customers:read    | own    | cluster              | 200  | 200    | 404
duplicates.scan              | quality:write                  | tenant | -                    | 202  |        |
customers.duplicates         | quality:read+customers:read    | own    | customer             | 200  | 200    | 404
customers.duplicates_elsewhere | quality:read+customers:read  | own    | customer             | 200  | 200    | 404
duplicates.marks             | quality:read+customers:read    | own    | -                    | 200  |        |
duplicates.mark              | quality:write+customers:read   | own    | customer#other_id    | 201  | 201    | 404
duplicates.unmark            | quality:write+customers:read   | own    | mark                 | 204  | 204    | 404
customers.reveal_many        | customers:read+contacts:reveal | own    | customer#ids         | 200  | 200    | 200
terms.list                   | -                              | own    | -                    | 200  |        |
terms.accept                 | -                              | own    | -                    | 404  |        |
terms.publish                | tenant:admin                   | tenant | -                    | 201  |        |
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    operation: str
    scopes: frozenset[str]
    reach: str
    kind: str | None
    place: str | None
    done: bool
    mine: int
    within: int
    beyond: int

    @property
    def name(self) -> str:
        return f"{self.operation}#{self.place}" if self.place else self.operation


def _row(line: str) -> Row:
    operation, scopes, reach, record, *answers = (cell.strip() for cell in line.split("|"))
    kind, _, place = record.partition("#")
    kind, _, done = kind.partition("!")
    mine, within, beyond = (int(answer or 0) for answer in answers)
    return Row(
        operation=operation,
        scopes=frozenset() if scopes == "-" else frozenset(scopes.split("+")),
        reach=reach,
        kind=None if kind == "-" else kind,
        place=place or None,
        done=bool(done),
        mine=mine,
        within=within,
        beyond=beyond,
    )


MATRIX = [_row(line) for line in _ROWS.strip().splitlines()[1:]]
