"""A station with a true clock at a hub whose clock may be wrong, and what the hub reports of its clock."""

import base64

from fake_host import FakeMachine
from sqlalchemy import select

from server.app import create_app
from server.auth import devices
from server.config import HubConfig
from server.db.position_signal import PositionSignal
from server.ops.admin_commands import handle
from server.ops.control_protocol import ControlRequest
from server.projection.tables import event_state
from server.projection.words import word_id
from server.projection.worker import Projector
from server.queries.board_state import board_state_now, current_alerts
from server.web.template_filters import shop_locale
from station.core.event import Event, encode
from station.core.hash_chain import genesis, link

DAY_S = 86_400
YEARS_30_S = 30 * 365.25 * DAY_S


class Bench:
    """A station whose boottime never steps, at a hub whose clock does; it knows the true time of its scans."""

    def __init__(self, hub, machine, name="saw-1", log=bytes(range(16)), headers=None):
        self.hub, self.machine, self.name, self.log, self.boot = hub, machine, name, log, f"boot-of-{name}"
        if headers is None:
            with hub.write() as connection:
                headers = {"Authorization": f"Bearer {devices.add(connection, name, 0)}"}
        self.headers = headers
        self.events, self.tip, self.seq = [], genesis(log), 0
        self.true = {}

    def at(self, hub):
        """The same station at a hub that was started again."""
        self.hub = hub
        return self

    @property
    def mono_ns(self):
        return self.machine.true_ns + 77_000_000_000

    def post(self, path, body):
        answer = create_app(HubConfig(), self.hub).test_client().post(f"/api/v1{path}", json=body, headers=self.headers)
        assert answer.status_code == 200, answer.json
        return answer.json

    def session(self):
        """Ask for the time; True where it was given, and then written down as an anchor."""
        t1 = self.mono_ns
        body = {"log": self.log.hex(), "boot": BOOTS[self.name], "t1": t1, "tip_seq": self.seq}
        answer = self.post("/session", body | {"tip_hash": self.tip.hex()})
        if answer["mac"] is None:
            return False
        times = {"t1": t1, "t4": t1, "t2": answer["t2"], "t3": answer["t3"]}
        self.write("anchor", **times, hub_clk=answer["hub_clk"], mac=answer["mac"])
        return True

    def scan(self):
        self.write("scan", raw=b"WO-1", stage="saw")
        self.true[self.seq] = self.machine.true_us

    def beat(self, wall_us=None, clock="synced"):
        self.post("/heartbeat", {"clock": clock, "wall_us": wall_us})

    def write(self, kind, **fields):
        event = encode(
            Event(kind=kind, station=self.name, sw="t", boot=BOOTS[self.name], mono_ns=self.mono_ns, **fields)
        )
        before, self.tip, self.seq = self.tip, link(self.tip, event), self.seq + 1
        body = {"from_seq": self.seq, "prev": before.hex(), "tip": self.tip.hex()}
        self.post(f"/logs/{self.log.hex()}/events", body | {"events": [base64.b64encode(event).decode()]})

    def intervals(self):
        """seq -> (lo, hi, approx) of its scans, as the pages have them."""
        Projector(self.hub, PositionSignal()).drain()
        row = event_state.c
        wanted = select(row.at_seq, row.lo_us, row.hi_us, row.approx).where(
            row.at_log == word_id(self.log.hex()), row.kind == "scan"
        )
        with self.hub.read() as connection:
            return {seq: (lo, hi, approx) for seq, lo, hi, approx in connection.execute(wanted)}

    def wrong(self):
        """Scans whose true time lies outside their interval: there must be none."""
        found = self.intervals()
        assert found.keys() == self.true.keys()
        return [seq for seq, (lo, hi, _) in found.items() if not lo <= self.true[seq] <= hi]


BOOTS = {"saw-1": "11111111-1111-4111-8111-111111111111", "weld-2": "22222222-2222-4222-8222-222222222222"}


class World(FakeMachine):
    """A hub's machine, and the true time beside its clock."""

    true_ns = 0
    start_us = 0

    def wait(self, seconds):
        self.true_ns += int(seconds * 1e9)
        self.clock.wait(seconds)

    def reboot(self, off_s=60.0, clock_off_s=None):
        """Switched off for `off_s`; its clock goes on by `clock_off_s`."""
        self.true_ns += int(off_s * 1e9)
        self.clock.reboot(off_s if clock_off_s is None else clock_off_s)

    @property
    def true_us(self):
        return self.start_us + self.true_ns // 1000


def told(hub):
    """What healthz, the stations page and the board say of the hub's clock."""
    app = create_app(HubConfig(), hub)
    browser = app.test_client()
    health = browser.get("/healthz").json
    with app.test_request_context(), hub.read() as connection:
        board = [
            each.sentence
            for each in current_alerts(
                connection, board_state_now(connection, shop_locale(), hub.clock.utc_us())
            ).alerts
        ]
    return (
        [line for line in health["wrong"] if "clock" in line],
        "No station is given the time." in browser.get("/stations").get_data(as_text=True),
        [line for line in board if "hub's clock" in line],
    )


def office(hub, name, **arguments):
    reply = handle(hub, ControlRequest(name, arguments))
    assert (reply.error, reply.refused) == (None, None)
    return reply.value
