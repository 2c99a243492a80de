"""Kit of a bench: the cards of a stage, its commands, the shop's reasons and the dangerous cards, each checked."""

from server.printing.labels import LabelKind, LabelWriter
from station.core.codes.command_cards import HEAD, Card
from station.core.master_data import MasterData
from station.core.printing import Kit

COMMANDS = (
    "IN", "OUT", "START", "DONE", "REWORK", "HOLD", "RELEASE", "COUNT", "QTY:1", "QTY:5", "QTY:10", "ALL", "MORE", "LOAD",
    "CALL:supervisor", "ANSWER", "CANCEL",
)  # fmt: skip
DANGER = (Card.SCRAP, Card.FINISH, Card.UNDO)


def kit_of(writer: LabelWriter, shop: MasterData, stage: str) -> Kit:
    """The kit of a stage. Raises `UnknownThing`, and `CodeRefused` where a card would scan as another thing."""
    own = shop.names("card.define")
    dangerous = tuple(f"{HEAD}{card}" for card in DANGER)
    standard = [f"{HEAD}{text}" for text in COMMANDS]
    commands = dict.fromkeys((*standard, *(text for text in own if not text.upper().startswith(dangerous))))
    return Kit(
        stage=writer.label(LabelKind.STAGE, stage),
        commands=tuple(writer.label(LabelKind.CARD, text) for text in commands),
        reasons=tuple(writer.label(LabelKind.REASON, reason) for reason in shop.names("reason.define")),
        danger=tuple(writer.label(LabelKind.CARD, text) for text in dangerous),
    )
