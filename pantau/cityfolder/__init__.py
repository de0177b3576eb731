"""Reads a city's folder: files in, a ``City`` or every mistake of the whole folder out.

Each file has a module that turns its rows into what the city holds; a mistake is noted with file, line, value, what was
expected and what to do, and reading goes on, so that one run shows all of them.
"""

from pantau.cityfolder.folder import folder_hash, load
from pantau.cityfolder.trial import with_ladders

__all__ = ["folder_hash", "load", "with_ladders"]
