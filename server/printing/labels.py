"""Labels: the label of a thing of the shop, its code checked as a scan of it.

A label of an item may be printed before the item is known to the hub, so that a roll of serial numbers can be prepared.
"""

from collections.abc import Callable, Iterable, Iterator
from enum import StrEnum
from typing import NamedTuple

from sqlalchemy import Connection, select

from server.config import HubConfig
from server.printing.shop_codes import shop_codes
from server.projection.tables import item
from server.queries.carriers import carrier_codes
from server.text import nearest
from station.core.codes import CodeType, identity_of_written
from station.core.codes.card_labels import WORD_OF, card_labels, shown, words_of
from station.core.codes.command_cards import HEAD, Card
from station.core.master_data import MasterData
from station.core.printing import SHEETS, CodeRefused, Label, LabelSheet, Logo, PaperError, Thing, printed_code


class LabelKind(StrEnum):
    """The kinds of things that have labels."""

    ITEM = "item"
    PRODUCT = "product"
    CARRIER = "carrier"
    BADGE = "badge"
    STAGE = "stage"
    REASON = "reason"
    CARD = "card"


class UnknownThing(PaperError):
    """The shop has no such stage, reason, person or order."""


class NoBadge(PaperError):
    """The person has no badge."""


class UnknownSheet(PaperError):
    """There is no such label sheet, or its sizes in hub.toml do not fit together."""


class LabelOptions(NamedTuple):
    """What is printed beside the code: `second`: a line in place of the usual one; `link`: the resolver of Digital Links."""

    second: str | None = None
    logo: Logo | None = None
    link: str | None = None


class LabelWriter:
    """Composes labels from one state of the database. `now_us`: the time of printing, UTC us."""

    def __init__(
        self,
        connection: Connection,
        shop: MasterData,
        now_us: int,
        options: LabelOptions = LabelOptions(),  # noqa: B008
    ) -> None:
        self._connection, self._shop, self._now_us, self._options = connection, shop, now_us, options
        self._codes = shop_codes(connection, shop, now_us)
        self._carriers: dict[str, tuple[str, ...]] | None = None  # read for the first carrier with a code of its own
        self._label: dict[LabelKind, Callable[[str], Label]] = {
            LabelKind.ITEM: self._item,
            LabelKind.PRODUCT: self._product,
            LabelKind.CARRIER: self._carrier,
            LabelKind.BADGE: self._badge,
            LabelKind.STAGE: lambda name: self._card_of(name, "stage.define", Card.STAGE, "stage"),
            LabelKind.REASON: lambda name: self._card_of(name, "reason.define", Card.REASON, "reason"),
            LabelKind.CARD: self._card,
        }

    def label(self, kind: LabelKind, name: str) -> Label:
        """The label of a thing. Raises `PaperError` where it is not known, or its code would scan as another thing."""
        return self._label[kind](name)

    def _made(self, thing: Thing, title: str, second: str, written: str | None = None) -> Label:
        """The label with the name of the thing as its code, or with another code `written` that a scan reads as it."""
        code = printed_code(thing, self._codes, self._options.link, written)
        line = second if self._options.second is None else self._options.second
        return Label(_text(title), code, _text(line), self._options.logo)

    def _item(self, name: str) -> Label:
        name = identity_of_written(name)
        row = self._connection.execute(select(item.c.product, item.c.name).where(item.c.item == name)).first()
        product = self._shop.product(row.product, self._now_us) if row else None
        second = (product.name or product.product) if product else ""
        return self._made(Thing(CodeType.ITEM, name), (row.name if row else None) or name, second)

    def _product(self, name: str) -> Label:
        """The label of a product: its own code where a scan names the product, else a code that is bound to it."""
        product = self._shop.product(name, self._now_us)
        title, second = (product.name or name, name) if product else (name, "")
        bound = [code for code, binding in self._codes.bound.items() if binding == (CodeType.PRODUCT, name)]
        try:
            return self._made(Thing(CodeType.PRODUCT, name), title, second if title != name else "")
        except CodeRefused:
            if not bound:
                raise
        return self._made(Thing(CodeType.PRODUCT, name), title, second, min(bound, key=len))

    def _carrier(self, name: str) -> Label:
        """The label of a carrier: its name where a scan reads it as the carrier, else its shortest code."""
        thing = Thing(CodeType.CARRIER, name)
        try:
            return self._made(thing, name, "")
        except CodeRefused:
            if self._carriers is None:
                self._carriers = carrier_codes(self._connection, self._codes)
            codes = [code for code in self._carriers.get(name, ()) if code != name]
            if not codes:
                raise
        return self._made(thing, name, "", codes[0])

    def _badge(self, name: str) -> Label:
        """The badge of a person: the shop's own badge code where a scan reads it, else a badge card.

        Raises `NoBadge` for a person without a badge: no station would know the printed one.
        """
        person = self._defined("person.define", name)
        badge = str(person.get("badge") or "")
        if not badge:
            came = f"The person {name[:60]!r} has no badge."
            raise NoBadge(came, "Expected a badge in people.csv.", "Add it there, and import the folder.")
        title = str(person.get("name") or name)
        for code in (badge, f"{HEAD}{Card.BADGE}:{badge}"):
            try:
                return self._made(Thing(CodeType.BADGE, code), title, "Badge")
            except CodeRefused as error:
                refused = error
        raise refused

    def _card_of(self, name: str, what: str, card: Card, second: str) -> Label:
        fields = self._defined(what, name)
        return self._made(Thing(CodeType.COMMAND, f"{HEAD}{card}:{name}"), str(fields.get("name") or name), second)

    def _card(self, name: str) -> Label:
        """A command card; its name and its effect are those of the operator's cards."""
        definitions = ((what, name_) for what in WORD_OF for name_ in self._shop.names(what))
        current = (entry for what, each in definitions if (entry := self._shop.at(what, each, self._now_us)))
        text = name if name[: len(HEAD)].upper() == HEAD else HEAD + name
        known = {
            label.text: label for label in card_labels(words_of((entry.what, entry.data) for entry in current)).labels
        }
        label = known.get(text.upper()) or known.get(text)
        title, second = (label.name, label.meaning) if label else (text.rpartition(":")[2], "")
        return self._made(Thing(CodeType.COMMAND, label.text if label else text), title, second)

    def _defined(self, what: str, name: str) -> dict[str, object]:
        """The fields of a definition. Raises `UnknownThing` where the shop has none of this name."""
        definition = self._shop.at(what, name, self._now_us)
        if definition is None:
            word = what.partition(".")[0]
            came = f"The shop has no {word} {name[:60]!r}."
            raise UnknownThing(came, f"Expected a {word} of the shop.", nearest(name, self._shop.names(what)))
        return definition.data


def label_sheet(config: HubConfig, name: str) -> LabelSheet:
    """The sheet of this name: of hub.toml, else a common one. Raises `UnknownSheet`."""
    own = {sheet.name: sheet for sheet in config.label_sheet}
    if name in own:
        sheet = LabelSheet(**{field: getattr(own[name], field) for field in LabelSheet.__slots__})
        if sheet.fault():
            came = f"The labels of [[label_sheet]] {name!r} are larger than its paper: {sheet.fault()}."
            raise UnknownSheet(came, "Expected labels inside the paper.", "Correct it in hub.toml.")
        return sheet
    if name not in SHEETS:
        names = [*own, *SHEETS]
        came = f"There is no label sheet {name[:60]!r}."
        raise UnknownSheet(came, f"Expected one of {', '.join(names)}.", "Choose one, or add yours to hub.toml.")
    return SHEETS[name]


def labelled(
    writer: LabelWriter,
    kind: LabelKind,
    names: Iterable[str],
    check: Callable[[Label], None],
    refused: list[tuple[str, PaperError]],
    copies: int = 1,
) -> Iterator[Label]:
    """The labels of these things, each so many times. One that cannot be printed is added to `refused`.

    `check`: raises `PaperError` for a label that cannot be drawn.
    """
    for name in names:
        try:
            label = writer.label(kind, name)
            check(label)
        except PaperError as error:
            refused.append((name, error))
            continue
        for _ in range(copies):
            yield label


def _text(text: str) -> str:
    return shown(" ".join(text.split()))
