"""Synchronisation with the hub: sessions, event batches, master data and reconciliation of earlier logs."""
