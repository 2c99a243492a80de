"""Projection: the read model of the pages, folded from the ledger and rebuildable from it row for row.

`worker` runs the projector thread, `pipeline` projects one batch of ledger rows. `ledger_row`, `interpreter`: how a row is
read. `void_state`, `log_permissions`, `anchor_seals`: which rows count. `timeline`, `clock_sync`: the order key of an event.
`event_items`, `bindings`, `definitions`, `released_orders`: which items an event is about. `item_states`, `item_rows`,
`item_deletion`: the fold of each item and its rows. `checkpoints`: where a refold begins. `refold_queue`, `set_aside`:
pending and failed work. `rebuild`, `fold_version`: the whole projection from the ledger. `verify_rows`,
`verify_checkpoints`: proofs of the rows. `tables`, `internal_tables`: the tables.
"""
