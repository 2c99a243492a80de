"""Ledger rules of one item: order of events, postings, quantities, costs and rule findings. Pure."""
