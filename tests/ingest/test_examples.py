"""The examples of docs/ingest.md run as they stand: bindings are good, payloads give readings."""

import re
import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner

from app.cli import make_cli
from ingest.decode import all_formats
from pantau.cityfolder import load

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "ingest.md").read_text(encoding="utf-8")
SECTIONS = {
    name: part
    for part in PAGE.split("\n## ")
    for name in re.findall(r"\(`(\w+)`\)$", part.partition("\n")[0])
}
MINE = ("senml", "tts", "posko_banjir", "deepstream")
DECODED = re.compile(r"    echo '([^']*)' \|\n        pantau (decode .*)")


@pytest.mark.parametrize("name", MINE)
def test_the_binding_of_a_section_is_the_example_citys(name: str) -> None:
    (block,) = re.findall(r"```toml\n(.*?)```", SECTIONS[name], re.DOTALL)
    (binding,) = tomllib.loads(block)["binding"]
    city = load(ROOT / "cities" / "contoh")
    assert binding["format"] == name
    assert all_formats()[name].problems(city, binding["options"]) == []
    ours = [(found.topic, found.options) for found in city.bindings if found.format == name]
    assert ours == [(binding["topic"], binding["options"])]


@pytest.mark.parametrize("name", ["native", *MINE])
def test_the_payload_of_a_section_gives_readings(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    payload, command = DECODED.findall(SECTIONS[name])[0]
    assert f"--format {name} " in command
    done = CliRunner().invoke(make_cli(), command.split(), input=payload)
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith("reading ")


@pytest.mark.parametrize("name", MINE)
def test_every_option_is_in_the_table_of_its_section(name: str) -> None:
    (told,) = {
        text.partition(": use ")[2]
        for text in all_formats()[name].problems(load(ROOT / "cities" / "contoh"), {"no such": 1})
        if ": use " in text
    }
    for option in told.split(", "):
        assert f"\n| `{option}` | " in SECTIONS[name]
