"""A sound device through libasound, the library behind every sound card of Linux: the adapter of `sound`.

Only the library that Debian installs with `alsa-utils` is needed, no Python package. All sizes at this port are bytes of
signed 16-bit samples, one channel; the library makes of them what the card wants where the device's name is `default` or
begins with `plug`.
"""

import ctypes
import errno
from typing import Any

from station.feedback.outputs import OutputError
from station.feedback.outputs.tones import RATE, SAMPLE_BYTES

LIBRARY = "libasound.so.2"
LATENCY_S = 0.08
"""How much the device may hold that was written and not yet heard, so how long a cut takes; it may hold more or less."""
RECOVERIES = 5
"""How often one write may find the device run dry or asleep before it counts as failed."""
WAIT_MS = 200
# <alsa/pcm.h>
_PLAYBACK, _NONBLOCK, _S16_LE, _INTERLEAVED = 0, 1, 2, 3


def library() -> Any:
    """libasound. Raises `OutputError` where it is not installed."""
    try:
        found = ctypes.CDLL(LIBRARY)
    except OSError as error:
        raise OutputError(
            came=f"The sound library {LIBRARY} is not installed here.",
            expected="Signals of kind 'sound' need it.",
            do="Install it: sudo apt-get install alsa-utils; then see the sound cards: aplay -l",
        ) from error
    pcm = ctypes.c_void_p
    found.snd_pcm_open.argtypes = [ctypes.POINTER(pcm), ctypes.c_char_p, ctypes.c_int, ctypes.c_int]
    found.snd_pcm_set_params.argtypes = [pcm, *[ctypes.c_int] * 2, *[ctypes.c_uint] * 2, ctypes.c_int, ctypes.c_uint]
    found.snd_pcm_writei.argtypes = [pcm, ctypes.c_char_p, ctypes.c_ulong]
    found.snd_pcm_writei.restype = ctypes.c_long
    found.snd_pcm_nonblock.argtypes = found.snd_pcm_wait.argtypes = [pcm, ctypes.c_int]
    found.snd_pcm_recover.argtypes = [pcm, ctypes.c_int, ctypes.c_int]
    for name in ("drop", "drain", "prepare", "close"):
        getattr(found, f"snd_pcm_{name}").argtypes = [pcm]
    found.snd_strerror.restype = ctypes.c_char_p
    # The library writes each failure to standard error, again at each try. Now it calls this, which takes no argument and
    # does nothing: a function in C, because the service may not make code while it runs (MemoryDenyWriteExecute).
    found.snd_lib_error_set_handler(ctypes.cast(ctypes.CDLL(None).getpid, ctypes.c_void_p))
    return found


class Alsa:
    """An open device; all of it raises `OSError` with the library's number and word where the device fails."""

    def __init__(self, found: Any, name: str) -> None:
        self._library = found
        pcm = ctypes.c_void_p()
        # A blocking open waits without end for a card that another program holds.
        self._expect(found.snd_pcm_open(ctypes.byref(pcm), name.encode(), _PLAYBACK, _NONBLOCK))
        self._pcm: ctypes.c_void_p | None = pcm
        try:
            self._expect(found.snd_pcm_nonblock(pcm, 0))
            self._expect(found.snd_pcm_set_params(pcm, _S16_LE, _INTERLEAVED, 1, RATE, 1, int(LATENCY_S * 1e6)))
        except OSError:
            self.close()
            raise

    def write(self, samples: bytes) -> None:
        """Play these; returns when all but the last `LATENCY_S` of them have been heard."""
        failures = 0
        while samples:
            count = self._library.snd_pcm_writei(self._pcm, samples, len(samples) // SAMPLE_BYTES)
            if count < 0:
                failures += 1
                if failures > RECOVERIES:
                    self._expect(count)
                self._recover(count)
            else:
                samples = samples[count * SAMPLE_BYTES :]

    def cut(self) -> None:
        """Be silent at once."""
        self._expect(self._library.snd_pcm_drop(self._pcm))
        self._expect(self._library.snd_pcm_prepare(self._pcm))

    def finish(self) -> None:
        """Wait until all that was written has been heard."""
        failed = self._library.snd_pcm_drain(self._pcm)
        if failed < 0:
            self._recover(failed)
        self._expect(self._library.snd_pcm_prepare(self._pcm))

    def close(self) -> None:
        """Let go of the device."""
        pcm, self._pcm = self._pcm, None
        if pcm is not None:
            self._library.snd_pcm_close(pcm)

    def _recover(self, failed: int) -> None:
        """After a device ran dry (EPIPE), slept (ESTRPIPE) or was not ready (EAGAIN) it goes on; else `OSError`."""
        if failed == -errno.EAGAIN:
            self._library.snd_pcm_wait(self._pcm, WAIT_MS)
        else:
            self._expect(self._library.snd_pcm_recover(self._pcm, failed, 1))

    def _expect(self, result: int) -> None:
        if result < 0:
            raise OSError(-result, self._library.snd_strerror(result).decode("utf-8", "replace"))
