"""CUPS: print a file through the command `lp` of this machine."""

import subprocess
from collections.abc import Callable
from typing import NamedTuple

from station.core.printing import PaperError

_TIMEOUT_S = 120


class LpResult(NamedTuple):
    """The exit code of `lp`, and what it printed on standard error."""

    code: int
    said: str


def run_lp(command: list[str], content: bytes) -> LpResult:
    """Run `lp` with a file on standard input. Raises `OSError` where it is not installed."""
    done = subprocess.run(command, input=content, capture_output=True, timeout=_TIMEOUT_S, check=False)  # noqa: S603
    return LpResult(done.returncode, done.stderr.decode("utf-8", "replace").strip())


def print_cups(queue: str, content: bytes, *, raw: bool, run: Callable[[list[str], bytes], LpResult] = run_lp) -> None:
    """Print a file on a queue (empty: the default one). `raw`: the queue passes it to the printer unchanged, as for ZPL.

    Raises `PaperError`.
    """
    command = ["lp", "-s", "-t", "wipline"]
    command += ["-d", queue] if queue else []
    command += ["-o", "raw"] if raw else []
    try:
        result = run(command, content)
    except FileNotFoundError as error:
        do = "Install it: sudo apt-get install cups-client. Or write a file with -o."
        raise PaperError(came="There is no command lp here.", expected="Expected CUPS.", do=do) from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise PaperError(
            came=f"lp failed: {error}.", expected="Expected CUPS to take it.", do="Check lpstat -p."
        ) from error
    if result.code:
        came = f"lp refused the file: {result.said.rstrip('.') or f'exit code {result.code}'}."
        raise PaperError(came, "Expected a queue of CUPS.", "List them: lpstat -p.")
