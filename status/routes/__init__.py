"""Routes of the API, one file a resource, each with ``router``."""
