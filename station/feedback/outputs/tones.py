"""The tones of a station, as samples: one short high for saved, two ticks for a card, two for look, a short and a long one
for what was not understood, three lower ones for stop, one long low one for red.

How they were chosen. The ear that is old or was at a press for years loses the high tones first, from 2 kHz up; motors, saws
and hammers are loudest below 400 Hz. So the fundamentals lie between 500 and 1,500 Hz: one for green, amber, stop and red
each, half an octave apart. Each carries two overtones: a noise that drowns one of the three leaves the others. And nobody
needs to hear pitch: the rhythms alone tell the six apart, and the buzzer of `gpio` has the same, so there is one language
to learn. Each is over before the next sheet is in the hand, and ends in a rest, so that two are heard as two.

>>> {form.value: round(length_s(tone), 2) for form, tone in TONES.items()}
{'saved': 0.12, 'taken': 0.18, 'look': 0.44, 'unread': 0.6, 'stop': 0.72, 'red': 0.9}
"""

import math
import struct
from dataclasses import dataclass

from station.feedback.messages import AnswerForm

RATE = 22_050
"""Samples a second: what espeak-ng speaks in, and more than twice every overtone."""
SAMPLE_BYTES = 2
MOST_TONE_S = 1.0
EDGE_S = 0.008
"""Each beep swells and fades so long: one that begins at once clicks."""
REST_S = 0.1
OVERTONES = (1.0, 0.5, 0.25)
LOUDEST = 0.8  # of what 16 bits can hold; how loud it is in the room is the amplifier's matter


@dataclass(frozen=True, slots=True)
class Tone:
    """Beeps of so many seconds each at the fundamental `hz`, `gap_s` apart."""

    hz: int
    beeps_s: tuple[float, ...]
    gap_s: float = 0.12


TONES = {
    AnswerForm.SAVED: Tone(1480, (0.12,)),
    AnswerForm.TAKEN: Tone(1480, (0.06, 0.06), gap_s=0.06),
    AnswerForm.LOOK: Tone(1030, (0.16, 0.16)),
    AnswerForm.UNREAD: Tone(1030, (0.12, 0.36)),
    AnswerForm.STOP: Tone(720, (0.16, 0.16, 0.16)),
    AnswerForm.RED: Tone(500, (0.9,)),
}


def length_s(tone: Tone) -> float:
    """How long a tone sounds, without the rest behind it."""
    return sum(tone.beeps_s) + (len(tone.beeps_s) - 1) * tone.gap_s


def samples(tone: Tone) -> bytes:
    """A tone and the rest behind it: signed 16-bit, little-endian, one channel, at `RATE`."""
    silence = bytes(SAMPLE_BYTES * round(tone.gap_s * RATE))
    rest = bytes(SAMPLE_BYTES * round(REST_S * RATE))
    return silence.join(_beep(tone.hz, beep_s) for beep_s in tone.beeps_s) + rest


def _beep(hz: int, beep_s: float) -> bytes:
    count = round(beep_s * RATE)
    edge = round(EDGE_S * RATE)
    loud = 32_767 * LOUDEST / sum(OVERTONES)
    turn = 2 * math.pi * hz / RATE
    found = []
    for at in range(count):
        swell = min(1.0, at / edge, (count - 1 - at) / edge)
        wave = sum(part * math.sin(turn * at * number) for number, part in enumerate(OVERTONES, 1))
        found.append(round(loud * wave * (1 - math.cos(math.pi * swell)) / 2))
    return struct.pack(f"<{count}h", *found)
