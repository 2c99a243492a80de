"""LED and buzzer of an ACR122U: commands that show an answer on the reader, and switch off its own beep.

`FF 00 40`, LED state, `04`, T1, T2, repetitions, buzzer. LED state bits 0 and 1: final red and green; 2 and 3: update mask;
4 and 5: red and green during T1; 6 and 7: blinking mask. Red and green together look amber. T1 and T2 are in units of
100 ms; the buzzer sounds in T1. The reader responds when the blinking is over. Source: ACR122U API 2.04, sections 6.2 and
6.7.

>>> STATES["green"].hex()
'ff0040ae0401010101'
>>> is_acr122("ACS ACR122U PICC Interface 00 00"), is_acr122("OMNIKEY 5022 CL 00 00")
(True, False)
"""

BEEP_OFF = bytes.fromhex("FF00520000")
"""No beep when a card is put on: the reader beeps before the scan is recorded."""
LONGEST_S = 0.5
"""The longest time for which a command of `STATES` blocks the reader."""
STATES = {
    "green": bytes.fromhex("FF0040AE0401010101"),  # one short beep
    "amber": bytes.fromhex("FF0040FF0401010201"),  # two short beeps
    "red": bytes.fromhex("FF00405D0404010101"),  # one long beep
}


def is_acr122(reader: str) -> bool:
    """Whether a reader of this name supports these commands."""
    return "ACR122" in reader.upper()


def done(answer: bytes | None) -> bool:
    """Whether the reader reports success (SW1 is 90)."""
    return answer is not None and answer[-2:-1] == b"\x90"
