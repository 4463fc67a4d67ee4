"""Each revision goes up, down and up again, and down leaves what was there before."""

import asyncio
from pathlib import Path
from typing import Any

from alembic.config import Config
from alembic.script import Script, ScriptDirectory

from service.db import migrate
from service.db.revision import SCRIPTS, required_revision
from tests.migrations.scratch import run, scratch
from tests.postgres import TestDatabase

# What a schema consists of, as far as migrations make it: relations, columns, constraints, policies, grants.
_SHAPE = """
SELECT 'relation' AS kind, c.relkind::text || n.nspname || '.' || c.relname || c.relrowsecurity || c.relforcerowsecurity
    || coalesce((SELECT string_agg(g::text, ' ' ORDER BY g::text) FROM unnest(c.relacl) g
                 WHERE g::text NOT LIKE session_user || '=%'), '') AS told
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname IN ('public', 'jobs', 'entry') AND c.relname NOT LIKE '%alembic_version%'
UNION ALL SELECT 'column', attrelid::regclass::text || attname || atttypid::regtype::text || attnotnull
    || coalesce(attacl::text, '')
FROM pg_attribute JOIN pg_class c ON c.oid = attrelid
WHERE c.relnamespace IN (SELECT oid FROM pg_namespace WHERE nspname IN ('public', 'jobs')) AND attnum > 0
    AND NOT attisdropped AND c.relname NOT LIKE '%alembic_version%'
UNION ALL SELECT 'constraint', conrelid::regclass::text || conname || pg_get_constraintdef(oid) FROM pg_constraint
WHERE connamespace = 'public'::regnamespace AND conrelid::regclass::text NOT LIKE '%alembic_version%'
UNION ALL SELECT 'policy', tablename || policyname || roles::text || coalesce(qual, '') || coalesce(with_check, '')
FROM pg_policies
UNION ALL SELECT 'type', typname FROM pg_type
WHERE typnamespace IN (SELECT oid FROM pg_namespace WHERE nspname = 'jobs')
UNION ALL SELECT 'function', proname FROM pg_proc
WHERE pronamespace IN (SELECT oid FROM pg_namespace WHERE nspname IN ('public', 'jobs', 'entry'))
"""


def _revisions() -> list[Script]:
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS))
    return list(reversed(list(ScriptDirectory.from_config(config).walk_revisions())))


def _shape(url: str) -> set[Any]:
    return {tuple(row.values()) for row in run(url, _SHAPE)}


def _to(url: str, revision: str, *, down: bool = False) -> None:
    asyncio.run(migrate.upgrade(url, revision=revision, downgrade=down))


def test_every_revision_goes_up_down_and_up_again(database: TestDatabase) -> None:
    with scratch(database) as url:
        for script in _revisions():
            before = _shape(url)
            _to(url, script.revision)
            made = _shape(url)
            assert made != before
            _to(url, str(script.down_revision or "base"), down=True)
            assert _shape(url) == before
            _to(url, script.revision)
            assert _shape(url) == made


def test_all_the_way_down_leaves_nothing(database: TestDatabase) -> None:
    with scratch(database) as url:
        empty = _shape(url)
        _to(url, "head")
        _to(url, "base", down=True)
        assert _shape(url) == empty


def test_there_is_one_line_of_revisions_named_by_their_moment() -> None:
    scripts = _revisions()
    assert [script.down_revision for script in scripts] == [None, *(script.revision for script in scripts[:-1])]
    for script in scripts:
        assert script.path.rpartition("/")[2].startswith(f"{script.revision.replace('_', '-')}_")
    assert required_revision() == scripts[-1].revision


def test_no_revision_waits_long_for_a_lock() -> None:
    for script in _revisions():
        source = Path(script.path).read_text(encoding="utf-8")
        assert source.count("SET LOCAL lock_timeout") == 2, script.path


def test_migrating_a_migrated_database_changes_nothing(database: TestDatabase) -> None:
    with scratch(database) as url:
        _to(url, "head")
        made = _shape(url)
        _to(url, "head")
        assert _shape(url) == made
