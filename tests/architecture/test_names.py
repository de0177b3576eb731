"""Names tell what a thing is: no drawers for odds and ends, and ``__all__`` is exactly what a module shows."""

import ast
import importlib
import pkgutil

import pytest

from tests.architecture.test_doors import PACKAGES, sources
from tests.peers.process import ROOT

DRAWERS = {
    "utils",
    "util",
    "helpers",
    "helper",
    "common",
    "manager",
    "base",
    "misc",
    "core",
    "tools",
    "shared",
}
MODULES = [path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".") for path in sources()]


def test_no_module_is_a_drawer() -> None:
    assert [name for name in MODULES if name.rpartition(".")[2] in DRAWERS] == []


@pytest.mark.parametrize("path", sources(), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_module_says_what_it_is(path: object) -> None:
    tree = ast.parse((ROOT / str(path)).read_text(encoding="utf-8"))
    if tree.body:
        assert ast.get_docstring(tree)


FOUND_BY_NAME = {"KIND", "FORMAT", "DETECTOR", "CHANNEL", "SCENARIO", "register", "router", "templates"}
"""What others look for in a plugin, a command or a page; the rest of such a file is its own business."""


def public_definitions(tree: ast.Module) -> set[str]:
    """Functions and classes of a module without a leading underscore."""
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    return {node.name for node in tree.body if isinstance(node, kinds) and not node.name.startswith("_")}


def listed(tree: ast.Module) -> list[str] | None:
    for node in tree.body:
        if isinstance(node, ast.Assign) and any(
            isinstance(t, ast.Name) and t.id == "__all__" for t in node.targets
        ):
            return [str(name) for name in ast.literal_eval(node.value)]
    return None


@pytest.mark.parametrize("path", sources(), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_what_a_module_lists_is_there_and_what_is_public_is_listed(path: object) -> None:
    tree = ast.parse((ROOT / str(path)).read_text(encoding="utf-8"))
    names = listed(tree)
    if names is None:
        return  # commands are found by their one name
    assert len(set(names)) == len(names)
    module = importlib.import_module(
        (ROOT / str(path)).relative_to(ROOT).with_suffix("").as_posix().replace("/", ".")
    )
    assert [name for name in names if not hasattr(module, name)] == []
    if not FOUND_BY_NAME & set(names) and "status/pages" not in str(path):
        assert public_definitions(tree) - set(names) == set()


@pytest.mark.parametrize("package", PACKAGES)
def test_every_package_has_a_word_about_itself(package: str) -> None:
    module = importlib.import_module(package)
    assert module.__doc__
    for info in pkgutil.walk_packages(module.__path__, f"{package}."):
        if info.ispkg and ".migrations" not in info.name:
            assert importlib.import_module(info.name).__doc__, info.name


def test_siaga_is_never_compared() -> None:
    """Smaller is worse: code compares severities, and turns them into Siaga at the edge."""
    found = []
    for path in sources():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Compare) and any(
                isinstance(op, ast.Lt | ast.LtE | ast.Gt | ast.GtE) for op in node.ops
            ):
                words = [part.attr if isinstance(part, ast.Attribute) else getattr(part, "id", "")
                         for part in (node.left, *node.comparators)]  # fmt: skip
                found += [f"{path.relative_to(ROOT)}:{node.lineno}" for word in words if word == "siaga"]
    assert found == []
