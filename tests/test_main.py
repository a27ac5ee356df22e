"""The solver on the command line: an answer, or one clear sentence."""
import os
import runpy
import shutil
import subprocess
import sys

import pytest

from cases import table
from tinyprune import files


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Where the small solver is kept, so that it is trained once."""
    return tmp_path_factory.mktemp("runs")


def ask(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["tinyprune", *arguments])
    runpy.run_module("tinyprune", run_name="__main__")


@pytest.fixture
def ask_sample(small, runs, monkeypatch):
    """Asks the sample's solver, which has learnt for two epochs."""
    monkeypatch.setattr(files, "RUNS", runs)
    return lambda text: ask(monkeypatch, text, "--data", "sample")


@pytest.mark.parametrize("text", [
    "Anna has 5 fewer beads than Ben. Ben has 60 beads. How many has Anna?",
    "Tom\u2019s 12 pens cost £3 each 😀", "小明有１２个苹果，吃了3个，还剩多少个？",
    "Сколько будет 3 яблока и 4 яблока?", "كم يساوي 3 و 4؟", "🍎3🍏4", "\0 1 \ud800 2",
    "nothing " * 200 + " 1 2", " and ".join(map(str, range(1, 201))) + " apples, how many?"])
def test_a_text_with_numbers_gets_an_equation(text, ask_sample, capsys):
    try:
        ask_sample(text)
    except SystemExit as error:  # a solver of two epochs may well divide by zero
        assert str(error).startswith("It has no answer")
    assert "equation: x = " in capsys.readouterr().out


@pytest.mark.parametrize("text, sentence", [
    ("seven " * 5000, "30000 characters.*2000 are read"),
    ("9" * 1500 + " and 1", "a number of 1500 characters"),
    ("1." + "3" * 1200, "a number of 1202 characters"),
    ("", "no numbers"), ("How many?", "no numbers"), ("😀", "no numbers"), ("   ", "no numbers"),
    ("٣ تفاح", "no numbers")])
def test_a_text_that_cannot_be_answered_gets_a_sentence(text, sentence, ask_sample):
    with pytest.raises(SystemExit, match=sentence):
        ask_sample(text)


@pytest.mark.parametrize("text, value, teacher", table("""
    Tom had 12 apples and gave 3 of them to Ann. How many has he now? | 9  | teacher-asdiv-a
    A pen costs 3 dollars. How much do seven pens cost?               | 21 | teacher-asdiv-a
    小明有12个苹果，吃了3个，还剩多少个？                                   | 9  | teacher-math23k
"""))
def test_the_teachers_that_came_with_the_project_answer_at_once(
        text, value, teacher, monkeypatch, tmp_path, capsys):
    """The language of the text chooses the teacher."""
    monkeypatch.setattr(files, "RUNS", tmp_path)
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    ask(monkeypatch, text)
    printed = capsys.readouterr().out
    for part in (teacher, "came with the project", f"answer:   {value}\n"):
        assert part in printed, printed
    assert not list(tmp_path.iterdir())


def test_the_package_without_its_project_refuses_in_one_sentence(tmp_path):
    """The teachers and the data came with the project: there is nothing to train on."""
    shutil.copytree(files.ROOT / "tinyprune", tmp_path / "tinyprune")
    command = [sys.executable, "-m", "tinyprune", "Tom had 3 apples and 2 more"]
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True,
                          timeout=60)
    sentence = done.stderr.strip()
    assert done.returncode == 1 and "\n" not in sentence, sentence
    assert str(tmp_path) in sentence and "runs from its own folder" in sentence, sentence
