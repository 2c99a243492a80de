"""Hash chain: detects events of a log that were damaged, removed or reordered.

Each event's hash covers the hash before it, so the last hash (the tip) identifies the whole log. The hub links its ledger
in the same way, over the accepted events in their order. The chain is tamper-evident, not tamper-proof: rewriting all of it
can forge it.

>>> first = genesis(bytes(16))
>>> link(first, b'{"v":1}').hex()[:16]
'e557a5b66fa52ca0'
"""

import hashlib
import hmac
import struct

HASH_BYTES = 32
LOG_ID_BYTES = 16


def genesis(log_id: bytes) -> bytes:
    """`prev` of a log's first event; `log_id` is 16 random bytes."""
    return hashlib.sha256(b"wip/1 log\0" + log_id).digest()


def link(prev: bytes, encoded: bytes) -> bytes:
    """The hash of an event (its encoded bytes) that follows `prev` (32 bytes)."""
    return hashlib.sha256(b"wip/1\0" + prev + struct.pack(">I", len(encoded)) + encoded).digest()


def ledger_genesis(hub_id: bytes) -> bytes:
    """The value before the first row of a hub's ledger; `hub_id` is 16 random bytes."""
    return hashlib.sha256(b"wip/1 ledger\0" + hub_id).digest()


def ledger_link(previous: bytes, pos: int, log_id: bytes, seq: int, event_hash: bytes) -> bytes:
    """The hub's chain after accepting (log_id, seq, event_hash) at position `pos`."""
    return hashlib.sha256(previous + struct.pack(">Q", pos) + log_id + struct.pack(">Q", seq) + event_hash).digest()


def anchor_mac(key: bytes, log_id: bytes, boot: bytes, t2_us: int, t3_us: int) -> str:
    """The hub's seal, in hex, on the two times it gave to this log in this boot (16 bytes each)."""
    message = b"wip/1 anchor\0" + log_id + boot + struct.pack(">qq", t2_us, t3_us)
    return hmac.new(key, message, hashlib.sha256).hexdigest()


def boot_bytes(boot: str) -> bytes:
    """The 16 bytes of a kernel's boot_id text; a boot id of another form is hashed down to 16 bytes."""
    plain = boot.replace("-", "")
    try:
        raw = bytes.fromhex(plain)
    except ValueError:
        raw = b""
    return raw if len(raw) == LOG_ID_BYTES else hashlib.sha256(boot.encode()).digest()[:LOG_ID_BYTES]
