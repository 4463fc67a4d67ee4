"""B15: five thousand canaries are not told from five thousand customers; a thousand looks at one are a thousand alerts,
each at the webhook within five seconds."""

import asyncio
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from time import monotonic

from service.jobs.watching import Webhook, keep_delivering
from tests.api.support import Api, in_the_api
from tests.api.test_canaries_hide import all_canaries, guessed
from tests.api.test_leak_watching import Outbox
from tests.api.test_leaks import planted, reveal
from tests.postgres import TestDatabase

_SIZE, _LOOKS = 5_000, 1_000
# Twenty looks a second, more than all the people of a large tenant have.
_PAUSE_S = 0.05
_NO_END = {"own_day_percent": 100, "own_day_most": 100_000, "own_month_percent": 100, "hour_percent": 100}


def test_a_classifier_tells_five_thousand_canaries_no_better_than_a_coin(database: TestDatabase) -> None:
    async def scenario(api: Api) -> None:
        found, with_a_tell, by = await guessed(api, _SIZE)
        print(f"\n{_SIZE} canaries against {_SIZE} customers: AUC {found:.3f}; with a tell {with_a_tell:.3f}")  # noqa: T201
        assert 0.45 <= found <= 0.55, (found, by)
        assert with_a_tell > 0.55

    in_the_api(database, scenario)


def test_every_look_at_a_canary_is_at_the_webhook_within_five_seconds(database: TestDatabase) -> None:
    arrived: dict[str, float] = {}

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            told = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            arrived.setdefault(told["evidence"]["canaries"][0], monotonic())
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    async def scenario(api: Api, url: str) -> None:
        anna, head, first = await planted(api, 2_000)
        more = {"curator_id": str(anna.principal.staff_id), "count": _LOOKS - len(first)}
        assert (await head.post("/v1/canaries", json=more)).json()["planted"] == _LOOKS - len(first)
        await head.patch("/v1/policies", json={"reveals": _NO_END})
        listed = [one["customer_id"] for one in await all_canaries(head)]
        assert len(listed) == _LOOKS
        outbox, ending = Outbox(api, anna.principal.tenant_id), asyncio.Event()
        telling = asyncio.create_task(keep_delivering(outbox, Webhook(url, b"secret", private=True), ending))
        seen: dict[str, float] = {}
        for one in listed:
            assert (await reveal(anna, one)).status_code == 200
            seen[one] = monotonic()
            await asyncio.sleep(_PAUSE_S)
        await asyncio.sleep(6)
        ending.set()
        await telling
        assert arrived.keys() == seen.keys()
        waits = sorted(arrived[one] - seen[one] for one in listed)
        slowest, half = waits[-1], waits[_LOOKS // 2]
        print(f"\n{len(arrived)} alerts of {len(waits)} looks, after {slowest:.2f} s at most, half {half:.2f} s")  # noqa: T201
        assert waits[-1] <= 5

    server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        in_the_api(database, lambda api: scenario(api, f"http://127.0.0.1:{server.server_port}/"))
    finally:
        server.shutdown()
        server.server_close()
