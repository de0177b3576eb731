"""Alembic's folder: each version of the database's schema is one file in ``versions``."""
