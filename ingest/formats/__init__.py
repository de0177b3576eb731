"""One file a payload format, each with ``FORMAT``; found by ``pantau.registry``."""
