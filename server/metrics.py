"""What the hub counts of itself, for Prometheus and for /healthz."""

from prometheus_client import CollectorRegistry, Counter, Gauge


class HubMetrics:
    """One set of counters for one hub in one process, in a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.events = self._counter("wipline_events", "Events sent by stations, by what became of them", "verdict")
        self.refused = self._counter("wipline_batches_refused", "Batches refused: gap, chain or too many forks")
        self.entries = self._counter("wipline_entries", "Entries written on the hub")
        self.answers = self._counter("wipline_answers", "Answers, by kind of address and status", "status")
        self.csp_reports = self._counter("wipline_csp_reports", "Pages that tried what the content policy forbids")
        self.streams = Gauge("wipline_streams", "Open event streams", registry=self.registry)
        self.ledger_pos = Gauge("wipline_ledger_pos", "Last position in the ledger", registry=self.registry)
        self.projected_pos = Gauge("wipline_projected_pos", "Last position that is folded", registry=self.registry)
        self.waiting = Gauge(
            "wipline_station_waiting", "Events that a station has not sent yet", ["station"], registry=self.registry
        )
        self.seen = Gauge(
            "wipline_station_seen_seconds",
            "When a station was last heard, unix time",
            ["station"],
            registry=self.registry,
        )

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(name, text, labels, registry=self.registry)
