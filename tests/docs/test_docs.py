"""The documents are true: whatever can be named, configured, called, asked for or measured is named in them.

Each list comes from the code. A failure names what is missing, or prints the table that should stand in the document.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from fastapi import FastAPI
from fastapi.routing import APIRoute
from prometheus_client import REGISTRY

import alerts.metrics
import ingest.metrics
from alerts.channel import Channel
from alerts.store.tables import metadata as alert_tables
from alerts.text import Text
from app.cli import make_cli
from app.clock import RealClock
from app.health import Health
from app.settings import KNOWN, load_settings
from ingest.bridge import Bridge
from ingest.format import Format
from ingest.store.tables import metadata as ingest_tables
from models.detector import Detector
from pantau import cityfolder
from pantau.alert import TABLE
from pantau.kind import Kind
from pantau.registry import find
from pantau.station import HAZARDS
from simulators.scenario import Scenario
from status.api import create_app
from status.metrics import Metrics
from tests.fakes_board import BoardInMemory

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), ROOT / "mosquitto" / "README.md"])
TEXT = {path: path.read_text(encoding="utf-8") for path in PAGES}
ALL = "\n".join(TEXT.values())
OPERATIONS = TEXT[ROOT / "docs" / "operations.md"]
ARCHITECTURE = TEXT[ROOT / "docs" / "architecture.md"]
API = TEXT[ROOT / "docs" / "api.md"]

PLUGINS = [
    ("pantau.kinds", "KIND", Kind, "name"),
    ("ingest.formats", "FORMAT", Format, "name"),
    ("ingest.bridges", "BRIDGE", Bridge, "name"),
    ("models.detectors", "DETECTOR", Detector, "name"),
    ("alerts.channels", "CHANNEL", Channel, "name"),
    ("alerts.texts", "TEXT", Text, "language"),
    ("simulators.scenarios", "SCENARIO", Scenario, "name"),
]
PROGRAMS = {
    "curl",
    "cp",
    "echo",
    "export",
    "git",
    "make",
    "mkdir",
    "mosquitto_pub",
    "mosquitto_sub",
    "pantau",
    "sqlite3",
}
"""What README's shell blocks may call."""


# --- settings -------------------------------------------------------------------------------------------------------


def test_the_table_of_settings_is_the_codes_own() -> None:
    assert re.findall(r"^\| `(PANTAU_\w+)` \|", OPERATIONS, re.MULTILINE) == list(KNOWN)


def test_defaults_of_settings_are_told() -> None:
    settings = load_settings({"PANTAU_CITY": str(ROOT / "cities" / "jakarta")})
    host, port = settings.http
    for default in (settings.mqtt_url, f"{host}:{port}", str(settings.data), "cities/jakarta"):
        assert re.search(rf"^\| `PANTAU_\w+` .*`{re.escape(default)}` \|$", OPERATIONS, re.MULTILINE), default
    assert settings.database_url == "sqlite:///data/pantau.db"


def test_no_page_names_a_setting_that_does_not_exist() -> None:
    known = {*KNOWN, *(f"{name}_FILE" for name in KNOWN), "PANTAU_CACHE"}
    compose = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    known |= set(re.findall(r"\$\{(PANTAU_\w+)", compose))  # variables of docker compose itself
    assert set(re.findall(r"\bPANTAU_[A-Z_]*[A-Z]\b", ALL)) - known == set()


# --- command line ---------------------------------------------------------------------------------------------------


def commands() -> dict[tuple[str, ...], Any]:
    """Every command by its words."""

    def walk(command: Any, words: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
        if hasattr(command, "commands"):
            for name, below in command.commands.items():
                yield from walk(below, (*words, name))
        else:
            yield words, command

    return dict(walk(typer.main.get_command(make_cli()), ()))


COMMANDS = commands()


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_is_named(words: tuple[str, ...]) -> None:
    *group, last = words
    named = rf"pantau {re.escape(' '.join(words))}\b"
    beside = rf"`pantau {' '.join(group)} \w+`(, `\w+`)*,\s+`{last}`"  # `pantau refused list`, `retry`
    assert re.search(named, ALL) or (group and re.search(beside, ALL))


def shell_lines(text: str) -> Iterator[str]:
    """Commands of a page's shell blocks, continued lines joined, remarks removed."""
    for block in re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        for line in block.replace("\\\n", " ").splitlines():
            bare = re.sub(r"(^|\s)#.*$", "", line).strip()
            if bare:
                yield bare


def calls(line: str) -> list[list[str]]:
    """Words of each call in a line, the variables set before it left out."""
    found = []
    for part in re.split(r"\s*(?:&&|\|\||;|\||&$)\s*", re.sub(r"\$\(.*\)|\"[^\"]*\"|'[^']*'", "X", line)):
        words = part.split()
        while words and re.match(r"^[A-Z_]+=", words[0]):
            words.pop(0)
        if words:
            found.append(words)
    return found


def mistake_in(words: list[str]) -> str:
    """What is wrong with a call of make or pantau; empty when nothing is."""
    program, *rest = words
    if program == "make":
        makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
        targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
        variables = set(re.findall(r"^([A-Z]+) \?=", makefile, re.MULTILINE))
        wrong = [word for word in rest if word.split("=")[0] not in targets | variables]
        return f"make has no {wrong}" if wrong else ""
    if program.removeprefix(".venv/bin/") != "pantau":
        return ""
    found = next((w for w in (tuple(rest[:2]), tuple(rest[:1])) if w in COMMANDS), None)
    if found is None:
        return f"no such command: {' '.join(words)}"
    options = {
        option
        for parameter in COMMANDS[found].params
        for option in (*parameter.opts, *parameter.secondary_opts)
    }
    strange = [word for word in rest if word.startswith("--") and word.split("=")[0] not in options]
    return f"{' '.join(found)} has no {strange}" if strange else ""


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_shell_blocks_call_what_exists(page: Path) -> None:
    mistakes = [mistake_in(words) for line in shell_lines(TEXT[page]) for words in calls(line)]
    assert [mistake for mistake in mistakes if mistake] == []


def test_readme_calls_known_programs_only() -> None:
    called = [words[0] for line in shell_lines(TEXT[ROOT / "README.md"]) for words in calls(line)]
    assert {program.removeprefix(".venv/bin/") for program in called} <= PROGRAMS
    assert {"make", ".venv/bin/pantau"} <= set(called)


@pytest.mark.parametrize(
    "line", ["make coffee", "pantau brew", ".venv/bin/pantau run --hot", "true && pantau city brew"]
)
def test_the_check_sees_what_does_not_exist(line: str) -> None:
    assert any(mistake_in(words) for words in calls(line))


def test_every_target_of_make_is_helpful() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in ("demo", "test", "check", "test-fast", "install", "format", "bench-ingest", "lock"):
        assert re.search(rf"^{target}:.*## ", makefile, re.MULTILINE)
        assert f"make {target}" in ALL


# --- HTTP -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def application() -> FastAPI:
    city = cityfolder.load(ROOT / "cities" / "contoh")
    return create_app(BoardInMemory(), city, RealClock(), Health(), exercise=False)


def routes(app: FastAPI) -> set[tuple[str, str]]:
    """Method and path of every route, those of included routers too."""
    found = set()
    for route in app.routes:
        inner = getattr(route, "original_router", None)
        for one in [route] if inner is None else inner.routes:
            if isinstance(one, APIRoute):
                found |= {(method, one.path) for method in (one.methods or set()) - {"HEAD"}}
    return found


def test_every_route_is_named(application: FastAPI) -> None:
    found = routes(application)
    assert ("GET", "/api/v1/stations") in found
    assert ("POST", "/api/v1/alerts/{id}/acknowledge") in found
    assert ("GET", "/en/station/{id}") in found
    missing = {
        (method, path)
        for method, path in found
        if not re.search(rf"(?<![\w/]){re.escape(path)}(?![\w/{{])", API) and not path.startswith("/static/")
    }
    assert missing == set()


def test_no_page_names_a_route_that_does_not_exist(application: FastAPI) -> None:
    known = {path for _, path in routes(application)} | {"/api/v1/openapi.json"}
    named = set(re.findall(r"(?:GET|POST) (/(?:api|healthz|readyz|metrics)[\w/{}.-]*)", ALL))
    assert {path.rstrip(".") for path in named if "nowhere" not in path} - known == set()


# --- plugins, words, metrics, tables --------------------------------------------------------------------------------


@pytest.mark.parametrize("plugins", PLUGINS, ids=lambda plugins: plugins[0])
def test_every_plugin_is_named(plugins: tuple[str, str, type, str]) -> None:
    section = ARCHITECTURE.partition("## Plugins")[2].partition("\n## ")[0]
    row = next(line for line in section.splitlines() if f"`{plugins[0].replace('.', '/')}/`" in line)
    assert f"`{plugins[1]}: {plugins[2].__name__}`" in row
    assert [name for name in find(*plugins) if f"`{name}`" not in row] == []


@pytest.mark.parametrize("folder", [path.parent.name for path in (ROOT / "cities").glob("*/city.toml")])
def test_every_city_is_named(folder: str) -> None:
    assert f"`{folder}`" in ARCHITECTURE


@pytest.mark.parametrize("hazard", HAZARDS)
def test_every_hazard_is_named(hazard: str) -> None:
    assert f"`{hazard}`" in ARCHITECTURE


def table_of_states() -> str:
    """``pantau.alert.TABLE`` as it stands in the document."""
    states = list(dict.fromkeys(state for state, _ in TABLE))
    triggers = list(dict.fromkeys(trigger for _, trigger in TABLE))
    lines = [f"| state | {' | '.join(triggers)} |", "| --- " * (len(triggers) + 1) + "|"]
    for state in states:
        cells = [f" {TABLE[state, trigger]}" if (state, trigger) in TABLE else "" for trigger in triggers]
        lines.append(f"| **{state}** |{' |'.join(cells)} |")
    return "\n".join(lines)


def test_the_table_of_states_is_the_machines_own() -> None:
    found = ARCHITECTURE.partition("<!-- table of pantau.alert.TABLE -->\n")[2].partition(
        "\n<!-- end of table -->"
    )[0]
    assert found == table_of_states()


def metric_names() -> set[str]:
    """As Prometheus shows them."""
    assert {ingest.metrics.__name__, alerts.metrics.__name__} == {
        "ingest.metrics",
        "alerts.metrics",
    }  # both are in REGISTRY
    collectors = [*REGISTRY.collect(), *Metrics()._registry.collect()]
    names = {f"{family.name}_total" if family.type == "counter" else family.name for family in collectors}
    return {name for name in names if name.startswith("pantau_")}


def test_the_table_of_metrics_is_the_codes_own() -> None:
    assert set(re.findall(r"^\| `(pantau_\w+)", OPERATIONS, re.MULTILINE)) == metric_names()


def test_no_page_names_a_metric_that_does_not_exist() -> None:
    named = set(re.findall(r"`(pantau_\w+?)(?:\{[^}]*\})?`", ALL))
    assert {name for name in named if not name.endswith(("_passwd",))} - metric_names() == set()


def log_events() -> Iterator[str]:
    """Constant events of every log line in the code, debug ones left out: they are not printed."""
    for package in ("app", "ingest", "models", "alerts", "status", "simulators", "pantau"):
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                call = node.func if isinstance(node, ast.Call) else None
                if (
                    isinstance(node, ast.Call)
                    and isinstance(call, ast.Attribute)
                    and getattr(call.value, "id", "") in {"_log", "log"}
                    and call.attr in {"info", "warning", "error", "exception"}
                    and isinstance(node.args[0], ast.Constant)
                ):
                    yield str(node.args[0].value)


def test_every_log_line_is_explained() -> None:
    events = set(log_events())
    assert "commit_failed" in events
    assert [event for event in sorted(events) if f"`{event}`" not in OPERATIONS] == []


def test_every_table_of_the_database_is_named() -> None:
    section = ARCHITECTURE.partition("## The database")[2].partition("\n## ")[0]
    assert [
        name for name in (*ingest_tables.tables, *alert_tables.tables) if f"`{name}`" not in section
    ] == []


# --- pages themselves -----------------------------------------------------------------------------------------------


def anchors(path: Path) -> set[str]:
    """Anchors of a page's headings, as GitHub makes them."""
    titles = re.findall(
        r"^#+ (.+)$", re.sub(r"```.*?```", "", TEXT.get(path, ""), flags=re.DOTALL), re.MULTILINE
    )
    return {re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    bare = re.sub(r"```.*?```", "", TEXT[page], flags=re.DOTALL)
    wrong = []
    for target in re.findall(r"\]\(([^)\s]+)\)", bare):
        if re.match(r"[a-z]+:", target):
            continue
        file, _, anchor = target.partition("#")
        path = (page.parent / file).resolve() if file else page
        if not path.exists() or (anchor and anchor not in anchors(path)):
            wrong.append(target)
    assert wrong == []


def test_every_file_named_in_the_architecture_exists() -> None:
    named = re.findall(
        r"`((?:app|pantau|ingest|models|alerts|status|simulators|tests|mosquitto)/[\w/.-]+)`", ARCHITECTURE
    )
    assert len(named) > 60
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_every_page_is_in_the_index() -> None:
    index = TEXT[ROOT / "docs" / "README.md"]
    pages = [path for path in PAGES if path.is_relative_to(ROOT / "docs") and path.name != "README.md"]
    assert [path.name for path in pages if f"({path.relative_to(ROOT / 'docs')})" not in index] == []


@pytest.mark.parametrize(
    "page", sorted((ROOT / "docs" / "decisions").glob("*.md")), ids=lambda page: page.stem
)
def test_every_decision_has_its_four_parts(page: Path) -> None:
    parts = re.findall(r"^## (.+)$", TEXT[page], re.MULTILINE)
    assert parts[:4] == ["Context", "Decision", "Consequences", "Is / is not"]


def test_decisions_are_numbered_without_a_hole() -> None:
    numbers = sorted(int(path.name[:4]) for path in (ROOT / "docs" / "decisions").glob("*.md"))
    assert numbers == list(range(1, len(numbers) + 1))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_no_page_knows_this_machine(page: Path) -> None:
    assert re.findall(r"(?<![\w.])/(?:work|root|home/\w+)/[\w/]*", TEXT[page]) == []
    assert not re.search(r"[\U0001F300-\U0001FAFF]", TEXT[page])
