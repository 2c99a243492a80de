"""Print schema: the fields of the entries of prints (`server.ledger.entry_schema`).

A print moves nothing. `item` names an item that the hub knows, so that the print is an event of it.

>>> sorted(PRINTS)
['kit.print', 'label.print', 'traveller.print']
>>> msgspec.convert({"kind": "stage", "name": "saw"}, PRINTS["label.print"]).copies
"""

from typing import Annotated, Literal

import msgspec

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=4_296, pattern=r"\S")]


class TravellerPrint(msgspec.Struct, forbid_unknown_fields=True):
    """The traveller of an item was printed."""

    item: Name


class LabelPrinted(msgspec.Struct, forbid_unknown_fields=True):
    """The label of a thing was printed; `copies`: the number of its labels where it is not one."""

    kind: Literal["item", "product", "carrier", "badge", "stage", "reason", "card"]
    name: Name
    item: Name | None = None
    copies: Annotated[int, msgspec.Meta(ge=1)] | None = None


class KitPrint(msgspec.Struct, forbid_unknown_fields=True):
    """The kit of the bench at a stage was printed."""

    stage: Name


PRINTS: dict[str, type[msgspec.Struct]] = {
    "traveller.print": TravellerPrint,
    "label.print": LabelPrinted,
    "kit.print": KitPrint,
}
