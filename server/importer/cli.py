"""Command `wipline-hub import FOLDER`: read the files of a shop folder, import them, and print a summary."""

import getpass
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from socket import gethostname
from zoneinfo import ZoneInfo

import click

from server.cli.commands import settings, where
from server.config import HubConfig
from server.importer.apply import import_shop
from server.importer.errors import ImportMistake, ShopFolderError
from server.importer.loader import ShopImport, is_sheet
from server.importer.raw_table import MAX_FILE_BYTES
from server.locale_format import site_of
from server.text import counted
from station.system import clock
from station.system.progress import terminal_progress

PRINT_NEW = "wipline-hub print traveller --new -o travellers.pdf"
INTERRUPTED = (
    "All entries are recorded or none: a running hub finishes an import that it has begun."
    " Repeat the command: what the hub has is not entered again."
)
_WORDS = {
    "stage.define": ("stage", "stages"),
    "routing.define": ("routing", "routings"),
    "product.define": ("product", "products"),
    "cost.set": ("cost", "costs"),
    "person.define": ("person", "people"),
    "reason.define": ("reason", "reasons"),
    "pattern.define": ("pattern", "patterns"),
    "card.define": ("card", "cards"),
    "code.bind": ("code", "codes"),
    "order.release": ("order released", "orders released"),
    "order.change": ("order changed", "orders changed"),
}


@click.command("import")
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@where
def import_folder(folder: Path, config_path: Path | None, db: str | None) -> None:
    """Enter a shop from a FOLDER of CSV tables: stages, products, costs, people, orders; all of it or nothing.

    Entries that the hub already has are not repeated. docs/shop-folder.md explains every column.
    """
    config = settings(config_path, db)
    try:
        files = read_folder(folder)
        now_us = clock.utc_us()
        zone = ZoneInfo(site_of(config).zone)
        with terminal_progress("Import", INTERRUPTED) as line:
            imported = import_shop(config.db, files, by=_user(), now_us=now_us, zone=zone, listener=line)
    except ShopFolderError as error:
        raise click.ClickException(str(error)) from error
    click.echo(summary(imported))
    if any(entry.what == "order.release" for entry in imported.entries):
        click.echo(f"Print the new travellers: {_new_orders(config)}{PRINT_NEW}", err=True)


def read_folder(folder: Path) -> dict[str, bytes]:
    """The sheets in a folder, by file name. Raises `ShopFolderError` for unreadable files."""
    files: dict[str, bytes] = {}
    mistakes = []
    for path in sorted(folder.iterdir()):
        if not path.is_file() or not is_sheet(path.name):
            continue
        try:
            with path.open("rb") as file:
                files[path.name] = file.read(MAX_FILE_BYTES + 1)
        except OSError as error:
            came, do = f"an unreadable file ({error.strerror})", "check its permissions"
            mistakes.append(ImportMistake(path.name, 0, 0, "", came, "a readable file", do))
    if mistakes:
        raise ShopFolderError(mistakes)
    return files


def summary(imported: ShopImport) -> str:
    """The result of an import in a sentence, then its notices.

    >>> print(summary(ShopImport((), 3, ("steel has no price: P will have no cost.",))))
    Nothing new: the hub already has all 3.
    Note: steel has no price: P will have no cost.
    >>> print(summary(ShopImport((), 3, (), kept=1)))
    Nothing entered: the hub already has 3; of 1 line the hub keeps what it has.
    """
    counts = Counter(entry.what for entry in imported.entries)
    parts = [f"{counts[what]} {words[counts[what] > 1]}" for what, words in _WORDS.items() if counts[what]]
    kept = f"; of {counted(imported.kept, 'line')} the hub keeps what it has" if imported.kept else ""
    if not parts and kept:
        result = f"Nothing entered: the hub already has {imported.unchanged}{kept}."
    elif not parts:
        result = f"Nothing new: the hub already has all {imported.unchanged}."
    elif imported.unchanged:
        result = f"Entered: {', '.join(parts)}; the hub already had {imported.unchanged}{kept}."
    else:
        result = f"Entered: {', '.join(parts)}{kept}."
    return "\n".join([result, *(f"Note: {notice}" for notice in imported.notices)])


def _new_orders(config: HubConfig, machine: Callable[[], str] = gethostname) -> str:
    """The address of the list of orders that are not printed yet; empty where the hub listens on any free port.

    >>> _new_orders(HubConfig(listen="0.0.0.0:8080"), lambda: "hub")
    'http://hub:8080/orders?printed=no or '
    >>> _new_orders(HubConfig(listen="[::1]:80"))
    'http://[::1]:80/orders?printed=no or '
    """
    if not config.port:
        return ""
    host = machine() if config.host in ("0.0.0.0", "::", "") else config.host  # noqa: S104
    return f"http://{f'[{host}]' if ':' in host else host}:{config.port}/orders?printed=no or "


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a service user without a name
        return "import"
