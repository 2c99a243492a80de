"""Make or refresh `.venv` for one verb of `./wipline`; standard library only, quick when nothing changed.

`environment.py demo|station|test|nightly`. A stamp in `.venv` names what was installed from which `pyproject.toml`; a second
call with the same answer does nothing. Debian images without `ensurepip` get pip from its wheel of a pinned hash.

A machine that cannot be set up gets one sentence, and exit code 3: a Python below 3.11, no network, a folder that cannot be
written. The syntax is that of old Pythons, so that those reach their sentence.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urljoin

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import NoReturn

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PIP_VERSION = "25.3"  # dependency groups need 25.1
PIP_WHEEL = f"pip-{PIP_VERSION}-py3-none-any.whl"
PIP_SHA256 = "9655943313a94722b7774661c21049070f6bbb0a1516bf02f7c8d5d9201514cd"
# What each verb installs: extras of the project, and dependency groups.
EXTRAS = {"demo": "hub,print,postgres", "station": "station,print", "test": "station,hub,print,postgres"}
GROUPS = {"test": ["dev"]}
APT_PACKAGES = {"test": ("apt-packages.txt",), "nightly": ("apt-packages.txt", "apt-packages-nightly.txt")}
# A build of the verb's extras needs these where no wheel exists; a test machine has them from apt-packages.txt.
NEEDED_PYTHON = (3, 11)
CANNOT_BE_SET_UP = 3
# What pip and urllib print where the package index cannot be reached.
_NO_NETWORK = re.compile(
    "Failed to establish a new connection|Name or service not known|name resolution|NameResolutionError"
    "|Network is unreachable|Connection refused|ConnectTimeoutError|ProxyError|No route to host|timed out"
    r"|\(from versions: none\)"  # of pip without retries
)
STATION_BUILD = "gcc python3-dev libpcsclite-dev pkg-config"


def give_up(sentence: str) -> NoReturn:
    """End with one sentence and exit code 3."""
    print("wipline: " + sentence, file=sys.stderr)
    sys.exit(CANNOT_BE_SET_UP)


def no_network() -> NoReturn:
    """End because the package index cannot be reached."""
    index = os.environ.get("PIP_INDEX_URL", "https://pypi.org/simple")
    give_up("the package index " + index + " cannot be reached; connect this machine to the network, and try again.")


def installed(*command: str) -> bool:
    """Run pip; returns whether it succeeded. Without the index the set-up ends; another failure is printed."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, text=True)
    if done.returncode and _NO_NETWORK.search(done.stdout):
        no_network()
    if done.returncode:
        sys.stderr.write(done.stdout)
    return not done.returncode


def run(*command: str) -> None:
    """Run a step; what it prints goes to standard error, and a failure ends the set-up with its exit code."""
    done = subprocess.run(command, stdout=sys.stderr, check=False)
    if done.returncode:
        sys.exit(done.returncode)


def bootstrap_pip(python: Path) -> None:
    """Install pip into a bare environment from the index's own wheel, refused unless its SHA-256 is the pinned one."""
    index = os.environ.get("PIP_INDEX_URL", "https://pypi.org/simple").rstrip("/") + "/pip/"
    try:
        with urllib.request.urlopen(index, timeout=60) as page:  # noqa: S310 - the index the installer chose
            links = re.findall(r'href="([^"]+)"', page.read().decode())
    except OSError:
        no_network()
    link = next((urljoin(index, href) for href in links if PIP_WHEEL in href), None)
    if link is None:
        sys.exit(f"wipline: {index} has no {PIP_WHEEL}. Install pip yourself: sudo apt-get install python3-venv")
    try:
        with urllib.request.urlopen(link, timeout=60) as answer:  # noqa: S310 - hash-checked below
            wheel = answer.read()
    except OSError:
        no_network()
    if hashlib.sha256(wheel).hexdigest() != PIP_SHA256:
        sys.exit(f"wipline: {PIP_WHEEL} from {index} has the wrong SHA-256; expected {PIP_SHA256}. Not installed.")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / PIP_WHEEL
        path.write_bytes(wheel)
        run(str(python), f"{path}/pip", "install", "--no-index", str(path))


def is_whole(python: Path) -> bool:
    """Whether `.venv` has a pip for its Python and was made here: not cut short, not moved, not from before an upgrade."""
    try:
        made = (VENV / "pyvenv.cfg").read_text()
        done = subprocess.run([python, "-c", "import pip"], capture_output=True, check=False)
    except OSError:
        return False
    return str(VENV) in made and done.returncode == 0


def make_venv() -> Path:
    """`.venv` with a pip in it, made with whatever this Python has."""
    python = VENV / "bin" / "python"
    if not is_whole(python):
        print(f"wipline: making {VENV}", file=sys.stderr)
        shutil.rmtree(VENV, ignore_errors=True)
        if importlib.util.find_spec("ensurepip"):
            run(sys.executable, "-m", "venv", str(VENV))
            if not installed(str(python), "-m", "pip", "install", "--quiet", f"pip=={PIP_VERSION}"):
                sys.exit(1)
        else:
            run(sys.executable, "-m", "venv", "--without-pip", str(VENV))
            bootstrap_pip(python)
    return python


def stamp_of(verb: str) -> str:
    """One text for everything that decides what is installed."""
    here = f"{ROOT} {sys.version_info.major}.{sys.version_info.minor} "
    recipe = (ROOT / "pyproject.toml").read_bytes() + Path(__file__).read_bytes() + here.encode()
    return hashlib.sha256(recipe + EXTRAS[verb].encode()).hexdigest()


def may_install(sudo: list[str]) -> bool:
    """Whether this user is root, or becomes it without being asked for a password; a small image has no sudo at all."""
    if not sudo:
        return True
    if not shutil.which("sudo"):
        return False
    return subprocess.run([*sudo, "true"], capture_output=True, check=False).returncode == 0


def system_packages(lists: Sequence[str]) -> None:
    """Install the Debian packages of these lists, or print the one line that does and exit 3."""
    lines = [line for name in lists for line in (ROOT / "tests" / name).read_text().splitlines()]
    names = [line for line in lines if line and line[0] != "#"]
    listed = subprocess.run(
        ["dpkg-query", "-W", "-f", "${Package} ${db:Status-Status}\n", *names],
        capture_output=True,
        text=True,
        check=False,
    )
    present = {line.split()[0] for line in listed.stdout.splitlines() if line.endswith(" installed")}
    missing = [name for name in names if name not in present]
    if not missing:
        return
    sudo = [] if os.geteuid() == 0 else ["sudo", "-n"]
    if not shutil.which("apt-get") or not may_install(sudo):
        print("wipline: the tests need these packages:\n  sudo apt-get install " + " ".join(missing), file=sys.stderr)
        sys.exit(3)
    print(
        "wipline: installing for the tests (a browser and a virtual machine are among them):", *missing, file=sys.stderr
    )
    environment = ["env", "DEBIAN_FRONTEND=noninteractive"]
    run(*sudo, *environment, "apt-get", "update", "-qq")
    run(*sudo, *environment, "apt-get", "install", "-y", "-qq", "--no-install-recommends", *missing)


def main(verb: str, version: Sequence[int] = sys.version_info, may: Callable[..., bool] = os.access) -> None:
    """Bring `.venv` to what `verb` needs."""
    if tuple(version[:2]) < NEEDED_PYTHON:
        give_up(f"this is Python {version[0]}.{version[1]}, and 3.11 or newer is needed: sudo apt-get install python3")
    if verb in APT_PACKAGES:
        system_packages(APT_PACKAGES[verb])
    verb = "test" if verb == "nightly" else verb  # of Python packages the night needs no more
    stamp = VENV / f"wipline-{verb}.stamp"
    wanted = stamp_of(verb)
    if stamp.exists() and stamp.read_text() == wanted:
        return
    if not may(VENV if VENV.exists() else ROOT, os.W_OK):
        give_up(f"the folder {ROOT} cannot be written by this user; copy it to one that can be, and start it there.")
    python = make_venv()
    command = [str(python), "-m", "pip", "install", "--quiet", "--editable", f"{ROOT}[{EXTRAS[verb]}]"]
    for group in GROUPS.get(verb, []):
        command += ["--group", f"{ROOT / 'pyproject.toml'}:{group}"]
    print(f"wipline: installing what '{verb}' needs", file=sys.stderr)
    if not installed(*command):
        hint = (
            f" Readers need a compiler here: sudo apt-get install {STATION_BUILD}" if "station" in EXTRAS[verb] else ""
        )
        sys.exit(f"wipline: pip could not install what '{verb}' needs; its own words stand above.{hint}")
    stamp.write_text(wanted)


if __name__ == "__main__":
    main(sys.argv[1])
