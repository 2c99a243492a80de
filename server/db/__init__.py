"""Database access: store, schema, migrations, single-writer lock and rollback detection."""
