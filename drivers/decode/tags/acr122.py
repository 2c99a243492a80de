"""Light and sound of an ACR122U: the commands that show an answer on the reader itself, and silence its own beep.

`FF 00 40`, light, `04`, T1, T2, times, sound. Of the light's bits 0 and 1 are red and green at the end, 2 and 3 that they
change, 4 and 5 red and green during T1, 6 and 7 that they blink; red and green together look amber. T1 and T2 in 100 ms; the
sound follows T1. The reader answers when the blinking is over. Source: ACR122U API 2.04, sections 6.2 and 6.7.

>>> TOLD["green"].hex()
'ff0040ae0401010101'
>>> is_acr122("ACS ACR122U PICC Interface 00 00"), is_acr122("OMNIKEY 5022 CL 00 00")
(True, False)
"""

BEEP_OFF = bytes.fromhex("FF00520000")
"""No sound when a card is put on: the reader beeps before anything is recorded."""
LONGEST_S = 0.5
"""How long the longest of `TOLD` keeps the reader."""
TOLD = {
    "green": bytes.fromhex("FF0040AE0401010101"),  # one beep
    "amber": bytes.fromhex("FF0040FF0401010201"),  # two
    "red": bytes.fromhex("FF00405D0404010101"),  # one that is long
}


def is_acr122(reader: str) -> bool:
    """Whether a reader of this name knows these commands."""
    return "ACR122" in reader.upper()


def done(answer: bytes | None) -> bool:
    """Whether the reader did what it was told."""
    return answer is not None and answer[-2:-1] == b"\x90"
