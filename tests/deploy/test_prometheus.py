"""The alert rules are what Prometheus takes, name only metrics that exist, and lead to a page that says what to do."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from tests.docs.test_docs import OPERATIONS, anchors, metric_names

ROOT = Path(__file__).parents[2]
RULES = ROOT / "deploy" / "prometheus" / "pantau.rules.yml"
FOUND: dict[str, Any] = yaml.safe_load(RULES.read_text(encoding="utf-8"))
OTHERS = {
    "up",
    "node_filesystem_avail_bytes",
    "node_filesystem_size_bytes",
    "node_timex_offset_seconds",
    "node_timex_sync_status",
}
"""Prometheus' own, and node_exporter's."""
WORDS = {
    "abs", "absent", "and", "by", "delta", "histogram_quantile", "increase", "max", "min_over_time", "on", "or",
    "predict_linear", "rate", "sum",
}  # fmt: skip
DURATION = r"^(\d+(ms|[smhdwy]))+$"
TEXT = {"type": "string", "minLength": 8}
SCHEMA: dict[str, Any] = {  # after prometheus/pkg/rulefmt: unknown keys are errors there, too
    "type": "object", "additionalProperties": False, "required": ["groups"],
    "properties": {"groups": {"type": "array", "minItems": 1, "items": {
        "type": "object", "additionalProperties": False, "required": ["name", "rules"],
        "properties": {
            "name": {"type": "string"},
            "interval": {"type": "string", "pattern": DURATION},
            "rules": {"type": "array", "minItems": 1, "items": {
                "type": "object", "additionalProperties": False, "required": ["alert", "expr", "labels", "annotations"],
                "properties": {
                    "alert": {"type": "string", "pattern": "^Pantau[A-Z][A-Za-z]+$"},
                    "expr": {"type": "string"},
                    "for": {"type": "string", "pattern": DURATION},
                    "labels": {
                        "type": "object", "additionalProperties": False, "required": ["severity"],
                        "properties": {"severity": {"enum": ["page", "ticket"]}},
                    },
                    "annotations": {
                        "type": "object", "additionalProperties": False,
                        "required": ["summary", "description", "runbook"],
                        "properties": {"summary": TEXT, "description": TEXT, "runbook": TEXT},
                    },
                },
            }},
        },
    }}},
}  # fmt: skip


def rules() -> Iterator[dict[str, Any]]:
    for group in FOUND["groups"]:
        yield from group["rules"]


EVERY = [pytest.param(rule, id=rule["alert"]) for rule in rules()]


def test_the_file_has_the_shape_that_prometheus_wants() -> None:
    jsonschema.validate(FOUND, SCHEMA)
    names = [group["name"] for group in FOUND["groups"]]
    alerts = [rule["alert"] for rule in rules()]
    assert (len(set(names)), len(set(alerts))) == (len(names), len(alerts))


def bare(expr: str) -> str:
    """An expression without texts, durations, grouping labels and label matchers."""
    expr = re.sub(r"\{[^}]*\}", "", re.sub(r'"[^"]*"', "", expr))
    return re.sub(r"\[[^\]]*\]", "", re.sub(r"\b(by|on) ?\([^)]*\)", "", expr))


@pytest.mark.parametrize("rule", EVERY)
def test_a_rule_names_only_metrics_that_exist(rule: dict[str, Any]) -> None:
    named = set(re.findall(r"[a-zA-Z_:][\w:]*", bare(rule["expr"]))) - WORDS
    ours = {name.removesuffix("_bucket") for name in named if name.startswith("pantau_")}
    assert named, rule["expr"]
    assert ours - metric_names() == set()
    assert {name for name in named if not name.startswith("pantau_")} - OTHERS == set()


@pytest.mark.parametrize("rule", EVERY)
def test_a_rule_can_be_parsed(rule: dict[str, Any]) -> None:
    """What can be seen without Prometheus: brackets, ranges where they belong, no rate of a gauge."""
    expr = rule["expr"]
    depth: list[str] = []
    for mark in re.sub(r'"[^"]*"', "", expr):
        if mark in "([{":
            depth.append({"(": ")", "[": "]", "{": "}"}[mark])
        elif mark in ")]}":
            assert depth.pop() == mark
    assert depth == []
    for span in re.findall(r"\[([^\]]*)\]", expr):
        assert re.match(DURATION, span)
    for function, name in re.findall(r"\b(rate|increase|delta|predict_linear|min_over_time)\(([\w:]+)", expr):
        counts = name.endswith(("_total", "_bucket"))
        assert counts == (function in {"rate", "increase"}), f"{function} of {name}"
        assert re.search(rf"{function}\({name}(\{{[^}}]*\}})?\[", expr)
    assert re.search(r"(==|>|<) ?[\d(]|absent\(", expr), "an alert compares"


@pytest.mark.parametrize("rule", EVERY)
def test_a_rule_leads_to_what_to_do(rule: dict[str, Any]) -> None:
    page, _, anchor = rule["annotations"]["runbook"].partition("#")
    assert anchor in anchors(ROOT / page)
    section = OPERATIONS.partition("## Alert rules")[2].partition("\n## ")[0]
    assert f"`{rule['alert']}`" in section
    labels = set(re.findall(r"\$labels\.(\w+)", str(rule["annotations"])))
    grouped = re.search(r"by \(([^)]*)\)", rule["expr"])
    kept = set(re.split(r", *", grouped[1])) if grouped else {"mountpoint"}
    assert labels <= kept


def test_the_page_names_no_rule_that_does_not_exist() -> None:
    section = OPERATIONS.partition("## Alert rules")[2].partition("\n## ")[0]
    assert set(re.findall(r"`(Pantau\w+)`", section)) == {rule["alert"] for rule in rules()}
