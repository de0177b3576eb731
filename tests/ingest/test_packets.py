"""Bytes to packets and back: any split gives the same packets, any bytes give packets or one error."""

import time
from collections.abc import Sequence
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest import packets
from ingest.format import Message
from ingest.packets import Connack, Packet, ProtocolError, Suback
from ingest.reasons import reason_text
from ingest.stream import Stream, acknowledgements

NOW = 1_767_322_800_000
ASIDE = "$SYS/drops"
ERA = 3


def length(number: int) -> bytes:
    out = b""
    while True:
        number, low = divmod(number, 128)
        out += bytes([low | (128 if number else 0)])
        if not number:
            return out


def publish(message: Message, mid: int, *, five: bool, properties: bytes = b"", dup: bool = False) -> bytes:
    """PUBLISH as a broker writes it."""
    topic = message.topic.encode()
    body = len(topic).to_bytes(2, "big") + topic
    if message.qos:
        body += mid.to_bytes(2, "big")
    if five:
        body += length(len(properties)) + properties
    body += message.payload
    head = 0x30 | message.retain | message.qos << 1 | dup << 3
    return bytes([head]) + length(len(body)) + body


def other(packet: Packet) -> bytes:
    return bytes([packet.type << 4]) + length(len(packet.body)) + packet.body


def stream(*, five: bool = False, topics: dict[bytes, str] | None = None) -> Stream:
    return Stream(ERA, {} if topics is None else topics, ASIDE, five=five)


def fed(it: Stream, chunks: Sequence[bytes], limit: int = 1_000_000) -> tuple[list[Message], list[Packet]]:
    """Everything that comes out when these chunks come in one after another."""
    messages: list[Message] = []
    others: list[Packet] = []
    for chunk in chunks:
        it.feed(chunk, NOW)
        while True:
            batch: list[Message] = []
            others += it.read(batch, limit)
            messages += batch
            if not it.more:
                break
    return messages, others


TOPICS = st.text(st.characters(codec="utf-8", exclude_characters="\0#+"), min_size=1, max_size=200)
PAYLOADS = st.one_of(st.binary(max_size=40), st.binary(min_size=100, max_size=140), st.just(b"x" * 17_000))
MESSAGES = st.builds(
    Message, TOPICS, PAYLOADS, st.just(NOW), st.booleans(), st.integers(0, 2),
)  # fmt: skip
PROPERTIES = st.sampled_from([b"", b"\x01\x01", b"\x26\x00\x01a\x00\x01b" * 30])
OTHERS = st.builds(Packet, st.sampled_from([9, 11, 13, 6, 14]), st.binary(max_size=200))
PIECES = st.one_of(st.tuples(MESSAGES, st.integers(1, 65_535), PROPERTIES, st.booleans()), OTHERS)


@given(pieces=st.lists(PIECES, max_size=12), five=st.booleans(), data=st.data())
def test_however_a_stream_is_cut_the_same_packets_come_out(
    pieces: list[tuple[Message, int, bytes, bool] | Packet], five: bool, data: st.DataObject
) -> None:
    wire, expected, others = b"", [], []
    for piece in pieces:
        if isinstance(piece, Packet):
            others.append(piece)
            wire += other(piece)
        else:
            message, mid, properties, dup = piece
            expected.append((message.topic, message.payload, NOW, message.retain, message.qos))
            wire += publish(message, mid, five=five, properties=properties, dup=dup)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(wire)), max_size=30)))
    chunks = [wire[a:b] for a, b in zip([0, *cuts], [*cuts, len(wire)], strict=True)]
    messages, found = fed(stream(five=five), chunks, data.draw(st.sampled_from([1, 2, 1000])))
    assert [(m.topic, m.payload, m.received_at, m.retain, m.qos) for m in messages] == expected
    assert found == others


@given(wire=st.binary(max_size=300), five=st.booleans(), size=st.integers(1, 300))
def test_any_bytes_give_packets_or_one_error(wire: bytes, five: bool, size: int) -> None:
    chunks = [wire[at : at + size] for at in range(0, len(wire), size)]
    with suppress(ProtocolError):
        fed(stream(five=five), chunks)


@given(message=MESSAGES, mid=st.integers(1, 65_535), five=st.booleans(), data=st.data())
def test_a_damaged_message_gives_packets_or_one_error(
    message: Message, mid: int, five: bool, data: st.DataObject
) -> None:
    wire = bytearray(publish(message, mid, five=five) * 2)
    wire[data.draw(st.integers(0, len(wire) - 1))] = data.draw(st.integers(0, 255))
    with suppress(ProtocolError):
        fed(stream(five=five), [bytes(wire)])


@given(body=st.binary(max_size=60), five=st.booleans())
def test_any_answer_of_a_broker_is_read_or_one_error(body: bytes, five: bool) -> None:
    for answer in (Connack, Suback):
        with suppress(ProtocolError):
            answer.of(body, five=five)


@pytest.mark.parametrize(
    ("wire", "five"),
    [
        (b"\x30\x00", False),
        (b"\x32\x00" + b"\x00" * 9, False),
        (b"\x32\x02\x00\x05", False),
        (b"\x32\x04\x00\x01a\x00", False),
        (b"\x32\x05\x00\x01a\x00\x00", False),  # packet id 0
        (b"\x34\x05\x00\x01a\x00\x00", False),
        (b"\x36\x05\x00\x01a\x00\x01", False),  # QoS 3
        (b"\x32\x05\x00\x00\x00\x01x", False),  # no topic
        (b"\x30\x04\x00\x00xx", False),
        (b"\x32\xff\xff\xff\xff\x01", False),  # a length of five bytes
        (b"\x32\x05\x00\x01a\x00\x01", True),  # no properties
        (b"\x32\x06\x00\x01a\x00\x01\x05", True),  # properties longer than the packet
        (b"\x32\x06\x00\x00\x00\x01\x00x", True),  # a topic alias, which we never offered
    ],
)
def test_what_is_no_mqtt_is_an_error(wire: bytes, five: bool) -> None:
    with pytest.raises(ProtocolError):
        fed(stream(five=five), [wire + b"\x00" * 10])


def test_messages_before_the_damage_are_kept() -> None:
    good = publish(Message("a", b"x", NOW), 1, five=False)
    it = stream()
    it.feed(good + b"\x36\x05\x00\x01a\x00\x01", NOW)
    found: list[Message] = []
    with pytest.raises(ProtocolError):
        it.read(found, 10)
    assert [message.payload for message in found] == [b"x"]


def test_a_topic_that_is_not_utf_8_becomes_a_replacement_character() -> None:
    for head in (b"\x32\x06\x00\x02\xff\xfe\x00\x01", b"\x30\x04\x00\x02\xff\xfe"):
        (message,), _ = fed(stream(), [head])
        assert message.topic == "\ufffd"


def test_the_brokers_own_counts_are_kept_out_of_the_messages() -> None:
    wire = publish(Message(ASIDE, b"7", NOW, qos=0), 0, five=False) + publish(
        Message(ASIDE, b"8", NOW), 1, five=False
    )
    messages, others = fed(stream(), [wire])
    assert others == [Packet(packets.PUBLISH, b"7")]
    assert [message.payload for message in messages] == [b"8"]


def test_a_long_message_in_many_pieces_costs_no_more_than_its_size() -> None:
    """Putting the pieces together anew for each of them takes half a minute, and grows with the square."""
    size = 8_000_000
    wire = publish(Message("a", b"x" * size, NOW), 1, five=False)
    chunks = [wire[at : at + 100] for at in range(0, len(wire), 100)]
    began = time.thread_time()
    messages, _ = fed(stream(), chunks)
    assert time.thread_time() - began < 5
    assert len(messages[0].payload) == size


def test_topics_are_remembered_but_not_without_bound() -> None:
    topics: dict[bytes, str] = {b"%d" % n: str(n) for n in range(200_000)}
    fed(stream(topics=topics), [publish(Message("a", b"", NOW), 1, five=False)])
    assert topics == {b"a": "a"}
    fed(stream(topics=topics), [publish(Message("b" * 129, b"", NOW), 1, five=False)])
    assert topics == {b"a": "a"}


def test_acknowledgements_are_one_piece_for_messages_of_their_own_era() -> None:
    wire = b"".join(publish(Message("a", b"", NOW, qos=qos), mid, five=False)
                    for qos, mid in ((1, 1), (0, 0), (2, 258), (1, 65_535)))  # fmt: skip
    messages, _ = fed(stream(), [wire])
    assert acknowledgements(messages, ERA) == b"\x40\x02\x00\x01\x50\x02\x01\x02\x40\x02\xff\xff"
    assert acknowledgements(messages, ERA + 1) == b""
    assert acknowledgements([], ERA) == b""


def test_what_we_send_is_what_the_standards_say() -> None:
    assert packets.connect("me", None, None, 30, five=False) == (
        b"\x10\x0e\x00\x04MQTT\x04\x00\x00\x1e\x00\x02me"
    )
    assert packets.connect("me", "ani", "", 30, five=False) == (
        b"\x10\x15\x00\x04MQTT\x04\xc0\x00\x1e\x00\x02me\x00\x03ani\x00\x00"
    )
    assert packets.connect("me", None, None, 30, five=True) == (
        b"\x10\x17\x00\x04MQTT\x05\x00\x00\x1e\x08\x11\xff\xff\xff\xff\x21\xff\xff\x00\x02me"
    )
    assert (
        packets.subscribe(1, ["a", "b/#"], 1, five=False) == b"\x82\x0c\x00\x01\x00\x01a\x01\x00\x03b/#\x01"
    )
    assert packets.subscribe(1, ["a"], 0, five=True) == b"\x82\x07\x00\x01\x00\x00\x01a\x00"
    assert packets.unsubscribe(3, ["a"], five=False) == b"\xa2\x05\x00\x03\x00\x01a"
    assert packets.unsubscribe(3, ["a"], five=True) == b"\xa2\x06\x00\x03\x00\x00\x01a"
    assert len(packets.subscribe(1, ["x" * 300], 1, five=False)) == 1 + 2 + 2 + 2 + 300 + 1


def test_the_answer_to_connect_is_read() -> None:
    assert Connack.of(b"\x01\x00", five=False) == Connack(True, "", None)
    assert Connack.of(b"\x00\x05", five=False).refusal == "not authorized"
    properties = b"\x26\x00\x01a\x00\x01b\x13\x00\x0a\x1f\x00\x02hi\x21\x00\x14\x24\x01"
    answer = Connack.of(b"\x00\x00" + bytes([len(properties)]) + properties, five=True)
    assert answer == Connack(False, "", 10)
    assert Connack.of(b"\x00\x87\x00", five=True).refusal == "not authorized"
    assert Connack.of(b"\x00\x01", five=True).refusal  # an old broker answers as 3.1.1 does


def test_the_answer_to_subscribe_is_read() -> None:
    assert Suback.of(b"\x00\x01\x01\x80\x00", five=False) == Suback(1, (False, True, False))
    assert Suback.of(b"\x01\x00\x03\x1f\x00\x00\x87\x01", five=True) == Suback(256, (True, False))


def test_every_reason_has_words() -> None:
    for five in (False, True):
        assert all(reason_text(code, five=five) for code in range(256))
    assert "another client" in reason_text(0x8E, five=True)
    assert reason_text(200, five=False) == "reason code 200"
