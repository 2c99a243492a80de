"""A batch that is too large for the way to the hub is sent in smaller ones, down to one event, and back up."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from station.core.event import decode
from station.core.protocol import EventsAnswer, EventsRequest, EventVerdict, SessionAnswer
from station.sync.client import HubClient, HubError
from station.sync.state_machine import S, SendEvents, SyncState, apply_ack, apply_session, apply_too_large, next_act
from station.sync.transport import HttpReply, TransportError
from tests.station.fixtures.fake_hub import TOKEN, FakeHub
from tests.station.fixtures.station_process import Daemon

THERE = SyncState(
    session=True, reached=True, epoch=1, reconciled=1, anchored_ns=0, next_beat_ns=100 * S, next_items_ns=90 * S
)


class Replies:
    """A transport that gives the same reply, or the same error, to every request."""

    def __init__(self, reply: HttpReply | TransportError) -> None:
        self._reply = reply

    def request(self, _method: str, _url: str, _body: bytes | None, _headers: Mapping[str, str]) -> HttpReply:
        if isinstance(self._reply, TransportError):
            raise self._reply
        return self._reply

    def close(self) -> None:
        """Nothing is open."""


@pytest.mark.parametrize(
    ("reply", "smaller"),
    [
        (HttpReply(413, {}), True),
        (HttpReply(408, {}), True),
        (HttpReply(502, {}), True),
        (HttpReply(504, {}), True),
        (HttpReply(200, {}, b'{"verdicts":[{"seq":1,'), True),
        (TransportError("Read timed out", cut=True), True),
        (TransportError("Connection refused"), False),
        (HttpReply(401, {}), False),
        (HttpReply(500, {}), False),
        (HttpReply(503, {}), False),
    ],
)
def test_a_reply_to_a_batch_that_was_too_large_asks_for_smaller_ones(
    reply: HttpReply | TransportError, smaller: bool
) -> None:
    hub = HubClient("http://hub", "t", Replies(reply))
    with pytest.raises(HubError) as error:
        hub.events("00", EventsRequest(from_seq=1, prev="", tip="", events=[b"a", b"b"]))
    assert (error.value.smaller, error.value.events) == (smaller, 2)


def test_batches_shrink_to_one_event_and_grow_again() -> None:
    state, sizes = THERE, []
    for _ in range(11):
        act = next_act(state, tip_seq=10_000, now_ns=0)
        assert isinstance(act, SendEvents)
        sizes.append(act.most)
        state = apply_too_large(state, act.most, "413", 0, lambda: 0.0, at_once=True)
        state = replace(state, session=True)  # a single event that is refused begins a new session, after a pause
    assert sizes == [500, 250, 125, 62, 31, 15, 7, 3, 1, 1, 1]
    assert state.error == "413"
    state, sizes = replace(state, not_before_ns=0), []
    for _ in range(40):
        act = next_act(state, tip_seq=10_000, now_ns=0)
        assert isinstance(act, SendEvents)
        sizes.append(act.most)
        sent = range(act.after + 1, act.after + act.most + 1)
        verdicts = [EventVerdict(seq, "ok") for seq in sent]
        acked = apply_ack(state, EventsAnswer(verdicts, sent[-1], 0, 1, ""), sent, 0)
        assert acked is not None
        state = acked
    assert sizes == [size for size in (1, 2, 4, 8, 16, 32, 64, 128, 256, 500) for _ in range(4)]
    assert state.error == ""


@pytest.mark.parametrize(("accepted_thru", "limit"), [(500, 500), (499, 250), (0, 250)])
def test_a_batch_that_arrived_without_its_reply_was_not_too_large(accepted_thru: int, limit: int) -> None:
    state = apply_too_large(THERE, 500, "cut", 0, lambda: 0.0, at_once=False)
    assert state.limit == 250
    answer = SessionAnswer(hub_epoch=1, accepted_thru=accepted_thru, durable_thru=0)
    again = apply_session(state, answer, same_past=True, mark_thru=0, now_ns=0)
    assert (again.limit, again.cut) == (limit, 0)


def test_after_a_timeout_the_smaller_batch_has_a_pause_before_it() -> None:
    state = apply_too_large(THERE, 500, "408", 0, lambda: 1.0, at_once=False)
    assert (state.limit, state.not_before_ns, state.session) == (250, S, False)
    assert apply_too_large(THERE, 500, "413", 0, lambda: 1.0, at_once=True, retry_s=3.0).not_before_ns == 3 * S


@pytest.mark.host
@pytest.mark.xdist_group("daemon")
@pytest.mark.parametrize("fate", ["413", "408"])
def test_every_scan_passes_a_proxy_that_lets_single_events_pass(tmp_path: Path, fate: str) -> None:
    with FakeHub() as hub:
        (tmp_path / "token").write_text(TOKEN + "\n")
        hub.fate = lambda _path: "500"
        with Daemon(tmp_path, f'[hub]\nurl = "{hub.url}"\ntoken_file = "{tmp_path}/token"\n') as daemon:
            daemon.start().scan(*(f"WO-{number}" for number in range(20)))
            log = daemon.answered(20)[0]["log"]
            hub.batch_fate = lambda events: fate if events > 1 else None
            hub.fate = lambda _path: None
            sent = [f"WO-{number}".encode() for number in range(20)]
            daemon.until(lambda: [raw for raw in raws(hub, log) if raw] == sent, 120)
            assert 1 in hub.batches


def raws(hub: FakeHub, log: str) -> list[bytes | None]:
    """What the hub has of a log's scans."""
    return [decode(encoded).raw for encoded, _ in hub.logs.get(log, [])]
