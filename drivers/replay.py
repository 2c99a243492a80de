"""Driver that reads scans from a file or a named pipe, one a line: a reader without hardware.

It serves tests, demonstrations and other programs. A file is read once; a named pipe is read until `close`, with any number
of writers. `drivers.decode.scan_text` defines the notation of control characters. Nothing is lost: a writer blocks while
the pipe is full. A file may also be a capture of a real reader (`drivers.capture.playback_reader`).
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
"""The capacity of a pipe."""


def open_device(settings: Settings) -> Driver:
    """Open the file or named pipe at `path`. Raises `DriverError`."""
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
    from drivers.capture import playback_reader  # it imports the drivers of all kinds

    replay.close()
    return playback_reader.open_capture(Path(path).open("rb"), replay.reader)


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
        self._handle = DeviceHandle(lambda: os.close(self._descriptor))

    def reads(self) -> Iterator[Read | Dropped]:
        """Each line as a scan; after the last line of a file, block until `close`."""
        lines = ScanTextReader()
        with self._handle.reading():
            while self._handle.wait(self._descriptor):
                for data in self._available():
                    for scan in lines.feed(data) if data else lines.end():
                        yield read_of(scan, self.kind, self.reader, boot_ns())
                        if self._handle.closed:
                            return
                    if not data:
                        self._await_next_writer()

    def close(self) -> None:
        """End `reads` and close the file."""
        self._handle.close()

    def _available(self) -> Iterator[bytes]:
        """The data that can be read without blocking; b"" when the writer has closed the pipe or the file ends."""
        # Read to the last byte: poll() does not report a writer that opened and closed the pipe before this descriptor
        # was opened; only a read finds its data.
        while not self._handle.closed:
            try:
                data = os.read(self._descriptor, CHUNK_BYTES)
            except BlockingIOError:
                return
            yield data
            if not data:
                return

    def _await_next_writer(self) -> None:
        if not self._endless:
            self._handle.wait()
            return
        # poll() reports a hang-up on this descriptor from now on; a new one waits for the next writer. It is opened before
        # the old one is closed: a pipe without a reader discards the data of a writer that opens and closes in between.
        try:
            fresh = _open(self._path)
        except DriverError as error:
            raise DeviceLost(error.came, error.expected, error.do) from error
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
