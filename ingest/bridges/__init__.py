"""Bridges, one file each with ``BRIDGE = ...``; ``ingest.bridge`` has the shape."""
