"""One module for each migration step; Alembic finds them by their names."""
