"""The solver on the command line: an answer and how sure it is, or one clear sentence."""
import contextlib
import io
import json
import os
import re
import runpy
import shutil
import subprocess
import sys
from types import SimpleNamespace

import pytest
from sympy import Rational

from builders import model_for
from cases import table
from checks import check
from tinyprune import confidence, files, recipe
from tinyprune.checkpoint import save_model
from tinyprune.solver import Solution
from tinyprune.vocabulary import Vocabularies, Vocabulary

program = SimpleNamespace(**runpy.run_module("tinyprune.__main__"))
PENS = "Ann had 12 pens and gave 3 to Bob"
KEYS = ["numbers", "equation", "answer", "confidence", "warnings"]
LINES = re.compile(r"numbers:  N0 = .+\nequation: x = .*N\d.* = .+\nanswer:   .+\nsure:     .+\n"
                   r"(?:warning:  .+\.\n)*")


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Where the small solver is kept, so that it is trained once."""
    return tmp_path_factory.mktemp("runs")


@pytest.fixture
def ask(monkeypatch, capsys):
    """Runs the solver -> what it prints: .out and .err"""
    def ask(*arguments):
        monkeypatch.setattr(sys, "excepthook", sys.excepthook)
        monkeypatch.setattr(sys, "argv", ["tinyprune", *map(str, arguments)])
        capsys.readouterr()
        program.main()
        return capsys.readouterr()

    return ask


@pytest.fixture
def ask_sample(small, runs, monkeypatch, ask):
    """Asks the sample's solver, which has learned for two epochs."""
    monkeypatch.setattr(files, "RUNS", runs)
    return lambda text, *options: ask(text, "--data", "sample", *options)


@pytest.fixture
def own(tmp_path):
    """A model of one's own, fresh, and its table: a quarter of such answers were right."""
    words = Vocabularies(Vocabulary("ann had N0 pens and gave N1 to bob ·whole".split()),
                         Vocabulary("+ * N0 N1".split()))
    save_model(model_for(words), words, tmp_path / "own.pt")
    confidence.save([confidence.Group(-99.0, 0.25, 40)], tmp_path / "own.pt")
    return tmp_path / "own.pt"


# an answer

@pytest.mark.parametrize("text", [
    "Anna has 5 fewer beads than Ben. Ben has 60 beads. How many has Anna?",
    "Tom\u2019s 12 pens cost £3 each 😀", "小明有１２个苹果，吃了3个，还剩多少个？",
    "Сколько будет 3 яблока и 4 яблока?", "كم يساوي 3 و 4؟", "🍎3🍏4", "\0 1 \ud800 2",
    "nothing " * 200 + " 1 2", " and ".join(map(str, range(1, 201))) + " apples, how many?"])
def test_a_text_with_numbers_gets_numbers_an_equation_an_answer_and_how_sure_it_is(
        text, ask_sample):
    _, first, rest = ask_sample(text).out.partition("numbers: ")  # what comes before is notes
    assert LINES.fullmatch(first + rest), first + rest


@pytest.mark.parametrize("answer, share, shown, sure", table("""
    9    | 0.625 | 9              | 62% of validation answers with such a score were right
    -5/4 | 0.0   | -5/4 = -1.25   | 0% of validation answers with such a score were right
    1/3  | 1.0   | 1/3 ≈ 0.333333 | 100% of validation answers with such a score were right
         |       | none           | nobody has measured it for this model
"""))
def test_the_answer_is_exact_and_its_share_a_percentage(answer, share, shown, sure):
    solution = Solution({"N0": "7"}, ["N0"], Rational(answer) if answer else None,
                        float(share) if share else None)
    printed = program.as_text(solution)
    check(printed.splitlines()[2:], [f"answer:   {shown}", f"sure:     {sure}"], "two lines")


def test_a_fraction_too_large_for_a_float_is_no_infinity():
    solution = Solution({"N0": "7"}, ["N0"], Rational(10**400, 3), None)
    assert "inf" not in program.as_text(solution)


def test_warnings_stand_last_a_line_each(own, ask):
    lines = ask("Zoe had half 12 pens and gave 3 to Bob", "--model", own).out.splitlines()
    starts = [line.split(":")[0] for line in lines]
    check(starts, "numbers equation answer sure warning warning warning".split(), "the lines")
    assert "half" in lines[4] and "zoe" in lines[5] and "do not trust" in lines[6], lines


@pytest.mark.parametrize("text, value, teacher", table("""
    Tom had 12 apples and gave 3 of them to Ann. How many has he now?   | 9  | teacher-asdiv-a
    Tom had twelve pens and lost three of them. How many has he now?    | 9  | teacher-asdiv-a
    小明有12个苹果，吃了3个，还剩多少个？                                     | 9  | teacher-math23k
"""))
def test_the_teachers_that_came_with_the_project_answer_at_once(
        text, value, teacher, monkeypatch, tmp_path, ask):
    """The language of the text chooses the teacher."""
    monkeypatch.setattr(files, "RUNS", tmp_path)
    printed = ask(text).out
    for part in (teacher, "came with the project", f"answer:   {value}\n"):
        assert part in printed, printed
    assert not list(tmp_path.iterdir())


def test_the_table_beside_a_teacher_says_how_sure_it_is(ask_sample):
    groups = [confidence.Group(-99.0, 0.75, 40)]
    confidence.save(groups, recipe.shipped_path("sample"))
    assert "sure:     75% of validation answers" in ask_sample(PENS).out


# for a program

@pytest.mark.parametrize("text", [PENS, "小明有１２个苹果，吃了一半，还剩3/4个"])
def test_json_is_one_object_and_nothing_else(text, ask_sample):
    """The note that a model was loaded goes elsewhere."""
    out, notes = ask_sample(text, "--json")
    assert "teacher: " in notes
    solution = json.loads(out)
    check(list(solution), KEYS, "the keys")
    assert out.count("\n") == 1


def test_json_holds_what_the_text_says(own, ask):
    solution = json.loads(ask(PENS, "--model", own, "--json").out)
    printed = ask(PENS, "--model", own).out
    check(solution["numbers"], {"N0": "12", "N1": "3"}, "the numbers")
    check(solution["confidence"], 0.25, "the confidence")
    check([f"warning:  {text}" for text in solution["warnings"]], printed.splitlines()[4:],
          "the warnings")
    assert f" = {solution['equation']}\nanswer:   {solution['answer']}\n" in printed, printed


@pytest.mark.parametrize("value, expected", [(Rational(3, 4), "3/4"), (Rational(9), "9"),
                                             (None, None)])
def test_json_gives_an_exact_answer_as_a_text_and_null_for_none(value, expected):
    solution = json.loads(program.as_json(Solution({"N0": "7"}, ["N0"], value, None)))
    check((solution["answer"], solution["confidence"]), (expected, None), f"{value} as JSON")


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_an_output_that_knows_no_chinese_gets_the_answer_all_the_same(
        options, ask_sample):
    """What Windows gives a program whose output goes into a file."""
    raw = io.BytesIO()
    file = io.TextIOWrapper(raw, "cp1252", write_through=True)
    with contextlib.redirect_stdout(file):
        ask_sample("小明有12个苹果，吃了一半，还剩3个", *options)
    printed = raw.getvalue().decode("cp1252")
    assert "12" in printed
    assert not options or list(json.loads(printed)) == KEYS


# a model of one's own

def test_a_model_of_ones_own_is_asked_and_its_table_says_how_sure_it_is(own, ask):
    before = own.read_bytes()
    printed = ask(PENS, "--model", own).out
    assert LINES.fullmatch(printed), printed
    assert "sure:     25% of validation answers" in printed and "do not trust" in printed, printed
    assert own.read_bytes() == before


def test_a_model_without_a_table_says_that_nobody_has_measured(own, ask):
    confidence.path_beside(own).unlink()
    assert "sure:     nobody has measured it" in ask(PENS, "--model", own).out


@pytest.mark.parametrize("content", [None, b"", b'[{"id": 1}]'])
def test_a_file_that_is_no_model_gets_a_sentence_and_stays(content, tmp_path, ask, capsys):
    """It may be the file of problems, or any other file of the user's: never "delete it"."""
    path = tmp_path / "problems.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(files.FileError) as refused:
        ask(PENS, "--model", path, "--json")
    sentence = str(refused.value)
    assert str(path) in sentence and "\n" not in sentence, sentence
    assert "delete" not in sentence, sentence
    assert capsys.readouterr().out == "" and path.exists() == (content is not None)


def test_a_damaged_table_gets_a_sentence(own, ask):
    confidence.path_beside(own).write_text("{", encoding="utf-8")
    with pytest.raises(files.FileError, match="own.confidence.json.*delete it"):
        ask(PENS, "--model", own)


# the pruned model that came with the project

def test_the_student_is_asked_by_its_name(own, ask, monkeypatch):
    monkeypatch.setattr(recipe, "SHIPPED", own.parent)
    with pytest.raises(files.FileError, match="student-asdiv-a.pt is not there: no student of"):
        ask(PENS, "--model", "student")
    own.rename(recipe.shipped_student("asdiv-a"))
    confidence.path_beside(own).rename(own.parent / "student-asdiv-a.confidence.json")
    printed = ask(PENS, "--model", "student").out
    assert "sure:     25% of validation answers" in printed, printed


# refusals

@pytest.mark.parametrize("text, sentence", [
    ("seven " * 5000, "The problem has 30000 characters: at most 2000 are read"),
    ("9" * 1500 + " and 1", "The problem cannot be read: a number of 1500 characters.*"),
    ("1." + "3" * 1200, "The problem cannot be read: a number of 1202 characters.*"),
    *((text, "The problem cannot be read: it has no numbers in it.*")
      for text in ("", "How many?", "😀", "   ", "٣ تفاح"))])
@pytest.mark.parametrize("options", [[], ["--json"]])
def test_a_text_that_cannot_be_answered_gets_a_sentence(text, sentence, options, own, ask, capsys):
    with pytest.raises(SystemExit) as refused:
        ask(text, "--model", own, *options)
    assert re.fullmatch(rf"{sentence}\.", str(refused.value)), refused.value
    assert capsys.readouterr().out == ""


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
