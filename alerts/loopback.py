"""Whether an address stays on this machine: in an exercise nothing else may be reached."""

from ipaddress import ip_address
from urllib.parse import urlsplit

__all__ = ["is_loopback"]


def is_loopback(url: str) -> bool:
    """Whether a URL's host is this machine; False when it has none or cannot be read."""
    try:
        host = urlsplit(url).hostname
    except ValueError:
        return False
    if not host or any(character.isspace() or character in "\\," for character in url):
        return False  # a list of addresses, or one that another parser may read differently
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
