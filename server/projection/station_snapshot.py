"""The snapshot: what holds in the shop now, as stations keep it, to judge a scan by while the hub is out of reach."""

from hashlib import sha256
from typing import Any

import msgspec
from sqlalchemy import Connection, func, select

from server.projection.bindings import Bindings
from server.projection.definitions import Definitions, read_row
from server.projection.tables import binding, definition
from station.core.codes import CodeType, usable_patterns
from station.core.ledger.rules import ON_BY_DEFAULT
from station.core.master_data import NAMED_BY, MasterData
from station.system.clock import utc_us

VERSION_DIGITS = 16
MOST_BINDINGS = 50_000  # the newest ones
PATTERNS = "pattern.define"
NOT_FOR_STATIONS = frozenset({"cost.set"})  # what things cost is nobody's business at a bench
_LAST = "~"  # behind every log id
_JSON = msgspec.json.Encoder(order="deterministic")


def snapshot(
    connection: Connection, now_us: int | None = None, separators: tuple[str, str] | None = None
) -> tuple[str, bytes]:
    """(version, body). The body is JSON: definitions [{what, holds_from_us, data}], rules [name], bindings {code: item},
    codes [{code, as, to}], refused [{name, why}], separators {decimal, group} where they are given. `bindings` are
    those of `codes` that name an item, for stations of earlier versions.

    Of each thing the one definition that holds at `now_us` (UTC us; None: by this machine's clock), costs left out; the
    rules that are on. The same shop gives the same version and bytes.
    """
    at_us = utc_us() if now_us is None else now_us
    catalogue = MasterData(read_row(row) for row in connection.execute(select(definition)))
    held = [
        catalogue.at(what, name, at_us)
        for what in sorted(NAMED_BY.keys() - NOT_FOR_STATIONS)
        for name in catalogue.names(what)
    ]
    refused = usable_patterns(one.data for one in held if one and one.what == PATTERNS).refused
    unused = {each.name for each in refused}  # not sent: a station of an earlier version could match it for ever
    shown = [
        {"what": one.what, "holds_from_us": one.holds_from_us, "data": one.data}
        for one in held
        if one and not (one.what == PATTERNS and str(one.data.get("name")) in unused)
    ]
    rules = [name for name, default in ON_BY_DEFAULT.items() if catalogue.rule_is_on(name, at_us, default)]
    told: dict[str, Any] = {"refused": [{"name": each.name, "why": each.why} for each in refused]} if refused else {}
    codes = _codes(connection, at_us)
    items = {each["code"]: each["to"] for each in codes if each["as"] == CodeType.ITEM}
    if separators is not None:
        told["separators"] = dict(zip(("decimal", "group"), separators, strict=True))
    body = _JSON.encode({"definitions": shown, "rules": rules, "bindings": items, "codes": codes} | told)
    return sha256(body).hexdigest()[:VERSION_DIGITS], body


def _codes(connection: Connection, at_us: int) -> list[dict[str, str]]:
    """What the bound codes name now: {code, as, to}, the newest bindings first where there are too many."""
    known = Bindings(connection)
    known.use(Definitions(connection).of(PATTERNS))
    newest = select(binding.c.code).group_by(binding.c.code).order_by(func.max(binding.c.key_us).desc(), binding.c.code)
    at = (at_us, _LAST, 0)
    codes = []
    for code in connection.execute(newest.limit(MOST_BINDINGS)).scalars():
        one = known.bound(code, at)
        to = None if one is None else known.named(code, "text", at).item if one.as_ == CodeType.ITEM else one.item
        if one is not None and to:
            codes.append({"code": code, "as": one.as_, "to": to})
    return codes
