"""docs/alerts.md: its example runs, and it names what there is."""

import re
import time
from pathlib import Path
from typing import Any

from alerts.channel import Channel, Sent
from alerts.channels import webhook
from alerts.retry import MAX_ATTEMPTS
from alerts.text import MAX_AREAS
from pantau.registry import find
from tests.alerts.receivers import a_notice, contact, http_receiver

PAGE = (Path(__file__).parents[2] / "docs" / "alerts.md").read_text(encoding="utf-8")


def example() -> dict[str, Any]:
    """What the page's Python defines."""
    block = re.search(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert block is not None
    names: dict[str, Any] = {}
    exec(block.group(1), names)
    return names


def test_the_documented_receiver_takes_what_is_really_sent() -> None:
    names = example()
    with http_receiver() as receiver:
        sent = webhook.CHANNEL.send(a_notice(), contact(receiver.url), None, 2.0)
        got = receiver.requests[0]
    assert sent.sent is Sent.DELIVERED
    headers = {name.title(): value for name, value in got.headers.items()}
    assert names["take"]("s3cret", headers, got.body) == 204
    assert names["take"]("s3cret", headers, got.body) == 204
    assert len(names["seen"]) == 1
    assert names["take"]("other", headers, got.body) == 401
    assert names["take"]("s3cret", headers, got.body + b" ") == 401
    assert not names["is_from_pantau"]("s3cret", headers, got.body, time.time() + 301)
    assert not names["is_from_pantau"]("s3cret", {}, got.body)


def test_every_channel_and_every_limit_is_on_the_page() -> None:
    for name in find("alerts.channels", "CHANNEL", Channel, "name"):
        assert f"| `{name}` |" in PAGE
    for number in (f"{MAX_ATTEMPTS} in all", f"at most {MAX_AREAS}, then"):
        assert number in PAGE
    for state in ("waiting", "leased", "sent", "unknown", "failed"):
        assert f"| `{state}` |" in PAGE
