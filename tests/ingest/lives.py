"""A decoder that is killed and started again between messages, and what has to come out all the same."""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from hypothesis import strategies as st

from ingest.decode import Batch, Decoder
from ingest.format import Message
from pantau.reading import Reading

__all__ = ["CUTS", "Cut", "Life", "killed", "undisturbed"]


class Cut(NamedTuple):
    """A batch of so many messages, and what ends it.

    ``calm``: committed and acknowledged. ``before``: killed before the commit, so it comes again and is news.
    ``after``: killed between commit and acknowledgement, so it comes again and is known.
    """

    size: int
    end: str


CUTS = st.lists(
    st.builds(Cut, st.integers(1, 5), st.sampled_from(["calm", "before", "after"])), min_size=1, max_size=30
)


class Life(NamedTuple):
    """What came out of all committed batches; readings once, as the store keeps them.

    Attributes:
        codes: of refused messages; ``again``: of those that were known and came again.
    """

    readings: list[tuple[object, ...]]
    codes: list[str]
    asks: int
    again: list[str]


def undisturbed(make: Callable[[], Decoder], messages: Iterable[Message]) -> Life:
    """One message after another, one decoder."""
    one = make()
    return _life([one.decode([message]) for message in messages], [])


def killed(make: Callable[[], Decoder], messages: Sequence[Message], cuts: Sequence[Cut]) -> Life:
    """The same in batches, with a kill wherever the cuts say so; the rest in one batch."""
    kept: dict[str, bytes] = {}
    one = _started(make, kept)
    batches = []
    again: list[str] = []
    at = 0
    for cut in [*cuts, Cut(len(messages), "calm")]:
        piece = messages[at : at + cut.size]
        at += cut.size
        batch = one.decode(piece)
        if cut.end == "before":
            one = _started(make, kept)
            batch = one.decode(piece)
        _commit(one, kept)
        batches.append(batch)
        if cut.end == "after":
            one = _started(make, kept)
            batch = one.decode(piece)
            again += [refused.code for refused in batch.refused]
            batches.append(batch._replace(refused=[]))
            _commit(one, kept)
    return _life(batches, again)


def _started(make: Callable[[], Decoder], kept: dict[str, bytes]) -> Decoder:
    one = make()
    one.restore(kept)
    return one


def _commit(one: Decoder, kept: dict[str, bytes]) -> None:
    remembering = set(one._remembering)
    kept.update(one.dump_changed())
    assert set(one._remembering) == remembering  # nothing that was sent made a format unable to remember
    one.saved()
    assert one.dump_changed() == {}
    assert all(len(body) < 500_000 for body in kept.values())


def _life(batches: Sequence[Batch], again: list[str]) -> Life:
    readings = dict.fromkeys(_shown(reading) for batch in batches for reading in batch.readings)
    codes = [refused.code for batch in batches for refused in batch.refused]
    return Life(list(readings), codes, sum(len(batch.asks) for batch in batches), again)


def _shown(reading: Reading) -> tuple[object, ...]:
    return (
        reading.station,
        reading.sensor,
        reading.observed_at,
        reading.value,
        reading.historical,
        reading.origin,
    )
