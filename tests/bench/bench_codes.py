"""`wipline-station decode` on a file of 10,000 mixed codes: codes a second of one core, and memory.

The floor is a program that reads the same lines and prints each as JSON without looking at it.
"""

import os
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from figure import Figure, bound, ratio

CODES = 10_000
SEED = 20261126
MIXED = (
    "WO-{0:05}", "]C10109506000134352{{GS}}10AB{0}{{GS}}21S{0}", "]d20109506000134352{{FNC1}}17270131{{GS}}10L{0}",
    "[)>{{RS}}06{{GS}}1PBC547-{0}{{GS}}Q25{{RS}}{{EOT}}", "https://example.com/01/09506000134352/10/L{0}/21/{0}",
    "010950600013435210ABC{0}21XYZ", "WIP:QTY:{0}", "wip:badge:{0}", "]Q1free text of some length, number {0}",
    "00106141412345678908", "{0:08}", "]e00195012345678903310300{0:04}",
)  # fmt: skip
FLOOR = (
    "import json, sys\n"
    "for line in sys.stdin.buffer:\n"
    "    print(json.dumps({'raw': line.rstrip().decode(), 'sym': None, 'scheme': None}))"
)


def used(command: list[str], source: Path) -> tuple[float, float]:
    """Seconds of processor, and peak memory in MiB, of a command that reads this file."""
    with source.open("rb") as lines, Path(os.devnull).open("wb") as nowhere:
        process = subprocess.Popen(command, stdin=lines, stdout=nowhere)
        _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, command
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def figures(folder: Path, long: bool) -> Iterator[Figure]:
    """The whole command, its start included."""
    rng = random.Random(SEED)
    source = folder / "codes.txt"
    lines = [rng.choice(MIXED).format(rng.randrange(10_000)) for _ in range(CODES * (10 if long else 1))]
    source.write_text("\n".join(lines) + "\n")
    decode = [str(Path(sys.executable).parent / "wipline-station"), "decode", "-"]
    floor = [sys.executable, "-c", FLOOR]
    taken = [(used(floor, source)[0], *used(decode, source)) for _ in range(5)]
    floor_s = min(each[0] for each in taken)
    decode_s = min(each[1] for each in taken)
    rate = len(lines) / decode_s
    yield ratio(
        "decode, mixed codes", rate, len(lines) / floor_s, "codes/s", at_least=0.05, note="of one core, start included"
    )
    yield bound("decode, peak memory", max(each[2] for each in taken), "MiB", at_most=60)
