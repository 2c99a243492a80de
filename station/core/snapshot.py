"""The snapshot: the shop's valid definitions and code bindings, as the hub sends them and a station keeps them.

>>> shop = read_snapshot(b'{"definitions":[{"what":"stage.define","data":{"stage":"saw","name":"Saw"}}]}')
>>> shop.master_data().stage_name("saw", NOW_US)
'Saw'
"""

from typing import Annotated, Any

import msgspec

from station.core.codes import CodeBinding, CodeType, bindings_by_key, identity_of_written
from station.core.master_data import Definition, DefinitionError, MasterData

NOW_US = 2**62  # a snapshot holds what is valid now; the reader need not know what time it is


class SnapshotError(ValueError):
    """A body that is no snapshot; the message names the field."""


class SnapshotDefinition(msgspec.Struct, frozen=True):
    """A definition that is valid now: its kind, its fields, and since when it holds (UTC us)."""

    what: str
    data: dict[str, Any] = {}
    holds_from_us: int = 0


class UnusedPattern(msgspec.Struct, frozen=True):
    """A pattern that the hub does not use, and the sentence that gives the reason."""

    name: str = ""
    why: str = ""


class BoundCode(msgspec.Struct, frozen=True):
    """A code, the kind of thing that it is bound to (a `CodeType`), and the thing's name."""

    code: str
    to: str
    as_: str = msgspec.field(name="as")


class Separators(msgspec.Struct, frozen=True):
    """How the shop's locale separates decimals and groups of digits."""

    decimal: Annotated[str, msgspec.Meta(max_length=4)] = "."
    group: Annotated[str, msgspec.Meta(max_length=4)] = ""


class Snapshot(msgspec.Struct, frozen=True):
    """The body of GET /api/v1/snapshot. `bindings`: code -> item, for hubs of earlier versions also without `codes`.

    `zone`: the site's time zone as an IANA name ("Europe/Berlin"); empty from a hub of an earlier version.
    """

    definitions: tuple[SnapshotDefinition, ...] = ()
    refused: tuple[UnusedPattern, ...] = ()
    bindings: dict[str, str] = {}
    codes: tuple[BoundCode, ...] = ()
    separators: Separators = Separators()
    zone: Annotated[str, msgspec.Meta(max_length=64)] = ""

    def of(self, what: str) -> list[dict[str, Any]]:
        """The fields of each definition of a kind, in the order of the body."""
        return [entry.data for entry in self.definitions if entry.what == what]

    def master_data(self) -> MasterData:
        """The definitions, without those of a kind that this version does not know."""
        definitions = []
        for number, entry in enumerate(self.definitions):
            definition = Definition(entry.what, entry.holds_from_us, (entry.holds_from_us, "", number), entry.data)
            try:
                MasterData([definition])
            except DefinitionError:
                continue
            definitions.append(definition)
        return MasterData(definitions)

    def bound(self) -> dict[str, CodeBinding]:
        """Code -> binding, also by the keys of the codes, without bindings of a kind that this version does not know."""
        kinds = set(CodeType)
        items = {code: CodeBinding(CodeType.ITEM, identity_of_written(item)) for code, item in self.bindings.items()}
        return bindings_by_key(items | {row.code: _binding(row) for row in self.codes if row.as_ in kinds})


def _binding(row: BoundCode) -> CodeBinding:
    as_ = CodeType(row.as_)
    return CodeBinding(as_, identity_of_written(row.to) if as_ is CodeType.ITEM else row.to)


def read_snapshot(body: bytes | None) -> Snapshot:
    """The snapshot in a body; an empty one for None. Raises `SnapshotError`."""
    if not body:
        return Snapshot()
    try:
        return msgspec.json.decode(body, type=Snapshot)
    except (msgspec.MsgspecError, RecursionError) as error:
        msg = f"The body is no snapshot: {error}."
        raise SnapshotError(msg) from error
