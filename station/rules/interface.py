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

    `stop`: the scan is recorded, and the work should stop.
    """

    look: str | None = None
    stop: bool = False
    name: str | None = None
    next_stage: str | None = None


class RuleEngine(Protocol):
    """The rules that the recording thread applies. Both calls take well under a millisecond and do no IO."""

    def pieces(self, code: Code, stage: str | None) -> bool:
        """Whether each scan of this code at this stage is a piece (`transfer_qty_milli`), so that none is a repeat."""
        ...

    def advise(self, code: Code, event: Event) -> Advice:
        """The advice for a scan that was just recorded."""
        ...


class NoRules:
    """The rule engine of a station without a snapshot."""

    def pieces(self, code: Code, stage: str | None) -> bool:  # noqa: ARG002 - the port's signature
        """False: no operation is known."""
        return False

    def advise(self, code: Code, event: Event) -> Advice:  # noqa: ARG002 - the port's signature
        """No advice."""
        return Advice()


@dataclass(frozen=True, slots=True)
class RuleContext:
    """Master data for scans: the shop's code patterns, its rules (`engine`), the bindings of single codes, its names."""

    patterns: Sequence[Pattern]
    engine: RuleEngine
    bound: Mapping[str, CodeBinding] = field(default_factory=dict)
    names: BenchNames = IDS_AS_NAMES
