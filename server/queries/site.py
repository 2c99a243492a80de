"""Site: its entries `site.define`, and what hub.toml names beside them.

What an entry states holds: a value of hub.toml that differs is ignored, and listed by /healthz and on the board.
"""

from collections.abc import Iterable

from sqlalchemy import Connection, select

from server.config import HubConfig
from server.locale_format import LocaleFormat, locale_of
from server.projection.definitions import read_row
from server.projection.tables import definition
from station.core.master_data import Definition
from station.core.site import SITE, Site, site_at, site_history

_KEYS = {"zone": "timezone", "currency": "currency", "locale": "locale"}  # of an entry, and of hub.toml


def site_definitions(connection: Connection) -> list[Definition]:
    """The projected entries `site.define`, in the order in which they hold."""
    c = definition.c
    query = select(definition).where(c.what == SITE).order_by(c.holds_from_us, c.key_us, c.id)
    return [read_row(row) for row in connection.execute(query)]


def current_locale(connection: Connection, config: HubConfig, now_us: int) -> LocaleFormat:
    """The locale of the site now."""
    return locale_of(config, site_definitions(connection), now_us)


def ignored_settings(definitions: Iterable[Definition], config: HubConfig, now_us: int) -> list[str]:
    """A remark for each value of hub.toml that differs from what the entries state, and is ignored."""
    # A zone that no entry states is empty, and defines no days here.
    stated = site_at(site_history(definitions, Site("", "", "")), now_us)._asdict()
    return [
        f"hub.toml has {_KEYS[field]} = {value}, and the site is defined with {stated[field]}: hub.toml is ignored."
        f" Correct it there, or enter site.define."
        for field, value in named_by_file(config).items()
        if stated[field] not in ("", value)
    ]


def named_by_file(config: HubConfig) -> dict[str, str]:
    """The fields that hub.toml names; its locale may have the form of a POSIX locale, `de_CH.UTF-8`."""
    locale = None if config.locale is None else config.locale.partition(".")[0].replace("_", "-")
    fields = {"zone": config.timezone, "currency": config.currency, "locale": locale}
    return {name: value for name, value in fields.items() if value is not None}
