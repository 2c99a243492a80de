"""Names on pages: what the shop calls its stages, people and reasons, from what the records say."""

from typing import Any

from server.queries.escape import short, visible
from station.core.master_data import MasterData


class DisplayNames:
    """The shop's words as of a time. What nobody named is called as it was recorded, made visible."""

    def __init__(self, catalogue: MasterData, at_us: int) -> None:
        self._catalogue, self._at_us = catalogue, at_us
        self._people: dict[str, str] | None = None

    def stage(self, stage: str | None) -> str:
        """A stage's name."""
        return short(visible(self._catalogue.stage_name(stage, self._at_us))) if stage else ""

    def stages(self) -> list[tuple[str, str]]:
        """Every stage that is defined: (id, name), by name."""
        found = [(each, self.stage(each)) for each in self._catalogue.names("stage.define")]
        return sorted(found, key=lambda pair: pair[1].casefold())

    def person(self, operator: str | None) -> str:
        """Whoever wore a badge, or entered something under a name."""
        if not operator:
            return ""
        if self._people is None:
            self._people = {
                key: str(data.get("name") or data.get("person"))
                for data in self._defined("person.define")
                for key in (data.get("person"), data.get("badge"))
                if isinstance(key, str)
            }
        return short(visible(self._people.get(operator, operator)))

    def people(self) -> list[tuple[str, str]]:
        """Everybody with a badge: (badge, name), by name."""
        found = [
            (str(data["badge"]), short(visible(str(data.get("name") or data.get("person")))))
            for data in self._defined("person.define")
            if data.get("badge")
        ]
        return sorted(found, key=lambda pair: pair[1].casefold())

    def reason(self, reason: str | None) -> str:
        """What a reason is called."""
        if not reason:
            return ""
        definition = self._catalogue.at("reason.define", reason, self._at_us)
        return short(visible(str((definition.data.get("name") if definition else None) or reason)))

    def for_templates(self) -> dict[str, Any]:
        """These as templates call them."""
        return {"stage_name": self.stage, "person_name": self.person, "reason_name": self.reason}

    def _defined(self, what: str) -> list[dict[str, Any]]:
        definitions = (self._catalogue.at(what, name, self._at_us) for name in self._catalogue.names(what))
        return [definition.data for definition in definitions if definition is not None]
