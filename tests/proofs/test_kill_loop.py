"""Twenty kills at random moments, of the whole service and of the worker alone: the same base every time."""

import random
from pathlib import Path

from tests.e2e.killing import CONTENT, SETTINGS, kill_service, kill_worker, outcome, past, undisturbed
from tests.e2e.running import running_service
from tests.postgres import migrated_database

_KILLS = 20


def test_no_moment_of_a_kill_shows_in_the_base(tmp_path: Path) -> None:
    chance = random.Random(20)
    with migrated_database() as database, running_service(database, tmp_path, **SETTINGS) as service:
        expected = undisturbed(service)
        killed = 0
        while killed < _KILLS:
            person = service.tenant().person()
            import_id = person.begin(CONTENT)
            # Up to three kills hit one import, wherever each of them finds it.
            for share in sorted(chance.uniform(0, 0.95) for _ in range(chance.randint(1, 3))):
                person.when(import_id, past(share))
                chance.choice((kill_service, kill_worker))(service)
                killed += 1
            assert outcome(person, person.ended(import_id)) == expected
