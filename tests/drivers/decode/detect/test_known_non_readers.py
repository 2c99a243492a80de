"""Devices that are known to be no readers are never opened, unless the configuration names them."""

from dataclasses import replace

import pytest

from drivers import DriverError
from drivers.decode.detect.device_info import DeviceInfo
from drivers.decode.detect.device_policy import SCANNER_PRODUCTS, SCANNER_VENDORS, DevicePolicy, verdict
from drivers.decode.detect.known_non_readers import MAKERS, PRODUCTS, what_else
from drivers.platform.serial_ports import SerialPort
from drivers.serial_rfid import open_answering

BRIDGE = DeviceInfo(
    "/dev/ttyUSB0", "USB Serial", 3, 0x1A86, 0x7523, "", "usb-1.2", types=False, points=False, subsystem="tty"
)
ARDUINO = replace(BRIDGE, node="/dev/ttyACM0", name="", vendor=0x2341, product=0x0043, serial="5563")
IGNORED = DevicePolicy(
    False,
    "serial_rfid",
    "Its ids say that it is something else, an Arduino, so it is not asked.",
    mend='Is it a reader? Name it: [[reader]] with kind and match = "2341:0043".',
)


@pytest.mark.parametrize(
    ("ids", "what"),
    [
        ((0x2341, 0x0043), "an Arduino"),
        ((0x2A03, 0x0043), "an Arduino"),
        ((0x2C99, 0x0001), "a 3D printer (Prusa)"),
        ((0x1D50, 0x6029), "a 3D printer or its like (Marlin)"),
        ((0x1546, 0x01A8), "a navigation receiver or modem (u-blox)"),
        ((0x2C7C, 0x0125), "a modem (Quectel)"),
        ((0x1366, 0x1015), "a programmer or its console (SEGGER)"),
        ((0x0483, 0x3752), "a programmer or its console (ST-LINK)"),
    ],
)
def test_what_its_ids_name_as_something_else_is_left_alone(ids: tuple[int, int], what: str) -> None:
    policy = verdict(replace(ARDUINO, vendor=ids[0], product=ids[1]))
    assert (policy.take, policy.listen) == (False, False)
    assert policy.why == f"Its ids say that it is something else, {what}, so it is not asked."


@pytest.mark.parametrize(
    "ids", [(0x0403, 0x6001), (0x10C4, 0xEA60), (0x1A86, 0x7523), (0x067B, 0x2303), (0x0483, 0x5740)]
)
def test_a_chip_that_readers_use_is_probed(ids: tuple[int, int]) -> None:
    assert what_else(*ids) is None
    assert verdict(replace(BRIDGE, vendor=ids[0], product=ids[1])).listen


def test_no_scanner_vendor_is_among_them() -> None:
    assert MAKERS.keys().isdisjoint(SCANNER_VENDORS)
    assert PRODUCTS.keys().isdisjoint(SCANNER_PRODUCTS)
    assert {vendor for vendor, _ in PRODUCTS}.isdisjoint(SCANNER_VENDORS.keys() | MAKERS.keys())


def test_it_is_a_reader_if_the_configuration_names_it() -> None:
    assert verdict(ARDUINO) == IGNORED
    assert verdict(ARDUINO, [{"kind": "serial_rfid"}]) == IGNORED
    assert verdict(ARDUINO, [{"kind": "serial_rfid", "match": "2341:0043"}]).row == 0
    assert verdict(ARDUINO, taught={"usb-2341-0043-5563": "It has sent the setup sheet."}).take


def test_without_a_name_it_is_not_opened_to_look_for_a_reader() -> None:
    opened: list[str] = []

    def refuse(path: str, _settings: object) -> SerialPort:
        opened.append(path)
        raise DriverError(came="Busy.", expected="A port.", do="Wait.")

    for match in (None, "2341:0043"):
        with pytest.raises(DriverError):
            open_answering([ARDUINO, BRIDGE], {"match": match}, open_port=refuse)
    assert opened == ["/dev/ttyUSB0", "/dev/ttyACM0"]
