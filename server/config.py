"""Hub configuration (hub.toml): database, listening address, locale, access and backups.

A command line flag overrides the file. An unknown key is an error that suggests the nearest known key.

>>> HubConfig(listen="127.0.0.1:8080").reads_open
True
>>> HubConfig(listen="0.0.0.0:8080").reads_open
False
"""

import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import available_timezones

import msgspec

from server.text import nearest

Length = Annotated[float, msgspec.Meta(ge=5, le=1_000)]
Margin = Annotated[float, msgspec.Meta(ge=0, le=500)]
Cells = Annotated[int, msgspec.Meta(ge=1, le=100)]
_UNITS_S = {"m": 60, "h": 3600, "d": 86400}


class ConfigError(ValueError):
    """hub.toml or a flag is invalid; the message has what came, what was expected and what to do."""


class WebConfig(msgspec.Struct, frozen=True):
    """Access to the pages: `open` (every client in the network) or `signed-in`; by default open on loopback only."""

    read: Literal["open", "signed-in"] | None = None


class BackupConfig(msgspec.Struct, frozen=True):
    """The folder of backups (off the hub's disk) and their interval, such as `6h` or `1d`."""

    path: str | None = None
    every: str = "1d"


class LabelSheetConfig(msgspec.Struct, frozen=True):
    """A sheet of labels, or a roll, with its sizes in mm: the paper, its columns and rows, one label, margins and gaps."""

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=60)]
    paper_width_mm: Length
    paper_height_mm: Length
    width_mm: Length
    height_mm: Length
    columns: Cells = 1
    rows: Cells = 1
    left_mm: Margin = 0.0
    top_mm: Margin = 0.0
    column_gap_mm: Margin = 0.0
    row_gap_mm: Margin = 0.0


class HubConfig(msgspec.Struct, frozen=True):
    """The validated configuration of the hub."""

    db: str = "/var/lib/wipline/hub.db"
    listen: str = "127.0.0.1:8080"
    # What hub.toml names of the site is the first `site.define` of a new hub; from then on the entries hold.
    currency: str | None = None
    timezone: str | None = None
    locale: str | None = None
    order_word: str = "work order"
    web: WebConfig = WebConfig()
    backup: BackupConfig = BackupConfig()
    label_sheet: Annotated[tuple[LabelSheetConfig, ...], msgspec.Meta(max_length=100)] = ()

    @property
    def host(self) -> str:
        """The address to listen on, without its port."""
        return self.listen.rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int:
        """The port to listen on; 0: any free port."""
        return int(self.listen.rpartition(":")[2])

    @property
    def reads_open(self) -> bool:
        """Whether every client that reaches the hub may read the pages."""
        if self.web.read is not None:
            return self.web.read == "open"
        return self.host in ("localhost", "::1") or self.host.startswith("127.")


def load(path: str | Path | None = None, *, db: str | None = None, port: int | None = None) -> HubConfig:
    """Read the configuration file (None: defaults), overridden by the flags `db` and `port`. Raises `ConfigError`."""
    raw = {} if path is None else _read(Path(path))
    if db is not None:
        raw["db"] = db
    try:
        config = msgspec.convert(raw, HubConfig)
    except msgspec.ValidationError as error:
        msg = f"{path}: {error}. config/hub.toml explains every key."
        raise ConfigError(msg) from error
    if port is not None:
        host = config.listen.rpartition(":")[0]
        config = msgspec.structs.replace(config, listen=f"{host}:{port}")
    _check(config)
    return config


def seconds_of(every: str) -> int:
    """The length of `30m`, `6h` or `1d` in seconds. Raises `ConfigError`.

    >>> seconds_of("6h")
    21600
    """
    number, unit = every[:-1], every[-1:]
    if not number.isdecimal() or unit not in _UNITS_S or int(number) == 0:
        msg = f"[backup] every = {every!r}: expected a number and m, h or d, such as 6h. Correct it in hub.toml."
        raise ConfigError(msg)
    return int(number) * _UNITS_S[unit]


def _read(path: Path) -> dict[str, Any]:
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except PermissionError:
        raise  # the commands name the user that may read it
    except OSError as error:
        msg = f"{path}: {error.strerror}. Name the hub's configuration with --config, or its database with --db."
        raise ConfigError(msg) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        msg = f"{path} is not valid TOML: {error}. See the example config/hub.toml."
        raise ConfigError(msg) from error
    _known(raw, HubConfig, path, "")
    for table, form in (("web", WebConfig), ("backup", BackupConfig)):
        if isinstance(raw.get(table), dict):
            _known(raw[table], form, path, f"[{table}] ")
    sheets = raw.get("label_sheet")
    for sheet in sheets if isinstance(sheets, list) else ():
        if isinstance(sheet, dict):
            _known(sheet, LabelSheetConfig, path, "[[label_sheet]] ")
    return raw


def _known(raw: dict[str, Any], form: type[msgspec.Struct], path: Path, where: str) -> None:
    known = [field.name for field in msgspec.structs.fields(form)]
    for key in raw:
        if key not in known:
            msg = f"{path}: unknown key {where}{key!r}; expected one of {', '.join(known)}. {nearest(key, known)}"
            raise ConfigError(msg)


def _check(config: HubConfig) -> None:
    host, colon, port = config.listen.rpartition(":")
    if not colon or not host or not port.isdecimal() or int(port) > 65535:
        msg = f"listen = {config.listen!r}: expected address:port, such as 127.0.0.1:8080. Correct it, or use --port."
        raise ConfigError(msg)
    if config.timezone is not None and config.timezone not in available_timezones():
        hint = nearest(config.timezone, available_timezones()) if "/" in config.timezone else "Correct it in hub.toml."
        msg = f"timezone = {config.timezone!r}: expected a name such as Europe/Berlin. {hint[:100]}"
        raise ConfigError(msg)
    currency = config.currency
    if currency is not None and not (len(currency) == 3 and currency.isalpha() and currency.isupper()):
        msg = f"currency = {config.currency!r}: expected three capital letters of ISO 4217, such as EUR."
        raise ConfigError(msg)
    if not config.order_word.strip():
        msg = 'order_word is empty: expected the shop\'s word for an order, such as "work order", "job" or "batch".'
        raise ConfigError(msg)
    seconds_of(config.backup.every)
