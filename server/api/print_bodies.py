"""Bodies of the requests that print: the chosen things and the form of the paper."""

from typing import Annotated, Literal

import msgspec

from server.printing.label_print import DEFAULT_SHEET, MOST_LABELS, MOST_THINGS
from station.core.protocol import LongText, ShortText


class LabelsBody(msgspec.Struct, forbid_unknown_fields=True):
    """The labels of several things of one kind; `start`: the first free label of the sheet; `dpi`: of a printer for ZPL."""

    kind: ShortText
    names: Annotated[list[LongText], msgspec.Meta(min_length=1, max_length=MOST_THINGS)]
    sheet: str = DEFAULT_SHEET
    start: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 1
    copies: Annotated[int, msgspec.Meta(ge=1, le=MOST_LABELS)] = 1
    second: Annotated[str, msgspec.Meta(max_length=200)] = ""
    format: Literal["pdf", "svg", "zpl"] = "pdf"
    dpi: Literal[203, 300, 600] = 203


class TravellersBody(msgspec.Struct, forbid_unknown_fields=True):
    """The travellers of these orders, or of items of them, on one paper."""

    orders: Annotated[list[LongText], msgspec.Meta(min_length=1, max_length=MOST_THINGS)]
    paper: Literal["a4", "letter"] = "a4"


class KitBody(msgspec.Struct, forbid_unknown_fields=True):
    """The kit of the bench at a stage, on one paper."""

    stage: LongText
    paper: Literal["a4", "letter"] = "a4"
