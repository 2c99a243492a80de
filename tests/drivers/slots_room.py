"""A pcscd in this process whose devices have several slots, a card in each, and the /sys that shows where they are."""

from pathlib import Path

from drivers.cards import NoReader, ServiceGone, State
from tests.drivers.hands import Pcscd

CONTACT = bytes.fromhex("3BFA1800008131FE45")  # a contact card; a contactless one would begin 3B 8n 80 01
CONTACTLESS = bytes.fromhex("3B8F8001804F0CA000000306030001000000006A")
GOOD = b"\x90\x00"
NO_NUMBER = b"\x6d\x00"


class Slots:
    """Every slot of every device is a `Pcscd` of its own; `service` makes one more connection to all of them."""

    def __init__(self, sys_usb: Path) -> None:
        self._sys_usb = sys_usb
        self.slots: dict[str, Pcscd] = {}
        self.running = True
        self.open = 0  # connections that were made and not closed

    def plug(
        self, place: str, address: tuple[int, int], *names: str, product: str = "Reader", ids: str = "072f:2224"
    ) -> Path:
        """A device with these slots; the folder of its first interface."""
        folder = self._sys_usb / place
        (folder / f"{place}:1.0").mkdir(parents=True, exist_ok=True)
        vendor, _, number = ids.partition(":")
        said = {"busnum": address[0], "devnum": address[1], "idVendor": vendor, "idProduct": number, "product": product}
        for name, value in said.items():
            (folder / name).write_text(f"{value}\n")
        self.add(address, *names)
        return folder / f"{place}:1.0"

    def add(self, address: tuple[int, int] | None, *names: str) -> None:
        """pcscd finds these slots."""
        for name in names:
            self.slots[name] = Pcscd(name)
            if address is not None:
                self.slots[name].places[name] = address

    def pull(self, *names: str) -> None:
        """The device is pulled out."""
        for name in names:
            self.slots.pop(name).set(names=[])

    def put(self, name: str, response: bytes, atr: bytes = CONTACTLESS) -> None:
        """A card into this slot; back when it was asked for its number."""
        self.slots[name].atr = atr
        self.slots[name].put(response)

    def lay(self, name: str, response: bytes, atr: bytes) -> None:
        """A card that is in this slot before anybody asks."""
        slot = self.slots[name]
        slot.atr, slot.response, slot._card, slot._turn = atr, response, True, 1

    def service(self) -> "Connection":
        """One more connection."""
        return Connection(self)


class Connection:
    """What `drivers.cards.Service` says, handed to the slot that is meant."""

    def __init__(self, all_of_them: Slots) -> None:
        self._all, self._waits, self._connected = all_of_them, "", False

    def connect(self) -> None:
        self.close()
        if not self._all.running:
            raise ServiceGone
        self._connected = True
        self._all.open += 1

    def readers(self) -> list[str]:
        return sorted(self._all.slots)

    def usb(self, reader: str) -> tuple[int, int] | None:
        slot = self._all.slots.get(reader)
        return None if slot is None else slot.usb(reader)

    def change(self, reader: str, known: State | None, timeout_s: float) -> State:
        self._waits = reader
        return self._slot(reader).change(reader, known, timeout_s)

    def card(self, reader: str) -> Pcscd:
        return self._slot(reader).card(reader)

    def control(self, reader: str, command: bytes) -> bytes:
        return self._slot(reader).control(reader, command)

    def cancel(self) -> None:
        slot = self._all.slots.get(self._waits)
        if slot is not None:
            slot.cancel()

    def close(self) -> None:
        self._all.open -= self._connected
        self._connected = False

    def _slot(self, reader: str) -> Pcscd:
        if reader not in self._all.slots:
            raise NoReader
        return self._all.slots[reader]
