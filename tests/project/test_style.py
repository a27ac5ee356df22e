"""The rules that ruff does not know: one assignment a line, no comprehension in another."""
import ast

import pytest

from tinyprune.files import ROOT

FILES = [path for folder in ("tinyprune", "lessons", "tests", "data/teachers")
         for path in sorted((ROOT / folder).rglob("*.py"))]
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
MAX_FUNCTION = 50  # lines: a function fits a screen


def inner_nodes(node):
    """All nodes below this one, without those of a lambda or function that it holds."""
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, (ast.Lambda, ast.FunctionDef)):
            yield child
            yield from inner_nodes(child)


def faults(tree, is_package):
    """What breaks a rule: (line, sentence)"""
    for node in ast.walk(tree):
        if isinstance(node, COMPREHENSIONS):
            if any(isinstance(inner, COMPREHENSIONS) for inner in inner_nodes(node)):
                yield node.lineno, "a comprehension inside a comprehension: name the inner one"
        elif isinstance(node, ast.Assign):
            several = isinstance(node.targets[0], ast.Tuple) and isinstance(node.value, ast.Tuple)
            if several or len(node.targets) > 1:
                yield node.lineno, "more than one assignment in a line"
        elif isinstance(node, ast.FunctionDef) and is_package:
            lines = node.end_lineno - node.lineno + 1
            if lines > MAX_FUNCTION:
                yield node.lineno, f"{node.name} has {lines} lines, at most {MAX_FUNCTION} fit"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_lines_are_simple(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = list(faults(tree, is_package=path.parent.name == "tinyprune"))
    assert not found, "\n".join(f"{path.name}:{line}: {sentence}" for line, sentence in found)
