"""What the tests of plugged devices share: a scanner as the kernel describes it."""

from drivers.decode.plugged import Facts

ZEBRA = Facts(
    node="/dev/input/event3",
    name="Zebra Symbol Bar Code Scanner",
    bus=3,
    vendor=0x05E0,
    product=0x1200,
    serial="SN77",
    place="usb-dummy_hcd.0-1",
    types=True,
    points=False,
    links=("/dev/input/by-id/usb-Zebra_SN77-event-kbd",),
)
