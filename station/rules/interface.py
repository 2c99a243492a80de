"""Interface of the rule engine: advice to the operator about a scan that is already committed.

The judge knows the last snapshot of definitions and the open items, so it answers offline too. It may be absent: then
every scan that was understood is green.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from station.core.codes import Code, CodeBinding, Pattern
from station.core.event import Event


@dataclass(frozen=True, slots=True)
class Advice:
    """What to tell the operator: `look` makes the answer amber, `name` and `next_stage` stand on the screen.

    `stop`: the scan is saved as any other, and the work should not go on.
    """

    look: str | None = None
    stop: bool = False
    name: str | None = None
    next_stage: str | None = None


class RuleEngine(Protocol):
    """Rules as the bench needs them. Both calls must be quick (well under a millisecond) and do no IO."""

    def pieces(self, code: Code, stage: str | None) -> bool:
        """Whether each scan of this code at this stage is a piece (`transfer_qty_milli`), so that none is a repeat."""
        ...

    def advise(self, code: Code, event: Event) -> Advice:
        """What to say about a scan that was just recorded."""
        ...


class NoRules:
    """The judge of a station that knows no rules yet."""

    def pieces(self, code: Code, stage: str | None) -> bool:  # noqa: ARG002 - the port's signature
        """No operation is known."""
        return False

    def advise(self, code: Code, event: Event) -> Advice:  # noqa: ARG002 - the port's signature
        """Nothing is said."""
        return Advice()


@dataclass(frozen=True, slots=True)
class RuleContext:
    """Master data for scans: the shop's code patterns, its rules (`engine`), and the bindings of single codes."""

    patterns: Sequence[Pattern]
    engine: RuleEngine
    bound: Mapping[str, CodeBinding] = field(default_factory=dict)
