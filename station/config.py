"""Station configuration: parse and validate station.toml.

An unknown key is an error that names the nearest known one: a misspelt key that is ignored would stay unnoticed for weeks.

>>> read('station = "saw-1"\\nstage = "saw"', "station.toml").stage
'saw'
>>> read('station = "saw-1"\\nstgae = "saw"', "station.toml")
Traceback (most recent call last):
  ...
station.config.ConfigError: station.toml has a key 'stgae'. Expected a known one; the nearest is 'stage'. Correct it.
"""

import difflib
import os
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from station.core.codes.command_cards import MAX_ARGUMENT_CHARACTERS
from station.system.access import DO, EXPECTED, denied

MAX_READERS = 32
MAX_SIGNALS = 8
MAX_GPIO_LINE = 1023  # the largest known chips have a few hundred lines

Text = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_ARGUMENT_CHARACTERS)]
Path_ = Annotated[str, msgspec.Meta(min_length=1, max_length=4096)]
GpioLine = Annotated[int, msgspec.Meta(ge=0, le=MAX_GPIO_LINE)]
Action = Literal["in", "out", "start", "done", "scrap", "rework", "hold", "release", "finish", "count"]


class ConfigError(ValueError):
    """A configuration that cannot be used: what came, what was expected, what to do, a sentence each."""

    def __init__(self, came: str, expected: str, do: str) -> None:
        super().__init__(came, expected, do)
        self.came, self.expected, self.do = came, expected, do

    def __str__(self) -> str:
        return f"{self.came} {self.expected} {self.do}"


class HubConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The hub's address, the file with this station's token, and the certificate of a private CA."""

    url: Annotated[str, msgspec.Meta(pattern=r"^https?://[^/\s]+(/.*)?$")]
    token_file: Path_
    ca_file: Path_ | None = None


class ReaderConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One reader: its kind, its device, and the stage and action of its scans unless a card overrides them.

    `baud`, `parity` and `flow` are settings of a serial line. `layout` is the keyboard layout that a scanner types for.
    `beep`: whether the reader's own beep and light show the answer, if its driver supports it.
    """

    kind: Text
    path: Path_ | None = None
    match: Text | None = None
    layout: Text | None = None
    baud: Annotated[int, msgspec.Meta(ge=1200, le=921_600)] | None = None
    parity: Literal["none", "even", "odd"] | None = None
    flow: Literal["none", "rtscts", "xonxoff"] | None = None
    stage: Text | None = None
    bench: Text | None = None
    action: Action | None = None
    beep: bool = True


class GpioLinesConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The line numbers of the lamps and the buzzer on a GPIO chip."""

    green: GpioLine | None = None
    amber: GpioLine | None = None
    red: GpioLine | None = None
    buzzer: GpioLine | None = None


class OutputConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One output (`[[signal]]`): its kind, and the file, terminal or device it uses.

    `words` is a setting of `sound`, `lines` and `active_low` are settings of `gpio`.
    """

    kind: Text
    path: Path_ | None = None
    words: bool | None = None
    lines: GpioLinesConfig | None = None
    active_low: bool | None = None


class StationConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A whole station.toml. Times end in `_s`, seconds."""

    station: Text
    stage: Text | None = None
    stages: Annotated[tuple[Text, ...], msgspec.Meta(max_length=100)] = ()
    journal: Path_ = "/var/lib/wipline/journal.db"
    status: Path_ = "/run/wipline/status.json"
    repeat_s: Annotated[float, msgspec.Meta(ge=0, le=60)] = 3
    operator_idle_s: Annotated[float, msgspec.Meta(ge=1, le=86_400)] = 900
    command_s: Annotated[float, msgspec.Meta(ge=1, le=600)] = 20
    cards: Literal["before", "after"] = "before"
    hub: HubConfig | None = None
    reader: Annotated[tuple[ReaderConfig, ...], msgspec.Meta(max_length=MAX_READERS)] = ()
    signal: Annotated[tuple[OutputConfig, ...], msgspec.Meta(max_length=MAX_SIGNALS)] = ()


def configured_stages(config: StationConfig) -> tuple[str, ...]:
    """Every stage that the configuration names: the station's, its stages, and those of its readers."""
    rows = (config.stage, *config.stages, *(row.stage for row in config.reader))
    return tuple(stage for stage in rows if stage is not None)


_TABLES: dict[type[msgspec.Struct], dict[str, type[msgspec.Struct]]] = {
    StationConfig: {"hub": HubConfig, "reader": ReaderConfig, "signal": OutputConfig},
    OutputConfig: {"lines": GpioLinesConfig},
}
_ONLY_OF = {"words": "sound", "lines": "gpio", "active_low": "gpio"}  # an output's key, and the only kind that has it


def load(path: Path, **flags: str | None) -> StationConfig:
    """The configuration in a file; flags (named like the keys) override it. Raises `ConfigError`."""
    try:
        text = path.read_text(encoding="utf-8")
    except PermissionError as error:
        raise ConfigError(came=f"{denied(path)}.", expected=EXPECTED, do=DO) from error
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ConfigError(
            came=f"{path} cannot be read: {why}.",
            expected="Expected a station.toml.",
            do=f"Name another with --config, or create it: sudo install -D -m 644 station.toml {path}",
        ) from error
    return read(text, str(path), **flags)


def read(text: str, name: str, **flags: str | None) -> StationConfig:
    """The configuration in this text of the file `name`. Raises `ConfigError`."""
    try:
        table = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ConfigError(
            came=f"{name} is not TOML: {error}.", expected='Expected lines like stage = "saw".', do="Correct that line."
        ) from error
    _refuse_unknown(table, StationConfig, name)
    table |= {key: flag for key, flag in flags.items() if flag is not None}
    try:
        config = msgspec.convert(table, StationConfig)
    except msgspec.ValidationError as error:
        raise ConfigError(
            came=f"{name} cannot be used: {error}.",
            expected="Expected what the sample explains.",
            do="Correct that key.",
        ) from error
    if config.stage is not None and config.stages:
        raise ConfigError(
            came=f"{name} has both stage and stages.", expected="Expected one of them, or neither.", do="Remove one."
        )
    for row in config.signal:
        _refuse_misplaced(row, name)
    return config


def _refuse_unknown(table: dict[str, Any], kind: type[msgspec.Struct], name: str) -> None:
    known = kind.__struct_fields__
    for key, value in table.items():
        if key not in known:
            near = difflib.get_close_matches(key, known, 1, 0.0)[0]
            raise ConfigError(
                came=f"{name} has a key {key!r}.",
                expected=f"Expected a known one; the nearest is {near!r}.",
                do="Correct it.",
            )
        inner_kind = _TABLES.get(kind, {}).get(key)
        if inner_kind is not None:
            for inner in value if isinstance(value, list) else [value]:
                if isinstance(inner, dict):
                    _refuse_unknown(inner, inner_kind, f"{name} [{key}]")


def _refuse_misplaced(row: OutputConfig, name: str) -> None:
    for key, kind in _ONLY_OF.items():
        if getattr(row, key) is not None and row.kind != kind:
            raise ConfigError(
                came=f"{name} has a key {key!r} at a signal of kind {row.kind!r}.",
                expected=f"Expected it at one of kind {kind!r} alone.",
                do="Remove it, or correct the kind.",
            )


def token(hub: HubConfig) -> str:
    """This station's token, read from its file. Raises `ConfigError`."""
    path = Path(hub.token_file)
    try:
        text = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not plain text"
        raise ConfigError(
            came=f"The token in {path} cannot be read: {why}.",
            expected="Expected one line from `wipline-hub station add`.",
            do=f"Put it there, readable for this user ({os.geteuid()}): sudo install -m 640 -g wipline token {path}",
        ) from error
    if not text or not text.isprintable() or " " in text:
        raise ConfigError(
            came=f"{path} holds no token.",
            expected="Expected one line from `wipline-hub station add`.",
            do=f"Write it there: wipline-hub station add NAME > {path}",
        )
    return text
