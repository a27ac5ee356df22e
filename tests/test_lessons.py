"""Every lesson runs from end to end, on a few problems and for one epoch; and it reads as a notebook."""
import ast
import json
import runpy

import pytest

from tinyprune import results
from tinyprune.data import ROOT

LESSONS = sorted((ROOT / "lessons").glob("[0-9]*.py"))


@pytest.mark.parametrize("path", [path for path in LESSONS if "10_" not in path.name], ids=lambda path: path.stem)
def test_lesson_runs_to_its_end(path, small, capsys):
    text = path.read_text(encoding="utf-8")
    for long, short in (("steps=500", "steps=20"), ("epochs=6", "epochs=1")):  # lessons 02 and 11 train many models
        text = text.replace(long, short)
    copy = small / path.name
    copy.write_text(text, encoding="utf-8")
    runpy.run_path(str(copy))
    printed = capsys.readouterr().out.splitlines()
    shown = [line for line in printed if "step " not in line]
    assert shown and len(shown) < 150, f"{path.name} prints {len(shown)} lines: a reader wants fewer than 150"


def test_lesson_11_refuses_an_ingredient_that_there_is_not(small, monkeypatch):
    monkeypatch.setattr("sys.argv", ["11_ingredients.py", "--threads", "1", "--without", "dropout,colour"])
    with pytest.raises(SystemExit, match="--without colour.*mirrored equations, dropout"):
        runpy.run_path(str(ROOT / "lessons" / "11_ingredients.py"))


def test_whole_method_writes_a_complete_result(small, capsys):
    runpy.run_path(str(ROOT / "lessons" / "10_whole_method.py"))
    result = json.loads(next(small.glob("whole-method-*.json")).read_text(encoding="utf-8"))
    assert {"command", "commit", "dirty", "machine", "threads", "started", "seconds", "rows"} == set(result)
    for row in result["rows"]:
        assert list(row) == results.KEYS
    models = {(row["model"], row["loss"]) for row in result["rows"]}
    assert {("teacher", "ce"), ("pruned", None), ("student", "ce"), ("student", "ce+kl+attention"),
            ("baseline", None)} == models
    student = next(row for row in result["rows"] if row["loss"] == "ce+kl+attention")
    assert sum(len(layer) for kind in student["heads_kept"].values() for layer in kind) == 24 - 7  # round(0.3 * 24)
    table = results.whole_method_table(result["rows"])
    assert table.count("\n|") == 1 + len(results.NAMES), f"a line a model:\n{table}"
    predictions = next(small.glob("*.predictions.jsonl")).read_text(encoding="utf-8").splitlines()
    assert len(predictions) == student["problems"] == len(student["verdicts"])


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_lesson_reads_as_a_notebook(path):
    text = path.read_text(encoding="utf-8")
    assert text.startswith('# %% [markdown]\nr"""\n# '), "the first cell is the introduction, a raw docstring"
    assert ast.get_docstring(ast.parse(text)), "the introduction is the script's docstring"
    for forbidden in ("__file__", "if __name__", "plt.show", "sys.path", "os.chdir", "!pip"):
        assert forbidden not in text, f"{forbidden} does not work cell by cell"
    indented = [number for number, line in enumerate(text.splitlines(), 1) if line.lstrip() != line and "# %%" in line]
    assert not indented, f"a cell must begin at the left margin: lines {indented}"
    assert "## Exercises" in text
