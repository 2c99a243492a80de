"""The read model: what the pages show, folded from the ledger and rebuildable from it row for row."""
