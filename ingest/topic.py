"""MQTT topic filters: does a filter with ``+`` and ``#`` match a topic."""

__all__ = ["matches", "may_meet"]


def matches(pattern: str, topic: str) -> bool:
    """Whether an MQTT topic filter matches a topic.

    Source:
        MQTT 3.1.1, section 4.7: ``#`` also matches its parent level; a wildcard at the first level never matches a
        topic that begins with ``$``.
    """
    if topic.startswith("$") and pattern[:1] in {"+", "#"}:
        return False
    wanted, found = pattern.split("/"), topic.split("/")
    for index, level in enumerate(wanted):
        if level == "#":
            return True
        if index >= len(found) or level not in {"+", found[index]}:
            return False
    return len(found) == len(wanted)


def may_meet(one: str, other: str) -> bool:
    """Whether some topic matches both filters."""
    ours, theirs = one.split("/"), other.split("/")
    for mine, yours in zip(ours, theirs, strict=False):
        if "#" in {mine, yours}:
            return True
        if mine != yours and "+" not in {mine, yours}:
            return False
    shorter, longer = sorted((ours, theirs), key=len)
    return len(shorter) == len(longer) or longer[len(shorter) :] == ["#"]
