from tests.e2e.under_load import Load, a_service_of_its_own, kill_postgres


def test_what_was_answered_outlives_a_killed_server_and_a_restarted_service() -> None:
    """The short form of the proof of the same name."""
    with a_service_of_its_own() as (service, server):
        load = Load(person=service.tenant().person())
        with load.going_on():
            load.until(30)
            kill_postgres(server)
            load.until(30)
            service.stop()
            service.start()
            load.until(30)
        load.hold_against_the_base()
        # What is held is held against something: both were felt.
        assert set(load.statuses) - {201}
