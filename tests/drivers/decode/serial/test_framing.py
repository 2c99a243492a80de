"""Frames of tag readers: complete, byte by byte, between garbage, broken, with false lengths; only valid ones count."""

import os
import random
from functools import reduce
from operator import xor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.decode.serial.framing import HEAD_BYTES, PIECE_BYTES, FrameDecoder, TagProtocol, TagSighting
from drivers.decode.serial.pn532 import ACK
from drivers.decode.serial.uhfreader18 import crc16
from drivers.serial_rfid import PROTOCOLS

SEED = int(os.environ.get("WIPLINE_SEED", "20260103"))
ROUNDS = [20_000, pytest.param(1_000_000, marks=pytest.mark.nightly)]
LONGEST_FRAME = 1028


def closed(body: str) -> bytes:
    """An UHFReader18 frame with its CRC."""
    data = bytes.fromhex(body)
    return data + crc16(data).to_bytes(2, "little")


def tag(uid: str, signal_dbm: int | None = None) -> TagSighting:
    return TagSighting(uid, signal_dbm)


# From data sheets, manuals and captures: the frame, and its tags.
GOOD: dict[str, list[tuple[bytes, tuple[TagSighting, ...]]]] = {
    "ID-12, RDM6300": [
        (b"\x020C000621A58E\r\n\x03", (tag("0C000621A5"),)),
        (b"\x023C00CE754CCB\x03", (tag("3C00CE754C"),)),
        (b"\x023c00ce754ccb\x03", (tag("3C00CE754C"),)),
    ],
    "M100": [
        (bytes.fromhex("BB02220011C9340030751FEB705C5904E3D50D703A76EF7E"), (tag("3A76340030751FEB705C5904E3D50D70", -55),)),
        # The bytes after the EPC are not its CRC: only the number is used.
        (bytes.fromhex("BB02220011C9340030751FEB705C5904E3D50D703A77F07E"), (tag("30751FEB705C5904E3D50D70", -55),)),
        (bytes.fromhex("BB01FF000115167E"), ()),
    ],
    "UHFReader18": [
        (closed("0B0001010201AA02BBCC"), (tag("AA"), tag("BBCC"))),
        (closed("13000101010C3034257BF7194E4000001A85"), (tag("3034257BF7194E4000001A85"),)),
        (closed("050001FB"), ()),
        (closed("0D0021000236090331801E0A"), ()),
    ],
    "53 57": [
        (
            bytes.fromhex("4354001C014501C3832508013E2A010F0101E2801191A5030060ACB87676823A"),
            (tag("E2801191A5030060ACB87676"),),
        ),
        (
            bytes.fromhex(
                "435400360001010003"
                "0F0102E2002067551602701270920F49"
                "0F0102E200207560100186251016A348"
                "0F0102E200207560100185010101014DE4"
            ),
            (tag("E2002067551602701270920F"), tag("E200207560100186251016A3"), tag("E20020756010018501010101")),
        ),
        (bytes.fromhex("4354000400010064"), ()),
        (bytes.fromhex("4354000D0010011411C3DD938E1701232A"), ()),
    ],
    "PN532": [
        (bytes.fromhex("0000FF0CF4D54B0101000408040102030ABE00"), (tag("0102030A"),)),
        (bytes.fromhex("0000FF06FAD50332010607E800"), ()),
        (ACK, ()),
        (bytes.fromhex("0000FF03FDD54B00E000"), ()),
    ],
}  # fmt: skip
FRAMES = [(protocol, frame, tags) for protocol in PROTOCOLS for frame, tags in GOOD[protocol.name]]
named = pytest.mark.parametrize("protocol", PROTOCOLS, ids=lambda protocol: protocol.name)
framed = pytest.mark.parametrize(
    ("protocol", "frame", "tags"), FRAMES, ids=[f"{p.name}-{f.hex()[:16]}" for p, f, _ in FRAMES]
)


def checked(protocol: TagProtocol, frame: bytes) -> bool:
    """Whether the frame's own check is right: written from the manuals, not from the decoders."""
    if protocol.name == "ID-12, RDM6300":
        digits = bytes.fromhex(frame[1:13].decode())
        return frame[0] == 2 and reduce(xor, digits[:5]) == digits[5] and frame[13:] in (b"\x03", b"\r\n\x03")
    if protocol.name == "M100":
        right = sum(frame[1:-2]) % 256 == frame[-2] and int.from_bytes(frame[3:5], "big") == len(frame) - 7
        return right and frame[0] == 0xBB and frame[-1] == 0x7E
    if protocol.name == "UHFReader18":
        return frame[0] == len(frame) - 1 and crc16(frame[:-2]) == int.from_bytes(frame[-2:], "little")
    if protocol.name == "53 57":
        right = (256 - sum(frame[:-1]) % 256) % 256 == frame[-1] and frame[:2] == b"CT"
        return right and int.from_bytes(frame[2:4], "big") == len(frame) - 4
    return frame == ACK or (
        frame[:3] == b"\x00\x00\xff" and (frame[3] + frame[4]) % 256 == 0 and frame[3] == len(frame) - 7
        and frame[5] == 0xD5 and sum(frame[5:-1]) % 256 == 0
    )  # fmt: skip


def test_every_protocol_has_its_vectors():
    assert {protocol.name for protocol in PROTOCOLS} == GOOD.keys()


@framed
def test_a_frame_is_read_whole_and_byte_by_byte(protocol, frame, tags):
    assert checked(protocol, frame)
    frames = FrameDecoder(protocol)
    assert list(frames.feed(frame)) == [frame]
    assert [item for byte in frame for item in frames.feed(bytes([byte]))] == [frame]
    assert (protocol.tags(frame), frames.dropped, len(frames)) == (tags, 0, 0)


@framed
def test_frames_between_garbage_are_read_and_the_garbage_is_counted(protocol, frame, tags):
    garbage = b"\xfe\xed\x7f garbage \xf0"
    frames = FrameDecoder(protocol)
    heard = list(frames.feed(garbage + frame + garbage + frame + frame + garbage))
    heard += frames.quiet()
    assert (heard, frames.dropped) == ([frame] * 3, 3 * len(garbage))


@framed
def test_no_frame_with_one_broken_bit_is_believed(protocol, frame, tags):
    for bit in range(8 * len(frame)):
        broken = bytearray(frame)
        broken[bit // 8] ^= 1 << bit % 8
        frames = FrameDecoder(protocol)
        heard = [*frames.feed(bytes(broken)), *frames.quiet()]
        # A digit in the other case is the same digit, and an answer may come from a reader of another address.
        assert all(checked(protocol, outcome) for outcome in heard)
        assert bytes(broken).upper() == frame.upper() or heard in ([], [ACK])


@framed
@pytest.mark.parametrize("length", [0, 1, 2, 5, 0x7F, 0xFF])
def test_a_frame_behind_a_lying_length_is_read(protocol, frame, tags, length):
    liars = {
        "ID-12, RDM6300": b"\x02" + b"A" * min(length, 12),
        "M100": bytes([0xBB, 2, 0x22, 0, length]),
        "UHFReader18": bytes([length, 0, 1, 1]),
        "53 57": bytes([0x43, 0x54, 0, length]),
        "PN532": bytes([0, 0, 0xFF, length, -length & 0xFF]),
    }
    frames = FrameDecoder(protocol)
    heard = [*frames.feed(liars[protocol.name] + frame), *frames.quiet()]
    assert heard[-1] == frame
    assert all(checked(protocol, outcome) for outcome in heard)


@named
@given(pieces=st.lists(st.binary(max_size=80), max_size=8), data=st.data())
def test_no_bytes_raise_or_pass_unchecked(protocol, pieces, data):
    frames, sent = FrameDecoder(protocol), 0
    known = [frame for frame, _ in GOOD[protocol.name]]
    for piece in pieces:
        good = data.draw(st.sampled_from(known))
        cut = data.draw(st.integers(0, len(good)))
        for part in (piece, good[:cut]):
            sent += len(part)
            for frame in frames.feed(part):
                assert checked(protocol, frame)
                sent -= len(frame)
                assert all(tag.uid == tag.uid.upper() and bytes.fromhex(tag.uid) for tag in protocol.tags(frame))
    sent -= sum(len(frame) for frame in frames.quiet())
    assert (frames.dropped, len(frames)) == (sent, 0)


@named
def test_a_device_that_never_stops_costs_bounded_memory(protocol):
    frames = FrameDecoder(protocol)
    for begin in (protocol.start or b"\xff\x00\x01\x01", b"\x00", b"A"):
        for frame in frames.feed((begin + b"\x00\x10") * 20_000):
            assert checked(protocol, frame)
        assert len(frames) <= LONGEST_FRAME + PIECE_BYTES


@named
def test_the_length_is_in_the_first_bytes(protocol):
    for frame, _ in GOOD[protocol.name]:
        assert protocol.size(frame[:HEAD_BYTES]) == len(frame)


@named
def test_a_question_that_comes_back_as_an_echo_is_no_answer(protocol):
    for asked in PROTOCOLS:
        frames = FrameDecoder(protocol)
        heard = list(frames.feed(asked.query + asked.begin + asked.poll))
        assert heard + list(frames.quiet()) == []


@named
@pytest.mark.parametrize("rounds", ROUNDS)
def test_no_stream_of_garbage_is_a_frame(protocol, rounds):
    print(f"seed {SEED}, {rounds} streams to {protocol.name}")
    rng = random.Random(SEED)
    frames = FrameDecoder(protocol)
    for _ in range(rounds):
        assert list(frames.feed(rng.randbytes(rng.randrange(40)))) == []
    list(frames.quiet())


@named
@pytest.mark.parametrize("rounds", ROUNDS)
def test_no_stream_of_pieces_hides_the_frame_after_it(protocol, rounds):
    """With probability 1/256 an 8-bit checksum fits a part joined to the head of the next frame; that drops one frame."""
    rng = random.Random(SEED)
    known = [frame for frame, _ in GOOD[protocol.name]]
    whole = max(known, key=len)
    frames, glued = FrameDecoder(protocol), 0
    for _ in range(rounds):
        good = rng.choice(known)
        # Not all bytes but the last: a PN532 frame may end with the 00 that begins the next one.
        begin = rng.randrange(len(good) - 1)
        piece = bytearray(good[begin : rng.randrange(begin, len(good) - 1)])
        if piece and rng.random() < 0.5:
            piece[rng.randrange(len(piece))] = rng.randrange(256)
        heard = [*frames.feed(bytes(piece)), *frames.feed(whole), *frames.quiet()]
        assert all(checked(protocol, frame) for frame in heard)
        if heard[-1:] != [whole]:
            assert (bytes(piece) + whole).startswith(heard[-1]) and len(heard[-1]) > len(piece)  # noqa: PT018
            assert [*frames.feed(whole), *frames.quiet()] == [whole]
            glued += 1
    print(f"seed {SEED}, {rounds} streams of pieces to {protocol.name}: {glued} glued to the head of the next frame")
    assert glued <= rounds / 20_000
