"""What every payload format does: golden cases, hostile bytes, known stations only, the same after a restart.

A case is a folder ``tests/cases/formats/<format>/<case>/`` with the payload (``message.json`` or ``message.bin``),
``meta.toml`` (topic, received_at, retain, options of the binding) and ``expected.json``. A bug report becomes a folder.
"""

import json
import tomllib
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ingest.decode import Decoder, Refused, all_formats
from ingest.format import Message, Remembers
from pantau.city import Binding
from pantau.reading import Reading
from tests.ingest.lives import CUTS, Cut, killed, undisturbed
from tests.ingest.small_city import T0, small_city

CASES = Path(__file__).parents[1] / "cases" / "formats"
FOLDERS = sorted(path for path in CASES.glob("*/*") if path.is_dir())
FORMATS = sorted(all_formats())


def meta_of(folder: Path) -> dict[str, Any]:
    return tomllib.loads((folder / "meta.toml").read_text(encoding="utf-8"))


def decoder_of(folder: Path) -> Decoder:
    """A city where the case's format is bound to its topic."""
    meta = meta_of(folder)
    return Decoder(small_city(Binding(meta["topic"], folder.parent.name, meta.get("options", {}))))


def message_of(folder: Path) -> Message:
    meta = meta_of(folder)
    (payload,) = folder.glob("message.*")
    received_at = int(meta["received_at"].timestamp() * 1000)
    return Message(meta["topic"], payload.read_bytes(), received_at, meta.get("retain", False))


def outcome(folder: Path) -> dict[str, Any]:
    batch = decoder_of(folder).decode([message_of(folder)])
    return {
        "readings": [_shown(reading) for reading in batch.readings],
        "refused": [{"code": r.code, "index": r.index, "reason": r.reason} for r in batch.refused],
        "ignored": batch.ignored == 1,
    }


def _shown(reading: Reading) -> dict[str, Any]:
    """All of a reading that a payload can say; that an operator vouches for it none can.

    ``historical`` and ``origin`` stand there when the message said them.
    """
    fields = dict(msgspec.to_builtins(msgspec.structs.asdict(reading)))
    assert not fields.pop("vouched")
    if reading.origin is not None:
        fields["origin"] = msgspec.structs.asdict(reading.origin)
    return {name: value for name, value in fields.items() if name not in {"historical", "origin"} or value}


def known_only(readings: list[Reading]) -> bool:
    stations = small_city().stations
    return all(r.station in stations and stations[r.station].kind == r.kind for r in readings)


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_a_case_gives_what_is_expected(folder: Path) -> None:
    expected = json.loads((folder / "expected.json").read_text(encoding="utf-8"))
    assert outcome(folder) == expected


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_has_cases_with_readings_and_with_refusals(name: str) -> None:
    expected = [
        json.loads(path.read_text(encoding="utf-8")) for path in CASES.glob(f"{name}/*/expected.json")
    ]
    assert any(case["readings"] for case in expected)
    assert any(case["refused"] for case in expected)


def test_every_folder_of_cases_is_of_a_format() -> None:
    assert {path.parent.name for path in FOLDERS} <= set(FORMATS)


@pytest.mark.parametrize("name", FORMATS)
def test_options_of_a_binding_are_checked(name: str) -> None:
    form = all_formats()[name]
    problems = form.problems(small_city(), {"no such option": 1})
    assert any("no such option" in text for text in problems)
    assert all("\n" not in text for text in problems)


JSONISH = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["observed_at", "value", "unit", "seq"]) | st.text(), inner, max_size=5
        )
    ),
    max_leaves=12,
)
PAYLOADS = st.binary(max_size=300) | JSONISH.map(lambda found: json.dumps(found).encode())


@pytest.mark.parametrize("name", FORMATS)
@given(data=st.data(), payload=PAYLOADS, retain=st.booleans())
@example(data=None, payload=b"[" * 100_000, retain=False)
@example(data=None, payload=b'{"x":' * 100_000, retain=False)
@example(data=None, payload=b"\x00" * 1_000_000, retain=False)
@example(data=None, payload=b"[" + b"1," * 500_000 + b"1]", retain=False)
@example(data=None, payload=b"9" * 1_000_000, retain=True)
def test_any_bytes_give_readings_or_refusals(
    name: str, data: st.DataObject | None, payload: bytes, retain: bool
) -> None:
    folders = [folder for folder in FOLDERS if folder.parent.name == name]
    folder = folders[0] if data is None else data.draw(st.sampled_from(folders))
    message = Message(meta_of(folder)["topic"], payload, T0, retain)
    batch = decoder_of(folder).decode([message])
    assert batch.readings or batch.refused or batch.ignored or batch.gone
    assert known_only(batch.readings)
    assert all(isinstance(r, Refused) for r in batch.refused)
    assert all(r.code != "format_error" for r in batch.refused)
    for refused in batch.refused[:20]:
        assert refused.reason.isprintable()
        refused.reason.encode()
        assert len(refused.reason) < 600
    msgspec.msgpack.encode(batch.readings)  # what cannot be journaled would stop the pipeline


@given(payloads=st.lists(PAYLOADS, max_size=6), good_at=st.integers(0, 6))
def test_a_bad_message_never_costs_its_neighbour(payloads: list[bytes], good_at: int) -> None:
    topic = "pantau/v1/contoh/water_level/116"
    good = Message(topic, json.dumps({"observed_at": T0, "value": 4.25}).encode(), T0)
    messages = [Message(topic, payload, T0) for payload in payloads]
    messages.insert(good_at, good)
    batch = Decoder(small_city()).decode(messages)
    assert Reading("116", "water_level", 4.25, T0, T0) in batch.readings


REMEMBERING = {"deepstream", "frigate", "sparkplug_b"}
RECORDED = Path(__file__).parents[1] / "ingest" / "sparkplug_b"
BIRTHS = [
    Message(f"spBv1.0/Gauges/{topic}", (RECORDED / name).read_bytes(), T0 + 245_000)
    for topic, name in (
        ("NBIRTH/gw-1", "00-nbirth.bin"), ("DBIRTH/gw-1/post-7", "01-dbirth.bin"), ("DDATA/gw-1/post-7", "02-ddata.bin")
    )
]  # fmt: skip


def of_one_binding(folder: Path) -> tuple[Decoder, list[Message]]:
    """The decoder of a case's options, and the messages of all cases of its format, births of a gateway too."""
    first = meta_of(folder)
    binding = Binding("#", folder.parent.name, first.get("options", {}))
    messages = [message_of(one) for one in FOLDERS if one.parent == folder.parent]
    return Decoder(small_city(binding)), [*messages, *BIRTHS]


@pytest.mark.parametrize("name", FORMATS)
def test_a_format_that_needs_former_messages_remembers_and_the_others_cost_nothing(name: str) -> None:
    for folder in (one for one in FOLDERS if one.parent.name == name):
        decoder, messages = of_one_binding(folder)
        opened = decoder._opened[0][1]
        assert isinstance(opened, Remembers) == (name in REMEMBERING)
        decoder.decode(messages)
        if name not in REMEMBERING:
            assert decoder.dump_changed() == {}


@pytest.mark.parametrize("name", sorted(REMEMBERING))
@settings(max_examples=50)
@given(data=st.data(), cuts=CUTS, junk=st.lists(PAYLOADS, max_size=3))
def test_what_is_remembered_survives_a_restart_anywhere(
    name: str, data: st.DataObject, cuts: list[Cut], junk: list[bytes]
) -> None:
    """Killed before the commit or between two batches; what comes again though it is known is tested by each format."""
    folder = data.draw(st.sampled_from([one for one in FOLDERS if one.parent.name == name]))
    _, messages = of_one_binding(folder)
    messages += [Message(meta_of(folder)["topic"], payload, T0) for payload in junk]
    sent = data.draw(st.lists(st.sampled_from(messages), max_size=15))
    if (
        name == "sparkplug_b"
    ):  # a gap right after a restart makes its births doubtful: see tests/ingest/test_kept.py
        sent = [*BIRTHS, *(one for one in sent if not one.payload.startswith(b"\x08"))]
    calm = undisturbed(lambda: of_one_binding(folder)[0], sent)
    cuts = [cut if cut.end == "before" else Cut(cut.size, "calm") for cut in cuts]
    assert killed(lambda: of_one_binding(folder)[0], sent, cuts) == calm


@pytest.mark.parametrize("name", sorted(REMEMBERING))
@given(data=st.data(), body=st.binary(max_size=40))
def test_any_kept_bytes_are_taken_over_or_forgotten(name: str, data: st.DataObject, body: bytes) -> None:
    folder = data.draw(st.sampled_from([one for one in FOLDERS if one.parent.name == name]))
    before, messages = of_one_binding(folder)
    before.decode(messages)
    kept = dict(before.dump_changed())
    if not kept:
        return
    cut = data.draw(st.sampled_from(sorted(kept)))
    after, _ = of_one_binding(folder)
    after.restore({**kept, cut: body or kept[cut][:-1]})
    batch = after.decode(messages)
    assert all(refused.code != "format_error" for refused in batch.refused)
    assert known_only(batch.readings)
    after.dump_changed()
    assert after._remembering
