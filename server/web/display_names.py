"""Display names: the shop's names of stages, persons and reasons, from the ids in events."""

from typing import Any

from server.queries.escape import isolated, short, visible
from station.core.master_data import MasterData


class DisplayNames:
    """The shop's names as of a time. An id without a defined name is shown itself, as visible text."""

    def __init__(self, master_data: MasterData, at_us: int) -> None:
        self._master_data, self._at_us = master_data, at_us
        self._people: dict[str, str] | None = None

    def stage(self, stage: str | None) -> str:
        """A stage's name."""
        return isolated(short(visible(self._master_data.stage_name(stage, self._at_us)))) if stage else ""

    def stages(self) -> list[tuple[str, str]]:
        """Every stage that is defined: (id, name), by name."""
        names = [(stage, self.stage(stage)) for stage in self._master_data.names("stage.define")]
        return sorted(names, key=lambda pair: pair[1].casefold())

    def person(self, operator: str | None) -> str:
        """The name of the person with this badge or this id."""
        if not operator:
            return ""
        if self._people is None:
            self._people = {
                key: str(data.get("name") or data.get("person"))
                for data in self._defined("person.define")
                for key in (data.get("person"), data.get("badge"))
                if isinstance(key, str)
            }
        return isolated(short(visible(self._people.get(operator, operator))))

    def people(self) -> list[tuple[str, str]]:
        """Every person with a badge: (badge, name), by name."""
        names = [
            (str(data["badge"]), isolated(short(visible(str(data.get("name") or data.get("person"))))))
            for data in self._defined("person.define")
            if data.get("badge")
        ]
        return sorted(names, key=lambda pair: pair[1].casefold())

    def reason(self, reason: str | None) -> str:
        """A reason's name."""
        if not reason:
            return ""
        definition = self._master_data.at("reason.define", reason, self._at_us)
        return isolated(short(visible(str((definition.data.get("name") if definition else None) or reason))))

    def reasons(self) -> list[tuple[str, str]]:
        """Every reason that is defined: (id, name), by name."""
        names = [(reason, self.reason(reason)) for reason in self._master_data.names("reason.define")]
        return sorted(names, key=lambda pair: pair[1].casefold())

    def for_templates(self) -> dict[str, Any]:
        """The functions of this class by their names in templates."""
        return {"stage_name": self.stage, "person_name": self.person, "reason_name": self.reason}

    def _defined(self, what: str) -> list[dict[str, Any]]:
        definitions = (self._master_data.at(what, name, self._at_us) for name in self._master_data.names(what))
        return [definition.data for definition in definitions if definition is not None]
