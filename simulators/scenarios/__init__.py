"""One file a scenario, each with ``SCENARIO``; found by ``pantau.registry``."""
