"""From changes to notices: what happened in, outbox rows out. The one function that the pipeline calls. Pure.

suppress (is anybody told?) -> route (who?) -> facts (what?) -> text (in which words?).
"""

from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256

import msgspec

from alerts.channel import Notice
from alerts.facts import facts_of
from alerts.news import OPERATORS, Change, News, news_for
from alerts.route import route, weight_for
from alerts.store.outbox import Item
from alerts.suppress import is_suppressed
from alerts.text import text_for
from pantau.city import City, Recipient
from pantau.forms import alert_properties, public_part
from pantau.record import AlertRecord, LatestRecord

__all__ = ["notice_id", "notices"]


def notices(
    changes: Sequence[Change], city: City, latest: Mapping[str, LatestRecord], *, exercise: bool, now: int
) -> list[Item]:
    """Outbox rows of a batch's changes: one for each recipient and channel, in a fixed order.

    Args:
        changes: as ``alerts.store.alerts.apply`` returned them.
        latest: the newest stepped reading by station (for trend, upstream, last heard); missing ones are left out.
        exercise: everything says LATIHAN / EXERCISE.
        now: journal time, ms; ``made_at`` of the notices, so that a replay makes the same ones.
    """
    items: dict[str, Item] = {}
    for change in changes:
        if not is_suppressed(change):
            for recipient in route(change, city):
                for item in _for_recipient(change, recipient, city, latest, exercise=exercise, now=now):
                    items.setdefault(item.id, item)
    return list(items.values())


def notice_id(alert: str, n: int, role: str, channel: str, language: str) -> str:
    """The Notice-Id: the same notice gets the same one on every machine and after every restart."""
    return sha256(f"{alert}|{n}|{role}|{channel}|{language}".encode()).hexdigest()[:32]


def _for_recipient(
    change: Change,
    recipient: Recipient,
    city: City,
    latest: Mapping[str, LatestRecord],
    *,
    exercise: bool,
    now: int,
) -> Iterable[Item]:
    news = news_for(change, recipient.audience)
    assert news is not None  # noqa: S101 - tells the type checker what `route` has asked
    notice = _notice(news, change, recipient, city, latest, exercise=exercise, now=now)
    transition = change.transition
    for channel in recipient.channels:
        own = notice_id(transition.alert, transition.n, recipient.role, channel, recipient.language)
        body = msgspec.json.encode(msgspec.structs.replace(notice, id=own)).decode()
        yield Item(
            id=own, alert=transition.alert, n=transition.n, role=recipient.role, channel=channel,
            severity=weight_for(change, recipient.audience), body=body, made_at=now,
        )  # fmt: skip


def _notice(
    news: News, change: Change, recipient: Recipient, city: City, latest: Mapping[str, LatestRecord], *,
    exercise: bool, now: int,
) -> Notice:  # fmt: skip
    text = text_for(recipient.language, city)
    facts = facts_of(news, change, recipient.audience, text.language, city, latest, exercise=exercise)
    record = change.record if recipient.audience == OPERATORS else _confirmed_part(change.record)
    return Notice(
        id="", role=recipient.role, language=text.language, severity=record.severity, title=text.title(facts),
        text=text.text(facts), short=text.short(facts), alert=alert_properties(record, city, exercise=exercise),
        made_at=now, exercise=exercise, topic=f"{record.hazard}/{record.scope}",
    )  # fmt: skip


def _confirmed_part(record: AlertRecord) -> AlertRecord:
    """The alert as everybody but operators may see it, also just after all that was confirmed has been withdrawn."""
    confirmed = {"severity": record.confirmed_severity, "confirmed": True}
    public = public_part(record) or msgspec.structs.replace(record, **confirmed)
    return public if record.confirmed else msgspec.structs.replace(public, value=None)
