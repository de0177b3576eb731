"""What alerts keeps in the one database; every function is handed a connection inside somebody's transaction."""
