"""The options that the lessons share, and what becomes a sentence instead of a traceback."""
import sys

import pytest

from tinyprune import files
from tinyprune.cli import options, show_error
from tinyprune.files import FileError
from tinyprune.quantities import EquationError


def shown(error, capsys):
    """What show_error prints of this error."""
    try:
        raise error
    except BaseException as raised:
        show_error(type(raised), raised, raised.__traceback__)
    return capsys.readouterr().err.strip()


@pytest.mark.parametrize("error, sentence", [
    (FileError("m.json is not there: download it"), "m.json is not there: download it"),
    (KeyboardInterrupt(), "stopped: the same command goes on where it was")])
def test_what_is_no_fault_of_the_code_gets_one_sentence(error, sentence, capsys):
    assert shown(error, capsys) == sentence


@pytest.mark.parametrize("error", [
    FloatingPointError("the loss is nan"), EquationError("empty", "the equation is empty"),
    ValueError("no such head"), KeyError("N0"), OSError("no room"), AssertionError()])
def test_everything_else_keeps_its_traceback(error, capsys):
    printed = shown(error, capsys)
    assert printed.startswith("Traceback") and __file__ in printed and str(error) in printed


@pytest.fixture
def parse(monkeypatch):
    """parse("--seed 3", steps=5): what options(steps=5) makes of this command line."""
    def parse(line="", program="lesson.py", **more):
        monkeypatch.setattr(sys, "argv", [program, *line.split()])
        return vars(options(**more))

    monkeypatch.setattr(sys, "excepthook", sys.__excepthook__)
    return parse


DEFAULTS = dict(data="sample", fold=None, seed=0, ratio=0.3, threads=2, out=files.RUNS, steps=500,
                batch=0)


def test_from_the_options_on_a_bad_file_gets_a_sentence(parse):
    parse()
    assert sys.excepthook is show_error


@pytest.mark.parametrize("line, changes", [
    ("", {}), ("--steps 7 --seed 3 --ratio 0.5", dict(steps=7, seed=3, ratio=0.5)),
    ("--data asdiv-a --fold 3 --batch 64", dict(data="asdiv-a", fold=3, batch=64)),
    ("--data math23k --fold 3", dict(data="math23k"))])
def test_options_are_the_defaults_and_what_the_command_line_says(line, changes, parse):
    """Only ASDiv-A has folds."""
    assert parse(line, steps=500) == DEFAULTS | changes


@pytest.mark.parametrize("line", [
    "--ratio 0.71", "--ratio -0.1", "--seed -1", "--seed 2147483648", "--threads 0", "--fold 5",
    "--batch -1", "--data asdiv", "--colour red"])
def test_a_value_that_cannot_be_is_refused_with_its_option(line, parse, capsys):
    with pytest.raises(SystemExit):
        parse(line)
    assert line.split()[0] in capsys.readouterr().err
