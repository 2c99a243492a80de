"""A simulated station: the production recording thread, journal and link on one machine, driven without threads.

What is simulated is the machine under them: its clocks, its card (files in a folder of their own, cut in mid-write on
request), its power and its wire. The loops of the two threads are replaced by calls: a scan is handed to
`ScanPipeline.process_read`, and `SyncThread.turn` is called when it is due.
"""

import random
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from drivers import Read
from station.config import HubConfig, StationConfig
from station.feedback.messages import Answer, Green, Look
from station.journal import Journal, JournalError, JournalFull, JournalLost, Receipt
from station.journal.disk_space import DiskLevel
from station.journal.wal import wal_of
from station.rules.snapshot import read_shop, rule_context
from station.scan.bench_state import BenchSettings
from station.scan.event_builder import EventBuilder
from station.scan.pipeline import ScanPipeline
from station.scan.restart_state import read_restart_state
from station.scan.work_queue import Chore, WorkQueue
from station.shop_state import ShopState
from station.status import HubStatus, StationStatus
from station.sync.master_data_sync import MasterDataTarget
from station.sync.state_machine import Pause
from station.sync.sync_thread import SyncHost, SyncThread
from tests.simulation.network import SimWire, Weather
from tests.simulation.world import MachineClock, PowerCut, World

SECTOR = 512


class InlineWorkQueue(WorkQueue[Any]):
    """A work queue that executes each chore at once: there is no other thread that could wait for it."""

    do: Callable[[], None]
    died: BaseException | None = None

    def submit(self, work: Callable[[], Any]) -> Chore[Any]:
        chore = super().submit(work)
        self.next_work(0)
        try:
            self.do()
        except JournalLost as error:  # the recording thread ends, and what asked it is refused
            self.died = error
            self.refuse_rest()
            msg = "The station is stopping."
            raise InterruptedError(msg) from error
        return chore


class CardJournal(Journal):
    """The production journal on a card whose power can be cut in the middle of a write, and that can be full."""

    cut_next: str | None = None  # "commit", "committed" or "tidy": where the power goes
    chance: random.Random
    full = False
    pruned: Callable[[int, int], None]

    def disk_level(self) -> DiskLevel:
        return DiskLevel.FULL if self.full else super().disk_level()

    def has_room(self) -> bool:
        return not self.full and super().has_room()

    def commit(self, encoded: bytes) -> Receipt:
        if self.full:
            msg = "The simulated card is full. Not recorded."
            raise JournalFull(msg)
        if self.cut_next == "commit":
            before = _bytes(wal_of(self.path))
            super().commit(encoded)
            _tear(wal_of(self.path), before, self.chance)
            raise PowerCut
        receipt = super().commit(encoded)
        if self.cut_next == "committed":
            raise PowerCut  # on the medium, and nobody heard
        return receipt

    def tidy(self, idle_s: float) -> bool:
        if self.cut_next == "tidy":
            before, log = _bytes(self.path), _bytes(wal_of(self.path))
            super().tidy(idle_s)
            _tear(self.path, before, self.chance)
            wal_of(self.path).write_bytes(log)
            raise PowerCut
        return super().tidy(idle_s)

    def prune(self, most: int = 500) -> int:
        start = self.state().pruned_thru
        count = super().prune(most)
        if count:
            self.pruned(start + 1, start + count)
        return count


def _bytes(path: Path) -> bytes:
    return path.read_bytes() if path.exists() else b""


def _tear(path: Path, before: bytes, chance: random.Random) -> None:
    """Leave any part of what was written and not yet flushed, in sectors."""
    after = bytearray(path.read_bytes())
    for at in range(0, len(after), SECTOR):
        part = after[at : at + SECTOR]
        old = before[at : at + SECTOR].ljust(len(part), b"\0")
        if part != old and chance.random() < 0.5:
            after[at : at + SECTOR] = old
    if chance.random() < 0.5 and len(after) > len(before):
        del after[max(len(before), len(after) - chance.randrange(len(after) - len(before) + 1)) :]
    path.write_bytes(after)


@dataclass
class Promise:
    """A scan that was answered with a number: its raw bytes, place, hash and true time (UTC us)."""

    raw: bytes
    log_id: bytes
    seq: int
    hash: bytes
    true_us: int
    station: str


class SimStation:
    """One device with its card. `hub` answers requests; `promises` are the scans that showed green, over all boots."""

    def __init__(self, world: World, name: str, device: str, token: str, folder: Path, hub: Any) -> None:
        self.world, self.name, self.device, self.folder, self._hub = world, name, device, folder, hub
        self.promises: list[Promise] = []
        self.board = device
        self.clock = MachineClock(world, device)
        self.weather = Weather()
        self.generation, self.on, self.busy, self.dead = 0, False, False, False
        self.full = False
        self.reds = 0
        self.token_file = folder.parent / f"{device}.token"
        self.token_file.write_text(token)
        self.on_answer: Callable[[SimStation, Promise], None] = lambda *_: None
        self.on_end: Callable[[SimStation, BaseException | None], None] = lambda *_: None
        self.on_prune: Callable[[SimStation, bytes, int, int], None] = lambda *_: None
        folder.mkdir(exist_ok=True)

    # -- the machine

    def boot(self) -> None:
        """Power on: the daemon starts."""
        self.clock.boot()
        self.generation += 1
        self.on = True
        self._start()

    def _start(self) -> None:
        config = StationConfig(
            station=self.name, stage="saw", journal=str(self.folder / "journal.db"),
            hub=HubConfig(url="http://hub", token_file=str(self.token_file)),
        )  # fmt: skip
        self.recorder = EventBuilder(
            self.name, "sim", self.clock.boot_id(), self.clock.boot_ns, self.clock.utc_us, self.clock.state()
        )
        self.journal = CardJournal.open(
            self.folder / "journal.db", station=self.name, sw="sim", boot=self.recorder.boot,
            now_ns=self.clock.boot_ns, hardware_id=f"serial:{self.board}",
        )  # fmt: skip
        self.journal.chance, self.journal.full = self.world.random, self.full
        self.journal.pruned = self._pruned
        self.work_queue = InlineWorkQueue()
        snapshot, items = self.journal.snapshot(), self.journal.items()
        self.shop = ShopState(read_shop(snapshot[1] if snapshot else None), items.rows)
        self.scan = ScanPipeline(
            self.journal, self.work_queue, self.recorder, self._say, self.clock.boot_ns,
            rules=rule_context(snapshot[1] if snapshot else None, items.rows, complete=items.complete),
            settings=BenchSettings(), restart=read_restart_state(self.journal, self.recorder.boot),
        )  # fmt: skip
        self.work_queue.do = self.scan.work_between_scans
        generation = self.generation
        wire = SimWire(self.world, self._hub, lambda: self.on and self.generation == generation, self.weather)
        target = MasterDataTarget(self.journal, self.work_queue, self.scan, self.shop, lambda: None)
        host = SyncHost(config, self.recorder, target, self.state)
        self.link = SyncThread(host, self.world.random.random, lambda _ca: wire)  # type: ignore[arg-type]
        self.count_time()
        self._schedule(generation, 0)

    def count_time(self) -> None:
        """Count how long the log has been in use, as the daemon does at least once an hour."""
        self.work_queue.submit(self.journal.count_time)

    def power_off(self) -> None:
        """The power goes: what runs ends where it is, and the card stays as it is."""
        self.on = False
        self.generation += 1
        self._let_go()

    def _let_go(self) -> None:
        """Close the files without a word to them: a killed process does not fold its log in."""
        journal = getattr(self, "journal", None)
        if journal is None:
            return
        kept = {path.name: path.read_bytes() for path in self.folder.glob("journal.db*") if path.is_file()}
        self.link._reader.close()
        journal.abandon()
        for path in self.folder.glob("journal.db*"):
            if path.name not in kept:
                path.unlink()
        for name, content in kept.items():
            if not name.endswith("-shm"):
                (self.folder / name).write_bytes(content)
        (self.folder / "journal.db-shm").unlink(missing_ok=True)
        self.journal = None  # type: ignore[assignment]

    def image(self, target: Path) -> None:
        """A copy of the card as it is; the machine is off."""
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(self.folder, target)

    def put_card(self, image: Path) -> None:
        """Another card, or an older copy of this one, in the slot; the machine is off."""
        shutil.rmtree(self.folder)
        shutil.copytree(image, self.folder)

    # -- the recording thread

    def read(self, raw: bytes) -> None:
        """A scan at this station."""
        if not self.on:
            return
        read = Read(raw=raw, sym=None, kind="replay", reader="r", boot_ns=self.clock.boot_ns(), raw_len=len(raw))
        try:
            self.scan.process_read(read)
            self.scan.work_between_scans()
        except PowerCut:
            self.power_off()
        except JournalError as error:
            self.on_end(self, error)
            self.crash()

    def crash(self) -> None:
        """The daemon ended by itself; the service starts it again in the same boot."""
        self.power_off()
        self.on = True
        self.generation += 1
        self._start()

    def _say(self, answer: Answer) -> None:
        if isinstance(answer, Green | Look):
            receipt = answer.receipt
            raw = (answer.code or "").encode()
            place = (receipt.log_id, receipt.seq, receipt.hash)
            self.promises.append(Promise(raw, *place, self.world.now_us, self.name))
            self.on_answer(self, self.promises[-1])
        else:
            self.reds += 1
        self.link.poke()

    def _pruned(self, first: int, last: int) -> None:
        self.on_prune(self, self.journal.log_id, first, last)

    # -- the link

    def _schedule(self, generation: int, in_us: int) -> None:
        self.world.at(in_us, lambda: self._due(generation))

    def _due(self, generation: int) -> None:
        if generation != self.generation or not self.on:
            return
        if self.busy:
            self._schedule(generation, 50_000)
            return
        self.busy = True
        try:
            pause = self.link.turn()
        except PowerCut:
            if generation == self.generation:
                self.power_off()
            return
        except InterruptedError:
            self.on_end(self, self.work_queue.died)
            if generation == self.generation:
                self.crash()
            return
        finally:
            self.busy = False
        if generation != self.generation:
            return
        self._schedule(generation, self._wait_us(pause))

    def _wait_us(self, pause: Pause | None) -> int:
        if pause is None:
            return 1_000
        ahead_us = max(1_000, (pause.until_ns - self.clock.boot_ns()) // 1_000)
        asked = self.link.state.not_before_ns > self.clock.boot_ns()
        return ahead_us if asked else min(ahead_us, 200_000 + self.world.random.randrange(300_000))

    def state(self) -> StationStatus:
        """What the heartbeat says."""
        hub = self.link.status()
        waiting = max(0, self.journal.tip.seq - hub.accepted_thru)
        return StationStatus(
            station=self.name, sw="sim", pid=1, boot=self.recorder.boot, written_boot_ns=0, written_us=0,
            ready_boot_ns=0, ready_in_s=0.0, stage="saw", operator=None, log=self.journal.log_id.hex(),
            tip_seq=self.journal.tip.seq, waiting=waiting, oldest_waiting_s=None, clock=self.clock.state(),
            hub=HubStatus(), readers=[], disk_level="fine", disk_free_bytes=1, days_left=None, journal="", news=[],
            config="", aside=self.link.aside,
        )  # fmt: skip

    @property
    def quiet(self) -> bool:
        """Whether everything was sent, as far as this station knows."""
        standing = self.link.state
        sent = standing.session and standing.accepted_thru >= self.journal.tip.seq
        return sent and standing.reconciled == standing.epoch and not self.link.aside
