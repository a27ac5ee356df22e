"""The solver on the command line: an answer, or one clear sentence."""
import runpy
import sys

import pytest

from tinyprune import recipe


def ask(monkeypatch, text):
    monkeypatch.setattr(sys, "argv", ["tinyprune", text, "--data", "sample"])
    runpy.run_module("tinyprune", run_name="__main__")


@pytest.mark.parametrize("text", ["Anna has 5 fewer beads than Ben. Ben has 60 beads. How many has Anna?",
                                  "Tom\u2019s 12 pens cost £3 each 😀", "小明有12个苹果，吃了3个，还剩多少个？",
                                  " ".join(["nothing"] * 3000) + " 1 2"])
def test_a_text_with_numbers_gets_an_equation(text, small, monkeypatch, capsys):
    try:
        ask(monkeypatch, text)
    except SystemExit as error:  # a solver of one epoch may well divide by zero
        assert str(error).startswith("It has no answer")
    assert "equation: x = " in capsys.readouterr().out


@pytest.mark.parametrize("text", ["", "How many?", "😀"])
def test_a_text_without_numbers_gets_a_sentence(text, small, monkeypatch):
    with pytest.raises(SystemExit, match="no numbers"):
        ask(monkeypatch, text)


def test_a_hundred_numbers_are_no_reason_to_fail(small, monkeypatch, capsys):
    ask(monkeypatch, " and ".join(map(str, range(1, 101))) + " apples, how many?")
    assert "equation: x = " in capsys.readouterr().out


@pytest.mark.parametrize("text, value", [
    ("Tom had 12 apples and gave 3 of them to Ann. How many apples has he now?", "9"),
    ("A pen costs 3 dollars. How much do seven pens cost?", "21"),
    ("小明有12个苹果，吃了3个，还剩多少个？", "9")])
def test_the_teachers_that_came_with_the_project_answer_at_once(text, value, monkeypatch, tmp_path, capsys):
    """The language chooses; every number of the equation is shown with the words that the heads looked at."""
    monkeypatch.setattr(recipe, "RUNS", tmp_path)
    monkeypatch.setattr(sys, "argv", ["tinyprune", text])
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    runpy.run_module("tinyprune", run_name="__main__")
    printed = capsys.readouterr().out
    assert "came with the project" in printed and f"answer:   {value}\n" in printed, printed
    assert "head 0" in printed and not list(tmp_path.iterdir())
