"""The public pages: server-rendered first, so that the tables work without JavaScript (docs/decisions/0006)."""
