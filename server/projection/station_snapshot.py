"""Station snapshot: the shop's current definitions, rules and bindings, with which a station checks scans offline."""

from hashlib import sha256
from itertools import islice
from typing import Any

import msgspec
from sqlalchemy import Connection, func, select

from server.projection.bindings import Bindings
from server.projection.definitions import NOT_FOLDED, Definitions, read_row
from server.projection.ledger_row import AT_ONCE
from server.projection.tables import binding, definition
from station.core.codes import CodeType, binding_key, usable_patterns
from station.core.ledger.rules import ON_BY_DEFAULT
from station.core.master_data import NAMED_BY, MasterData
from station.core.site import SITE
from station.system.clock import utc_us

VERSION_DIGITS = 16
MOST_BINDINGS = 50_000  # the newest ones
PATTERNS = "pattern.define"
# Costs and accounts are confidential at a bench, calendars and counts are of the office; the zone is sent by itself.
NOT_FOR_STATIONS = NOT_FOLDED | {SITE}
_LAST = "~"  # sorts after every log id
_JSON = msgspec.json.Encoder(order="deterministic")


def snapshot(
    connection: Connection,
    now_us: int | None = None,
    separators: tuple[str, str] | None = None,
    zone: str | None = None,
) -> tuple[str, bytes]:
    """(version, body). The body is JSON: definitions [{what, holds_from_us, data}], rules [name], bindings {code: item},
    codes [{code, as, to}], refused [{name, why}]; and separators {decimal, group} and zone (an IANA name) where they are
    given. `bindings` are those of `codes` that name an item, for stations of earlier versions.

    It holds the one definition of each name that applies at `now_us` (UTC us; None: this machine's clock), without costs,
    and the rules that are on. The same shop gives the same version and bytes.
    """
    at_us = utc_us() if now_us is None else now_us
    master_data = MasterData(read_row(row) for row in connection.execute(select(definition)))
    looked_up = (
        master_data.at(what, name, at_us)
        for what in sorted(NAMED_BY.keys() - NOT_FOR_STATIONS)
        for name in master_data.names(what)
    )
    current = [entry for entry in looked_up if entry]
    refused = usable_patterns(entry.data for entry in current if entry.what == PATTERNS).refused
    # A refused pattern is not sent: the matcher of an earlier station version could backtrack without end.
    unused = {pattern.name for pattern in refused}
    sent = [
        {"what": entry.what, "holds_from_us": entry.holds_from_us, "data": entry.data}
        for entry in current
        if not (entry.what == PATTERNS and str(entry.data.get("name")) in unused)
    ]
    rules = [name for name, default in ON_BY_DEFAULT.items() if master_data.rule_is_on(name, at_us, default)]
    more: dict[str, Any] = {}
    if refused:
        more["refused"] = [{"name": pattern.name, "why": pattern.why} for pattern in refused]
    if separators is not None:
        more["separators"] = dict(zip(("decimal", "group"), separators, strict=True))
    if zone is not None:
        more["zone"] = zone
    codes = bound_codes(connection, at_us)
    items = {bound["code"]: bound["to"] for bound in codes if bound["as"] == CodeType.ITEM}
    body = _JSON.encode({"definitions": sent, "rules": rules, "bindings": items, "codes": codes} | more)
    return sha256(body).hexdigest()[:VERSION_DIGITS], body


def bound_codes(connection: Connection, at_us: int) -> list[dict[str, str]]:
    """The bound codes with their current targets: {code, as, to}; above MOST_BINDINGS only the newest ones."""
    bindings = Bindings(connection)
    bindings.use(Definitions(connection).of(PATTERNS))
    newest = select(binding.c.code).group_by(binding.c.code).order_by(func.max(binding.c.key_us).desc(), binding.c.code)
    at = (at_us, _LAST, 0)
    codes = []
    key_of = {code: binding_key(code) for code in connection.execute(newest.limit(MOST_BINDINGS)).scalars()}
    for number, (code, key) in enumerate(key_of.items()):
        if number % AT_ONCE == 0:
            bindings.load_codes(dict(islice(key_of.items(), number, number + AT_ONCE)))
        bound = bindings.bound(code, key, "text", at)
        if bound is None:
            continue
        to = bindings.named(code, key, "text", at).item if bound.as_ == CodeType.ITEM else bound.item
        if to:
            codes.append({"code": code, "as": bound.as_, "to": to})
    return codes
