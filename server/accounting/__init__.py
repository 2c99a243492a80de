"""Accounting: entries whose figures the hub computes by queries and writes once: closes, journals, decisions."""
