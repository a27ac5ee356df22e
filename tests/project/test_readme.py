"""The README's promises: short, in order, and its code and its output are true."""
import re
import runpy
import sys

import pytest

from tinyprune.files import ROOT

TEXT = (ROOT / "README.md").read_text(encoding="utf-8")


def block(language):
    return re.search(rf"^```{language}\n(.*?)^```", TEXT, re.M | re.S)[1]


def test_it_is_short_and_in_order():
    assert len(TEXT.splitlines()) <= 140
    marks = ["# tinyprune", "python -m tinyprune", "lessons/01_attention.py", "## Quick start",
             "pip install -r requirements.txt", "## The method", "```python", "accuracy.png",
             "<!-- table summary -->", "lessons/results/README.md", "## The map", "## Teaching",
             "## Licence"]
    positions = [TEXT.index(mark) for mark in marks]
    assert positions == sorted(positions)
    summary = TEXT.split("<!-- table summary -->")[1].split("<!-- end -->")[0]
    assert summary.count("\n|") - 2 <= 8, "at most eight rows"


@pytest.mark.parametrize("folder, pattern", [("lessons", "[0-9]*.py"), ("tinyprune", "[a-z]*.py")])
def test_every_lesson_and_every_module_is_named(folder, pattern):
    missing = [path.name for path in (ROOT / folder).glob(pattern) if path.name not in TEXT]
    assert not missing


def test_the_lines_that_score_prune_and_distil_a_model_run(small, monkeypatch, capsys):
    monkeypatch.chdir(small)
    (small / "readme.py").write_text(block("python"), encoding="utf-8")
    names = runpy.run_path("readme.py")
    assert len(names["student"].heads()) < len(names["teacher"].heads())
    assert (small / "student.checkpoint").exists()


def test_the_solver_prints_what_is_shown(monkeypatch, capsys):
    command, *output = block("text").splitlines()
    problem = re.fullmatch(r'\$ python -m tinyprune "(.*)"', command)[1]
    monkeypatch.setattr(sys, "argv", ["tinyprune", problem])
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    runpy.run_module("tinyprune", run_name="__main__")
    printed = capsys.readouterr().out.splitlines()
    assert [line for line in printed if not line.startswith("  teacher:")] == output
