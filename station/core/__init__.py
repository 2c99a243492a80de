"""Pure core of station and hub: events, codes and the ledger. No IO, no clock, no randomness."""
