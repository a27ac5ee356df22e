"""The solver on the command line: an answer, or one clear sentence."""
import runpy
import sys

import pytest

from tinyprune import recipe
from tinyprune.tokenizer import EquationError


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Where the small solver is kept, so that it is trained once."""
    return tmp_path_factory.mktemp("runs")


@pytest.fixture
def solver(small, runs, monkeypatch):
    monkeypatch.setattr(recipe, "RUNS", runs)


def ask(monkeypatch, text):
    monkeypatch.setattr(sys, "argv", ["tinyprune", text, "--data", "sample"])
    runpy.run_module("tinyprune", run_name="__main__")


@pytest.mark.parametrize("text", ["Anna has 5 fewer beads than Ben. Ben has 60 beads. How many has Anna?",
                                  "Tom\u2019s 12 pens cost £3 each 😀", "小明有１２个苹果，吃了3个，还剩多少个？",
                                  "Сколько будет 3 яблока и 4 яблока?", "كم يساوي 3 و 4؟", "🍎3🍏4", "\0 1 \ud800 2",
                                  " ".join(["nothing"] * 200) + " 1 2"])
def test_a_text_with_numbers_gets_an_equation(text, solver, monkeypatch, capsys):
    try:
        ask(monkeypatch, text)
    except SystemExit as error:  # a solver of one epoch may well divide by zero
        assert str(error).startswith("It has no answer")
    assert "equation: x = " in capsys.readouterr().out


def test_five_thousand_words_get_a_sentence(solver, monkeypatch):
    with pytest.raises(SystemExit, match="29999 characters.*2000 are read"):
        ask(monkeypatch, " ".join(["seven"] * 5000))


@pytest.mark.parametrize("text", ["9" * 1500 + " and 1", "1." + "3" * 1200])
def test_a_number_without_end_gets_a_sentence(text, solver, monkeypatch):
    with pytest.raises(EquationError, match="a number of [0-9]+ characters"):
        ask(monkeypatch, text)


@pytest.mark.parametrize("text", ["", "How many?", "😀", "   ", "٣ تفاح"])
def test_a_text_without_numbers_gets_a_sentence(text, solver, monkeypatch):
    with pytest.raises(SystemExit, match="no numbers"):
        ask(monkeypatch, text)


def test_two_hundred_numbers_are_no_reason_to_fail(solver, monkeypatch, capsys):
    ask(monkeypatch, " and ".join(map(str, range(1, 201))) + " apples, how many?")
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
