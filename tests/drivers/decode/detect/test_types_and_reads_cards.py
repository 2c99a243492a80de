"""A card reader that also types each card is one reader: which of its interfaces is read, and the policy of the other."""

from dataclasses import replace

import pytest

from drivers import hotplug
from drivers.decode.detect.device_info import DeviceInfo
from drivers.decode.detect.device_policy import CARDS_TOO, LEAVE_IT, NOT_NAMED, DevicePolicy, verdict
from drivers.decode.detect.usb_classes import classes
from tests.drivers.fixtures.input_devices import plugged_in

TYPES = DeviceInfo(
    "/dev/input/event3",
    "HID Global OMNIKEY 5427 CK",
    3,
    0x076B,
    0x5427,
    "",
    "usb-dummy-1.2",
    True,
    False,
    hints=(CARDS_TOO,),
)
CARDS = replace(
    TYPES, node="/sys/devices/usb1/1-1.2/1-1.2:1.1", place="usb-1-1.2", types=False, subsystem="usb", hints=()
)
ALONE = replace(TYPES, hints=())
INTERFACES = bytes.fromhex("12010002000000406b0727540001010200010902 3b00020100 80fa")


def both(*rows):
    """Which of the two is used."""
    return verdict(TYPES, rows).take, verdict(CARDS, rows).take


def test_its_cards_are_read_and_what_it_types_is_left_with_the_reason():
    assert verdict(CARDS) == DevicePolicy(True, "pcsc", "It is a smart card reader (USB class 0B).", mend=LEAVE_IT)
    assert verdict(TYPES) == DevicePolicy(
        False,
        "keyboard",
        "It types the cards that it reads through pcscd as well, and each would count twice.",
        mend='To read what it types instead: [[reader]] with kind = "keyboard" and match = "076b:5427".',
    )


def test_without_pcscd_or_a_card_interface_what_it_types_is_read():
    assert verdict(ALONE).take


def test_the_configuration_chooses_the_side_and_never_both():
    assert both({"kind": "keyboard", "match": "076b:5427"}) == (True, False)
    assert both({"kind": "keyboard"}) == (True, False)
    assert both({"kind": "pcsc"}) == (False, True)
    assert both({"kind": "pcsc", "match": "076b:5427"}) == (False, True)
    assert both({"kind": "keyboard"}, {"kind": "pcsc"}) == (False, True)
    assert both({"kind": "keyboard", "match": "5427"}, {"kind": "pcsc"}) == (True, False)
    assert both({"kind": "keyboard"}, {"kind": "pcsc", "match": "072f:2200"}) == (True, False)
    policy = verdict(CARDS, [{"kind": "keyboard", "match": "5427"}, {"kind": "pcsc"}])
    assert (
        policy.why == "Reader 1 of the configuration names it as a scanner that types, and each card would count twice."
    )
    assert policy.mend == 'To read its cards instead: kind = "pcsc", match = "076b:5427".'
    assert verdict(CARDS, [{"kind": "keyboard"}]).why == NOT_NAMED


def test_one_whose_card_interface_only_sets_it_up_is_read_as_it_types():
    types, cards = (replace(side, product=0x5A27) for side in (TYPES, CARDS))
    assert verdict(types).take
    assert verdict(cards) == DevicePolicy(
        False,
        "pcsc",
        "It is set up through this interface; what it reads it types.",
        mend='To read its cards instead: kind = "pcsc", match = "076b:5a27".',
    )


def test_a_persons_keyboard_with_a_slot_for_cards_is_listened_to_as_any():
    keyboard = replace(TYPES, name="Dell Smart Card Reader Keyboard", vendor=0x413C, product=0x2101)
    assert (verdict(keyboard).take, verdict(keyboard).listen) == (False, True)


@pytest.fixture
def event3(tmp_path, monkeypatch):
    """An input device in a temporary /sys, with the paths of its descriptors and of pcscd's socket."""
    plugged_in(tmp_path, ALONE, folder="usb1/1-2/1-2:1.0/0003:076B:5427.0001/input")
    device = tmp_path / "sys" / "usb1" / "1-2"
    (device / "idVendor").write_text("076b\n")
    monkeypatch.setenv("PCSCLITE_CSOCK_NAME", str(tmp_path / "pcscd.comm"))
    return device / "descriptors", tmp_path / "pcscd.comm"


def test_the_other_interfaces_of_a_device_that_types_are_looked_at(event3, tmp_path):
    descriptors, socket = event3
    both_sides = bytes.fromhex("090400000103010100") + bytes.fromhex("0904010003 0b0000 00")
    socket.touch()
    hints = []
    for there in (both_sides, both_sides[:9]):
        descriptors.write_bytes(INTERFACES + there)
        hints.append(hotplug.read_device_info("/dev/input/event3", tmp_path).hints)
    descriptors.unlink()
    hints.append(hotplug.read_device_info("/dev/input/event3", tmp_path).hints)
    assert hints == [(CARDS_TOO,), (), ()]


def test_without_pcscd_its_cards_are_not_read(event3, tmp_path):
    descriptors, socket = event3
    descriptors.write_bytes(bytes.fromhex("0904010003 0b0000 00"))
    assert hotplug.read_device_info("/dev/input/event3", tmp_path).hints == ()
    socket.touch()
    assert hotplug.read_device_info("/dev/input/event3", tmp_path).hints == (CARDS_TOO,)


@pytest.mark.parametrize("garbage", ["", "09", "0004", "0104", "09040100030b", "02040904", "ff04"])
def test_descriptors_that_break_off_or_lie_say_no_more_than_they_do(garbage):
    assert classes(bytes.fromhex(garbage)) <= {0x0B}
    assert classes(bytes.fromhex("09040100030b000000" + garbage)) == {0x0B}
