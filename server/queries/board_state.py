"""Shop snapshot as of a time: the line that summarizes the stock, and the current alerts."""

from collections import Counter
from collections.abc import Iterable
from typing import Any, NamedTuple

from sqlalchemy import Connection, and_, select

from server.auth import devices
from server.clock.watch import kept_doubt, suspects
from server.locale_format import LocaleFormat
from server.projection import dead_letters
from server.projection.fold_version import refolds
from server.projection.log_permissions import count_not_permitted
from server.projection.tables import OPEN, finding, item
from server.queries import call_alerts, current_stock, stage_summary
from server.queries.alert_items import alert_items
from server.queries.alerts import (
    FINDING,
    Alert,
    AnswerableFindings,
    BoardState,
    LinkedWord,
    at_limit,
    ranked,
    stock_alerts,
    without_repeats,
)
from server.queries.calls import open_calls
from server.queries.current_master_data import master_data
from server.queries.current_stock import StockRow
from server.queries.findings import (
    charged_value,
    finding_args,
    finding_sentence,
    open_finding,
    overrun_value,
    shown_findings,
)
from server.queries.hub_alerts import UNDEFINED_STAGE, of_undefined_stages
from server.queries.live_shop import LiveShop
from server.queries.live_sums import live_sums, live_sums_at
from server.queries.order_family import without_members
from server.queries.rule_settings import rules_on
from server.queries.stage_load import stage_loads
from server.queries.stage_summary import Moves
from server.queries.station_alerts import of_hub_clock, of_not_permitted, of_refolds, of_set_aside, of_stations
from server.queries.stock_groups import groups_of
from server.queries.stock_source import stock_source
from server.queries.stock_sums import StockSums, stock_sums, stock_sums_at, sums_of
from server.queries.valuation import Valuation
from station.core.ledger.costs import Value, in_micros

MOST_FINDINGS = 500
MOST_ALERTS = 60  # that are listed; the others are on the pages of their stages and orders
AT_ONCE = 500  # items in one statement


def board_state_now(
    connection: Connection, locale: LocaleFormat, now_us: int, live: LiveShop | None = None
) -> BoardState:
    """The snapshot of the present. `live`: what the process keeps in memory of the shop; without it all pieces are read."""
    valuation = Valuation(master_data(connection), now_us)
    if live is None:
        sums = stock_sums(connection, valuation, stock_source(None), past=False)
        return _board_state(connection, sums, valuation, locale, None)
    live.refresh(connection, valuation, locale.day_bounds(now_us)[0])
    return _board_state(connection, live_sums(live.stock, valuation), valuation, locale, None, live.moves.moved_on())


def board_state_since(
    connection: Connection, locale: LocaleFormat, at_us: int, now_us: int, live: LiveShop
) -> BoardState | None:
    """As `board_state_at`, from what the process has in memory; None where it has nothing, or too much happened since."""
    if not live.stock.loads:
        return None
    definitions = master_data(connection)
    live.refresh(connection, Valuation(definitions, now_us), locale.day_bounds(now_us)[0])
    valuation = Valuation(definitions, at_us)
    sums = live_sums_at(connection, live.stock, valuation, at_us)
    return None if sums is None else _board_state(connection, sums, valuation, locale, at_us)


def board_state_at(connection: Connection, locale: LocaleFormat, at_us: int) -> BoardState:
    """The snapshot of a past time, as it is known now."""
    valuation = Valuation(master_data(connection), at_us)
    return _board_state(connection, stock_sums_at(connection, valuation, at_us), valuation, locale, at_us)


def board_state_of(
    connection: Connection, stock: Iterable[StockRow], valuation: Valuation, locale: LocaleFormat
) -> BoardState:
    """The snapshot of a past stock, without what lots and serials stand for already, at the time of the valuation."""
    sums = sums_of(groups_of(stock, valuation).items(), valuation, past=True)
    return _board_state(connection, sums, valuation, locale, valuation.at_us)


def _board_state(
    connection: Connection,
    sums: StockSums,
    valuation: Valuation,
    locale: LocaleFormat,
    at_us: int | None,
    moves: Moves | None = None,
) -> BoardState:
    rest = without_members(connection, sums.with_members, valuation, at_us)
    not_started = stage_summary.not_started(sums, rest, valuation)
    moves = stage_summary.moved_on(connection, valuation.at_us) if moves is None else moves
    line = stage_summary.summarize_line(sums, not_started, valuation, moves)
    return BoardState(line, valuation, locale, valuation.at_us, sums.dues, sums.estimated)


class AlertList(NamedTuple):
    """The first alerts, the number of all of them, and whether one of them is grave."""

    alerts: list[Alert]
    total: int
    grave: bool


def current_alerts(
    connection: Connection,
    shop: BoardState,
    of_hub: Iterable[Alert] = (),
    most: int = MOST_ALERTS,
    live: LiveShop | None = None,
) -> AlertList:
    """The alerts: calls, stock, stations, stages, the hub's clock, the projection, and findings; most costly first.

    `of_hub`: those of the running hub, which are not in the database. Of the alerts about items, those that can be among the
    first `most` are made; the others are counted. `live`: with which the snapshot was made.
    """
    stock_now = None if live is None else live.stock
    of_stock = alert_items(connection, shop, most, stock_now)
    stations = devices.overview(connection)
    full = [tile.stage.stage for tile in shop.line.tiles if tile.fill]
    alerts = [*of_hub, *at_limit(shop, stage_loads(connection, shop, full, stock_now))]
    alerts += of_stations(stations, shop.now_us, Counter(shop.estimated))
    alerts += of_undefined_stages(connection, shop, stations)
    alerts += call_alerts.of_calls(open_calls(connection, shop.now_us), shop)
    alerts += of_hub_clock(kept_doubt(connection), suspects(connection))
    alerts += [*of_set_aside(dead_letters.shown(connection)[0]), *of_not_permitted(count_not_permitted(connection))]
    alerts += of_refolds(refolds(connection), shop.now_us)
    of_finding = _finding_groups(connection, shop)
    names = {alert.item for alert in alerts if alert.item is not None} | set(of_stock.first)
    names |= set(list(dict.fromkeys(group.item for group in of_finding.groups))[:most])
    alerts += [_finding_alert(group, shop, cut=of_finding.cut) for group in of_finding.groups if group.item in names]
    alerts += [_more_findings(shop)] if of_finding.cut else []
    stock = of_finding.stock | _stock_of(connection, shop, names - of_finding.stock.keys())
    alerts += stock_alerts(shop, [row for name in names for row in stock.get(name, [])])
    merged = without_repeats(ranked(alerts))
    total = len(merged) + len((of_stock.items | {group.item for group in of_finding.groups}) - names)
    return AlertList(merged[:most], total, of_stock.grave or any(alert.grave for alert in merged))


def _stock_of(
    connection: Connection, shop: BoardState, names: Iterable[str]
) -> dict[str, list[current_stock.StockRow]]:
    """The stock of some items, by item."""
    wanted, rows = sorted(names), []
    for start in range(0, len(wanted), AT_ONCE):
        rows += current_stock.stock_of(connection, wanted[start : start + AT_ONCE])
    found: dict[str, list[current_stock.StockRow]] = {}
    for row in without_members(connection, rows, shop.valuation):
        found.setdefault(row.item, []).append(row)
    return found


class _FindingGroup(NamedTuple):
    """The open findings of one rule and item, the newest first; the product of the item, and the values of the sentence."""

    rule: str
    item: str
    findings: list[Any]
    product: str | None
    cost: int
    over: Value | None
    charged: Value | None


class _FindingGroups(NamedTuple):
    """The groups by rank, and the stock of their items. `cut`: there are further findings, which may be alike."""

    groups: list[_FindingGroup]
    stock: dict[str, list[current_stock.StockRow]]
    cut: bool


def _finding_groups(connection: Connection, shop: BoardState) -> _FindingGroups:
    """The newest open findings by rule and item; the cost of a group is the value of the item.

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
    alike: dict[tuple[str, str], list[Any]] = {}
    for row in rows[:MOST_FINDINGS]:
        alike.setdefault((row.rule, row.item), []).append(row)
    names = {row.item for row in rows}
    items = {row.item: row for row in connection.execute(select(item).where(item.c.item.in_(names)))}
    stock = _stock_of(connection, shop, names)
    groups = []
    for (rule, name), findings in alike.items():
        of_item, args = items.get(name), finding_args(findings[0].args)
        over = overrun_value(args, of_item, shop.valuation)
        cost = shop.cost(stock.get(name, [])) if over is None else over.total
        charged = charged_value(args, of_item, shop.valuation)
        product = None if of_item is None else of_item.product
        groups.append(_FindingGroup(rule, name, findings, product, cost, over, charged))
    groups.sort(key=lambda group: (-group.cost, f"{group.rule} {group.item}"))
    return _FindingGroups(groups, {name: stock.get(name, []) for name in names}, len(rows) > MOST_FINDINGS)


def _finding_alert(group: _FindingGroup, shop: BoardState, *, cut: bool) -> Alert:
    """The alert about the newest finding of a group; one that may have further findings is answered elsewhere."""
    row = group.findings[0]
    at = shop.locale.clock(row.key_us, shop.now_us)
    passed = _money(group.charged, shop)
    money = _money(group.over, shop) or (f"{passed} charged without a scan" if passed else "")
    text = finding_sentence(row, group.product, shop.valuation, shop.locale.quantity)
    newest = f"the newest of {shop.locale.number(len(group.findings))}" if len(group.findings) > 1 else ""
    detail = " · ".join(filter(None, (money, row.station, at, newest)))
    alert = Alert(FINDING, f"{row.rule} {row.item}", finding_words(text, row.item), detail, cost=group.cost)
    if cut:
        return alert
    shown = shown_findings(open_finding(one) for one in group.findings)
    return alert._replace(finding=AnswerableFindings(group.rule, group.item, shown))


def _more_findings(shop: BoardState) -> Alert:
    """The note that only the newest findings are listed."""
    older = f"Only the newest {shop.locale.number(MOST_FINDINGS)} findings are listed"
    return Alert("more", "more findings", (older,), "answer them on the pages of their items", cost=-1)


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
