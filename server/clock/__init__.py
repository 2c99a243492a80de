"""The hub's clock: readings, trust in UTC, and the audit of time anchors."""
