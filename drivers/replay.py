"""Scans from a file or a named pipe, one a line: a reader without hardware, for trials, demonstrations and other programs.

A file is read once. A named pipe is read for ever, whoever writes to it. `drivers.decode.scan_text` says how control
characters are written. Nothing is lost: a writer waits until the station has taken what it wrote. A file may also be a
recording of a real reader (`drivers.capture.playback_reader`).
"""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from drivers import DeviceLost, Driver, DriverError, Dropped, Read, Settings, boot_ns, read_of
from drivers.decode.capture_file import MARK, is_recording
from drivers.decode.scan_text import ScanTextReader
from drivers.platform.device_handle import DeviceHandle

CHUNK_BYTES = 65_536
"""What a pipe holds."""


def open_device(settings: Settings) -> Driver:
    """Open the file or named pipe at `path`."""
    path = settings.get("path")
    if not path:
        raise DriverError(
            came="A reader of kind 'replay' has no path.",
            expected="Expected the path of a file or a named pipe with one scan a line.",
            do='Add path = "/run/wipline/scans" to the reader.',
        )
    replay = Replay(path)
    if not replay.is_recording:
        return replay
    from drivers.capture import playback_reader  # with it come all kinds of readers

    replay.close()
    return playback_reader.opened(Path(path).open("rb"), replay.reader)


class Replay:
    """An open file or named pipe of scans."""

    kind = "replay"
    lossless = True

    def __init__(self, path: str) -> None:
        self.reader = f"replay-{path}"
        self._path = path
        self._descriptor = _open(path)
        mode = os.fstat(self._descriptor).st_mode
        if not (stat.S_ISREG(mode) or stat.S_ISFIFO(mode)):
            os.close(self._descriptor)
            raise DriverError(
                came=f"{path} is neither a file nor a named pipe.",
                expected="Expected one of them, with one scan a line.",
                do=f"Make a named pipe elsewhere, or remove it first: mkfifo {path}",
            )
        self._endless = stat.S_ISFIFO(mode)
        self.is_recording = not self._endless and is_recording(os.pread(self._descriptor, len(MARK), 0))
        self._held = DeviceHandle(lambda: os.close(self._descriptor))

    def reads(self) -> Iterator[Read | Dropped]:
        """Each line as a scan; after the last line of a file nothing more comes until `close`."""
        lines = ScanTextReader()
        with self._held.reading():
            while self._held.wait(self._descriptor):
                for data in self._pieces():
                    for scan in lines.feed(data) if data else lines.end():
                        yield read_of(scan, self.kind, self.reader, boot_ns())
                        if self._held.closed:
                            return
                    if not data:
                        self._await_next_writer()

    def close(self) -> None:
        """End `reads` and close the file."""
        self._held.close()

    def _pieces(self) -> Iterator[bytes]:
        """What can be read without waiting; b"" is the end that a writer made, or the end of a file."""
        # To the last byte at once: a writer that came and left before this descriptor was opened is seen by reading
        # alone, no wait would ever tell.
        while not self._held.closed:
            try:
                data = os.read(self._descriptor, CHUNK_BYTES)
            except BlockingIOError:
                return
            yield data
            if not data:
                return

    def _await_next_writer(self) -> None:
        if not self._endless:
            self._held.wait()
            return
        # A descriptor that saw its writer leave says so for ever: a new one sleeps until somebody writes. It is opened
        # before the old one is closed, because a pipe without any reader throws away what a quick next writer wrote.
        try:
            fresh = _open(self._path)
        except DriverError as gone:
            raise DeviceLost(gone.came, gone.expected, gone.do) from gone
        self._descriptor, old = fresh, self._descriptor
        os.close(old)


def _open(path: str) -> int:
    try:
        return os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise DriverError(
            came=f"{path} cannot be opened: {error.strerror}.",
            expected="Expected the path of a file or a named pipe with one scan a line.",
            do="Let the station's user read it, or name another." if Path(path).exists() else f"Make it: mkfifo {path}",
        ) from error
