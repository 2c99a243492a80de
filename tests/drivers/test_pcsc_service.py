"""The smart card service pcscd: missing, restarted, or with several readers, of which one is chosen."""

import importlib
from types import SimpleNamespace

import pytest

from drivers import DeviceLost, DriverError, open_driver
from drivers.pcsc import open_reader
from drivers.platform.pcsc_adapter import PyscardService
from drivers.platform.pcsc_devices import lasting_name
from tests.drivers.fixtures.pcsc_names import ACR, GOOD, SOON


def test_a_card_that_stays_while_the_service_is_restarted_is_one_arrival(service, listen):
    outcomes = listen(open_reader(service, {}, timings=SOON))
    service.put(b"\x04\xa1\xb2\xc3" + GOOD)
    assert outcomes.read().raw == b"04A1B2C3"
    service.set(running=False)
    assert outcomes.nothing(for_s=0.1)
    service.set(running=True)
    assert outcomes.nothing(for_s=0.2)
    service.take()
    service.put(b"\x04\xff\xff\xff" + GOOD)
    assert outcomes.read().raw == b"04FFFFFF"
    outcomes.end()


def test_a_service_that_stays_away_is_a_lost_reader(service, listen):
    outcomes = listen(open_reader(service, {}, timings=SOON))
    service.set(running=False)
    lost = outcomes.next()
    assert isinstance(lost, DeviceLost)
    assert str(lost) == (
        "pcsc-ACS ACR122U PICC Interface is out of reach: the smart card service pcscd has ended. "
        "Cards are read while it is plugged in and pcscd runs. "
        "Plug it in again, or start pcscd: sudo systemctl start pcscd.socket; it is used again at once."
    )


def test_without_the_service_the_error_has_a_remedy(service):
    service.set(running=False)
    with pytest.raises(DriverError) as refused:
        open_reader(service, {})
    assert str(refused.value) == (
        "The smart card service pcscd is not running here. Readers of kind 'pcsc' are reached through it. "
        "Install and start it: sudo apt-get install pcscd, then sudo systemctl enable --now pcscd.socket"
    )


def test_a_match_picks_one_of_two_readers(service):
    service.set(names=[ACR, "OMNIKEY 5022 CL 01 00"])
    assert open_reader(service, {"match": "omnikey"}).reader == "pcsc-OMNIKEY 5022 CL"
    with pytest.raises(DriverError) as refused:
        open_reader(service, {"match": "elatec"})
    assert str(refused.value) == (
        "No smart card reader 'elatec' is plugged in. "
        "pcscd knows these: ACS ACR122U PICC Interface 00 00, OMNIKEY 5022 CL 01 00. "
        "Plug it in, or correct match; `pcsc_scan` shows what pcscd sees."
    )


def test_two_readers_of_one_make_keep_their_count():
    twins = [ACR, "ACS ACR122U PICC Interface 01 00"]
    assert [lasting_name(name, twins) for name in twins] == [f"pcsc-{name}" for name in twins]
    assert lasting_name("Reader", ["Reader"]) == "pcsc-Reader"


def test_pyscard_that_is_missing_is_named(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "smartcard", None)
    with pytest.raises(DriverError) as refused:
        open_driver("pcsc", {})
    assert refused.value.came == "The Python package 'pyscard' is not installed here."


def test_two_readers_alike_are_opened_one_after_the_other_and_none_twice(service):
    twin = "ACS ACR122U PICC Interface 01 00"
    service.set(names=[ACR, twin])
    first, second = open_reader(service, {}), open_reader(service, {})
    assert [first.reader, second.reader] == [f"pcsc-{ACR}", f"pcsc-{twin}"]
    with pytest.raises(DriverError, match="No other smart card reader is plugged in"):
        open_reader(service, {})
    second.close()
    again = open_reader(service, {"match": "picc"})
    assert again.reader == second.reader
    first.close()
    again.close()


def test_a_wait_that_ends_while_it_is_cancelled_ends_no_station():
    asked = []

    def cancel(context):
        if context is None:  # as pyscard does
            raise TypeError
        asked.append(context)

    class Api:
        SCARD_S_SUCCESS, SCARD_SCOPE_SYSTEM = 0, 2

        def SCardEstablishContext(self, _scope):  # noqa: N802 - a call of pyscard's
            return 0, 7

        def SCardReleaseContext(self, _context):  # noqa: N802
            return 0

        @property
        def SCardCancel(self):  # noqa: N802
            service.close()  # the reading thread disconnects at this moment
            return cancel

    service = PyscardService(Api())
    service.connect()
    service.cancel()
    assert asked == [7]
    service.cancel()
    assert asked == [7]


def test_a_service_that_denies_access_is_distinguished_from_a_missing_one():
    real = importlib.import_module("smartcard.scard")
    establish = lambda _scope: (real.SCARD_W_SECURITY_VIOLATION, None)  # noqa: E731 - a call of pyscard's
    refusing = PyscardService(SimpleNamespace(**vars(real) | {"SCardEstablishContext": establish}))
    with pytest.raises(DriverError) as refused:
        open_reader(refusing, {})
    assert str(refused.value) == (
        "The smart card service pcscd lets this user not in. "
        "Debian 13's asks polkit, where a rule lets in the user that the station runs as. "
        "Install the rule config/polkit/50-wipline-pcscd.rules in /etc/polkit-1/rules.d, then restart pcscd."
    )
