"""Tones of the answers, as samples.

Saved: one short high tone. Card: two ticks. Look: two tones. Not understood: a short and a long one. Stop: three lower
ones. Red: one long low one.

Age and noise at work impair the hearing of high tones first, from 2 kHz up. Motors, saws and hammers are loudest below 400
Hz. So the fundamentals are between 500 and 1,500 Hz: one each for green, amber, stop and red, half an octave apart. Each
has two overtones: a noise that masks one of the three partials leaves the others audible. The rhythms alone distinguish the
six forms without pitch, and the buzzer of `gpio` has the same rhythms. Each tone ends before the next sheet can be scanned,
with a rest behind it, so that two tones do not merge.

>>> {form.value: round(length_s(tone), 2) for form, tone in TONES.items()}
{'saved': 0.12, 'taken': 0.18, 'look': 0.44, 'unread': 0.6, 'stop': 0.72, 'red': 0.9}
"""

import math
import struct
from dataclasses import dataclass

from station.feedback.messages import AnswerForm

RATE = 22_050
"""Samples a second: espeak-ng's rate, and more than twice the frequency of every overtone."""
SAMPLE_BYTES = 2
MOST_TONE_S = 1.0
EDGE_S = 0.008
"""The attack and the release of each beep: without them it would click."""
REST_S = 0.1
OVERTONES = (1.0, 0.5, 0.25)
LOUDEST = 0.8  # of the 16-bit full scale; the amplifier sets the volume


@dataclass(frozen=True, slots=True)
class Tone:
    """Beeps at the fundamental `hz`, each of the given length in seconds, `gap_s` apart."""

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
    """The length of a tone in seconds, without the rest behind it."""
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
    beep = []
    for at in range(count):
        swell = min(1.0, at / edge, (count - 1 - at) / edge)
        wave = sum(part * math.sin(turn * at * number) for number, part in enumerate(OVERTONES, 1))
        beep.append(round(loud * wave * (1 - math.cos(math.pi * swell)) / 2))
    return struct.pack(f"<{count}h", *beep)
