"""ALSA adapter of `sound`: play samples on a sound device through libasound.

It needs only the library that Debian installs with `alsa-utils`, no Python package. All sizes at this port are bytes of
signed 16-bit samples, one channel. The library converts them to the card's format where the device's name is `default` or
begins with `plug`.
"""

import ctypes
import errno
from typing import Any

from station.feedback.outputs import OutputError
from station.feedback.outputs.tones import RATE, SAMPLE_BYTES

LIBRARY = "libasound.so.2"
LATENCY_S = 0.08
"""The device's buffer that is asked for, and so the time until a cut is audible; the device may choose another size."""
RECOVERIES = 5
"""How often one write may find the device in underrun or suspended before it fails."""
WAIT_MS = 200
# <alsa/pcm.h>
_PLAYBACK, _NONBLOCK, _S16_LE, _INTERLEAVED = 0, 1, 2, 3


def library(name: str = LIBRARY) -> Any:
    """libasound, by the file name of the shared library. Raises `OutputError` where it is not installed."""
    try:
        asound = ctypes.CDLL(name)
    except OSError as error:
        raise OutputError(
            came=f"The sound library {name} is not installed here.",
            expected="Signals of kind 'sound' need it.",
            do="Install it: sudo apt-get install alsa-utils; then see the sound cards: aplay -l",
        ) from error
    pcm = ctypes.c_void_p
    asound.snd_pcm_open.argtypes = [ctypes.POINTER(pcm), ctypes.c_char_p, ctypes.c_int, ctypes.c_int]
    asound.snd_pcm_set_params.argtypes = [pcm, *[ctypes.c_int] * 2, *[ctypes.c_uint] * 2, ctypes.c_int, ctypes.c_uint]
    asound.snd_pcm_writei.argtypes = [pcm, ctypes.c_char_p, ctypes.c_ulong]
    asound.snd_pcm_writei.restype = ctypes.c_long
    asound.snd_pcm_nonblock.argtypes = asound.snd_pcm_wait.argtypes = [pcm, ctypes.c_int]
    asound.snd_pcm_recover.argtypes = [pcm, ctypes.c_int, ctypes.c_int]
    for call in ("drop", "drain", "prepare", "close"):
        getattr(asound, f"snd_pcm_{call}").argtypes = [pcm]
    asound.snd_strerror.restype = ctypes.c_char_p
    # By default the library writes each failure to standard error, at each attempt. Its error handler is replaced by a C
    # function without effect: a Python callback is not possible, because the service may not create executable memory
    # (MemoryDenyWriteExecute).
    asound.snd_lib_error_set_handler(ctypes.cast(ctypes.CDLL(None).getpid, ctypes.c_void_p))
    return asound


class Alsa:
    """An open device. Each method raises `OSError` with the library's number and text where the device fails."""

    def __init__(self, asound: Any, name: str) -> None:
        self._library = asound
        pcm = ctypes.c_void_p()
        # A blocking open waits without limit for a card that another program holds.
        self._expect(asound.snd_pcm_open(ctypes.byref(pcm), name.encode(), _PLAYBACK, _NONBLOCK))
        self._pcm: ctypes.c_void_p | None = pcm
        try:
            self._expect(asound.snd_pcm_nonblock(pcm, 0))
            self._expect(asound.snd_pcm_set_params(pcm, _S16_LE, _INTERLEAVED, 1, RATE, 1, int(LATENCY_S * 1e6)))
        except OSError:
            self.close()
            raise

    def write(self, samples: bytes) -> None:
        """Play these samples; returns when all but the last `LATENCY_S` of them have been played."""
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
        """Stop playing at once."""
        self._expect(self._library.snd_pcm_drop(self._pcm))
        self._expect(self._library.snd_pcm_prepare(self._pcm))

    def finish(self) -> None:
        """Wait until all written samples have been played."""
        result = self._library.snd_pcm_drain(self._pcm)
        if result < 0:
            self._recover(result)
        self._expect(self._library.snd_pcm_prepare(self._pcm))

    def close(self) -> None:
        """Close the device."""
        pcm, self._pcm = self._pcm, None
        if pcm is not None:
            self._library.snd_pcm_close(pcm)

    def _recover(self, result: int) -> None:
        """Recover from an underrun (EPIPE), a suspend (ESTRPIPE) or a device that is not ready (EAGAIN); else `OSError`."""
        if result == -errno.EAGAIN:
            self._library.snd_pcm_wait(self._pcm, WAIT_MS)
        else:
            self._expect(self._library.snd_pcm_recover(self._pcm, result, 1))

    def _expect(self, result: int) -> None:
        if result < 0:
            raise OSError(-result, self._library.snd_strerror(result).decode("utf-8", "replace"))
