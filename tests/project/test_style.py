"""The rules that ruff does not know: one assignment a line, no comprehension in another."""
import ast

import pytest

from tinyprune.files import ROOT

PATTERNS = ["tinyprune/*.py", "lessons/**/*.py", "tests/**/*.py", "data/*.py", "data/teachers/*.py"]
FILES = [path for pattern in PATTERNS for path in sorted(ROOT.glob(pattern))]
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
MAX_FUNCTION = 50  # lines: a function fits a screen


def faults(tree, is_package):
    """What breaks a rule: (line, sentence)"""
    for node in ast.walk(tree):
        if isinstance(node, COMPREHENSIONS):
            found = [inner for inner in ast.walk(node) if isinstance(inner, COMPREHENSIONS)]
            if len(found) > 1:
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
