"""Which changes stay silent whoever would hear of them: those of shelved alerts and of stations out of service."""

from alerts.news import Change

__all__ = ["is_suppressed"]

_SHELVED = "shelved"
_SILENCED = frozenset({"out_of_service", "suppressed", "suppressed_by_design"})


def is_suppressed(change: Change) -> bool:
    """Whether nobody is told.

    A shelf hides what an operator has seen: not a worsening (also of the confirmed part: it is news to the public), and
    not the end, which whoever heard the raise waits for (what has ended is not shelved any more). A station under
    repair is not believed at all, so neither its raises nor its "normal" are told; only an operator who closes the
    alert by hand is.
    """
    transition, record = change.transition, change.record
    if transition.what == "in_service":
        return False
    if record.state in _SILENCED or change.state_before in _SILENCED:
        return not (change.by_operator and transition.severity == 0)
    if record.state != _SHELVED:
        return False
    worsens = transition.severity > transition.previous or record.confirmed_severity > change.confirmed_before
    return not worsens
