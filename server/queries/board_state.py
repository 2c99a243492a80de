"""Shop snapshot as of a time: all stock, the line that summarizes it, and the current alerts."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, and_, select

from server.auth import devices
from server.clock.watch import kept_doubt, suspects
from server.locale_format import LocaleFormat
from server.projection import dead_letters
from server.projection.fold_version import refolds
from server.projection.log_permissions import count_not_permitted
from server.projection.tables import OPEN, finding, item
from server.queries import call_alerts, current_stock, historical_stock, stage_summary
from server.queries.alerts import (
    FINDING,
    Alert,
    AnswerableFindings,
    BoardState,
    LinkedWord,
    ranked,
    shop_alerts,
    without_repeats,
)
from server.queries.calls import open_calls
from server.queries.current_master_data import master_data
from server.queries.findings import (
    charged_value,
    finding_args,
    finding_sentence,
    open_finding,
    overrun_value,
    shown_findings,
)
from server.queries.hub_alerts import UNDEFINED_STAGE, of_undefined_stages
from server.queries.order_family import without_members
from server.queries.rule_settings import rules_on
from server.queries.station_alerts import of_hub_clock, of_not_permitted, of_refolds, of_set_aside, of_stations
from server.queries.valuation import Valuation
from station.core.ledger.costs import Value, in_micros

MOST_FINDINGS = 500


def board_state_now(connection: Connection, locale: LocaleFormat, now_us: int) -> BoardState:
    """The snapshot of the present."""
    valuation = Valuation(master_data(connection), now_us)
    stock = without_members(connection, current_stock.stock_now(connection), valuation)
    line = stage_summary.summarize_line(stock, valuation, stage_summary.moved_on(connection, now_us))
    return BoardState(stock, line, valuation, locale, now_us)


def board_state_at(connection: Connection, locale: LocaleFormat, at_us: int) -> BoardState:
    """The snapshot of a past time, as it is known now."""
    valuation = Valuation(master_data(connection), at_us)
    stock = historical_stock.stock_at(connection, at_us)
    stock = without_members(connection, stock, valuation, at_us)
    line = stage_summary.summarize_line(stock, valuation, stage_summary.moved_on(connection, at_us))
    return BoardState(stock, line, valuation, locale, at_us)


def current_alerts(connection: Connection, shop: BoardState, of_hub: Iterable[Alert] = ()) -> list[Alert]:
    """All alerts: calls, stock, stations, stages, the hub's clock, the projection, and findings; most costly first.

    `of_hub`: those of the running hub, which are not in the database.
    """
    estimated_items = {(row.station, row.item) for row in shop.stock if row.approx and row.station}
    estimated = Counter(station for station, _ in estimated_items)
    stations = devices.overview(connection)
    alerts = [*of_hub, *shop_alerts(shop), *of_stations(stations, shop.now_us, estimated)]
    alerts += of_undefined_stages(connection, shop, stations)
    alerts += call_alerts.of_calls(open_calls(connection, shop.now_us), shop)
    alerts += of_hub_clock(kept_doubt(connection), suspects(connection))
    alerts += [*of_set_aside(dead_letters.shown(connection)[0]), *of_not_permitted(count_not_permitted(connection))]
    alerts += of_refolds(refolds(connection), shop.now_us)
    return without_repeats(ranked([*alerts, *_open_findings(connection, shop)]))


def _open_findings(connection: Connection, shop: BoardState) -> list[Alert]:
    """One alert for each rule and item of the open findings, about the newest one; its cost is the value of the item.

    A finding is open until it ends (`finding_ends`, or the closing of its order) or a person answers it.
    """
    on = [rule for rule in rules_on(shop.valuation.master_data, shop.now_us) if rule != UNDEFINED_STAGE]
    c = finding.c
    query = (
        select(finding)
        .where(and_(OPEN, c.key_us <= shop.now_us, c.rule.in_(on)))
        .order_by(c.key_us.desc(), c.log_id, c.seq.desc())
        .limit(MOST_FINDINGS + 1)
    )
    rows = connection.execute(query).all()
    items = {
        row.item: row for row in connection.execute(select(item).where(item.c.item.in_({row.item for row in rows})))
    }
    stock_of: dict[str, list[current_stock.StockRow]] = {}
    for stock_row in shop.stock:
        stock_of.setdefault(stock_row.item, []).append(stock_row)
    alike: dict[tuple[str, str], list[Any]] = {}
    for row in rows[:MOST_FINDINGS]:
        alike.setdefault((row.rule, row.item), []).append(row)
    cut = len(rows) > MOST_FINDINGS  # further ones may be alike: they are answered where all are listed
    alerts = []
    for (rule, name), found in alike.items():
        of_item = items.get(name)
        over = overrun_value(finding_args(found[0].args), of_item, shop.valuation)
        cost = shop.cost(stock_of.get(name, [])) if over is None else over.total
        charged = charged_value(finding_args(found[0].args), of_item, shop.valuation)
        alert = _finding_alert(found, None if of_item is None else of_item.product, shop, cost, over, charged)
        shown = shown_findings(open_finding(row) for row in found)
        alerts.append(alert if cut else alert._replace(finding=AnswerableFindings(rule, name, shown)))
    if cut:
        older = f"Only the newest {shop.locale.number(MOST_FINDINGS)} findings are listed"
        advice = "answer them on the pages of their items"
        alerts.append(Alert("more", "more findings", (older,), advice, cost=-1))
    return alerts


def _finding_alert(
    found: list[Any], product: str | None, shop: BoardState, cost: int, over: Value | None, charged: Value | None
) -> Alert:
    row = found[0]
    at = shop.locale.clock(row.key_us, shop.now_us)
    passed = _money(charged, shop)
    money = _money(over, shop) or (f"{passed} charged without a scan" if passed else "")
    text = finding_sentence(row, product, shop.valuation, shop.locale.quantity)
    newest = f"the newest of {shop.locale.number(len(found))}" if len(found) > 1 else ""
    detail = " · ".join(filter(None, (money, row.station, at, newest)))
    return Alert(FINDING, f"{row.rule} {row.item}", finding_words(text, row.item), detail, cost=cost)


def _money(value: Value | None, shop: BoardState) -> str:
    return shop.locale.money(in_micros(value)[0], whole=True) if value is not None and value.total else ""


def finding_words(text: str, item: str) -> tuple[str | LinkedWord, ...]:
    """A finding's sentence without its full stop, with the item as a linked word.

    >>> finding_words("WO-7 came to Pack without Test.", "WO-7")
    (LinkedWord(kind='item', id='WO-7', text='WO-7'), ' came to Pack without Test')
    """
    text = text.removesuffix(".")
    before, name, after = text.partition(item)
    if not name:
        return (text,)
    return tuple(filter(None, (before, LinkedWord("item", item, item), after)))
