"""`./wipline test|check|nightly`, and `busy [TIMES]`: the three groups one after another, each with its seconds.

Group 1 is static and pure, group 2 the host's device lanes, group 3 the guest and the browser, alone on the machine.
"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
EXCLUSIVE = "host or guest or browser or nightly"
CHECKS = (
    ("ruff", "check", "."),
    ("ruff", "format", "--check", "."),
    ("mypy",),
    ("lint-imports", "--no-logo"),
    ("deptry", "."),
    ("mkdocs", "build", "--strict", "--config-file", ".ci/mkdocs.yml"),
)
PYTEST = (str(BIN / "python"), "-m", "pytest", "-q", "--durations=8", "--durations-min=5")
GROUPS = {
    "1": ("static and pure", (*PYTEST, "-n", "2", "-m", f"not ({EXCLUSIVE})")),
    "2": ("host lanes", (*PYTEST, "-n", "2", "--dist", "loadgroup", "-m", "host and not nightly")),
    "3": ("guest and browser", (*PYTEST, "-s", "-m", "(guest or browser) and not nightly")),
}
NO_TEST_COLLECTED = 5
BUSY_TIMES = 5
BENCH = (str(BIN / "python"), "tests/bench", "--long", "--check")
LONG_BENCHES = ("stations", "crowd", "year", "large")  # minutes: 5, 10 on each engine, 15; the last one some hours
BUSY = ("stress-ng", "--cpu", "4", "--quiet")


def check() -> int:
    """Lint, format, types, import rules, dependencies and the documentation site; the number of tools that complained."""
    failed = 0
    for command in CHECKS:
        done = subprocess.run([str(BIN / command[0]), *command[1:]], cwd=ROOT, check=False)
        if done.returncode:
            failed += 1
            print(f"check: {' '.join(command)} failed", flush=True)
    return failed


def group(number: str) -> int:
    """Run one group; its exit code."""
    name, command = GROUPS[number]
    print(f"== group {number}: {name}", flush=True)
    start = time.monotonic()
    failed = check() if number == "1" else 0
    code = subprocess.run(command, cwd=ROOT, check=False, env=environment()).returncode
    if code == NO_TEST_COLLECTED:
        print(f"group {number} collected no test", flush=True)
    print(f"== group {number}: {name}: {time.monotonic() - start:.0f} s", flush=True)
    return failed or code


def busy(times: int = BUSY_TIMES) -> int:
    """Groups 1 and 2 again and again beside four busy processes; how many runs failed."""
    failed = 0
    for turn in range(1, times + 1):
        with subprocess.Popen(BUSY) as other_work:
            try:
                codes = [group(number) for number in ("1", "2")]
            finally:
                other_work.terminate()
        failed += any(codes)
        print(f"busy run {turn} of {times}: {'FAILED' if any(codes) else 'ok'}", flush=True)
    return failed


def long_benches() -> int:
    """The long benches one after another, each in a process of its own; 1 where one is not what was promised."""
    codes = [
        subprocess.run((*BENCH, name), cwd=ROOT, check=False, env=environment()).returncode for name in LONG_BENCHES
    ]
    return min(sum(codes), 1)


def environment() -> dict[str, str]:
    """The tests' environment: scratch files on a disk, never on a tmpfs, where fsync proves nothing."""
    build = ROOT / "build" / "tmp"
    build.mkdir(parents=True, exist_ok=True)
    return {**os.environ, "TMPDIR": str(build), "PATH": f"{BIN}:{os.environ['PATH']}"}


def main(verb: str, *wanted: str) -> int:
    """0 when everything asked for passed."""
    # A shell starts its background jobs with SIGINT ignored, and programs of the tests would inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if verb == "check":
        return min(check(), 1)
    if verb == "busy":
        return min(busy(*map(int, wanted[:1])), 1)
    if verb == "nightly":
        code = subprocess.run([*PYTEST, "-s", "-m", "nightly"], cwd=ROOT, check=False, env=environment()).returncode
        return code or min(busy(), 1) or long_benches()
    unknown = set(wanted) - set(GROUPS)
    if unknown:
        print(f"No group {' '.join(sorted(unknown))}: expected 1, 2 or 3.", file=sys.stderr)
        return 2
    codes = {number: group(number) for number in wanted or GROUPS}
    print("groups:", ", ".join(f"{n} {'ok' if code == 0 else 'FAILED'}" for n, code in codes.items()), flush=True)
    return 1 if any(codes.values()) else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
