"""`wipline-hub import FOLDER`: the thin edge between a folder of tables, the hub, and whoever reads what came of it."""

import getpass
from collections import Counter
from pathlib import Path
from zoneinfo import ZoneInfo

import click

from server.cli.commands import settings, where
from server.importer.apply import import_shop
from server.importer.csv_table import MAX_FILE_BYTES
from server.importer.errors import ImportMistake, ShopFolderError
from server.importer.loader import ShopImport, is_sheet
from station.system import clock

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

    What the hub knows already is not entered again. docs/shop-folder.md explains every column.
    """
    config = settings(config_path, db)
    try:
        files = read_folder(folder)
        now_us = clock.utc_us()
        found = import_shop(config.db, files, by=_user(), now_us=now_us, zone=ZoneInfo(config.timezone))
    except ShopFolderError as error:
        raise click.ClickException(str(error)) from error
    click.echo(summary(found))


def read_folder(folder: Path) -> dict[str, bytes]:
    """The sheets in a folder, by file name. Raises `ShopFolderError` for those that cannot be read."""
    files: dict[str, bytes] = {}
    mistakes = []
    for path in sorted(folder.iterdir()):
        if not path.is_file() or not is_sheet(path.name):
            continue
        try:
            with path.open("rb") as file:
                files[path.name] = file.read(MAX_FILE_BYTES + 1)
        except OSError as error:
            came, do = f"a file that cannot be read ({error.strerror})", "look at its permissions"
            mistakes.append(ImportMistake(path.name, 0, 0, "", came, "one that can", do))
    if mistakes:
        raise ShopFolderError(mistakes)
    return files


def summary(found: ShopImport) -> str:
    """What an import did, in a sentence; then what the installer should know.

    >>> print(summary(ShopImport((), 3, ("steel has no price: P will stand without cost.",))))
    Nothing new: all 3 stand in the hub already.
    Note: steel has no price: P will stand without cost.
    """
    counts = Counter(entry.what for entry in found.entries)
    parts = [f"{counts[what]} {words[counts[what] > 1]}" for what, words in _WORDS.items() if counts[what]]
    if not parts:
        done = f"Nothing new: all {found.unchanged} stand in the hub already."
    elif found.unchanged:
        done = f"Entered: {', '.join(parts)}; {found.unchanged} stood there already."
    else:
        done = f"Entered: {', '.join(parts)}."
    return "\n".join([done, *(f"Note: {notice}" for notice in found.notices)])


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a service user without a name
        return "import"
