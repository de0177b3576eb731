"""InfluxDB's line protocol: a reading as one line, and its tags back."""

import re

from pantau.reading import Flag, Reading

__all__ = ["head", "parse_tag", "tag", "to_line"]

# Line protocol cannot say a backslash or a control character in a tag, so these are written as %5C or %0A; % itself
# too, so that it can be read back. Everything else stays legible in InfluxDB's own pages.
_UNSPEAKABLE = re.compile(r"[%\\\x00-\x1f\x7f]")
_SPOKEN = re.compile(r"%([0-9A-F]{2})")
_ESCAPED = str.maketrans({",": "\\,", "=": "\\=", " ": "\\ "})
# A reason is one line: InfluxDB's answers turn a line break into two characters.
_QUOTED = str.maketrans({"\\": "\\\\", '"': '\\"', "\r": " ", "\n": " ", "\0": " "})
_GOOD = int(Flag.GOOD)
_LONGEST_REASON = 16_000  # InfluxDB takes 64 kB a string; a reason is a sentence


def tag(value: str) -> str:
    """A tag value as InfluxDB keeps it."""
    return _UNSPEAKABLE.sub(lambda found: f"%{ord(found.group()):02X}", value)


def parse_tag(kept: str) -> str:
    """The value of a tag that ``tag`` made."""
    return _SPOKEN.sub(lambda found: chr(int(found.group(1), 16)), kept)


def to_line(reading: Reading, head: str) -> str:
    """One reading as a line, without its end.

    A GOOD reading has no reason and no such field: that is nearly every one. A point keeps the fields that a later
    write of it leaves out, so whoever reads takes a GOOD point's reason for empty; any other flag's is written also
    when it is empty.

    Args:
        head: measurement and tags, from ``head``; the same for all readings of a sensor.
    """
    if reading.flag == _GOOD:
        return (
            f"{head} value={reading.value!r},flag=1i,received_at={reading.received_at}i {reading.observed_at}"
        )
    reason = reading.reason[:_LONGEST_REASON].translate(_QUOTED)
    return (
        f"{head} value={float(reading.value)!r},flag={int(reading.flag)}i,received_at={reading.received_at}i,"
        f'reason="{reason}" {reading.observed_at}'
    )


def head(city: str, reading: Reading) -> str:
    """Measurement and tags of a reading's series, escaped."""
    kind, station, sensor = (
        tag(word).translate(_ESCAPED) for word in (reading.kind, reading.station, reading.sensor)
    )
    return f"{kind},city={tag(city).translate(_ESCAPED)},sensor={sensor},station={station}"
