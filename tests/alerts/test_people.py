"""Commands, tokens and contacts: what operators ask for, who they are, and where people are reached."""

import pytest
from sqlalchemy import Engine

from alerts.channel import Address
from alerts.store import commands, contacts, tokens
from alerts.store.tables import tokens as tokens_table


def test_a_command_waits_until_it_is_answered_once(engine: Engine) -> None:
    with engine.begin() as conn:
        first = commands.ask(conn, "acknowledge", {"alert": "a1", "note": "lihat"}, "Sari", 10)
        second = commands.ask(conn, "close", {"alert": "a2"}, "Budi", 11)
        assert commands.waiting(conn) == [
            (first, "acknowledge", {"alert": "a1", "note": "lihat"}, "Sari"),
            (second, "close", {"alert": "a2"}, "Budi"),
        ]
        assert len(commands.waiting(conn, limit=1)) == 1
        assert commands.answered(conn, first) is None
        commands.answer(conn, first, ok=True, text="acknowledged", applied_at=12)
        commands.answer(conn, first, ok=False, text="again", applied_at=13)
        assert commands.answered(conn, first) == (True, "acknowledged")
        assert [row[0] for row in commands.waiting(conn)] == [second]
        assert commands.answered(conn, 999) is None


def test_a_token_stands_for_its_operator_until_it_is_revoked(engine: Engine) -> None:
    with engine.begin() as conn:
        token, other = tokens.add(conn, "Sari", "operator", 10), tokens.add(conn, "Budi", "operator", 11)
        assert tokens.operator_of(conn, token) == ("Sari", "operator")
        assert tokens.operator_of(conn, other) == ("Budi", "operator")
        first = tokens.listing(conn)[0].id
        assert tokens.revoke(conn, first, 12)
        assert not tokens.revoke(conn, first, 13)
        assert not tokens.revoke(conn, "nobody", 13)
        assert tokens.operator_of(conn, token) is None
        assert tokens.operator_of(conn, other) == ("Budi", "operator")
        assert [(t.name, t.revoked_at) for t in tokens.listing(conn)] == [("Sari", 12), ("Budi", None)]


@pytest.mark.parametrize("guess", ["", "pantau_", "x" * 100_000, "\0", "pantau_\ud800"])
def test_a_guess_is_nobody(engine: Engine, guess: str) -> None:
    with engine.begin() as conn:
        tokens.add(conn, "Sari", "operator", 10)
        assert tokens.operator_of(conn, guess) is None


def test_a_token_is_256_random_bits_and_only_its_hash_is_kept(engine: Engine) -> None:
    with engine.begin() as conn:
        made = {tokens.add(conn, "Sari", "operator", 10) for _ in range(50)}
        kept = "".join(str(row) for row in conn.execute(tokens_table.select()))
    assert len(made) == 50
    assert all(token.startswith("pantau_") and len(token) == len("pantau_") + 43 for token in made)
    assert not any(token in kept for token in made)


def test_contacts_are_found_by_role_and_channel_until_they_are_revoked(engine: Engine) -> None:
    with engine.begin() as conn:
        one = contacts.add(conn, "posko", "webhook", "https://a.example/x", 10, name="A", secret="s")
        two = contacts.add(conn, "posko", "webhook", "https://b.example/x", 11)
        contacts.add(conn, "posko", "mqtt", "pantau/v1/contoh/notices/posko", 12)
        assert contacts.behind(conn, "posko", "webhook") == [one, two]
        assert contacts.behind(conn, "camat", "webhook") == []
        assert contacts.addresses(conn, [one, two, 99]) == {
            one: Address("A", "https://a.example/x", "s"),
            two: Address("", "https://b.example/x", ""),
        }
        assert contacts.revoke(conn, one, 13)
        assert not contacts.revoke(conn, one, 14)
        assert contacts.behind(conn, "posko", "webhook") == [two]
        assert contacts.addresses(conn, [one]) == {}
        listed = contacts.listing(conn)
        assert [contact.revoked_at for contact in listed] == [13, None, None]
        assert not any(hasattr(contact, "secret") for contact in listed)
