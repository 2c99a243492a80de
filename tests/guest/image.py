"""The guest's image: a Debian bookworm station that has booted once, kept for every later run.

An image is a folder in the user's cache: kernel, initramfs and a disk that holds the running system as the snapshot
`booted`. Its name is a hash of everything that decides its content, so a changed recipe is a new image; the two used last
stay. Building needs root (or `sudo` without a question) and the network for Debian's and Python's packages.
"""

import fcntl
import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.guest.hardware import QEMU

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
KEPT = 2  # of images, and of installed disks in each
# What decides the image's content. The programs of `inside` that travel on the project's disk are not part of it.
RECIPE = (
    "root.sh",
    "packages.txt",
    "hardware.py",
    "inside/first-init",
    "inside/lineshell.py",
    "inside/lineshell.service",
    "inside/hub-side.network",
)
TOOLS = {  # program -> the package that has it, on Debian
    "qemu-system-x86_64": "qemu-system-x86",
    "qemu-img": "qemu-utils",
    "mmdebstrap": "mmdebstrap",
    "cpio": "cpio",
    "modprobe": "kmod",
    "mke2fs": "e2fsprogs",
    "socat": "socat",
}
# Wheels that run in bookworm: glibc 2.36, Python 3.11.
PLATFORMS = ("manylinux2014_x86_64", "manylinux_2_17_x86_64", "manylinux_2_28_x86_64", "manylinux_2_34_x86_64")
BUILD_LIMIT_S = 900


class GuestError(Exception):
    """The guest could not be built, started or driven; the message says what to do."""


class NotOnThisMachine(GuestError):
    """The guest could not even be tried here: a program, a right or a processor is missing."""


@dataclass(frozen=True, slots=True)
class Image:
    """A built image. `disk` holds the snapshot `booted`; nobody starts a machine on it, they start on copies."""

    folder: Path

    @property
    def kernel(self) -> Path:
        return self.folder / "vmlinuz"

    @property
    def initrd(self) -> Path:
        return self.folder / "initrd"

    @property
    def disk(self) -> Path:
        return self.folder / "booted.qcow2"


def cache_folder() -> Path:
    """Where images live, by the XDG rules."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "wipline"


def require_tools() -> None:
    """`NotOnThisMachine` where a program is missing that the guest needs, or the processor is another."""
    if platform.machine() != "x86_64":
        msg = f"The guest is built from this machine's own packages and needs an x86_64 host, not {platform.machine()}."
        raise NotOnThisMachine(msg)
    places = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    missing = [package for program, package in TOOLS.items() if shutil.which(program, path=places) is None]
    if missing:
        msg = f"The guest needs: sudo apt-get install {' '.join(missing)}"
        raise NotOnThisMachine(msg)


def requirements() -> list[str]:
    """What the station's environment in the guest holds, from pyproject.toml; the readers' libraries are Debian's."""
    dependencies: list[str] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    return dependencies


def key_of(*parts: bytes) -> str:
    """A name for content: parts are told apart, so moving bytes between them changes it."""
    whole = hashlib.sha256()
    for part in parts:
        whole.update(len(part).to_bytes(8, "big") + part)
    return whole.hexdigest()[:16]


def image_key() -> str:
    """The image's name: build script, package list, programs in the image, wheel list, and the hardware it booted on."""
    files = [(HERE / name).read_bytes() for name in RECIPE]
    qemu = subprocess.run([QEMU, "--version"], capture_output=True, check=True).stdout
    return key_of(*files, qemu, "\n".join([*requirements(), *PLATFORMS]).encode())


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """One builder at a time on this machine; the others wait and find the work done."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def keep_newest(folder: Path, pattern: str, count: int = KEPT) -> None:
    """Remove all but the `count` paths used last."""
    for old in sorted(folder.glob(pattern), key=lambda path: path.stat().st_mtime, reverse=True)[count:]:
        shutil.rmtree(old) if old.is_dir() else old.unlink()


def step(*command: str | Path) -> None:
    """One step of the build; what it printed is shown when it fails."""
    done = subprocess.run(
        [str(word) for word in command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=BUILD_LIMIT_S,
        text=True,
        errors="replace",
        env={**os.environ, "PATH": os.environ["PATH"] + ":/usr/sbin:/sbin"},
        check=False,
    )
    if done.returncode:
        msg = f"Building the guest: {command[0]} ended with {done.returncode}; its last words:\n{done.stdout[-3000:]}"
        raise GuestError(msg)


def root_prefix() -> list[str]:
    """What goes before a command that needs root; an error where this user cannot become root silently."""
    if os.geteuid() == 0:
        return []
    if (
        shutil.which("sudo")
        and subprocess.run(["sudo", "-n", "true"], capture_output=True, check=False).returncode == 0
    ):
        return ["sudo", "-n"]
    msg = "Building the guest's root file system needs root. Run the tests once as root, or allow sudo without a password."
    raise NotOnThisMachine(msg)


def fetch_wheels(folder: Path) -> None:
    """Fill `folder` with the wheels of `requirements()` for the guest's Python, and their list."""
    folder.mkdir()
    (folder / "requirements.txt").write_text("".join(f"{line}\n" for line in requirements()))
    platforms = [word for name in PLATFORMS for word in ("--platform", name)]
    step(
        sys.executable, "-m", "pip", "download", "--quiet", "--only-binary", ":all:", "--python-version", "3.11", *platforms,
        "--dest", folder, "--requirement", folder / "requirements.txt",
    )  # fmt: skip


def build(folder: Path) -> Image:
    """Build the image in `folder`, boot it once and keep the running system; prints what each part took."""
    from tests.guest.machine import Machine  # it names Image, so it cannot stand above

    start = time.monotonic()
    (folder / "root").mkdir(parents=True)
    fetch_wheels(folder / "wheels")
    wheels_s = time.monotonic() - start
    prefix = root_prefix()
    step(*prefix, HERE / "root.sh", "build", folder, folder / "wheels")
    if prefix:
        step(*prefix, "chown", "-R", f"{os.getuid()}:{os.getgid()}", folder)
    image = Image(folder)
    step("qemu-img", "convert", "-f", "raw", "-O", "qcow2", folder / "root.img", image.disk)
    (folder / "root.img").unlink()
    shutil.rmtree(folder / "wheels")
    build_s = time.monotonic() - start
    with Machine(image, image.disk, folder, cache="unsafe") as guest:
        boot_s = guest.up_s
        guest.settle()
        save_s = guest.save("booted")
        guest.power_off()
    for leftover in ("console.log", "qemu.log", "project.img"):
        (folder / leftover).unlink(missing_ok=True)
    figures = {"wheels_s": wheels_s, "build_s": build_s, "cold_boot_s": boot_s, "savevm_s": save_s}
    rounded = {name: round(seconds, 1) for name, seconds in figures.items()}
    (folder / "figures.json").write_text(json.dumps(rounded))
    print(f"guest image {folder.name}: {rounded}", flush=True)
    return image


def ensure_image() -> Image:
    """The image of today's recipe, from the cache or built now."""
    require_tools()
    cache = cache_folder()
    final = cache / f"guest-{image_key()}"
    with locked(cache):
        if not (final / "figures.json").exists():
            part = cache / "building"
            if part.exists():
                step(*root_prefix(), "rm", "-rf", part)
            build(part)
            part.rename(final)
        os.utime(final)
        keep_newest(cache, "guest-*")
    return Image(final)
