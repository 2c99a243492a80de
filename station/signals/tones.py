"""The three tones of a station, as samples: one short high for green, two for amber, one long low for red.

How they were chosen. The ear that is old or was at a press for years loses the high tones first, from 2 kHz up; motors, saws
and hammers are loudest below 400 Hz. So the fundamentals lie between 500 and 1,500 Hz, each more than half an octave from
the next. Each carries two overtones: a noise that drowns one of the three leaves the others. And nobody needs to hear pitch:
one short, two, and one long are told apart by rhythm and length alone, as the buzzer of `gpio` does, so that there is one
language to learn. Each is over before the next sheet is in the hand, and ends in a rest, so that two are heard as two.

>>> {state.value: round(length_s(tone), 2) for state, tone in TONES.items()}
{'green': 0.12, 'amber': 0.44, 'red': 0.9}
"""

import math
import struct
from dataclasses import dataclass

from station.answers import State

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
    """So many beeps of `beep_s` seconds at the fundamental `hz`, `gap_s` apart."""

    hz: int
    beeps: int
    beep_s: float
    gap_s: float = 0.0


TONES = {
    State.GREEN: Tone(hz=1400, beeps=1, beep_s=0.12),
    State.AMBER: Tone(hz=880, beeps=2, beep_s=0.16, gap_s=0.12),
    State.RED: Tone(hz=520, beeps=1, beep_s=0.9),
}


def length_s(tone: Tone) -> float:
    """How long a tone sounds, without the rest behind it."""
    return tone.beeps * tone.beep_s + (tone.beeps - 1) * tone.gap_s


def samples(tone: Tone) -> bytes:
    """A tone and the rest behind it: signed 16-bit, little-endian, one channel, at `RATE`."""
    silence = bytes(SAMPLE_BYTES * round(tone.gap_s * RATE))
    rest = bytes(SAMPLE_BYTES * round(REST_S * RATE))
    return silence.join([_beep(tone)] * tone.beeps) + rest


def _beep(tone: Tone) -> bytes:
    count = round(tone.beep_s * RATE)
    edge = round(EDGE_S * RATE)
    loud = 32_767 * LOUDEST / sum(OVERTONES)
    turn = 2 * math.pi * tone.hz / RATE
    found = []
    for at in range(count):
        swell = min(1.0, at / edge, (count - 1 - at) / edge)
        wave = sum(part * math.sin(turn * at * number) for number, part in enumerate(OVERTONES, 1))
        found.append(round(loud * wave * (1 - math.cos(math.pi * swell)) / 2))
    return struct.pack(f"<{count}h", *found)
