"""One file a kind, each with ``KIND``; found by ``pantau.registry``."""
