"""A device with several slots is one reader: all its card slots are read, and by no other reader."""

import pytest

from drivers import DeviceLost, DriverError, Dropped
from drivers.decode.detect.device_info import DeviceInfo
from drivers.decode.detect.device_policy import NAME_IT, NAMED_THERE, NOT_NAMED, DevicePolicy, verdict
from drivers.decode.tags.pcsc_slots import MOST_SLOTS, device_of, for_cards, is_contactless, short, usb_address
from drivers.pcsc import PcscTimings
from tests.drivers.fixtures.pcsc_slot_devices import CONTACT, CONTACTLESS, GOOD, NO_NUMBER, Slots

DUAL = [f"ACS ACR1281U 00 0{slot}" for slot in range(3)]  # contact, contactless, SAM
ACR1252 = [f"ACS ACR1252 [ACR1252 Dual Reader {what}] 0{count} 00" for count, what in enumerate(("PICC", "SAM"))]
TWINS = ["ACS ACR122U PICC Interface 00 00", "ACS ACR122U PICC Interface 01 00"]
UID = b"\x04\xa1\xb2\xc3"


@pytest.fixture
def pcscd(tmp_path):
    """A simulated pcscd with devices of several slots; none may be open at the end."""
    made = Slots(tmp_path)
    yield made
    assert made.connections == 0


def at(pcscd, path=None, **how):
    """Open the reader at this path."""
    return pcscd.open(path=path and str(path), **how)


def test_a_card_is_read_on_every_slot_of_the_device_and_all_of_them_are_one_reader(pcscd, listen):
    outcomes = listen(at(pcscd, pcscd.plug("1-2", (1, 5), *DUAL)))
    for number, name in enumerate(DUAL):
        pcscd.put(name, bytes((4, 0, 0, number)) + GOOD)
        read = outcomes.read()
        assert (read.raw, read.kind, read.reader) == (b"0400000%d" % number, "pcsc", "pcsc-ACS ACR1281U")
    outcomes.end()


def test_a_sam_and_a_built_in_card_are_no_scan_when_the_reader_is_opened(pcscd, listen):
    path = pcscd.plug("1-2", (1, 5), *DUAL)
    pcscd.lay(DUAL[2], NO_NUMBER, CONTACT)
    pcscd.lay(DUAL[1], UID + GOOD, CONTACTLESS)
    outcomes = listen(at(pcscd, path))
    assert outcomes.read().raw == b"04A1B2C3"  # a card with a number is read
    assert outcomes.nothing(for_s=0.3)
    outcomes.end()


def test_a_contact_card_that_is_put_in_later_is_refused_with_the_reason(pcscd, listen):
    outcomes = listen(at(pcscd, pcscd.plug("1-2", (1, 5), *DUAL), timings=PcscTimings(built_in_s=0.0)))
    pcscd.put(DUAL[0], NO_NUMBER, CONTACT)
    dropped = outcomes.next()
    assert isinstance(dropped, Dropped)
    assert dropped.why == "The card's number cannot be read: there is no number in the answer (6D00)."
    outcomes.end()


def test_a_slot_that_calls_itself_a_sams_is_left_alone(pcscd, listen):
    outcomes = listen(at(pcscd, pcscd.plug("1-2", (1, 5), *ACR1252)))
    pcscd.put(ACR1252[0], UID + GOOD)
    assert outcomes.read().reader == "pcsc-ACS ACR1252 [ACR1252 Dual Reader PICC]"
    assert pcscd.slots[ACR1252[1]].asked == 0
    assert pcscd.connections == 1
    outcomes.end()


def test_each_plug_reads_its_own_device_whatever_the_order_in_which_pcscd_names_them(pcscd, listen):
    first, second = (pcscd.plug(f"1-{2 - n}", (1, 7 - n), name) for n, name in enumerate(TWINS))
    here, there = at(pcscd, second), at(pcscd, first)
    assert [here.reader, there.reader] == [f"pcsc-ACS ACR122U PICC Interface at usb-1-{n}" for n in (1, 2)]
    outcomes = listen(here)
    pcscd.put(TWINS[1], UID + GOOD)
    assert outcomes.read().raw == b"04A1B2C3"
    with pytest.raises(DriverError, match=r"The smart card reader at 1-1:1\.0 is read already\."):
        at(pcscd, second)
    there.close()
    outcomes.end()
    at(pcscd, second).close()  # the slots are free again


def test_a_row_without_match_takes_a_whole_device_and_the_next_row_the_next(pcscd):
    pcscd.plug("1-2", (1, 5), *DUAL)
    pcscd.plug("1-3", (1, 6), "OMNIKEY 5022 CL 01 00", ids="076b:5022")
    first, second = at(pcscd), at(pcscd)
    assert [first.reader, second.reader] == ["pcsc-ACS ACR1281U", "pcsc-OMNIKEY 5022 CL"]
    with pytest.raises(DriverError, match="No other smart card reader is plugged in"):
        at(pcscd)
    first.close()
    second.close()


@pytest.mark.parametrize("match", ["072F:2224", "Dual Reader", "acr1281u", "usb-072f-2224-at-usb-1-2"])
def test_a_row_names_a_device_by_its_ids_or_either_name(pcscd, match):
    pcscd.plug("1-1", (1, 4), TWINS[0], ids="072f:2200", product="ACR122U PICC Interface")
    pcscd.plug("1-2", (1, 5), *DUAL, product="ACR1281 Dual Reader")
    driver = at(pcscd, match=match)
    assert driver.reader == "pcsc-ACS ACR1281U"
    driver.close()


def test_a_row_that_names_one_slot_reads_that_slot_alone(pcscd, listen):
    pcscd.plug("1-2", (1, 5), *DUAL)
    outcomes = listen(at(pcscd, match=DUAL[1]))
    other = at(pcscd, match="00 00")
    pcscd.put(DUAL[1], UID + GOOD)
    assert outcomes.read().reader == f"pcsc-{DUAL[1]}"
    with pytest.raises(DriverError, match="No other"):
        at(pcscd)
    other.close()
    outcomes.end()


def test_a_slot_that_pcscd_finds_a_moment_later_is_read_too(pcscd, listen):
    path = pcscd.plug("1-2", (1, 5), DUAL[0])
    outcomes = listen(at(pcscd, path, timings=PcscTimings(search_interval_s=0.02)))
    pcscd.add((1, 9), TWINS[0])  # of another device
    pcscd.add((1, 5), *DUAL[1:])
    for number, name in enumerate(DUAL[1:]):
        pcscd.put(name, bytes((4, 0, 0, number)) + GOOD)
        assert outcomes.read().raw == b"0400000%d" % number
    assert pcscd.slots[TWINS[0]].asked == 0
    outcomes.end()


def test_an_unplugged_device_is_lost_once_with_the_cards_of_all_slots(pcscd, listen):
    path = pcscd.plug("1-2", (1, 5), *DUAL)
    outcomes = listen(at(pcscd, path))
    for number, name in enumerate(DUAL[:2]):
        pcscd.put(name, bytes((4, 0, 0, number)) + GOOD)
        outcomes.read()
    pcscd.pull(*DUAL)
    lost = outcomes.next()
    assert isinstance(lost, DeviceLost)
    assert lost.came == "pcsc-ACS ACR1281U was unplugged."
    assert sorted(outcomes.gone.get(timeout=5).raw for _ in range(2)) == [b"04000000", b"04000001"]
    assert outcomes.next() is None  # reported once, and ended
    pcscd.plug("1-2", (1, 6), *DUAL)
    at(pcscd, path).close()  # it can be opened again


def test_a_name_that_is_another_devices_when_pcscd_came_back_is_not_read_on(pcscd, listen):
    soon = PcscTimings(retry_s=0.02, restart_s=0.2)
    outcomes = listen(at(pcscd, pcscd.plug("1-2", (1, 5), TWINS[0]), timings=soon))
    slot = pcscd.slots[TWINS[0]]
    slot.places[TWINS[0]] = (1, 6)
    slot.set(running=False)
    pcscd.running = False
    assert outcomes.nothing(for_s=0.05)
    slot.running = pcscd.running = True
    lost = outcomes.next()
    assert isinstance(lost, DeviceLost)
    assert "was not there any more when the smart card service came back" in lost.came


def test_of_readers_without_a_usb_address_the_likeliest_is_opened(pcscd):
    path = pcscd.plug("1-2", (1, 5), product="uTrust 4701 F")
    pcscd.add(None, "A reader 00 00", "Identiv uTrust 4701 F CL 01 00")
    driver = at(pcscd, path)
    assert driver.reader == "pcsc-Identiv uTrust 4701 F CL"
    driver.close()


def test_a_reader_that_pcscd_lacks_is_reported_and_no_other_is_opened(pcscd):
    path = pcscd.plug("1-2", (1, 5))
    pcscd.plug("1-3", (1, 6), TWINS[0])
    with pytest.raises(DriverError) as refused:
        at(pcscd, path)
    assert str(refused.value) == (
        f"The smart card reader at 1-2:1.0 is not known to pcscd. pcscd knows these: {TWINS[0]}. "
        "It is asked for again by itself; where it stays so, pcscd has no driver for it (package libccid)."
    )


def test_one_slot_is_recorded_at_a_time(pcscd):
    pcscd.plug("1-2", (1, 5), *DUAL)
    with pytest.raises(DriverError) as refused:
        at(pcscd, alone="yes")
    assert str(refused.value) == (
        f"This device has 3 slots for a card: {', '.join(DUAL)}. One slot is recorded at a time. "
        f"Say which, by its whole name: --kind pcsc --match '{DUAL[2]}'"
    )
    driver = at(pcscd, alone="yes", match=DUAL[1])
    assert driver.reader == f"pcsc-{DUAL[1]}"
    driver.close()


def test_the_slots_of_a_device_are_bounded():
    names = [f"Reader 00 {slot:02X}" for slot in range(MOST_SLOTS + 1)]
    assert for_cards(names) == tuple(names[:MOST_SLOTS])
    assert for_cards(names[:MOST_SLOTS]) == tuple(names[:MOST_SLOTS])


def test_the_names_and_the_place_of_slots_are_read():
    assert [device_of(name) for name in ("Reader", "Reader 00 01", DUAL[2])] == [
        "Reader",
        "Reader 00",
        "ACS ACR1281U 00",
    ]
    assert short("00 01") == "00 01"
    assert [usb_address(bytes.fromhex(said), "big") for said in ("0020017F", "00010001", "")] == [(1, 127), None, None]
    assert usb_address(bytes.fromhex("7F012000"), "little") == (1, 127)
    assert [is_contactless(atr) for atr in (CONTACTLESS, CONTACT, b"", b"\x3b\x80")] == [True, False, False, False]


def test_a_device_that_a_row_may_name_by_pcscds_name_is_not_reported_as_unnamed():
    info = DeviceInfo(
        "/sys/1-2:1.0", "ACR1281 Dual Reader", 3, 0x072F, 0x2224, "", "usb-1-2", False, False, subsystem="usb"
    )
    row = {"kind": "pcsc", "match": "ACS ACR1281U"}
    assert verdict(info, [row]) == DevicePolicy(False, "pcsc", NAMED_THERE, mend=f'{NAME_IT} = "072f:2224".')
    assert verdict(info, [row, {"kind": "pcsc"}]).row == 1
    assert verdict(info, [{"kind": "keyboard"}]).why == NOT_NAMED
