"""Metrics of the hub, exported to Prometheus at /metrics."""

from prometheus_client import CollectorRegistry, Counter, Gauge


class HubMetrics:
    """The metrics of one hub in one process, in a separate registry."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.events = self._counter("wipline_events", "Events received from stations, by verdict", "verdict")
        self.refused = self._counter("wipline_batches_refused", "Batches refused: gap, chain or too many forks")
        self.entries = self._counter("wipline_entries", "Entries written on the hub")
        self.answers = self._counter("wipline_answers", "HTTP responses, by status", "status")
        self.csp_reports = self._counter("wipline_csp_reports", "Reported violations of the content security policy")
        self.streams = Gauge("wipline_streams", "Open event streams", registry=self.registry)
        self.ledger_pos = Gauge("wipline_ledger_pos", "Last position in the ledger", registry=self.registry)
        self.projected_pos = Gauge(
            "wipline_projected_pos", "Last projected position of the ledger", registry=self.registry
        )
        self.waiting = Gauge(
            "wipline_station_waiting", "Events that a station has not sent yet", ["station"], registry=self.registry
        )
        self.seen = Gauge(
            "wipline_station_seen_seconds",
            "Unix time of the last heartbeat of a station",
            ["station"],
            registry=self.registry,
        )

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(name, text, labels, registry=self.registry)
