"""Hotplug: open, listen to or ignore each connected device, and enter all of them in the registry.

`drivers.decode.detect.device_policy` decides; this module applies its verdict at startup and at each udev event.
"""

import itertools
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing

from drivers.decode.detect.device_info import DeviceInfo, id_at_place, reader_id
from drivers.decode.detect.device_policy import DevicePolicy, evidence, verdict
from drivers.hotplug import DeviceAdded
from station.config import ReaderConfig
from station.readers.device_access import THIS_MACHINE, DeviceAccess
from station.readers.reader_thread import ReaderSpec, settings_of
from station.readers.registry import ReaderRegistry
from station.status import ReaderStatus

PLUGGED = frozenset({"keyboard", "serial_line", "serial_rfid", "hidpos", "pcsc"})
"""The kinds of reader that hotplug finds."""
HOTPLUG = "hotplug"
CLOSE_S = 2.0  # the station ends even if the monitor's opening hangs in udev
MOST_PLUGGED = 24
"""Devices that are open at one time: each needs one or two threads, and the service's limit is 64."""
TOO_MANY = f"{MOST_PLUGGED} devices are read or listened to already."
UNPLUG = "Unplug what is not needed, then plug this one in again."


class HotplugManager:
    """Monitors the connected devices.

    `profiles` returns the stored entries as `verdict` takes them, by reader id. `start_reader` starts a reader. `changed` is
    called after each event, so that a reader that waits for its device tries again.
    """

    def __init__(
        self,
        rows: Sequence[ReaderConfig],
        registry: ReaderRegistry,
        profiles: Callable[[], Mapping[str, str]],
        start_reader: Callable[[ReaderSpec], None],
        changed: Callable[[], None],
        devices: DeviceAccess = THIS_MACHINE,
    ) -> None:
        self._devices = devices
        self._rows, self._registry, self._profiles = rows, registry, profiles
        self._start_reader, self._changed = start_reader, changed
        self._policy_rows = [{"kind": row.kind, "path": row.path, "match": row.match} for row in rows]
        # Kept across monitors: the next one compares it with what is connected and reports the removals between the two.
        self._connected: dict[str, DeviceInfo] = {}
        self._plugged: dict[str, ReaderSpec] = {}
        self._count = itertools.count(
            1
        )  # for the reader's name: the thread of the plug before may still report its end
        self._stopping = threading.Event()
        self._close: Callable[[], None] | None = None
        self._thread = threading.Thread(target=self._watch, name=HOTPLUG, daemon=True)

    def start(self) -> None:
        """Start the monitor; returns at once."""
        self._thread.start()

    def close(self) -> None:
        """Stop the monitor, and wait up to `CLOSE_S` for its thread.

        `_stopping` is set first: a monitor that is still being opened then closes itself. `_close` is for one that is open.
        """
        self._stopping.set()
        if self._close is not None:
            self._close()
        if self._thread.is_alive():
            self._thread.join(CLOSE_S)

    def _watch(self) -> None:
        pauses = self._devices.pauses
        pause_s = pauses.first_s
        while not self._stopping.is_set():
            try:
                # Closed at once after an error, because udev continues to fill the socket of an open monitor.
                with closing(self._devices.open_monitor(self._connected)) as monitor:
                    self._close = monitor.close
                    if self._stopping.is_set():
                        monitor.close()
                    for change in monitor.watch():
                        self._registry.remove(HOTPLUG)
                        (self._added if isinstance(change, DeviceAdded) else self._removed)(change.info)
                        self._changed()
                        pause_s = pauses.first_s  # the monitor works again
            except Exception as error:  # noqa: BLE001 - the readers that are open do not need hotplug
                self._registry.update(HOTPLUG, ReaderStatus(HOTPLUG, HOTPLUG, "waiting", str(error)))
            self._stopping.wait(pause_s)
            pause_s = min(pause_s * 2, pauses.longest_s)

    def _removed(self, info: DeviceInfo) -> None:
        spec = self._plugged.pop(info.node, None)
        if spec is None:
            self._registry.remove(info.node)
        else:
            spec.gone.set()  # its thread then reports the loss, or removes the line of a device that was never read

    def _is_read_through(self, info: DeviceInfo) -> bool:
        """Whether all slots of this card reader are already read through another interface of the USB device."""
        device = info.node.rpartition("/")[0]
        return any(node.rpartition("/")[0] == device for node in self._plugged)

    def _added(self, info: DeviceInfo) -> None:
        if info.node in self._plugged:
            return
        policy = verdict(info, self._policy_rows, self._profiles())
        row = self._rows[policy.row] if policy.row is not None else None
        if info.subsystem == "usb" and (self._is_read_through(info) or _is_named_to_pcscd(row)):
            return  # read through another interface of the same device, or opened by its row
        if (policy.take or policy.listen) and len(self._plugged) >= MOST_PLUGGED:
            policy, row = DevicePolicy(False, policy.kind, TOO_MANY, mend=UNPLUG), None
        if policy.take or policy.listen:
            # With the ids: before a retry, the kernel may assign the node's name to a person's keyboard.
            settings = settings_of(row) | {"path": info.node, "match": info.ids}
            if info.subsystem == "usb":  # pcscd's reader names do not contain the ids
                settings["match"] = None
            settings["listen"] = "yes" if policy.listen else None
            spec = ReaderSpec(
                f"{info.node}.{next(self._count)}",
                policy.kind,
                settings,
                row,
                policy.listen,
                (policy.why, *evidence(info)),
                policy.mend,
                (reader_id(info), id_at_place(info)),
            )
            self._start_reader(spec)
            self._plugged[info.node] = spec  # only after the start: if that fails, the next monitor reports it again
        elif row is None:  # a configured reader has a line of its own
            name = reader_id(info)
            ignored = ReaderStatus(policy.kind, name, "ignored", policy.why, evidence=evidence(info), mend=policy.mend)
            self._registry.update(info.node, ignored)


def _is_named_to_pcscd(row: ReaderConfig | None) -> bool:
    """Whether a card reader is opened by its row, under pcscd's name for it."""
    return row is not None and bool(row.path or row.match)
