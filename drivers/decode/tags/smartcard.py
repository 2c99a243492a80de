"""The number of a contactless card: the response of PC/SC readers, and numbers that do not identify a card.

Source: PC/SC part 3, section 3.2.2.1.3 (Get Data); ISO/IEC 14443-3 for random numbers and the cascade tag.

>>> answered(bytes.fromhex("04A1B2C39000"))
TagSighting(uid='04A1B2C3', signal_dbm=None, why=None)
>>> answered(bytes.fromhex("08A1B2C39000")).why
'The card shows a random number, another one each time (08A1B2C3).'
"""

from drivers.decode.serial.framing import TagSighting

GET_UID = bytes.fromhex("FFCA000000")
_WHY = {
    "6281": "the reader says that the answer may be damaged",
    "6282": "the answer ended early",
    "6300": "the reader says that the operation failed",
    "6A81": "this card or reader does not know the question",
}


def answered(response: bytes) -> TagSighting:
    """Parse a response to `GET_UID`: the number and two bytes of status."""
    number, status = response[:-2], response[-2:].hex().upper()
    if status != "9000" or not number:
        cause = _WHY.get(status, "there is no number in the answer")
        return TagSighting(
            number.hex().upper(), why=f"The card's number cannot be read: {cause} ({status or 'no status'})."
        )
    return sighted(number)


def sighted(number: bytes) -> TagSighting:
    """The card with this number, first byte first; with a reason if the number cannot identify it."""
    text = number.hex().upper()
    if len(number) == 4 and number[0] == 0x08:
        return TagSighting(text, why=f"The card shows a random number, another one each time ({text}).")
    if len(number) == 4 and number[0] == 0x88:
        return TagSighting(text, why=f"The reader gives only the first part of a longer number ({text}).")
    return TagSighting(text)
