"""A station with six open readers and every kind loaded: memory, and what waiting for a scan costs.

Two tag readers are played on pseudo-terminals, one that speaks by itself and one that is asked all the time; the players run
in this process, so that only the station is measured. The kinds whose devices this machine has not are loaded and wait.
"""

import json
import os
import pty
import subprocess
import threading
import time
import tty
from collections.abc import Iterator
from pathlib import Path

from bench_idle import SETTLE_S, WATCH_S, cpu_s, environment, rss_mib
from figure import Figure, bound

KINDS = ("keyboard", "hidpos", "pcsc")
NO_TAG = bytes.fromhex("BB01FF000115167E")  # what an M100 answers where nothing is in its field
SCANS = (
    b"]C10109506000134352{FNC1}10AB\n",
    b"[)>{RS}06{GS}1PBC547{RS}{EOT}\n",
    b"https://example.com/01/09506000134352\n",
)


def line() -> tuple[int, str]:
    """A pseudo-terminal: our end, and the path of the other."""
    ours, theirs = pty.openpty()
    tty.setraw(theirs)
    return ours, os.ttyname(theirs)


def play_m100(ours: int) -> None:
    """Answer every question."""
    while True:
        try:
            if os.read(ours, 256):
                os.write(ours, NO_TAG)
        except OSError:
            return


def configured(folder: Path) -> tuple[Path, list[int]]:
    """A station.toml with six readers that can be opened here and one row of each other kind."""
    os.mkfifo(folder / "scans")
    lines = {name: line() for name in ("m100", "id12", "scanner-1", "scanner-2", "scanner-3")}
    threading.Thread(target=play_m100, args=(lines["m100"][0],), daemon=True).start()
    rows = [f'kind = "replay"\npath = "{folder}/scans"']
    rows += [
        f'kind = "serial_{"rfid" if name[0] != "s" else "line"}"\npath = "{path}"' for name, (_, path) in lines.items()
    ]
    rows += [f'kind = "{kind}"\nmatch = "none of this name"' for kind in KINDS]
    path = folder / "station.toml"
    head = f'station = "bench-6"\nstage = "saw"\njournal = "{folder}/journal.db"\nstatus = "{folder}/status.json"\n'
    path.write_text(head + "".join(f"[[reader]]\n{row}\n" for row in rows))
    return path, [ours for ours, _ in lines.values()]


def figures(folder: Path, long: bool) -> Iterator[Figure]:
    """Memory with everything loaded, codes of every published kind read; then a quiet while."""
    place = folder / "readers"
    binaries = environment(place)
    config, ends = configured(place)
    process = subprocess.Popen(
        [str(binaries / "wipline-station"), "run", "--config", str(config)],
        stdout=subprocess.DEVNULL,
        stderr=(place / "log").open("wb"),
    )
    try:
        while not (place / "status.json").exists():
            assert process.poll() is None, (place / "log").read_text()
            time.sleep(0.05)
        with (place / "scans").open("wb") as fifo:
            fifo.writelines(SCANS)
        os.write(ends[1], b"\x02" + b"3C00CE754CCB" + b"\x03")
        time.sleep(SETTLE_S + 8)  # the questions to the reader that speaks by itself take a while
        before, watch_s = cpu_s(process.pid), WATCH_S * (3 if long else 1)
        time.sleep(watch_s)
        share = (cpu_s(process.pid) - before) / watch_s * 100
        readers = json.loads((place / "status.json").read_text())["readers"]
        ready = sum(each["state"] == "ready" for each in readers)
        yield bound("station, all kinds loaded, memory", rss_mib(process.pid), "MiB", at_most=60)
        yield bound("station idle with six readers, of one core", share, "%", at_most=0.5, note=f"{ready} ready")
    finally:
        process.terminate()
        process.wait()
        for end in ends:
            os.close(end)
