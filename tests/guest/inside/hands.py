"""Runs inside the guest: the hands at the bench. They plug scanners in, trigger them, pull them out, and look.

Serves JSON lines from the host on the virtio port `wipline.hands`. ``{"id", "who", "do", ...}`` is answered with ``{"id",
"at_ns"}`` or ``{"id", "error"}``; what belongs to one device is done one after another, different devices at the same time:

    add     kind "keyboard" or "serial" (gadgets: ids, maker, product, serial, port) or "hidpos" (uhid: ids, product,
            serial, descriptor); put together, and plugged in
    plug    into the socket where it was
    send    units (hex: a report, or bytes of a serial line), pause_ms after each; pull: pulled out in the middle of them
    look    at the clock

And says by itself, as it comes: {"udev", "ids", "serial"} when udev has finished with a device, {"answer"} for each line of
the station's answers, {"reader", "state"} when status.json has another state for one, {"report"} for what a uhid device is
sent. `at_ns` is CLOCK_MONOTONIC, as in systemd's journal.
"""

import json
import os
import queue
import struct
import sys
import threading
import time
import tty
from pathlib import Path
from typing import Any

import pyudev

sys.path.insert(0, str(Path(__file__).parent))
import gadget

PORT = "/dev/virtio-ports/wipline.hands"
ANSWERS, STATUS = Path("/var/lib/wipline/answers"), Path("/run/wipline/status.json")
LOOK_S, BUSY_S, PULL_AFTER_S = 0.02, 0.001, 0.15
NICER = -10  # a scanner waits for nobody: it is a device of its own
SUBSYSTEMS = ("input", "tty", "hidraw", "usb")
# linux/uhid.h
DESTROY, OUTPUT, GET_REPORT, GET_REPORT_REPLY, CREATE2, INPUT2, SET_REPORT, SET_REPORT_REPLY = (
    1,
    6,
    9,
    10,
    11,
    12,
    13,
    14,
)
UHID_EVENT_BYTES, BUS_USB, EIO = 4380, 3, 5


class Voice:
    """The way to the host; any thread speaks."""

    def __init__(self) -> None:
        self.port = open(PORT, "r+b", buffering=0)  # noqa: PTH123, SIM115 - open for ever
        self._lock = threading.Lock()

    def say(self, **fact: Any) -> None:
        """One object, whole; when it was said goes with it."""
        line = json.dumps({"at_ns": time.monotonic_ns(), **fact}).encode() + b"\n"
        with self._lock:
            while line:
                line = line[self.port.write(line) or 0 :]


class Gadget:
    """A scanner made of the kernel's gadget framework, with a USB port of its own."""

    def __init__(self, name: str, port: str, how: dict[str, str]) -> None:
        self.name, self.port = name, port
        self.serial = how["kind"] == "serial"
        gadget.put_together(
            name, how["ids"], how["maker"], how["product"], how["serial"], "acm" if self.serial else "hid"
        )

    def plug(self) -> None:
        (gadget.GADGETS / self.name / "UDC").write_text(self.port)

    def send(self, units: list[bytes], pause_s: float, *, pull: bool) -> None:
        device = os.open(self._node(), os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        out = threading.Event()
        try:
            if self.serial:
                tty.setraw(device)
            if pull:
                threading.Thread(target=self._pull_soon, args=(out,)).start()
            for unit in units:
                self._put(device, unit, out)
                if out.wait(pause_s):
                    break
        except OSError:
            if not pull:  # else it is just being pulled out
                raise
        finally:
            if pull:
                out.wait()
            os.close(device)  # what a serial line has not sent is gone with it

    def _put(self, device: int, unit: bytes, out: threading.Event) -> None:
        """Hand it to the port; a port that is not plugged in would take it for later."""
        while not out.is_set():
            try:
                os.write(device, unit)
            except BlockingIOError:
                time.sleep(BUSY_S)
            else:
                return

    def _pull_soon(self, out: threading.Event) -> None:
        """Pull it out while it sends: between its last byte and its end there is no silence."""
        time.sleep(PULL_AFTER_S)
        gadget.unplug(self.name)
        out.set()

    def _node(self) -> str:
        if self.serial:
            return (
                "/dev/ttyGS" + (gadget.GADGETS / self.name / f"functions/acm.{self.name}/port_num").read_text().strip()
            )
        return "/dev/char/" + (gadget.GADGETS / self.name / f"functions/hid.{self.name}/dev").read_text().strip()


class Uhid:
    """A HID device of the kernel's uhid: it has a report descriptor and no USB parent."""

    def __init__(self, name: str, how: dict[str, str], voice: Voice) -> None:
        self.name, self.how, self._voice = name, how, voice
        self._device = -1

    def plug(self) -> None:
        how, descriptor = self.how, bytes.fromhex(self.how["descriptor"])
        vendor, _, product = how["ids"].partition(":")
        self._device = os.open("/dev/uhid", os.O_RDWR | os.O_CLOEXEC)
        words = (how["product"].encode(), f"usb-bench-{self.name}/input0".encode(), how["serial"].encode())
        numbers = (len(descriptor), BUS_USB, int(vendor, 16), int(product, 16), 0x0100, 0)
        self._write(struct.pack("<I128s64s64sHHIIII4096s", CREATE2, *words, *numbers, descriptor))
        threading.Thread(target=self._listen, args=(self._device,), daemon=True).start()

    def send(self, units: list[bytes], pause_s: float, *, pull: bool) -> None:
        for unit in units:
            self._write(struct.pack("<IH4096s", INPUT2, len(unit), unit))
            time.sleep(pause_s)
        if pull:
            self._write(struct.pack("<I", DESTROY))
            device, self._device = self._device, -1
            os.close(device)

    def _write(self, event: bytes) -> None:
        os.write(self._device, event.ljust(UHID_EVENT_BYTES, b"\0"))

    def _listen(self, device: int) -> None:
        """What the kernel asks for and sends; the beeps are among it."""
        while device == self._device:
            try:
                event = os.read(device, UHID_EVENT_BYTES)
            except OSError:
                return
            kind, number = struct.unpack_from("<II", event)
            if kind == GET_REPORT:
                self._write(struct.pack("<IIHH", GET_REPORT_REPLY, number, EIO, 0))
            elif kind == SET_REPORT:
                self._write(struct.pack("<IIH", SET_REPORT_REPLY, number, 0))
            elif kind == OUTPUT:
                (size,) = struct.unpack_from("<H", event, 4 + 4096)
                self._voice.say(who=self.name, report=event[4 : 4 + size].hex())


class Hands:
    """All devices, a thread each."""

    def __init__(self, voice: Voice) -> None:
        self._voice = voice
        self._devices: dict[str, Gadget | Uhid] = {}
        self._orders: dict[str, queue.Queue[dict[str, Any]]] = {}

    def take(self, order: dict[str, Any]) -> None:
        """Have it done by the thread of its device."""
        who = order["who"]
        if who not in self._orders:
            self._orders[who] = queue.Queue()
            threading.Thread(target=self._work, args=(self._orders[who],), daemon=True).start()
        self._orders[who].put(order)

    def _work(self, orders: "queue.Queue[dict[str, Any]]") -> None:
        while True:
            order = orders.get()
            at_ns = time.monotonic_ns()
            try:
                self._do(order)
            except Exception as error:  # noqa: BLE001 - the host fails the test with it
                self._voice.say(id=order["id"], error=f"{order['who']}: {error!r}")
            else:
                self._voice.say(id=order["id"], at_ns=at_ns)

    def _do(self, order: dict[str, Any]) -> None:
        who, how = order["who"], order.get("how", {})
        if order["do"] == "look":
            return
        if order["do"] == "add":
            uhid = how["kind"] == "hidpos"
            self._devices[who] = Uhid(who, how, self._voice) if uhid else Gadget(who, order["port"], how)
        device = self._devices[who]
        if order["do"] == "send":
            units = [bytes.fromhex(unit) for unit in order["units"]]
            device.send(units, order["pause_ms"] / 1000, pull=order["pull"])
        else:
            device.plug()


def watch_udev(voice: Voice) -> None:
    """Say when udev's rules have run for a device."""
    monitor = pyudev.Monitor.from_netlink(pyudev.Context())
    for subsystem in SUBSYSTEMS:
        monitor.filter_by(subsystem)
    for device in iter(monitor.poll, None):
        if device.action != "add" or (device.subsystem == "usb" and device.device_type != "usb_interface"):
            continue
        at_ns = time.monotonic_ns()
        name, serial = known_by(device)
        if name:
            voice.say(udev=f"{device.subsystem} {device.sys_name}", ids=name, serial=serial, at_ns=at_ns)


def known_by(device: Any) -> tuple[str, str]:
    """Vendor, product and serial number of the device that this is a part of."""
    for each in (device, *device.ancestors):
        said = Path(each.sys_path)
        if (said / "idVendor").exists():
            serial = said / "serial"
            ids = f"{(said / 'idVendor').read_text().strip()}:{(said / 'idProduct').read_text().strip()}"
            return ids, serial.read_text().strip() if serial.exists() else ""
        named = each.properties
        if "HID_ID" in named and "/usb" not in each.device_path:
            _, vendor, product = named["HID_ID"].split(":")
            return f"{vendor[-4:]}:{product[-4:]}".lower(), named.get("HID_UNIQ", "")
    return "", ""


def watch_station(voice: Voice) -> None:
    """Say what the station answers, and how its readers are."""
    answered, seen, states = 0, 0, {}
    while True:
        time.sleep(LOOK_S)
        if ANSWERS.exists() and ANSWERS.stat().st_size > answered:
            with ANSWERS.open("rb") as answers:
                answers.seek(answered)
                for line in answers.read().splitlines(keepends=True):
                    if line.endswith(b"\n"):
                        answered += len(line)
                        voice.say(answer=json.loads(line))
        if STATUS.exists() and (stamp := STATUS.stat().st_mtime_ns) != seen:
            seen = stamp
            now = {each["id"]: each["state"] for each in json.loads(STATUS.read_bytes())["readers"]}
            for reader, state in now.items():
                if states.get(reader) != state:
                    voice.say(reader=reader, state=state)
            for reader in states.keys() - now.keys():
                voice.say(reader=reader, state="")
            states = now


def serve() -> None:
    """Take the host's orders for ever."""
    os.nice(NICER)
    voice = Voice()
    hands = Hands(voice)
    for watch in (watch_udev, watch_station):
        threading.Thread(target=watch, args=(voice,), daemon=True).start()
    voice.say(ready=True)
    waiting = b""
    while True:
        piece = voice.port.read(65536)
        if not piece:
            time.sleep(LOOK_S)
            continue
        *lines, waiting = (waiting + piece).split(b"\n")
        for line in lines:
            hands.take(json.loads(line))


if __name__ == "__main__":
    serve()
