"""The guest with the product in it: this checkout's wheel, installed once, kept as the snapshot `installed`.

The wheel reaches the guest on the read-only project disk, beside the programs that run in the guest (`PROGRAMS`). The disk
with the snapshot is cached next to the image and named after the wheel's content, so tests start from it until the product's
code changes.
"""

import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from tests.guest.image import HERE, ROOT, GuestError, Image, keep_newest, key_of, locked
from tests.guest.machine import Machine, make_project_disk

INSTALL_LIMIT_S = 180
PROGRAMS = (
    *(f"inside/{name}" for name in ("gadget.py", "evread.py", "reads.py", "walls.py", "ungrabbed.py", "install.sh")),
    "fixtures/device_emulator.py",
)


@dataclass(frozen=True, slots=True)
class Installed:
    """An image, the disk whose snapshot `installed` has the product in it, and the project disk that belongs to it."""

    image: Image
    disk: Path
    project: Path


def build_wheel(folder: Path) -> Path:
    """This checkout's wheel, built by its own build system."""
    hatchling = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    built = subprocess.run(hatchling, cwd=ROOT, capture_output=True, text=True, check=False)
    wheels = list(folder.glob("wipline-*.whl"))
    if built.returncode or len(wheels) != 1:
        msg = f"The wheel could not be built: {built.stderr[-2000:]}"
        raise GuestError(msg)
    return wheels[0]


def project_disk(scratch: Path) -> tuple[Path, str]:
    """The project disk of this checkout, and the name of what is on it that gets installed."""
    content = scratch / "project"
    content.mkdir()
    wheel = build_wheel(content)
    for name in PROGRAMS:
        shutil.copy(HERE / name, content)
    disk = scratch / "project.img"
    make_project_disk(disk, content)
    return disk, key_of(wheel.read_bytes(), (content / "install.sh").read_bytes())


def ensure_installed(image: Image, scratch: Path) -> Installed:
    """Install the wheel into a copy of the booted image, or find that done; prints what it took."""
    project, key = project_disk(scratch)
    disk = image.folder / f"installed-{key}.qcow2"
    with locked(image.folder):
        if not disk.exists():
            start = time.monotonic()
            part = image.folder / "installing.qcow2"
            copy_disk(image.disk, part)
            with Machine(image, part, scratch, snapshot="booted", project=project, cache="unsafe") as guest:
                guest.sh("sh /project/install.sh", INSTALL_LIMIT_S)
                # What tests start and plug is in memory and compiled then.
                guest.sh("/opt/wipline/bin/wipline-station --help && lsusb")
                guest.sh("umount /project")
                guest.save("installed")
                guest.power_off()
            part.rename(disk)
            print(f"guest: installed the wheel {key} in {time.monotonic() - start:.1f} s", flush=True)
        os.utime(disk)
        keep_newest(image.folder, "installed-*.qcow2")
    return Installed(image, disk, project)


def copy_disk(source: Path, target: Path) -> None:
    """A disk of one's own to write on; holes and, where the file system can, blocks stay shared."""
    subprocess.run(["cp", "--sparse=always", "--reflink=auto", str(source), str(target)], check=True)
