"""The whole service, as it is run: from a look at a canary to the webhook it takes less than five seconds."""

import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

from tests.e2e.running import running_service
from tests.postgres import migrated_database

_SCOPES = ("customers:read", "customers:write", "contacts:reveal", "tenant:admin", "audit:read")


def test_a_canary_is_told_within_five_seconds_and_looks_are_counted(tmp_path: Path) -> None:
    arrived: list[float] = []

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            arrived.append(time.monotonic())
            self.rfile.read(int(self.headers["content-length"]))
            self.send_response(204)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the base names it)
            """Nothing into the output of the tests."""

    server = HTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    settings = {
        "SIGNALS__WEBHOOK_URL": f"http://127.0.0.1:{server.server_port}/",
        "SIGNALS__WEBHOOK_SECRET": "a secret of sixteen",
        "SIGNALS__WEBHOOK_PRIVATE": "true",
    }
    with migrated_database() as database, running_service(database, tmp_path, **settings) as service:
        tenant = service.tenant()
        anna, head = tenant.person(reach="own", scopes=_SCOPES), tenant.person(scopes=_SCOPES)
        items = [{"family_name": "Иванова", "external_ids": [{"external_id": f"C-{n}"}]} for n in range(30)]
        assert anna.call("POST", "/v1/customers/batch", json={"items": items}).json()["created"] == 30
        assert head.call("POST", "/v1/canaries", json={"count": 2}).json()["planted"] == 2
        first, second = (one["customer_id"] for one in head.read("/v1/canaries")["items"])
        assert anna.call("GET", f"/v1/customers/{first}").status_code == 200
        # The worker starts after the service; from the first signal on it is there.
        for canary, seconds in ((first, 30), (second, 5)):
            arrived.clear()
            began = time.monotonic()
            path = f"/v1/customers/{canary}/reveal"
            assert anna.call("POST", path, json={"reason": "Call back"}).status_code == 200
            while not arrived and time.monotonic() - began < seconds:
                time.sleep(0.05)
            assert arrived, service.log()[-2000:]
        time.sleep(2.5)
        signal, _ = head.read("/v1/leaks")["items"]
        assert signal["severity"] == "alert"
        assert signal["delivered_at"] is not None
        look_back = head.read(f"/v1/staff/{signal['staff_id']}/look-back")
        assert sum(day["cards"] for day in look_back["days"]) == 1
        assert "clientbase_leak_signals" in service.http.get("/metrics").text
    server.shutdown()
    server.server_close()
