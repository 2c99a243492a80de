"""Every kind of reader at one bench, plugged in at once and named by nobody: each is read, known again, and never in half.

The station is what systemd starts, with no [[reader]] in its configuration. Three scanners type, one of them for a German
keyboard and under nobody's name; two speak HID POS, one a serial line; two RFID readers hang on FTDI ports, one that answers
a question and one that speaks by itself; a card reader hangs on pcscd. All are pulled out in mid-read, again and again.
"""

import re
from collections.abc import Iterator

import pytest

from station.core.codes.setup_sheet import SQUARE_TEXT
from tests.drivers.fixtures.typing_scanners import Typist
from tests.guest.fixtures.station_guest import TRIES, Room, Seat, twin_of_the_zebra
from tests.guest.machine import Machine
from tests.guest.seen import assert_each_scan_once_and_nothing_else, scans, told

pytestmark = pytest.mark.guest

QUIET_S = 1.0  # longer than what belongs to one scan
GOOD_READ_BEEP = "0408"  # by the descriptor of the scanner that has one: report 4, the fourth bit
LESSON_S = 30.0  # 0.4 s where no emulator is between


@pytest.fixture
def room(guest: Machine) -> Iterator[Room]:
    """A running station, and all readers still in their boxes."""
    typist = Typist()
    room = Room(guest, typist)
    room.bench.set_up()
    yield room
    typist.end()


@pytest.mark.parametrize("rounds", [2, pytest.param(56, marks=pytest.mark.nightly)])  # one minute; ten, for 504 unplugs
def test_every_reader_is_found_read_known_again_and_never_in_half(room: Room, rounds: int) -> None:
    nobody = room.seat("wedge, nobody's")
    others = [each for each in room.seats if each is not nobody]
    room.plug(room.seats, lambda plugged: plugged.add())
    room.usable(room.seats)
    room.scan(others)
    teach(room, nobody)
    room.scan(room.seats)
    assert_the_verdicts_stand_on_evidence(room)
    for turn in range(2 * rounds):
        room.pull_in_mid_read(room.seats[turn % 2 :: 2])
    restarted_with_a_twin(room)
    assert any(fact.get("report") == GOOD_READ_BEEP for fact in room.devices.info)
    kept = scans(room)
    assert_each_scan_once_and_nothing_else(room, kept)
    print("", *told(room, kept), sep="\neverything: ")


def teach(room: Room, nobody: Seat) -> None:
    """What nobody knows is heard and not recorded, until it has typed the setup sheet; from then on it is read."""
    nobody.plugged.scan("Zy-heard")
    for _ in range(TRIES):
        room.bench.guest.sh(f"sleep {QUIET_S}")
        since = len(room.devices.info)
        nobody.plugged.scan(SQUARE_TEXT)
        found = room.devices.maybe(lambda fact: "answer" in fact, since, LESSON_S)
        if found is not None:
            break
    else:
        pytest.fail(f"The setup sheet taught nothing.\n{room.bench.log()}")
    sheet = found["answer"]
    assert (sheet["state"], sheet["why"], sheet["text"]) == ("green", "card", "setup sheet: nothing is counted")
    nobody.spoken_to = False
    room.usable([nobody], since)


def assert_the_verdicts_stand_on_evidence(room: Room) -> None:
    """What `wipline-station readers` says of each: how it is, as what it was taken, and what that stands on."""
    said = room.bench.command("readers")
    print(f"\n{said}")
    parts = [part for part in re.split(r"^reader +", said, flags=re.MULTILINE) if part]
    for each in room.seats:
        (part,) = (part for part in parts if part.startswith(f"{each.reader} ("))
        assert ": ready, " in part
        assert [words for words in each.because if words not in part] == []


def restarted_with_a_twin(room: Room) -> None:
    """A daemon that starts anew knows all again: what one was taught, and two that only their sockets tell apart."""
    zebra, twin = room.seat("wedge, Zebra"), twin_of_the_zebra(room.devices)
    since = len(room.devices.info)
    room.plug([twin], lambda plugged: plugged.add())
    room.usable([twin], since)
    room.scan([zebra, twin])
    since = len(room.devices.info)
    room.bench.guest.sh("systemctl restart wipline-station")  # that it is killed, and comes back, test_story sees
    zebra.plugged.reader = "usb-05e0-1200-at-usb-dummy_hcd.0-1"  # which of the two was here first is forgotten
    room.usable([*room.seats, twin], since)
    room.scan([*room.seats, twin])
