"""One file a language, each with ``TEXT``; found by ``pantau.registry``."""
