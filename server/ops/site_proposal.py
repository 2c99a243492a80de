"""Site proposal: the first entry `site.define` of a hub, with what hub.toml names of the site.

It is written once, at the first start of a hub without such an entry, and holds from ever. From then on the entries hold.
"""

import logging

from sqlalchemy import Connection

from server.clock.readings import HubClock
from server.config import HubConfig
from server.ledger.candidates import MOST_PENDING, pending_entries
from server.ledger.entries import Entry, write_all
from server.ledger.site_check import site_mistake
from server.queries.site import named_by_file, site_definitions
from station.core.site import SITE

HUB_TOML = "hub.toml"  # the author of the entry
_log = logging.getLogger(__name__)


def propose_site(connection: Connection, config: HubConfig, clock: HubClock) -> None:
    """Write the first `site.define` of a hub without one, with what hub.toml names. Inside the caller's transaction."""
    if site_definitions(connection) or pending_entries(connection, MOST_PENDING, frozenset({SITE})):
        return
    fields: dict[str, str] = {}
    for field, value in named_by_file(config).items():
        mistake = site_mistake({field: value})
        if mistake is None:
            fields[field] = value
        else:
            _log.warning("hub.toml: %s; expected %s. %s It is not recorded.", *mistake)
    if fields:
        write_all(connection, [Entry(SITE, fields, HUB_TOML)], clock)
