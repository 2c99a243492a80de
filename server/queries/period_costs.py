"""Period costs: the standard costs of a period, which is divided at each time at which one of them changed.

>>> from station.core.master_data import Definition
>>> shop = MasterData([
...     Definition("cost.set", at_us, (at_us, "hub", at_us), {"component": "bar", "micros": at_us}) for at_us in (10, 20, 30)
... ])
>>> PeriodCosts(shop, 10, 30).begins
[10, 21]
"""

from bisect import bisect_right

from server.queries.valuation import Valuation
from server.queries.value_entries import PricedForm, unit_value
from station.core.master_data import MasterData

CHANGING = ("cost.set", "product.define", "routing.define")


class PeriodCosts:
    """`begins`: the begin of the period (UTC us), and each time in it as of which there are other costs, ascending.

    A definition that holds from a time is in the costs as of the microsecond after it (`Valuation`). The first version of a
    definition also holds for the time before it, and changes nothing.
    """

    def __init__(self, master_data: MasterData, from_us: int, to_us: int) -> None:
        changes = {
            version.holds_from_us + 1
            for what in CHANGING
            for name in master_data.names(what)
            for version in master_data.versions(what, name)[1:]
        }
        self.begins = [from_us, *sorted(at_us for at_us in changes if from_us < at_us <= to_us)]
        self.master_data = master_data
        self._valuations: dict[int, Valuation] = {}
        self._units: dict[tuple[int, PricedForm], dict[str, int]] = {}

    def valuation(self, at_us: int) -> Valuation:
        """The valuation at a time of the period."""
        begin_us = self.begins[max(bisect_right(self.begins, at_us) - 1, 0)]
        if begin_us not in self._valuations:
            self._valuations[begin_us] = Valuation(self.master_data, begin_us)
        return self._valuations[begin_us]

    def unit(self, form: PricedForm, at_us: int) -> dict[str, int]:
        """The micros of one unit in a form at a time, by component."""
        valuation = self.valuation(at_us)
        key = (valuation.at_us, form._replace(stage=None, order="", item="", operation_number=None, customer=None))
        if key not in self._units:
            self._units[key] = unit_value(form, valuation)
        return self._units[key]
