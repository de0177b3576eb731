"""Both languages are complete, and no page mixes them."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from status.pages.words import LANGUAGES, client_words, words_of
from tests.status.sample import ROOT

FILES = {path.stem: tomllib.loads(path.read_text()) for path in (ROOT / "status" / "words").glob("*.toml")}


def flat(table: dict[str, Any], before: str = "") -> dict[str, str]:
    words: dict[str, str] = {}
    for key, value in table.items():
        words |= flat(value, f"{before}{key}.") if isinstance(value, dict) else {f"{before}{key}": value}
    return words


def test_every_language_of_the_page_has_its_file() -> None:
    assert set(FILES) == set(LANGUAGES)


def test_every_word_stands_in_every_language_with_the_same_places_to_fill() -> None:
    indonesian, english = flat(FILES["id"]), flat(FILES["en"])
    assert indonesian.keys() == english.keys()
    for key, text in indonesian.items():
        assert re.findall(r"\{\w+\}", text) == re.findall(r"\{\w+\}", english[key]), key
        assert text.strip()


def test_every_word_is_used_somewhere() -> None:
    folder = ROOT / "status"
    files = [*folder.rglob("*.py"), *folder.rglob("*.html"), *folder.glob("pages/static/*.js")]
    text = "\n".join(Path(file).read_text() for file in files)
    composed = {"range_6", "range_24", "range_168", "unit_persons"}
    sections = ("flag.", "what.", "isa.", "why.", "hazard.", "forecast_ended.", "span.")
    for key in flat(FILES["id"]):
        word = key.rpartition(".")[2]
        if word in composed or key.startswith(sections) or word.startswith(("chip_", "note_")):
            continue
        assert re.search(rf"\b{word}\b", text), key


def test_a_missing_word_is_an_error_that_names_it() -> None:
    with pytest.raises(LookupError, match="no_such_word"):
        _ = words_of("id").no_such_word
    with pytest.raises(LookupError, match=r"\[client\]"):
        _ = words_of("id").client.no_such_word


def test_the_browser_gets_every_chip_and_note() -> None:
    for chip in ("stale", "never", "out", "awaiting", "unusable", "nolimits"):
        assert client_words("id")[f"chip_{chip}"]
