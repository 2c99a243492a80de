"""Run commands of the product as another user of the machine.

Tests may run as root, to which no file is closed. As root the process becomes an unprivileged user; as any other user it
stays that user, to whom files of mode 000 are closed as well.
"""

import importlib
import json
import os
import pkgutil
import shutil
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from click.testing import CliRunner

NOBODY = 65534
ROOT = Path(__file__).parent.parent.parent
LIBRARIES = (
    "evdev",
    "zint",
    "reportlab.pdfbase.pdfmetrics",
    "reportlab.pdfbase.ttfonts",
    "reportlab.pdfgen.canvas",
    "sqlite_utils.migrations",
)
OF_THE_HUB = ("sqlalchemy.dialects.sqlite", "alembic.command", "alembic.runtime.environment", "alembic.script")
"""What the commands import when they need it."""


class Answer(NamedTuple):
    """The exit code of a command, its standard output, and its standard error or the traceback of its end."""

    code: int
    out: str
    err: str


def as_other_user(
    program: str, *commands: Sequence[str | Path], given: str = "", default_config: Path | None = None
) -> list[Answer]:
    """Run commands of `wipline-station` (`program`: station) or `wipline-hub` (server) as another user.

    `default_config` takes the place of /etc/wipline/station.toml.
    """
    rows = [[str(word) for word in command] for command in commands]
    default = str(default_config) if default_config else None
    ended = subprocess.run(
        [sys.executable, "-m", "tests.support.other_user"],
        cwd=ROOT, check=True, capture_output=True, text=True, timeout=120,
        input=json.dumps({"program": program, "commands": rows, "given": given, "default": default}),
    )  # fmt: skip
    return [Answer(*row) for row in json.loads(ended.stdout)]


@contextmanager
def visible_folder() -> Iterator[Path]:
    """A temporary folder that every user may see: those of pytest are closed to others."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        for path in folder.rglob("*"):
            path.chmod(0o700)
        shutil.rmtree(folder)


def _load(name: str) -> None:
    """Import every module of a package now: the other user may not be able to read the interpreter's folder."""
    package = importlib.import_module(name)
    for module in pkgutil.walk_packages(package.__path__, f"{name}."):
        if not module.name.endswith("__main__"):
            # Encodings of another operating system, readers whose library is not installed, Alembic's own script.
            with suppress(ImportError, AttributeError):
                importlib.import_module(module.name)


def _main() -> None:
    """Drop all privileges, then run the commands; the answers are printed as JSON."""
    asked = json.load(sys.stdin)
    program = asked["program"]
    for name in (*LIBRARIES, *(OF_THE_HUB if program == "server" else ())):
        importlib.import_module(name)
    for name in ("encodings", "drivers", "station", *(("server",) if program == "server" else ())):
        _load(name)
    main = importlib.import_module(f"{program}.cli.commands").main
    if os.geteuid() == 0:
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)
    os.chdir("/")
    answers = []
    for command in asked["commands"]:
        default = {command[0]: {"config_path": asked["default"]}} if asked["default"] else None
        ran = CliRunner().invoke(main, command, input=asked["given"], default_map=default)
        crash = "".join(traceback.format_exception(ran.exception)) if not _is_exit(ran.exception) else ""
        answers.append((ran.exit_code, ran.stdout, ran.stderr + crash))
    json.dump(answers, sys.stdout)


def _is_exit(error: BaseException | None) -> bool:
    return error is None or isinstance(error, SystemExit)


if __name__ == "__main__":
    _main()
