"""Every error Pantau raises on purpose; the class says who must act.

    PantauError
    ├── ConfigError      the operator: a setting or a city's file is wrong
    ├── PluginError      the developer: a kind, format, detector or channel breaks its contract
    ├── RefusedMessage   the device's owner: a message could not be used; it is kept with the reason
    └── Unavailable      nobody: a peer is away, the work is tried again

A text says where, what was found, what was expected and what to do.
"""

__all__ = ["ConfigError", "PantauError", "PluginError", "RefusedMessage", "Unavailable"]


class PantauError(Exception):
    """Root of all deliberate errors."""


class ConfigError(PantauError):
    """Settings or a city's folder are wrong; carries every problem found, not only the first.

    Args:
        problems: one line each, ``where: found, expected, what to do``.
    """

    def __init__(self, *problems: str) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class PluginError(PantauError):
    """A plugin file does not keep its contract."""


class RefusedMessage(PantauError):
    """A message that gives no reading.

    Args:
        code: short word to count by, e.g. ``not_json`` or ``wrong_unit``.
        reason: full sentence for the person who looks after the device.
    """

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(f"{code}: {reason}")
        self.code = code
        self.reason = reason


class Unavailable(PantauError):
    """A peer did not answer; whoever asked tries again later.

    Args:
        peer: its name, e.g. ``influxdb``.
        reason: what the attempt met.
        retry_after_s: the peer's own wish, when it uttered one.
    """

    def __init__(self, peer: str, reason: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(f"{peer}: {reason}")
        self.peer = peer
        self.reason = reason
        self.retry_after_s = retry_after_s
