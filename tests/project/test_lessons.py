"""Every lesson runs to its end, on a few problems and for one epoch, and reads as a notebook."""
import json
import re
import subprocess
import sys

import pytest

from tinyprune import cli, files, results
from tinyprune.files import ROOT
from whole_method_tables import MODELS, whole_method_table

LESSONS = {path.stem: path for path in sorted(ROOT.glob("lessons/[0-9]*.py"))}
KERNELS = ["--f=kernel.json", "-f kernel.json",  # VS Code, jupyter, nbclient
           "-f kernel.json --HistoryManager.hist_file=:memory:"]


def text_of(name):
    return LESSONS[name].read_text(encoding="utf-8")


def run(name, text=None):
    """Runs a lesson, or what a test has made of its text."""
    exec(compile(text or text_of(name), LESSONS[name], "exec"), {})


def use_arguments(monkeypatch, program, line):
    monkeypatch.setattr(sys, "argv", [program, *line.split()])
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)  # cli.options changes it


@pytest.mark.parametrize("name", sorted(LESSONS.keys() - {"10_whole_method"}))
def test_a_lesson_runs_to_its_end(name, small, runs, monkeypatch, capsys):
    monkeypatch.setattr(files, "RUNS", runs)
    text = re.sub(r"\bsteps=\d+", "steps=20", text_of(name))  # lessons 01, 02 and 11 train a lot
    run(name, re.sub(r"\b(epochs|rounds)=\d+", r"\1=1", text))
    shown = [line for line in capsys.readouterr().out.splitlines() if "step " not in line]
    assert 0 < len(shown) < 150, f"{name} prints {len(shown)} lines: a reader wants fewer than 150"


def test_lesson_11_refuses_an_ingredient_that_there_is_not(small, monkeypatch):
    use_arguments(monkeypatch, "11_ingredients.py", "--threads 1 --without dropout,colour")
    with pytest.raises(SystemExit, match="--without colour.*mirrored equations, dropout"):
        run("11_ingredients")


def test_the_whole_method_writes_a_complete_result(small):
    run("10_whole_method")
    [path] = small.glob("whole-method-*.json")
    result = json.loads(path.read_text(encoding="utf-8"))
    assert " ".join(result) == "command commit dirty machine threads started seconds rows"
    assert all(list(row) == results.KEYS for row in result["rows"])
    rows = {(row["model"], row["loss"]): row for row in result["rows"]}
    assert set(rows) == {("teacher", "ce"), ("pruned", None), ("student", "ce"),
                         ("student", "ce+kl+attention"), ("baseline", None)}
    student = rows["student", "ce+kl+attention"]
    layers = [layer for kind in student["heads_kept"].values() for layer in kind]
    assert sum(map(len, layers)) == 24 - 7  # round(0.3 * 24)
    [predictions] = small.glob("*.predictions.jsonl")
    lines = predictions.read_text(encoding="utf-8").count("\n")
    assert lines == student["problems"] == len(student["verdicts"])

    table = whole_method_table(result["rows"])
    assert table.count("\n|") == 1 + len(MODELS), f"a line a model:\n{table}"


# as notebooks


@pytest.mark.parametrize("name", LESSONS)
def test_a_lesson_reads_as_a_notebook(name):
    text = text_of(name)
    start = '# %% [markdown]\nr"""\n# '
    assert text.startswith(start), "the introduction is the first cell and the script's docstring"
    found = re.search(r"__file__|if __name__|plt\.show|sys\.path|os\.chdir|!pip|^ +# %%.*", text,
                      re.MULTILINE)
    assert not found, f"{found[0]!r} does not work cell by cell"
    assert "unittest" not in text, "a lesson breaks things on purpose without unittest.mock"
    assert "## Exercises" in text


@pytest.mark.parametrize("line", KERNELS)
def test_a_kernels_arguments_are_left_alone(line, monkeypatch):
    use_arguments(monkeypatch, "site-packages/ipykernel_launcher.py", line)
    assert cli.options(epochs=6).epochs == 6


@pytest.mark.parametrize("line", ["--treads 1", *KERNELS])
def test_on_a_command_line_a_mistyped_option_is_an_error(line, monkeypatch):
    use_arguments(monkeypatch, "03_equations.py", line)
    with pytest.raises(SystemExit, match="2"):
        cli.options()


def test_lesson_03_shows_in_a_notebook_what_the_script_shows(small, monkeypatch, capsys):
    """nbclient executes one cell after the other, in one namespace."""
    run("03_equations")
    expected = capsys.readouterr().out
    use_arguments(monkeypatch, "site-packages/ipykernel_launcher.py", KERNELS[-1])
    namespace = {}
    for cell in re.split("^(?=# %%)", text_of("03_equations"), flags=re.MULTILINE):
        exec(cell, namespace)
    assert capsys.readouterr().out == expected


def test_lessons_03_and_04_import_no_torch(tmp_path):
    program = f"""
import pathlib, runpy, sys
from tinyprune import data, figures
whole = data.load("sample")
few = data.Splits(whole.train[::20], whole.valid[::20], whole.test[::20])
data.load = lambda *arguments: few
figures.PICTURES = pathlib.Path({str(tmp_path)!r})
for name in ("03_equations", "04_checker"):
    runpy.run_path(f"lessons/{{name}}.py")
assert "torch" not in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
