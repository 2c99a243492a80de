"""Interface of the rule engine: advice to the operator about a scan that is already committed.

The engine uses the last snapshot of definitions and the open items, so it works offline too. A station without a snapshot
has no rules: then the answer to every parsed scan is green.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from station.core.codes import Code, CodeBinding, Pattern
from station.core.event import Event
from station.scan.bench_state import IDS_AS_NAMES, BenchNames


@dataclass(frozen=True, slots=True)
class Advice:
    """Advice for the operator: `look` makes the answer amber; `name` and `next_stage` are shown on the screen.

    `stop`: the scan is recorded, and the work should stop. `already_here`: the item was at this place before.
    """

    look: str | None = None
    stop: bool = False
    name: str | None = None
    next_stage: str | None = None
    already_here: bool = False


class RuleEngine(Protocol):
    """The rules that the recording thread applies. Its calls take well under a millisecond and do no IO."""

    def pieces(self, code: Code, stage: str | None) -> bool:
        """Whether each scan of this code at this stage is a piece (`transfer_qty_milli`), so that none is a repeat."""
        ...

    def knows(self, code: Code) -> bool:
        """Whether the office has released what this code names."""
        ...

    def unknown(self, code: Code) -> str | None:
        """What the operator reads of a code that names nothing here; None where it names something, as by a pattern."""
        ...

    def remark(self, code: Code) -> str | None:
        """What the shop does not know about a card or badge; None where all is known."""
        ...

    def judge(self, code: Code, event: Event, seq: int) -> Advice:
        """The advice for the scan that was just recorded under `seq`."""
        ...

    def void(self, seq: int, by_seq: int) -> None:
        """Take a recorded scan back, because the event `by_seq` voids it."""
        ...


class NoRules:
    """The rule engine of a station without a snapshot."""

    def pieces(self, code: Code, stage: str | None) -> bool:  # noqa: ARG002 - the port's signature
        """False: no operation is known."""
        return False

    def knows(self, code: Code) -> bool:  # noqa: ARG002 - the port's signature
        """False: no order is known."""
        return False

    def unknown(self, code: Code) -> str | None:  # noqa: ARG002 - the port's signature
        """None: each code is an item."""
        return None

    def remark(self, code: Code) -> str | None:  # noqa: ARG002 - the port's signature
        """None: nothing is known."""
        return None

    def judge(self, code: Code, event: Event, seq: int) -> Advice:  # noqa: ARG002 - the port's signature
        """No advice."""
        return Advice()

    def void(self, seq: int, by_seq: int) -> None:
        """Nothing to take back."""


@dataclass(frozen=True, slots=True)
class RuleContext:
    """Master data for scans: the shop's code patterns, its rules (`engine`), the bindings of single codes, its names."""

    patterns: Sequence[Pattern]
    engine: RuleEngine
    bound: Mapping[str, CodeBinding] = field(default_factory=dict)
    names: BenchNames = IDS_AS_NAMES
