"""Spoken words: espeak-ng renders them at the start, and the samples stay in memory; no scan renders a word.

>>> sorted(WORDS)[:4]
['already', 'card', 'not read', 'saved']
"""

import io
import subprocess
import wave
from collections.abc import Iterator

from station.feedback.messages import Answer, Reason
from station.feedback.outputs import OutputError
from station.feedback.outputs.screen import HEADLINES
from station.feedback.outputs.tones import RATE, SAMPLE_BYTES

SPEAKER = "espeak-ng"
MOST_WORD_S = 2.0
"""A longer word is cut: eight words are less than 1 MiB."""
RENDER_S = 20.0
"""How long one word may take to render, on the slowest card."""


def word_of(answer: Answer) -> str:
    """The word of an answer: its headline on the screen, in lower case."""
    return HEADLINES[Reason(answer.why)][0].lower()


WORDS = frozenset(headline.lower() for headline, _ in HEADLINES.values())


def spoken(speaker: str = SPEAKER) -> Iterator[tuple[str, bytes]]:
    """Each word and its samples, in the format of `tones`. Raises `OutputError` where a word cannot be rendered."""
    for word in sorted(WORDS):
        yield word, _rendered(speaker, word)


def _rendered(speaker: str, word: str) -> bytes:
    try:
        done = subprocess.run(  # noqa: S603 - a word of ours, spoken by the system's program
            [speaker, "-v", "en", "-s", "160", "--stdout", word],
            capture_output=True, check=True, timeout=RENDER_S, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        with wave.open(io.BytesIO(done.stdout)) as sound:
            form = (sound.getframerate(), sound.getsampwidth(), sound.getnchannels())
            if form == (RATE, SAMPLE_BYTES, 1):
                return bytes(sound.readframes(int(MOST_WORD_S * RATE)))
    except FileNotFoundError as error:
        raise OutputError(
            came=f"{speaker} is not installed here, so no word is spoken.",
            expected="Expected it for words = true; the tones sound all the same.",
            do=f"Install it, then restart: sudo apt-get install {SPEAKER}",
        ) from error
    except (OSError, subprocess.SubprocessError, wave.Error, EOFError) as error:
        raise _no_word(speaker, word, str(error) or repr(error)) from error
    raise _no_word(speaker, word, f"{form[0]} samples a second, {form[1]} bytes each, {form[2]} channels")


def _no_word(speaker: str, word: str, came: str) -> OutputError:
    return OutputError(
        came=f"{speaker} did not speak {word!r}: {came}.",
        expected=f"Expected one channel of 16-bit samples, {RATE} a second.",
        do=f"Try it: {speaker} -v en {word!r}; the tones sound all the same.",
    )
