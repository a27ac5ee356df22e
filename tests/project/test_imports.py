"""What the package imports: nothing in a circle, and torch only where there are tensors."""
import re
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCES = {path.stem: path.read_text(encoding="utf-8") for path in ROOT.glob("tinyprune/*.py")}
WITHOUT_TORCH = "quantities tokenizer vocabulary checker files data cli figures"


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


def test_lessons_03_and_04_need_no_torch():
    code = f"""
import importlib, sys
for module in "{WITHOUT_TORCH}".split():
    importlib.import_module(f"tinyprune.{{module}}")
    assert "torch" not in sys.modules, f"tinyprune.{{module}} imports torch"
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_no_file_names_a_folder_outside_the_project():
    for module, source in SOURCES.items():
        assert not re.search(r"\bshared\b", source), f"{module} names the folder"
    for folder in ("lessons", "data", "tests"):
        for path in (ROOT / folder).rglob("*.py"):
            found = re.search(r"shared[\"'/]|/work[\"'/]", path.read_text(encoding="utf-8"))
            assert not found, f"{path} names {found[0]}"
