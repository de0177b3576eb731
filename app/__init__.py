"""The only package that knows all others: the life of a reading, the wiring, the settings, the commands."""
