"""Hotplug: opens, listens to or ignores each connected device, and enters all of them in the registry.

`drivers.decode.detect.device_policy` decides; this module applies its verdict at startup and at each udev event.
"""

import itertools
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing

from drivers import hotplug
from drivers.decode.detect.device_info import DeviceInfo, id_at_place, reader_id
from drivers.decode.detect.device_policy import DevicePolicy, evidence, verdict
from station.config import ReaderConfig
from station.readers.reader_thread import FIRST_PAUSE_S, LONGEST_PAUSE_S, ReaderSpec, settings_of
from station.readers.registry import ReaderRegistry, ReaderStatus

PLUGGED = frozenset({"keyboard", "serial_line", "serial_rfid", "hidpos", "pcsc"})
"""The kinds of reader that are found by being plugged in."""
HOTPLUG = "hotplug"
CLOSE_S = 2.0  # an opening that hangs in udev must not keep the station from ending
MOST_PLUGGED = 24
"""Devices that are read or listened to at once: each has a thread or two, and the service may have 64."""
TOO_MANY = f"{MOST_PLUGGED} devices are read or listened to already."
UNPLUG = "Unplug what is not needed, then plug this one in again."


class HotplugManager:
    """Watches what is plugged in. `how`: what readers were taught, as `verdict` wants it; `begin` starts a reader.

    `changed` is called after each change: a reader that waits may find its device now.
    """

    def __init__(
        self,
        rows: Sequence[ReaderConfig],
        roll: ReaderRegistry,
        how: Callable[[], Mapping[str, str]],
        begin: Callable[[ReaderSpec], None],
        changed: Callable[[], None],
    ) -> None:
        self._rows, self._roll, self._how, self._begin, self._changed = rows, roll, how, begin, changed
        self._judged = [{"kind": row.kind, "path": row.path, "match": row.match} for row in rows]
        self._there: dict[
            str, DeviceInfo
        ] = {}  # as the watch keeps it: the next one tells what went while nobody looked
        self._plugged: dict[str, ReaderSpec] = {}
        self._count = itertools.count(1)  # each plug has a name of its own: the one before may still have a word to say
        self._stopping = threading.Event()
        self._close: Callable[[], None] | None = None
        self._thread = threading.Thread(target=self._watch, name=HOTPLUG, daemon=True)

    def start(self) -> None:
        """Begin; returns at once."""
        self._thread.start()

    def close(self) -> None:
        """End, and wait up to `CLOSE_S` until the watch has ended.

        `_stopping` is set first: a watch that is still being opened then closes itself, and `_close` is only needed for
        one that waits already.
        """
        self._stopping.set()
        if self._close is not None:
            self._close()
        if self._thread.is_alive():
            self._thread.join(CLOSE_S)

    def _watch(self) -> None:
        pause_s = FIRST_PAUSE_S
        while not self._stopping.is_set():
            try:
                # Closed at once where it fails: it must not go on filling its socket.
                with closing(hotplug.Hotplug(self._there)) as watching:
                    self._close = watching.close
                    if self._stopping.is_set():
                        watching.close()
                    for change in watching.watch():
                        self._roll.remove(HOTPLUG)
                        (self._added if isinstance(change, hotplug.DeviceAdded) else self._removed)(change.facts)
                        self._changed()
                        pause_s = FIRST_PAUSE_S  # it works again: what is plugged in next is not to wait for old faults
            except Exception as error:  # noqa: BLE001 - without hotplug the other readers still read
                self._roll.note(HOTPLUG, ReaderStatus(HOTPLUG, HOTPLUG, "waiting", str(error)))
            self._stopping.wait(pause_s)
            pause_s = min(pause_s * 2, LONGEST_PAUSE_S)

    def _removed(self, facts: DeviceInfo) -> None:
        wanted = self._plugged.pop(facts.node, None)
        if wanted is None:
            self._roll.remove(facts.node)
        else:
            wanted.gone.set()  # its thread says that it is lost, or strikes it where it was never read

    def _is_read_through(self, facts: DeviceInfo) -> bool:
        """Whether another interface of this USB device stands for all slots of its card reader."""
        device = facts.node.rpartition("/")[0]
        return any(node.rpartition("/")[0] == device for node in self._plugged)

    def _added(self, facts: DeviceInfo) -> None:
        if facts.node in self._plugged:
            return
        judged = verdict(facts, self._judged, self._how())
        row = self._rows[judged.row] if judged.row is not None else None
        if facts.subsystem == "usb" and (self._is_read_through(facts) or _asks_pcscd(row)):
            return  # with another interface of the same device, or by its row
        if (judged.take or judged.listen) and len(self._plugged) >= MOST_PLUGGED:
            judged, row = DevicePolicy(False, judged.kind, TOO_MANY, mend=UNPLUG), None
        if judged.take or judged.listen:
            # The ids too: by the time of a retry the node's name may have gone to somebody's keyboard.
            settings = settings_of(row) | {"path": facts.node, "match": facts.ids}
            if facts.subsystem == "usb":  # pcscd's names do not have the ids
                settings["match"] = None
            settings["listen"] = "yes" if judged.listen else None
            wanted = ReaderSpec(
                f"{facts.node}.{next(self._count)}",
                judged.kind,
                settings,
                row,
                judged.listen,
                (judged.why, *evidence(facts)),
                judged.mend,
                (reader_id(facts), id_at_place(facts)),
            )
            self._begin(wanted)
            self._plugged[facts.node] = wanted  # only now: where it could not be begun, the next look does
        elif row is None:  # a reader of the configuration says itself how it is
            name = reader_id(facts)
            ignored = ReaderStatus(judged.kind, name, "ignored", judged.why, evidence=evidence(facts), mend=judged.mend)
            self._roll.note(facts.node, ignored)


def _asks_pcscd(row: ReaderConfig | None) -> bool:
    """Whether a card reader is opened by its row, under pcscd's name for it."""
    return row is not None and bool(row.path or row.match)
