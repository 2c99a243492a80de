"""Shop codes: the patterns and bindings by which the shop's stations read codes now, as their snapshot holds them."""

from sqlalchemy import Connection

from server.projection.station_snapshot import bound_codes
from station.core.codes import CodeBinding, CodeType, bindings_by_key, usable_patterns
from station.core.master_data import MasterData
from station.core.printing.printed_code import ShopCodes


def shop_codes(connection: Connection, master_data: MasterData, now_us: int) -> ShopCodes:
    """The codes of the shop at a time, UTC us."""
    definitions = (master_data.at("pattern.define", name, now_us) for name in master_data.names("pattern.define"))
    patterns = usable_patterns(definition.data for definition in definitions if definition is not None).patterns
    bound = {
        entry["code"]: CodeBinding(CodeType(entry["as"]), entry["to"]) for entry in bound_codes(connection, now_us)
    }
    return ShopCodes(patterns, bindings_by_key(bound))
