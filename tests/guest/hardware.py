"""What the guest is made of: QEMU's command line, all of it that a snapshot depends on.

Always QEMU's own emulation, never KVM: a host that offers /dev/kvm may still hang on it. The guest sees one cable, on which
the hub answers at 10.0.2.100:8080, and a read-only second disk with the project's wheel and the test programs.
"""

from pathlib import Path

QEMU = "qemu-system-x86_64"
MEMORY_MIB = 512


def command_line(
    kernel: Path, initrd: Path, disk: Path, project: Path, *, cache: str, hub_port: int | None, snapshot: str | None
) -> list[str]:
    """QEMU's arguments but for console and sockets. A snapshot loads only under the devices it was saved with."""
    network = "user,id=net0,restrict=on"
    if hub_port is not None:
        network += f",guestfwd=tcp:10.0.2.100:8080-cmd:socat - TCP:127.0.0.1:{hub_port}"
    # fmt: off
    return [
        QEMU, "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2", "-m", str(MEMORY_MIB),
        "-nodefaults", "-no-reboot", "-display", "none",
        "-kernel", str(kernel), "-initrd", str(initrd),
        "-append", "console=ttyS0 quiet panic=-1 mitigations=off systemd.show_status=0",
        "-drive", f"file={disk},format=qcow2,if=none,id=root,cache={cache}", "-device", "virtio-blk-pci,drive=root",
        "-drive", f"file={project},format=raw,if=none,id=project,readonly=on", "-device", "virtio-blk-pci,drive=project",
        "-netdev", network, "-device", "virtio-net-pci,netdev=net0,id=cable",
        "-device", "virtio-rng-pci", "-device", "qemu-xhci,id=xhci", "-device", "virtio-serial-pci",
        *(["-loadvm", snapshot] if snapshot else []),
    ]
    # fmt: on
