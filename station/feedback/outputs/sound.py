"""The sound of a bench: a tone for each answer and, where it is asked for, one word, through any sound card.

Which tones, and why these, stands in `station.feedback.outputs.tones`. An answer is its tone, then its
word. A newer answer cuts off one that is no worse than itself; a worse one's tone plays to its end first, and only its
word is left out (`station.feedback.outputs.priority_queue`). Between answers there is silence.
"""

import errno
import threading
from collections.abc import Callable, Iterator
from typing import Protocol

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
"""Written at a time; between two pieces a newer answer is looked for."""
PIECE_BYTES = int(PIECE_S * RATE) * SAMPLE_BYTES


class Speaker(Protocol):
    """A sound device; each call raises `OSError` where it fails."""

    def write(self, samples: bytes) -> None: ...
    def cut(self) -> None: ...
    def finish(self) -> None: ...
    def close(self) -> None: ...


def open_signal(row: Row) -> OutputThread[Speaker]:
    """Play on the ALSA device at `path`; one that another program holds is waited for."""
    name, found = row.path or DEFAULT_DEVICE, library()

    def open_device() -> Speaker:
        return Alsa(found, name)

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
    """What is played for each answer. The words come in beside it: no scan waits for them, and no start."""

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

    def perform(self, speaker: Speaker, answer: Answer, turns: AnswerQueue) -> None:
        """Play an answer's tone, then its word."""
        if not _played(speaker, self._tones[form_of(answer)], turns):
            return
        turns.mark_shown()
        if _played(speaker, self._words.get(word_of(answer), b""), turns):
            speaker.finish()

    def _learn(self) -> None:
        try:
            for word, rendered in self._speak():
                self._words[word] = rendered
        except OutputError as error:
            self._say("no words are spoken; the tones sound", why=str(error))


def _played(speaker: Speaker, sound: bytes, turns: AnswerQueue) -> bool:
    """Play this; False where it was cut off by another answer."""
    for at in range(0, len(sound), PIECE_BYTES):
        if turns.cut():
            if at:  # else it is the end of the sound before this one that is in the device, and that is left to it
                speaker.cut()
            return False
        speaker.write(sound[at : at + PIECE_BYTES])
    return not turns.cut()
