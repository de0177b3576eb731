from collections.abc import Callable
from pathlib import Path

import pytest

from ingest.outbox import DiskOutbox, MemoryOutbox, Outbox
from pantau.errors import ConfigError

Make = Callable[[], Outbox]


@pytest.fixture(params=["memory", "disk"])
def outbox(request: pytest.FixtureRequest, tmp_path: Path) -> Outbox:
    return MemoryOutbox() if request.param == "memory" else DiskOutbox(tmp_path / "o.db")


def test_messages_come_back_in_order_after_the_last_one_seen(outbox: Outbox) -> None:
    for n in range(5):
        outbox.add(f"t/{n}", b"%d" % n, retain=n == 2)
    first = outbox.after(0, 2)
    assert [(one.topic, one.payload, one.retain) for one in first] == [
        ("t/0", b"0", False),
        ("t/1", b"1", False),
    ]
    rest = outbox.after(first[-1].id, 100)
    assert [one.topic for one in rest] == ["t/2", "t/3", "t/4"]
    assert rest[0].retain
    assert outbox.after(rest[-1].id, 100) == []


def test_what_is_removed_is_gone_whatever_the_order_and_counted_once(outbox: Outbox) -> None:
    for n in range(3):
        outbox.add(f"t/{n}", b"", retain=False)
    one, two, three = outbox.after(0, 10)
    outbox.remove(two.id)
    outbox.remove(two.id)
    assert len(outbox) == 2
    outbox.remove(three.id)
    outbox.remove(one.id)
    assert len(outbox) == 0
    outbox.add("t/3", b"", retain=False)
    assert [found.topic for found in outbox.after(three.id, 10)] == ["t/3"]
    outbox.close()


def test_a_disk_outbox_keeps_what_was_not_removed(tmp_path: Path) -> None:
    former = DiskOutbox(tmp_path / "o.db")
    former.add("a", b"1", retain=False)
    former.add("b", b"2", retain=True)
    former.remove(former.after(0, 1)[0].id)
    former.close()
    later = DiskOutbox(tmp_path / "o.db")
    assert len(later) == 1
    assert [(one.topic, one.retain) for one in later.after(0, 10)] == [("b", True)]
    later.close()


def test_a_file_that_is_no_outbox_is_told(tmp_path: Path) -> None:
    (tmp_path / "o.db").write_text("something else, long enough to be no database file", encoding="utf-8")
    with pytest.raises(ConfigError, match="--outbox"):
        DiskOutbox(tmp_path / "o.db")
    with pytest.raises(ConfigError, match="name a new file"):
        DiskOutbox(tmp_path / "none" / "o.db")
