"""The real pcscd with a virtual reader: cards come and go, and the daemon is killed and started again."""

import os
import shutil
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from missing import not_here

from drivers import DeviceLost, DriverError, Dropped, open_driver, pcsc
from drivers.decode import acr122
from tests.drivers.nfc_cards import CLASSIC_ATR, ULTRALIGHT_ATR, Type2, Type4, text_message

pytestmark = [pytest.mark.host, pytest.mark.xdist_group("pcscd")]
CONFIGURED = Path("/etc/reader.conf.d/vpcd")
THERE_S = 60.0  # on a busy machine pcscd takes its time
LOOK_S = 0.05


def wait_until(true, otherwise):
    """Wait until this is true."""
    until = time.monotonic() + THERE_S
    while not true():
        assert time.monotonic() < until, otherwise
        time.sleep(LOOK_S)


class Card(threading.Thread):
    """A card on the virtual reader; to connect is to put it on. A message is its length in two bytes, and itself."""

    def __init__(
        self,
        port: int,
        response: bytes,
        *,
        atr: bytes = CLASSIC_ATR,
        answer: Callable[[bytes], bytes | None] | None = None,
    ) -> None:
        super().__init__(daemon=True)
        self._response, self._atr, self._answer = response, atr, answer
        self.heard: list[bytes] = []
        self._reader = self._slot(port)
        self._reader.settimeout(None)
        self.start()

    @staticmethod
    def _slot(port: int) -> socket.socket:
        """The virtual slot, as soon as pcscd has loaded it."""
        until = time.monotonic() + THERE_S
        while True:
            try:
                return socket.create_connection(("127.0.0.1", port), timeout=5)
            except ConnectionRefusedError:
                assert time.monotonic() < until, f"pcscd has no slot at {port}"
                time.sleep(LOOK_S)

    def run(self) -> None:
        """Answer to resets and commands until it is taken away."""
        with suppress(OSError), self._reader.makefile("rb") as stream:
            while len(head := stream.read(2)) == 2:
                message = stream.read(struct.unpack(">H", head)[0])
                if message == b"\x04":
                    self._send(self._atr)
                elif message == bytes.fromhex("FFCA000000"):
                    self._send(self._response)
                elif len(message) > 1:
                    self.heard.append(message)
                    answer = b"\x6a\x81" if self._answer is None else self._answer(message)
                    if answer is None:
                        self.take()
                        return
                    self._send(answer)

    def _send(self, data: bytes) -> None:
        self._reader.sendall(struct.pack(">H", len(data)) + data)

    def take(self) -> None:
        """Take it away."""
        with suppress(OSError):
            self._reader.shutdown(socket.SHUT_RDWR)
        self._reader.close()


class Daemon:
    """pcscd with a /run of its own, so that one that runs on this machine is left alone."""

    def __init__(self, link: Path, folder: Path, name: str = "Virtual PCD") -> None:
        self._link, self._name = link, name
        self._config = folder / "vpcd"

    def start(self) -> None:
        """Start it and wait until it can be spoken to."""
        # A port of its own each time: the kernel keeps one back for a minute after a daemon was killed.
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port: int = free.getsockname()[1]
        here = [line for line in CONFIGURED.read_text().splitlines() if line.startswith("LIBPATH")]
        lines = [
            f'FRIENDLYNAME "{self._name}"',
            *here,
            f"DEVICENAME /dev/null:0x{self.port:X}",
            f"CHANNELID 0x{self.port:X}",
        ]
        self._config.write_text("\n".join(lines) + "\n")
        apart = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--map-root-user", "--mount"]
        script = 'mount -t tmpfs none /run && mkdir /run/pcscd && exec /usr/sbin/pcscd --foreground --config "$1"'
        self._process = subprocess.Popen(
            [*apart, "sh", "-c", script, "sh", str(self._config.parent)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        there = Path(f"/proc/{self._process.pid}/root/run/pcscd/pcscd.comm")
        wait_until(lambda: there.exists() or self._process.poll() is not None, "pcscd made no socket")
        assert self._process.poll() is None, "pcscd ended"
        self._link.unlink(missing_ok=True)
        self._link.symlink_to(there)

    def kill(self) -> None:
        """End it as the kernel does when memory is short."""
        self._process.kill()
        self._process.wait(10)


@pytest.fixture
def daemon(tmp_path, monkeypatch, request):
    """A pcscd of our own with the virtual reader; its name may be told."""
    if not (CONFIGURED.exists() and shutil.which("pcscd", path="/usr/sbin") and shutil.which("unshare")):
        not_here("pcscd or its virtual reader is missing: sudo apt-get install pcscd vsmartcard-vpcd util-linux")
    link = Path(f"/tmp/wipline-pcscd-{os.getpid()}")  # noqa: S108 - a socket's path is short, a test's folder is not
    monkeypatch.setenv("PCSCLITE_CSOCK_NAME", str(link))
    (tmp_path / "reader.conf.d").mkdir()
    made = Daemon(link, tmp_path / "reader.conf.d", getattr(request, "param", "Virtual PCD"))
    made.start()
    yield made
    made.kill()
    link.unlink()


def opened_when_there(name):
    """The reader of this name, opened as soon as pcscd has found it."""
    until = time.monotonic() + THERE_S
    while True:
        try:
            return open_driver("pcsc", {"match": name})
        except DriverError:
            assert time.monotonic() < until, f"pcscd has found no {name}"
            time.sleep(LOOK_S)


@pytest.fixture
def reader(daemon):
    """The virtual reader."""
    return opened_when_there("00 00")


def test_cards_are_read_as_they_come_and_go(reader, daemon, listen):
    heard = listen(reader)
    for uid in ("04A1B2C3", "04112233445566"):
        card = Card(daemon.port, bytes.fromhex(uid) + b"\x90\x00")
        read = heard.read()
        assert (read.raw, read.kind, read.reader) == (uid.encode(), "pcsc", "pcsc-Virtual PCD 00 00")
        card.take()
        assert heard.gone.get(timeout=THERE_S).raw == read.raw
    heard.end()  # and nothing else was said


UID = bytes.fromhex("04112233445566")
CARDS = {
    "type 2": (Type2, ULTRALIGHT_ATR),
    "type 4": (Type4, bytes.fromhex("3B8180018080")),
}


@pytest.mark.parametrize("kind", CARDS)
@pytest.mark.parametrize("length", [7, 600])
def test_the_texts_of_a_card_come_with_its_number(reader, daemon, listen, monkeypatch, kind, length):
    monkeypatch.setattr(pcsc, "NDEF_S", 10)  # each answer of the virtual reader takes 40 ms of TCP's own
    made, atr = CARDS[kind]
    text = b"WO-1042" if length == 7 else b"x" * length
    heard = listen(reader)
    card = Card(daemon.port, UID + b"\x90\x00", atr=atr, answer=made(text_message(text)))
    read = heard.read()
    assert (read.raw, read.tag, read.texts) == (UID.hex().upper().encode(), True, (text,))
    writes = [command for command in card.heard if command[1] in (0xD0, 0xD6, 0xDA, 0xDB, 0xE0)]
    assert (writes, card.heard != []) == ([], True)
    card.take()
    assert heard.gone.get(timeout=THERE_S).raw == read.raw
    heard.end()


@pytest.mark.parametrize("kind", CARDS)
@pytest.mark.parametrize("commands", [1, 2, 4])
def test_a_card_that_is_pulled_while_its_texts_are_read_is_its_number(reader, daemon, listen, kind, commands):
    made, atr = CARDS[kind]
    whole = made(text_message(b"x" * 600))
    left = iter(range(commands))
    heard = listen(reader)
    Card(
        daemon.port,
        UID + b"\x90\x00",
        atr=atr,
        answer=lambda command: None if next(left, None) is None else whole(command),
    )
    read = heard.read()
    assert (read.raw, read.texts) == (UID.hex().upper().encode(), ())
    assert heard.gone.get(timeout=THERE_S).raw == read.raw
    card = Card(daemon.port, b"\x04\xff\xff\xff\x90\x00")
    assert heard.read().raw == b"04FFFFFF"  # the reader reads on
    card.take()
    heard.end()


@pytest.mark.parametrize("daemon", ["ACS ACR122U PICC Interface"], indirect=True)
def test_an_acr122_is_silenced_and_shows_the_answer_through_the_card(reader, daemon, listen):
    heard = listen(reader)
    lit = (acr122.BEEP_OFF, *acr122.TOLD.values())
    card = Card(daemon.port, UID + b"\x90\x00", answer=lambda command: b"\x90\x02" if command in lit else b"\x6a\x81")
    assert heard.read().raw == UID.hex().upper().encode()
    reader.tell("green")
    wait_until(lambda: acr122.TOLD["green"] in card.heard, card.heard)
    assert card.heard == [acr122.BEEP_OFF, acr122.TOLD["green"]]
    card.take()
    assert heard.gone.get(timeout=THERE_S).seen == 1  # the light was no other card
    reader.tell("red")  # no card, and this reader's driver passes nothing on: nothing happens
    wait_until(lambda: reader._told is None, "nobody took the answer")
    card = Card(daemon.port, b"\x04\xff\xff\xff\x90\x00")
    assert heard.read().raw == b"04FFFFFF"
    assert acr122.TOLD["red"] not in card.heard
    card.take()
    heard.end()


def test_a_random_number_is_refused(reader, daemon, listen):
    heard = listen(reader)
    card = Card(daemon.port, bytes.fromhex("08A1B2C39000"))
    dropped = heard.next()
    assert isinstance(dropped, Dropped)
    assert dropped.why == "The card shows a random number, another one each time (08A1B2C3)."
    card.take()
    heard.end()


def test_the_same_reader_reads_on_when_pcscd_was_killed_and_started_again(reader, daemon, listen, monkeypatch):
    monkeypatch.setattr(pcsc, "RESTART_S", THERE_S)
    heard = listen(reader)
    card = Card(daemon.port, bytes.fromhex("04A1B2C39000"))
    assert heard.read().raw == b"04A1B2C3"
    card.take()
    daemon.kill()
    daemon.start()
    card = Card(daemon.port, bytes.fromhex("04FFFFFF9000"))
    assert heard.read().raw == b"04FFFFFF"
    card.take()
    heard.end()


def test_a_pcscd_that_stays_away_loses_the_reader_and_a_new_one_is_opened_later(reader, daemon, listen, monkeypatch):
    monkeypatch.setattr(pcsc, "RESTART_S", 0.5)
    heard = listen(reader)
    daemon.kill()
    assert isinstance(heard.next(), DeviceLost)
    with pytest.raises(DriverError) as refused:
        open_driver("pcsc", {})
    assert refused.value.came == "The smart card service pcscd is not running here."
    daemon.start()


def test_a_reader_that_nobody_uses_costs_nothing_and_is_closed_at_once(reader, listen):
    heard = listen(reader)
    assert heard.nothing(for_s=2.5)  # what it costs is counted over a time
    before = time.monotonic()
    heard.end()
    assert time.monotonic() - before < pcsc.WAIT_S + 0.5
    assert heard.cpu_s < 0.05
