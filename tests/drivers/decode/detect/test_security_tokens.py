"""A security token, listed as a card reader whose card is always present, is ignored, with the reason."""

from dataclasses import replace

import pytest

from drivers import DriverError, hotplug
from drivers.decode.detect.device_info import DeviceInfo
from drivers.decode.detect.device_policy import DevicePolicy, verdict
from drivers.decode.detect.security_tokens import ICCD, token_sign
from tests.drivers.fixtures.pcsc_slot_devices import CONTACT, NO_NUMBER, Slots

YUBIKEY = DeviceInfo(
    "/sys/devices/usb1/1-2/1-2:1.2", "YubiKey OTP+FIDO+CCID", 3, 0x1050, 0x0407, "", "usb-1-2-if02", False, False,
    subsystem="usb",
)  # fmt: skip
NAME = "Yubico YubiKey OTP+FIDO+CCID 00 00"


def called(name, vendor=0x1234):
    return token_sign(replace(YUBIKEY, name=name, vendor=vendor))


def test_a_token_is_left_alone_and_may_be_named():
    assert verdict(YUBIKEY) == DevicePolicy(
        False,
        "pcsc",
        "It is a security token, whose card is built in and never laid on or taken away: "
        "its maker makes security tokens: 1050, Yubico.",
        mend='Is it a card reader? Name it: [[reader]] with kind = "pcsc" and match = "1050:0407".',
    )
    assert not verdict(YUBIKEY, [{"kind": "pcsc"}]).take
    named = verdict(YUBIKEY, [{"kind": "pcsc", "match": "1050:0407"}])
    assert (named.take, named.row) == (True, 0)


@pytest.mark.parametrize(
    "name", ["Nitrokey Start", "Rutoken lite", "ePass2003", "USB Token", "Gemalto USB Shell Token V2", "CryptoMate64"]
)
def test_what_calls_itself_a_token_is_one(name):
    assert called(name).startswith("its name says so: ")


@pytest.mark.parametrize(
    ("name", "vendor"),
    [
        ("ACR122U PICC Interface", 0x072F),
        ("OMNIKEY 5427 CK", 0x076B),
        ("ePassport Reader", 0x0DB5),
        ("Rutoken SCR 3001 Reader", 0x0A89),
        ("MFA NFC Reader", 0x349E),
        ("Smart Card Reader USB", 0x076B),
        ("KB SCR2", 0x0BF8),
    ],
)
def test_a_reader_is_no_token_though_its_maker_makes_some(name, vendor):
    assert called(name, vendor) is None


def test_a_device_that_is_the_card_itself_is_recognised_by_its_protocol(tmp_path):
    device = tmp_path / "sys" / "1-1"
    for number, protocol in enumerate(("00", "01", "02")):
        interface = device / f"1-1:1.{number}"
        interface.mkdir(parents=True)
        (interface / "bInterfaceClass").write_text("0b\n")
        (interface / "bInterfaceProtocol").write_text(f"{protocol}\n")
    for name, said in (("idVendor", "1059"), ("idProduct", "000c"), ("product", "Star Sign"), ("serial", "")):
        (device / name).write_text(f"{said}\n")
    devices = [hotplug.smart_card_reader_of(f"/1-1/1-1:1.{number}", tmp_path) for number in range(3)]
    assert [device.hints for device in devices] == [(), (ICCD,), (ICCD,)]
    assert [verdict(device).take for device in devices] == [True, False, False]


def test_a_token_is_not_opened_as_any_card_reader_and_by_name_yields_nothing(tmp_path, listen):
    pcscd = Slots(tmp_path)
    pcscd.plug("1-2", (1, 5), NAME, product="YubiKey OTP+FIDO+CCID", ids="1050:0407")
    pcscd.lay(NAME, NO_NUMBER, CONTACT)
    with pytest.raises(DriverError, match="No smart card reader is plugged in"):
        pcscd.open()
    outcomes = listen(pcscd.open(match="1050:0407"))
    assert outcomes.nothing(for_s=0.3)
    assert pcscd.slots[NAME].asked == 1
    outcomes.end()
    assert pcscd.connections == 0
