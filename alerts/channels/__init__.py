"""One file a channel, each with ``CHANNEL``; found by ``pantau.registry``."""
