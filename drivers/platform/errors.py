"""Errors of opening and losing a scanner, each with what came, what was expected and what to do."""

import errno

from drivers import DeviceLost, DriverError, Settings
from drivers.decode.detect.device_info import DeviceInfo, reader_id
from drivers.decode.detect.device_policy import DevicePolicy

HELD = frozenset({errno.EBUSY, errno.EWOULDBLOCK})  # a grab, a lock


def nothing_there(settings: Settings) -> DriverError:
    """No input device matches the settings."""
    wanted = settings.get("path") or settings.get("match")
    return DriverError(
        came=f"No scanner {wanted!r} is plugged in." if wanted else "No scanner is plugged in.",
        expected="Expected a device that types digits and Enter and is no mouse.",
        do="Plug it in, or see with `wipline-station readers` what is there and correct path or match.",
    )


def not_a_scanner(info: DeviceInfo, policy: DevicePolicy) -> DriverError:
    """The named device is not used, by its policy."""
    return DriverError(
        came=f"{info.node} ({info.name}, {reader_id(info)}) is not read. {policy.why}",
        expected="Expected a device that types digits and Enter, is no mouse, and fits match where it is given.",
        do="Correct path or match; `wipline-station readers` shows what is plugged in.",
    )


def refused(info: DeviceInfo, error: OSError) -> DriverError:
    """The device cannot be opened or grabbed."""
    came = f"{info.node} ({info.name}) cannot be read: {error.strerror}."
    if error.errno in HELD:
        return DriverError(
            f"{info.node} ({info.name}) is held by another program.",
            "A scanner is read by one program alone.",
            f"End the other one, perhaps a second station; this finds it: sudo fuser -v {info.node}",
        )
    if error.errno in (errno.EACCES, errno.EPERM):
        expected = "The station's user must be allowed to read the device."
        return DriverError(
            came, expected, "Install config/udev/70-wipline-readers.rules, then plug the scanner in again."
        )
    return DriverError(came, "Expected a device that can be opened.", "Plug the scanner in again.")


def unplugged(reader: str, name: str, begun: int) -> DeviceLost:
    """An open scanner was unplugged; `begun`: bytes of a scan that had begun."""
    half = f" in mid-scan, and half a scan was dropped (bytes: {begun})" if begun else ""
    return DeviceLost(
        f"{reader} ({name}) was unplugged{half}.",
        "Scans are read while it is plugged in.",
        "Plug it in again; it is used again at once.",
    )
