"""Postgres killed and the service restarted, again and again, under eight clients: nothing lost, nothing doubled."""

import os
import random

from tests.e2e.under_load import Load, a_service_of_its_own, kill_postgres

_TIMES = int(os.environ.get("CLIENTBASE_PROOF_STEPS", "30"))


def test_what_was_answered_outlives_every_kill_and_every_restart() -> None:
    chance = random.Random(30)
    with a_service_of_its_own() as (service, server):
        load = Load(person=service.tenant().person())
        with load.going_on():
            for number in range(_TIMES):
                load.until(chance.randint(5, 60))
                if number % 3:
                    kill_postgres(server)
                else:
                    service.stop()
                    service.start()
            load.until(30)
        print(f"\n{len(load.answered)} records, {dict(load.statuses)}")  # noqa: T201
        load.hold_against_the_base()
