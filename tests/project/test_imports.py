"""What the package imports and names: nothing in a circle, nothing outside the project."""
import re
from graphlib import TopologicalSorter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCES = {path.stem: path.read_text(encoding="utf-8") for path in ROOT.glob("tinyprune/*.py")}


def imported(source):
    """The package's modules that a source imports, at its head or later."""
    found = set(re.findall(r"^\s*(?:from|import) tinyprune\.(\w+)", source, re.MULTILINE))
    for names in re.findall(r"^\s*from tinyprune import (\([^)]*|.*)", source, re.MULTILINE):
        found |= SOURCES.keys() & set(re.findall(r"\w+", names))
    return found


def test_no_module_imports_itself_by_way_of_others():
    graph = {module: imported(source) for module, source in SOURCES.items()}
    assert graph["checker"] == {"quantities", "tokenizer"}, "imports are not found"
    assert "files" in graph["cli"], "imports from the package itself are not found"
    TopologicalSorter(graph).prepare()  # CycleError names the circle


def test_no_module_names_a_folder_outside_the_project():
    for module, source in SOURCES.items():
        assert not re.search(r"\bshared\b", source), f"{module} names the folder"
