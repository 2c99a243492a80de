"""Card readers that are plugged in: each USB device is read once, with the row that stands for it."""

from collections.abc import Callable
from dataclasses import replace

from waiting import until

from drivers import DriverError
from drivers.hotplug import DeviceAdded, DeviceRemoved
from station.config import ReaderConfig as Row
from station.status import ReaderStatus
from tests.station.fixtures.fake_hotplug import CARDS, Station
from tests.station.fixtures.reader_manager import Openings, Watches, a_station

SAM = replace(CARDS, node="/sys/devices/usb1/1-2/1-2:1.1", place="usb-1-2-if01")
OTHER = replace(CARDS, node="/sys/devices/usb1/1-3/1-3:1.0", place="usb-1-3", serial="R2")


def test_two_interfaces_of_one_device_are_one_reader_and_each_device_is_read(station: Callable[..., Station]) -> None:
    here = station().sees(DeviceAdded(CARDS), DeviceAdded(SAM), DeviceAdded(OTHER))
    assert [each.settings["path"] for each in here.begun] == [CARDS.node, OTHER.node]
    assert here.registry.lines() == []
    here.sees(
        DeviceRemoved(CARDS), DeviceRemoved(SAM), DeviceAdded(SAM), DeviceAdded(CARDS)
    )  # pulled out, and back in another order
    assert [each.gone.is_set() for each in here.begun] == [True, False, False]
    assert here.begun[2].settings["path"] == SAM.node


def test_a_row_without_match_stands_for_every_card_reader_and_one_with_match_asks_pcscd_itself(
    station: Callable[..., Station],
) -> None:
    rows = (Row("pcsc", match="072f:2200", stage="mill"), Row("pcsc", stage="saw"))
    info = replace(CARDS, product=0x2200)
    here = station(*rows).sees(DeviceAdded(info), DeviceAdded(OTHER))
    assert [(each.row, each.settings["path"]) for each in here.begun] == [(rows[1], OTHER.node)]


def test_a_row_without_match_waits_for_a_plug_as_other_readers_do() -> None:
    readers, *_ = a_station(Row("pcsc"))
    assert readers.status() == [ReaderStatus("pcsc", "any of its kind", "waiting", "No such reader is plugged in.")]


def test_a_card_reader_that_pcscd_has_not_found_yet_is_called_by_its_ids(plugs: Watches) -> None:
    missing = DriverError(came="It is not there.", expected="A reader.", do="Wait.")
    readers, *_ = a_station(Row("pcsc"), opens=Openings(missing), watches=plugs)
    readers.start()
    plugs.put(DeviceAdded(CARDS))
    until(lambda: any(each.id == "usb-072f-1200-SN77" for each in readers.status()))
    line = readers.status()[0]
    readers.close()
    assert (line.id, line.state, line.why) == (
        "usb-072f-1200-SN77", "waiting", "It is not there. A reader. Wait.",
    )  # fmt: skip
