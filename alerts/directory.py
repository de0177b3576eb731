"""Finds who is behind a role: notices without a contact in, with one out, or passed to the city's last resort."""

import msgspec
from sqlalchemy import Connection

from alerts.channel import Notice
from alerts.notices import notice_id
from alerts.store import contacts, outbox
from alerts.store.outbox import Item
from alerts.text import text_for
from pantau.city import City

__all__ = ["find_contacts"]

_AT_ONCE = 50
"""Notices in one transaction: it holds up the pipeline's own commits."""


def find_contacts(conn: Connection, city: City, channel: str) -> list[Item]:
    """Give a channel's new notices to everybody behind their roles; returns those behind which there is nobody.

    These have failed with ``no_contact``; once a transition, the first of them goes to the contacts of the city's last
    resort, over whatever channels that role has, with a line that says why.
    """
    lost: list[Item] = []
    found: list[tuple[Item, list[int]]] = []
    behind: dict[str, list[int]] = {}
    for item in outbox.unaddressed(conn, channel, _AT_ONCE):
        if item.role not in behind:
            behind[item.role] = list(contacts.behind(conn, item.role, channel))
        if behind[item.role]:
            found.append((item, behind[item.role]))
        else:
            outbox.fail(conn, item, "no_contact")
            lost.append(item)
    outbox.assign(conn, found)
    for item in lost:
        _pass_on(conn, item, city)
    return lost


def _pass_on(conn: Connection, item: Item, city: City) -> None:
    if not city.last_resort or item.role == city.last_resort:
        return
    notice = msgspec.json.decode(item.body, type=Notice)
    why = text_for(notice.language, city).undelivered(item.role, item.channel)
    text = f"{notice.text}\n{why}"
    reached = [contact for contact in contacts.listing(conn) if contact.role == city.last_resort]
    for channel in sorted({contact.channel for contact in reached if contact.revoked_at is None}):
        own = notice_id(item.alert, item.n, f"last_resort:{city.last_resort}", channel, "")
        theirs = msgspec.structs.replace(notice, id=own, role=city.last_resort, text=text)
        body = msgspec.json.encode(theirs).decode()
        row = msgspec.structs.replace(item, id=own, role=city.last_resort, channel=channel, body=body)
        if outbox.put(conn, [row]):
            outbox.assign(conn, [(row, contacts.behind(conn, city.last_resort, channel))])
