"""docs/ingest.md cannot lie: every code, metric, option and bound in it is the code's own, and none is missing."""

import ast
import json
import re
from pathlib import Path

import ingest.metrics
from ingest.decode import all_formats
from ingest.formats.native import MAX_BYTES, MAX_ITEMS
from ingest.refused import MOST_ROWS
from pantau import registry
from pantau.kind import Kind

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "ingest.md").read_text(encoding="utf-8")
TABLE = set(re.findall(r"^\| `(\w+)` \| .* \| .* \|$", TEXT, re.MULTILINE))


def codes_in_the_source() -> set[str]:
    found = set()
    for path in (ROOT / "ingest").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "RefusedMessage":
                code = node.args[0]
                if isinstance(code, ast.Constant):
                    found.add(str(code.value))
    return found


def test_every_code_is_in_the_table_and_no_other() -> None:
    assert codes_in_the_source() | {"store_refused"} == TABLE


def test_every_code_of_a_golden_case_is_in_the_table() -> None:
    for path in (ROOT / "tests" / "cases" / "formats").glob("*/*/expected.json"):
        for refused in json.loads(path.read_text(encoding="utf-8"))["refused"]:
            assert refused["code"] in TABLE, path


def test_every_metric_is_named() -> None:
    for name in ingest.metrics.__all__:
        (family,) = getattr(ingest.metrics, name).describe()
        shown = f"{family.name}_total" if family.type == "counter" else family.name
        assert f"`{shown}" in TEXT


def test_every_format_kind_and_unit_is_named() -> None:
    for name in all_formats():
        assert f"(`{name}`)" in TEXT
    for kind in registry.find("pantau.kinds", "KIND", Kind, "name").values():
        assert f"`{kind.name}` " in TEXT
        assert ", ".join(kind.units) in TEXT


def test_the_bounds_are_the_codes_own() -> None:
    for bound in (MAX_BYTES, MAX_ITEMS, MOST_ROWS):
        assert f"{bound:,}" in TEXT
