"""Kit of a bench: the cards of a stage, its commands, the shop's reasons and the dangerous cards, each checked."""

from server.printing.labels import LabelKind, LabelWriter
from station.core.codes.card_labels import HARD_TO_TAKE_BACK
from station.core.codes.command_cards import HEAD, Card, read_card
from station.core.master_data import MasterData
from station.core.printing import Kit, Label

CARDS = (
    "IN", "OUT", "START", "DONE", "HOLD", "RELEASE", "COUNT", "QTY:1", "QTY:5", "QTY:10", "MORE", "LOAD", "CALL:supervisor",
    "ANSWER", "CANCEL", "SCRAP", "FINISH", "UNDO", "REWORK", "ALL",
)  # fmt: skip
OTHER_SHEETS = frozenset(
    {Card.STAGE, Card.REASON, Card.BADGE, Card.SETUP}
)  # own cards that the kit has elsewhere, or not


def kit_of(writer: LabelWriter, shop: MasterData, stage: str) -> Kit:
    """The kit of a stage. Raises `UnknownThing`, and `CodeRefused` where a card would scan as another thing."""
    commands: list[Label] = []
    danger: list[Label] = []
    for text in dict.fromkeys((*(HEAD + card for card in CARDS), *shop.names("card.define"))):
        read = read_card(text)
        card = read.card if read else None
        if card not in OTHER_SHEETS:
            (danger if card in HARD_TO_TAKE_BACK else commands).append(writer.label(LabelKind.CARD, text))
    return Kit(
        stage=writer.label(LabelKind.STAGE, stage),
        commands=tuple(commands),
        reasons=tuple(writer.label(LabelKind.REASON, reason) for reason in shop.names("reason.define")),
        danger=tuple(danger),
    )
