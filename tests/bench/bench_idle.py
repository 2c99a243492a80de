"""A station that is ready and idle: memory, processor and time to ready, in an environment made from the wheel."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from figure import Figure, bound

ROOT = Path(__file__).resolve().parent.parent.parent
SETTLE_S = 8
WATCH_S = 20
TICKS = os.sysconf("SC_CLK_TCK")


def environment(folder: Path) -> Path:
    """`folder/venv` with the wheel of this checkout and its `[station]` extra, nothing else; its bin folder."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    (wheel,) = folder.glob("*.whl")
    subprocess.run([sys.executable, "-m", "venv", str(folder / "venv")], check=True)
    pip = [str(folder / "venv" / "bin" / "python"), "-m", "pip", "install", "--quiet", f"{wheel}[station]"]
    subprocess.run(pip, check=True, stderr=subprocess.DEVNULL)
    return folder / "venv" / "bin"


def configured(folder: Path) -> Path:
    """A station.toml with one reader, a named pipe that nobody writes to."""
    os.mkfifo(folder / "scans")
    path = folder / "station.toml"
    path.write_text(
        f'station = "idle-1"\nstage = "saw"\njournal = "{folder}/journal.db"\nstatus = "{folder}/status.json"\n'
        f'[[reader]]\nkind = "replay"\npath = "{folder}/scans"\n[[signal]]\nkind = "lines"\npath = "{folder}/answers"\n'
    )
    return path


def cpu_s(pid: int) -> float:
    """Seconds of processor that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def rss_mib(pid: int) -> float:
    """Memory of a process that is in the machine, MiB."""
    line = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS:"))
    return int(line.split()[1]) / 1024


def figures(folder: Path, long: bool) -> Iterator[Figure]:
    """The three limits of a small device; the start is the second one, with everything compiled."""
    place = folder / "idle"
    binaries = environment(place)
    config = configured(place)
    command = [str(binaries / "wipline-station"), "run", "--config", str(config)]
    ready_s = []
    for _ in range(3):
        (place / "status.json").unlink(missing_ok=True)
        began = time.monotonic()
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while not (place / "status.json").exists() and process.poll() is None:
            time.sleep(0.01)
        ready_s.append(time.monotonic() - began)
        if len(ready_s) < 3:
            process.terminate()
            process.wait()
    try:
        time.sleep(SETTLE_S)
        before = cpu_s(process.pid)
        time.sleep(WATCH_S * (3 if long else 1))
        share = (cpu_s(process.pid) - before) / (WATCH_S * (3 if long else 1)) * 100
        said = json.loads((place / "status.json").read_text())["ready_in_s"]
        yield bound("station idle, memory", rss_mib(process.pid), "MiB", at_most=40)
        yield bound("station idle, of one core", share, "%", at_most=0.3)
        yield bound(
            "station start to ready, best of 3", min(ready_s), "s", at_most=1.0, note=f"of its own clock {said} s"
        )
    finally:
        process.terminate()
        process.wait()
