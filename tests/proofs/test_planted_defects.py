"""Security defects, one at a time planted in a copy of the tree, and the test that turns red for each.

A defect is a line changed in a file of the service or of the migrations (from which the copy's database is then built).
The copy runs the smallest test that should notice; it has to fail there, and it passes without the defect. To add one,
add an entry: what it is, the file, what stands there, what stands there instead, the test.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

_ROOT = Path(__file__).resolve().parents[2]
_ROLES = "migrations/versions/2026-11-22-1610_create_roles.py"
_OWNERS = "migrations/versions/2026-11-22-1980_read_owners_once.py"
_MATRIX = "tests/access/test_matrix.py::test_every_cell_answers_as_the_matrix_says"
_SCOPES = "tests/access/test_matrix.py::test_the_matrix_and_the_document_name_the_same_scopes"
_LINT = "tests/db/test_catalogue.py::test_the_catalogue_is_without_findings"
_ORACLE = "tests/access/test_oracle.py::test_random_deeds_tell_what_the_reference_says"
_SOAK = "tests/db/test_soak.py::test_nobody_meets_a_stranger_on_a_pooled_connection"
_STRANGER = "tests/db/test_strangers_state.py"
_UNSEEN = "tests/access/test_unseen.py"
_MASS = "tests/access/test_mass_assignment.py::test_every_object_that_is_sent_refuses_what_it_does_not_know"
_FORGED = "tests/api/test_access.py::test_a_forged_token_opens_nothing"
_FORGERIES = "tests/api/test_forged_tokens.py"
_REACH = "tests/db/test_row_access.py::test_each_reach_sees_its_rows_and_no_others"
_SEALS = "tests/db/test_audit_seals.py"
_APPROVALS = "tests/api/test_export_approvals.py"
_MIGRATION = f"{_APPROVALS}::test_a_migration_needs_two_others_and_is_whole_and_exact"
_ANTIVIRUS = "tests/api/test_antivirus.py"
_CARD = "migrations/versions/2026-11-22-1710_read_in_one_trip.py"
_FIXES = "migrations/versions/2026-11-23-2040_mend_faults.py"
_MENDED = "tests/api/test_quality_fixes.py"


@dataclass(frozen=True, slots=True, kw_only=True)
class Defect:
    what: str
    file: str
    there: str
    instead: str
    test: str


def _defect(what: str, file: str, there: str, instead: str, test: str) -> Defect:
    return Defect(what=what, file=file, there=there, instead=instead, test=test)


DEFECTS = [
    _defect("row security not forced", _ROLES, "FORCE ROW LEVEL SECURITY", "ENABLE ROW LEVEL SECURITY", _LINT),
    _defect("own reach sees everybody's", _OWNERS, '"own": own', '"own": "true"', _LINT),
    _defect(
        "own reach sees the pool",
        _OWNERS,
        '"curator_id = ANY ({owners})"',
        '"(curator_id = ANY ({owners}) OR curator_id IS NULL)"',
        _ORACLE,
    ),
    _defect("team reach sees every team", _OWNERS, '"team": team', '"team": "team_id IS NOT NULL"', _ORACLE),
    _defect(
        "a policy without the tenant",
        _ROLES,
        'policy(table, TENANT, IN_TENANT)\n        grant(privileges, table, *REACH)\n    grant(f"SELECT',
        'policy(table, TENANT, "true")\n        grant(privileges, table, *REACH)\n    grant(f"SELECT',
        _LINT,
    ),
    _defect(
        "children seen without their customer",
        _ROLES,
        'policy(table, role, f"{IN_TENANT} AND {seen}")',
        "policy(table, role, IN_TENANT)",
        _REACH,
    ),
    _defect(
        "what others made is seen",
        _ROLES,
        'f"{IN_TENANT} AND staff_id = {SUBJECT}")\n        policy(table, TENANT, IN_TENANT)',
        "IN_TENANT)\n        policy(table, TENANT, IN_TENANT)",
        _MATRIX,
    ),
    _defect("clear contacts granted to all", _ROLES, 'CONTACT_COLUMNS = "', 'CONTACT_COLUMNS = "value, ', _LINT),
    _defect(
        "the audit trail may be emptied",
        _ROLES,
        'grant("SELECT, INSERT", "audit", *REACH)',
        'grant("SELECT, INSERT, TRUNCATE", "audit", *REACH)',
        _LINT,
    ),
    _defect("the one-trip read with the owner's rights", _CARD, "SECURITY INVOKER", "SECURITY DEFINER", _LINT),
    _defect(
        "the one-trip read for everybody", _CARD, "REVOKE ALL ON FUNCTION entry.read_as FROM PUBLIC", "SELECT 1", _LINT
    ),
    _defect(
        "the service may act as operator",
        "service/db/migrate.py",
        '    "clientbase_queue",\n',
        '    "clientbase_queue",\n    "clientbase_operator",\n',
        "tests/db/test_row_access.py",
    ),
    _defect(
        "settings outlive the transaction", "service/db/session.py", "SET LOCAL app.owners", "SET app.owners", _STRANGER
    ),
    _defect(
        "the subject outlives the transaction",
        "service/db/session.py",
        "SET LOCAL app.subject",
        "SET app.subject",
        _STRANGER,
    ),
    _defect(
        "the role outlives the transaction",
        "service/db/session.py",
        "SET LOCAL ROLE {ROLE[principal.reach]}",
        "SET ROLE {ROLE[principal.reach]}",
        _STRANGER,
    ),
    _defect(
        "everybody acts for the tenant",
        "service/db/session.py",
        'Reach.OWN: "clientbase_own"',
        'Reach.OWN: "clientbase_tenant"',
        _MATRIX,
    ),
    _defect(
        "leads act for the tenant",
        "service/db/session.py",
        'Reach.TEAM: "clientbase_team"',
        'Reach.TEAM: "clientbase_tenant"',
        _ORACLE,
    ),
    _defect(
        "the card read as the tenant",
        "service/db/session.py",
        "        ROLE[principal.reach],\n",
        "        ROLE[Reach.TENANT],\n",
        _MATRIX,
    ),
    _defect(
        "a role is not given back",
        "service/db/session.py",
        '            await self.command(f"SET LOCAL ROLE {before}")\n        finally:',
        "            pass\n        finally:",
        "tests/access",
    ),
    _defect(
        "no rollback on leaving",
        "service/db/session.py",
        'await connection.execute("ROLLBACK", timeout=patience)',
        "pass",
        _STRANGER,
    ),
    _defect(
        "the widest reach for everybody",
        "service/domain/access.py",
        "return Reach.TEAM if Scope.REACH_TEAM in scopes else Reach.OWN",
        "return Reach.TENANT",
        _MATRIX,
    ),
    _defect(
        "a token may ask for more than the staff row",
        "service/domain/access.py",
        "set(asked) & set(allowed) & known",
        "set(asked) & known",
        "tests/api/test_access.py::test_what_the_staff_row_does_not_allow_no_token_gives",
    ),
    _defect(
        "scopes are not looked at",
        "service/api/routing.py",
        "            principal.require(needed)\n",
        "            pass\n",
        "tests/api/test_access.py::test_every_operation_refuses_a_principal_without_its_scopes",
    ),
    _defect(
        "deleting with the scope of writing",
        "service/api/customers.py",
        "Scope.CUSTOMERS_DELETE",
        "Scope.CUSTOMERS_WRITE",
        _SCOPES,
    ),
    _defect(
        "exports with the scope of reading",
        "service/api/exports.py",
        "Scope.EXPORTS_CREATE",
        "Scope.CUSTOMERS_READ",
        _SCOPES,
    ),
    _defect("unknown fields are taken", "service/api/schemas.py", 'extra="forbid"', 'extra="ignore"', _MASS),
    _defect("anybody takes a note back", "service/domain/around/service.py", "raise NotYours", "pass", _MATRIX),
    _defect(
        "rights are shown to everybody",
        "service/api/staff.py",
        "return shown if principal.may(Scope.TENANT_ADMIN) else",
        "return shown if True else",
        "tests/api/test_staff.py",
    ),
    _defect(
        "a narrow administrator administers", "service/domain/staff.py", "raise TenantReachNeeded", "pass", _MATRIX
    ),
    _defect(
        "leads hand over beyond their teams",
        "service/domain/assignments/model.py",
        "return Bounds(teams=principal.teams)",
        "return Bounds()",
        _ORACLE,
    ),
    _defect(
        "managers write into other portfolios",
        "service/domain/customers/model.py",
        "if record.curator_id not in principal.owners:",
        "if False:",
        _ORACLE,
    ),
    _defect(
        "requests for access show the name",
        "service/domain/around/service.py",
        'masked(card["display_name"] or "")',
        'card["display_name"]',
        _UNSEEN,
    ),
    _defect(
        "requests for access show the id",
        "service/domain/around/service.py",
        'shown |= {"customer_id": None, ',
        "shown |= {",
        _UNSEEN,
    ),
    _defect(
        "an unknown signature is taken",
        "service/api/tokens.py",
        'raise InvalidToken("The signature of the token does not match.")',
        "pass",
        _FORGED,
    ),
    _defect(
        "what somebody else issued is taken",
        "service/api/tokens.py",
        'raise InvalidToken("The token was issued by somebody else.")',
        "pass",
        _FORGERIES,
    ),
    _defect(
        "a token that was taken back goes on working",
        "service/db/directory.py",
        'if row["revoked"]:',
        "if False:",
        "tests/api/test_revocations.py",
    ),
    _defect(
        "blocked people go on working",
        "service/db/directory.py",
        'row is None or row["state"] == "blocked"',
        "row is None",
        "tests/api/test_access.py",
    ),
    _defect(
        "nobody is held to a rate",
        "service/api/quotas.py",
        "if left < 0:",
        "if False:",
        "tests/api/test_edge.py::test_a_caller_has_so_many_requests_a_minute_whatever_token_he_uses",
    ),
    _defect(
        "looks in clear do not wait for each other",
        "service/db/reveals.py",
        "return f\"SELECT pg_advisory_xact_lock(hashtextextended('reveals {principal.tenant_id}{whose}', 0))\"",
        'return ""',
        "tests/api/test_reveals.py::test_looks_at_the_same_moment_wait_for_each_other",
    ),
    _defect(
        "the budget of looks is off",
        "service/domain/reveals/budget.py",
        "if more > account.left] if more else []",
        "if False]",
        "tests/api/test_reveals.py::test_a_person_sees_half_a_days_budget_in_an_hour_and_is_told_when_there_is_more",
    ),
    _defect(
        "the access report takes from no budget",
        "service/domain/privacy/service.py",
        "(await take(tx.reveals, principal, [customer_id])).reached",
        "(await tx.reveals.take([customer_id])).reached",
        "tests/api/test_reveals.py::test_the_report_to_a_person_takes_from_the_same_budget",
    ),
    _defect(
        "people who leave keep their budget",
        "service/domain/reveals/budget.py",
        "if principal.leaving:",
        "if False:",
        "tests/api/test_reveals.py::test_whoever_leaves_has_a_tenth_and_the_report_to_a_person_is_no_way_around",
    ),
    _defect(
        "terms are not asked for",
        "service/api/routing.py",
        "            require_terms(principal)\n",
        "            pass\n",
        "tests/api/test_terms.py::test_no_operation_answers_before_the_current_terms_are_accepted",
    ),
    _defect(
        "old terms are good for ever",
        "service/db/directory.py",
        'current == row["terms_accepted"]',
        'row["terms_accepted"]',
        "tests/api/test_terms.py",
    ),
    _defect(
        "an audit row that can't be written is let go",
        "service/db/journal.py",
        "            raise AuditUnwritable from error\n",
        "            pass\n",
        "tests/api/test_audit_closed.py",
    ),
    _defect(
        "a look in clear leaves no audit row",
        "service/domain/reveals/service.py",
        'await tx.journal.audit("contacts.reveal", "customer", customer_id, reason=reason, **told)',
        "pass",
        "tests/api/test_audit_coverage.py",
    ),
    _defect(
        "seals are not chained",
        "service/domain/audit/chain.py",
        "hashlib.sha256(before + sealed)",
        "hashlib.sha256(sealed)",
        f"{_SEALS}::test_a_row_that_was_changed_with_its_seal_is_told_by_the_next_one",
    ),
    _defect(
        "who acts for the tenant writes seals",
        "migrations/versions/2026-11-22-1940_seal_audit.py",
        "GRANT SELECT ON audit_seals TO {TENANT}",
        "GRANT SELECT, INSERT ON audit_seals TO {TENANT}",
        f"{_SEALS}::test_nobody_but_the_sealer_writes_seals_and_he_changes_none",
    ),
    _defect(
        "one agrees to his own export",
        "service/domain/exports/approvals.py",
        "export.staff_id == principal.staff_id or not _fit(principal)",
        "not _fit(principal)",
        f"{_APPROVALS}::test_who_asked_or_cannot_see_the_records_or_has_no_right_decides_nothing",
    ),
    _defect(
        "one agrees to his own export in the database",
        "migrations/versions/2026-11-22-1930_govern_exports.py",
        " AND e.staff_id <> {SUBJECT})",
        ")",
        f"{_APPROVALS}::test_nobody_agrees_to_his_own_export_in_the_database_either",
    ),
    _defect(
        "no export needs a word",
        "service/domain/exports/agreement.py",
        "return 1 if rows and",
        "return 0 if rows and",
        f"{_APPROVALS}::test_above_the_threshold_nothing_leaves_before_another_person_agrees",
    ),
    _defect(
        "an export grows after it was agreed to",
        "service/domain/exports/agreement.py",
        "return now > agreed + max(_FEW, int(agreed * _SHARE))",
        "return False",
        f"{_APPROVALS}::test_what_grew_after_it_was_agreed_to_is_asked_again",
    ),
    _defect(
        "a link opens twice",
        "service/db/leaving.py",
        "AND used_at IS NULL AND expires_at > now()",
        "AND expires_at > now()",
        f"{_APPROVALS}::test_a_file_is_handed_out_once_and_a_link_works_once_for_its_maker",
    ),
    _defect(
        "a file is fetched again without a link",
        "service/domain/exports/delivery.py",
        "raise ExportFetched",
        "pass",
        f"{_APPROVALS}::test_a_file_is_handed_out_once_and_a_link_works_once_for_its_maker",
    ),
    _defect(
        "the file of another is fetched",
        "service/domain/exports/delivery.py",
        "raise ExportOfAnother",
        "pass",
        f"{_APPROVALS}::test_a_file_is_handed_out_once_and_a_link_works_once_for_its_maker",
    ),
    _defect(
        "a file is fetched with fewer rights than it was asked for with",
        "service/domain/exports/delivery.py",
        "check_fetch(principal, stored.scopes, clear=stored.clear)",
        "pass",
        "tests/db/test_exports.py",
    ),
    _defect(
        "a migration needs one word",
        "service/domain/exports/agreement.py",
        "        return 2\n",
        "        return 1\n",
        _MIGRATION,
    ),
    _defect(
        "a migration of a narrow reach",
        "service/domain/exports/policy.py",
        "raise MigrationNeedsAll",
        "pass",
        _MIGRATION,
    ),
    _defect(
        "a page of records is as long as one likes",
        "service/api/paging.py",
        "else min(limit, _RECORDS)",
        "else limit",
        "tests/api/test_bulk_channels.py",
    ),
    _defect(
        "a scanner that can't be reached has found nothing",
        "service/scanning/clamd.py",
        'return NotScanned(reason="clamd could not be reached")',
        "return Clean()",
        "tests/unit/scanning/test_reaching.py",
    ),
    _defect(
        "noise of a scanner is a verdict",
        "service/scanning/clamd.py",
        'return NotScanned(reason="clamd gave no verdict")',
        "return Clean()",
        _ANTIVIRUS,
    ),
    _defect(
        "what waits for the scanner is read",
        "service/domain/ingestion/quarantine.py",
        'return run.state == "quarantined" or (self._scanner.on and run.verdict != "clean")',
        "return False",
        _ANTIVIRUS,
    ),
    _defect(
        "canaries are looked at in peace",
        "service/domain/reveals/service.py",
        'await tx.leaks.touched(taking.reached, by="reveal")',
        "pass",
        "tests/api/test_leaks.py::test_a_canary_seen_in_clear_raises_a_signal_with_the_answer",
    ),
    _defect(
        "managers know the canaries",
        "migrations/versions/2026-11-22-1950_signal_leaks.py",
        'op.execute(f"GRANT {privileges} ON {table} TO {WATCH}")',
        'op.execute(f"GRANT {privileges} ON {table} TO {WATCH}, clientbase_own")',
        _LINT,
    ),
    _defect(
        "what was before a fix is open to people",
        _FIXES,
        '"tenant_id, fix_id, run_id,',
        '"images, tenant_id, fix_id, run_id,',
        _LINT,
    ),
    _defect(
        "who mends reaches beyond his own",
        _FIXES,
        """f"{IN_TENANT} AND ({NAMED_REACH} = 'tenant' OR {exists(table)})\"""",
        "IN_TENANT",
        f"{_MENDED}::test_what_was_there_before_is_closed_to_people_and_goes_with_the_person",
    ),
    _defect(
        "a fix tells contacts in clear",
        "service/domain/quality/fixing.py",
        '"after": one.after.masked if',
        '"after": one.after.value if',
        f"{_MENDED}::test_a_typing_error_in_an_email_is_fixed_and_the_fix_undone",
    ),
    _defect(
        "an erasure leaves what was before a fix",
        "service/db/erasing.py",
        '        "quality_fixes",\n',
        "",
        f"{_MENDED}::test_what_was_there_before_is_closed_to_people_and_goes_with_the_person",
    ),
]


@contextmanager
def _copy() -> Iterator[Path]:
    """The tree in a place of its own, with a database server of its own: roles belong to a whole server."""
    with tempfile.TemporaryDirectory(prefix="cb") as folder:
        tree = Path(folder)
        for name in ("service", "migrations", "tests", "docs"):
            shutil.copytree(_ROOT / name, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(_ROOT / "pyproject.toml", tree)
        yield tree


def _run(tree: Path, *tests: str) -> subprocess.CompletedProcess[str]:
    left_out = {"CLIENTBASE_TEST_DATABASE_URL", "CLIENTBASE_PROOFS"}
    environment = {name: value for name, value in os.environ.items() if name not in left_out}
    options = ("-q", "-x", "-p", "no:cacheprovider", "-p", "no:randomly", "--show-capture=no", "--tb=line")
    return subprocess.run(
        [sys.executable, "-m", "pytest", *tests, *options],
        cwd=tree,
        env=environment,
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )


def test_there_are_enough_of_them_and_each_fits_the_code() -> None:
    assert len(DEFECTS) >= 30
    assert len({one.what for one in DEFECTS}) == len(DEFECTS)
    for one in DEFECTS:
        assert one.there in (_ROOT / one.file).read_text(), one.what


def test_without_a_defect_all_these_tests_pass() -> None:
    with _copy() as tree:
        run = _run(tree, *sorted({one.test for one in DEFECTS}))
    assert run.returncode == 0, run.stdout[-3000:]


@pytest.mark.parametrize("defect", DEFECTS, ids=lambda one: one.what)
def test_the_defect_is_caught(defect: Defect) -> None:
    with _copy() as tree:
        file = tree / defect.file
        file.write_text(file.read_text().replace(defect.there, defect.instead))
        run = _run(tree, defect.test)
    # Red by a test, not because nothing could be imported or built.
    assert run.returncode == 1, run.stdout[-3000:]
    assert " failed" in run.stdout or "\nFAILED " in run.stdout, run.stdout[-3000:]
