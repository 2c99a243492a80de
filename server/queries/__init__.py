"""Queries: the read model of pages and API, computed from the rows of the projection alone."""
