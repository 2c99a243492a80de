"""The steps from one version of the tables to the next; Alembic finds them by their names."""
