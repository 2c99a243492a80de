"""Sound output: a tone for each answer and, with `words`, one spoken word, on any sound card.

`station.feedback.outputs.tones` defines the tones. An answer is its tone, then its word. A new answer cuts off one of the
same or a lower rank. The tone of a higher rank plays to its end first; only its word is left out
(`station.feedback.outputs.priority_queue`). There is silence between answers.
"""

import errno
import threading
from collections.abc import Callable, Iterator
from typing import Any, Protocol

from station import log
from station.config import OutputConfig as Row
from station.feedback.messages import Answer, form_of
from station.feedback.outputs import OutputError, OutputMissing
from station.feedback.outputs.alsa import Alsa, library
from station.feedback.outputs.output_thread import OutputThread
from station.feedback.outputs.priority_queue import AnswerQueue
from station.feedback.outputs.speech import spoken, word_of
from station.feedback.outputs.tones import RATE, SAMPLE_BYTES, TONES, samples

DEFAULT_DEVICE = "default"
PIECE_S = 0.02
"""The length of one write; between two writes the queue is checked for a newer answer."""
PIECE_BYTES = int(PIECE_S * RATE) * SAMPLE_BYTES


class Speaker(Protocol):
    """A sound device; each call raises `OSError` where it fails."""

    def write(self, samples: bytes) -> None: ...
    def cut(self) -> None: ...
    def finish(self) -> None: ...
    def close(self) -> None: ...


def open_output(row: Row, load_library: Callable[[], Any] = library) -> OutputThread[Speaker]:
    """Open the ALSA device at `path`; one that another program holds is opened later."""
    name, asound = row.path or DEFAULT_DEVICE, load_library()

    def open_device() -> Speaker:
        return Alsa(asound, name)

    speaker = None
    try:
        speaker = open_device()
    except OSError as error:
        if error.errno != errno.EBUSY:
            raise OutputMissing(
                came=f"The sound device {name!r} cannot be opened: {error.strerror}.",
                expected="Expected an ALSA device that is plugged in and that this user may open.",
                do='See them: aplay -l (Debian package alsa-utils); name one: path = "plughw:0"; let the user in: '
                "sudo usermod -aG audio wipline",
            ) from error
    return OutputThread("sound", open_device, Sound(words=bool(row.words)).perform, speaker).start()


class Sound:
    """The samples of each answer. The words are rendered in another thread, so that neither a scan nor the start waits."""

    def __init__(
        self,
        *,
        words: bool,
        speak: Callable[[], Iterator[tuple[str, bytes]]] = spoken,
        say: Callable[..., None] = log.say,
    ) -> None:
        self._tones = {form: samples(tone) for form, tone in TONES.items()}
        self._words: dict[str, bytes] = {}
        self._speak, self._say = speak, say
        self.learning = threading.Thread(target=self._learn, name="words", daemon=True)
        if words:
            self.learning.start()

    def perform(self, speaker: Speaker, answer: Answer, queue: AnswerQueue) -> None:
        """Play an answer's tone, then its word."""
        if not _play(speaker, self._tones[form_of(answer)], queue):
            return
        queue.mark_shown()
        if _play(speaker, self._words.get(word_of(answer), b""), queue):
            speaker.finish()

    def _learn(self) -> None:
        try:
            for word, rendered in self._speak():
                self._words[word] = rendered
        except OutputError as error:
            self._say("no words are spoken; the tones sound", why=str(error))


def _play(speaker: Speaker, sound: bytes, queue: AnswerQueue) -> bool:
    """Play this; False where another answer cut it off."""
    for at in range(0, len(sound), PIECE_BYTES):
        if queue.cut():
            if at:  # at 0 the device holds only the end of the sound before, which is played to its end
                speaker.cut()
            return False
        speaker.write(sound[at : at + PIECE_BYTES])
    return not queue.cut()
