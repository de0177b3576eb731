"""Insert or replace by primary key, in the words of SQLite and PostgreSQL."""

from functools import cache

from sqlalchemy import Insert, Table
from sqlalchemy.dialects import postgresql, sqlite

__all__ = ["upsert"]


@cache
def upsert(dialect: str, table: Table) -> Insert:
    """A statement that takes rows as dicts and replaces what stands under the same primary key.

    Made once for a table: ``excluded`` copies every column, in cycles that only the garbage collector frees.
    """
    insert = postgresql.insert if dialect == "postgresql" else sqlite.insert
    statement = insert(table)
    key = [column.name for column in table.primary_key]
    replaced = {
        column.name: statement.excluded[column.name] for column in table.columns if column.name not in key
    }
    return statement.on_conflict_do_update(index_elements=key, set_=replaced)
