"""The append-only ledger: ingest of station logs, entries of the office, the hub's own log, verification."""
