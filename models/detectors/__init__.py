"""One file a detector, each with ``DETECTOR``; found by ``models.all``."""
