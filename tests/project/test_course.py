"""The course's promises: markers, the student's copy, and the grader. `handout.py --check` and
prove.py have the whole proof; here is the quick part of it.
"""
import ast
import json
import runpy
import sys
import types
from collections import Counter

import numpy
import pytest
import torch

import checks
import grader
import grading
from blanks import (
    ASSIGNMENTS,
    ROOT,
    CourseError,
    blanks_of,
    find_blanks,
    module_path,
    sentence_for,
    student_text,
    with_functions,
)
from handout import check, leaks, solution_lines, white_list, write_copy
from mistakes import MISTAKES
from prove import chosen_mutations, file_of, plant

MODULE = '''import math


def double(x):
    """Twice x."""
    ### BEGIN SOLUTION
    return 2 * x
    ### END SOLUTION


class Counter:
    def add(self, x):
        """Adds x."""
        total = 0
        ### BEGIN SOLUTION
        total += x
        return total
        ### END SOLUTION
'''
BEGIN = "    ### BEGIN SOLUTION\n"
END = "    ### END SOLUTION\n"


# markers

def test_markers_name_their_functions():
    found = [(blank.function, blank.first, blank.last) for blank in find_blanks(MODULE, "m.py")]
    assert found == [("double", 6, 8), ("Counter.add", 15, 18)]


@pytest.mark.parametrize("old, new, line, says", [
    (BEGIN, "", 7, "no solution has begun"),
    (BEGIN, BEGIN + BEGIN, 7, "has not ended"),
    (END, "", 14, "has not ended"),
    (BEGIN, "    ### BEGIN SOLUTON\n", 6, "is no marker"),
    (BEGIN, "    ### begin solution\n", 6, "is no marker"),
    (BEGIN, "    ## BEGIN SOLUTION\n", 6, "is no marker"),
    (BEGIN, "    ### BEGIN SOLUTION 1\n", 6, "is no marker"),
    (BEGIN, "  ### BEGIN SOLUTION\n", 8, "as deep as the body"),
    ('    """Twice x."""\n' + BEGIN, BEGIN + '    """Twice x."""\n', 8, "docstring"),
    ("import math\n", BEGIN + "import math\n" + END, 3, "within one function"),
    ("    return 2 * x\n", "    if x:\n        x = 2\n", 9, ""),
    ("        total = 0\n    " + BEGIN + "        total += x\n",
     "        if x:\n    " + BEGIN + "            total = x\n", 18, "whole statements"),
])
def test_a_marker_that_breaks_the_rules_is_refused_with_its_line(old, new, line, says):
    assert old in MODULE
    text = MODULE.replace(old, new, 1)
    if not says:
        assert len(find_blanks(text, "m.py")) == 2, "a solution may hold any whole statements"
        return
    with pytest.raises(CourseError, match=f"^m.py, line {line}: .*{says}"):
        find_blanks(text, "m.py")


def test_the_table_and_the_markers_agree():
    marked = blanks_of(ROOT)  # raises CourseError
    assert len(ASSIGNMENTS) >= 10
    for title, assignment in ASSIGNMENTS.items():
        assert 2 <= len(assignment["blanks"]) <= 6, title
        assert (ROOT / "lessons" / f"{assignment['lesson']}.py").exists(), title
        for tests in assignment["blanks"].values():
            assert all(file_of(test.partition("::")[2]) for test in tests)
    assert sum(map(len, marked.values())) >= 40


# a student's copy

def test_a_blank_names_its_function_and_its_test():
    sentence = sentence_for("masking.apportion")
    assert grader.SENTENCE.fullmatch(sentence)
    text = student_text(MODULE, find_blanks(MODULE, "m.py"), {"Counter.add": sentence})
    assert "SOLUTION" not in text
    assert "return 2 * x" in text, "other solutions stay, without their markers"
    assert "total += x" not in text
    raised = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Raise)]
    assert raised[0].exc.args[0].value == sentence, "two pieces of text are one sentence"


@pytest.mark.parametrize("character", ["\f", "\u2028", "\u0085"])
def test_a_character_that_python_takes_for_no_line_end_moves_no_function(character):
    submission = MODULE.replace("import math", f"import math\n# pasted{character} note")
    submission = submission.replace("2 * x", "x + x")
    names = {}
    exec(compile(with_functions(MODULE, submission, ["double"], "m.py"), "m.py", "exec"), names)
    assert names["double"](4) == 8


def test_a_submission_brings_its_functions_and_what_they_need():
    submission = MODULE.replace("return 2 * x", "return helper(x)").replace("import math", (
        "import os\n\n\ndef helper(x):\n    return x + x\n\n\nmath = None"))
    text = with_functions(MODULE, submission, ["double"], "m.py")
    names = {}
    exec(compile(text, "m.py", "exec"), names)
    assert names["double"](4) == 8
    assert names["math"] is not None, "what the teacher's module has stays the teacher's"
    submission = MODULE.replace("import math", (
        "from typing import Any\nFACTOR = 3\n\n\ndef same(function):\n    return function"))
    submission = submission.replace("def double(x):", "@same\ndef double(x: Any, factor=FACTOR):")
    submission = submission.replace("2 * x", "factor * x")
    exec(compile(with_functions(MODULE, submission, ["double"], "m.py"), "m.py", "exec"), names)
    assert names["double"](4) == 12, "what a signature needs stands before it"
    submission = MODULE.replace("import math", (
        "try:\n    import math as sums\nexcept ImportError:\n    def sums():\n        pass"))
    submission = submission.replace("2 * x", "sums.fsum([x, x])")
    exec(compile(with_functions(MODULE, submission, ["double"], "m.py"), "m.py", "exec"), names)
    assert names["double"](4) == 8, "what a `try` imports or defines comes along"
    submission = MODULE.replace("total += x\n", "total += self.once(x)\n") + (
        "\n    def once(self, x):\n        return x\n")
    text = with_functions(MODULE, submission, ["Counter.add"], "m.py")
    exec(compile(text, "m.py", "exec"), names)
    assert names["Counter"]().add(4) == 4, "another method of its class comes along"
    with pytest.raises(CourseError, match="m.py, line 4: "):
        with_functions(MODULE, MODULE.replace("(x)", "(x"), ["double"], "m.py")


def test_a_missing_function_says_so_and_the_others_count():
    submission = MODULE.replace("total += x", "total += 2 * x")
    submission = submission.replace("def double(x):", "double = lambda x: 2 * x\n\n\ndef other(x):")
    names = {}
    text = with_functions(MODULE, submission, ["double", "Counter.add"], "m.py")
    exec(compile(text, "m.py", "exec"), names)
    assert names["Counter"]().add(4) == 8
    with pytest.raises(NotImplementedError, match="m.py has no function double"):
        names["double"](4)
    text = with_functions(MODULE, "", ["Counter.add"], "m.py")
    exec(compile(text, "m.py", "exec"), names)
    with pytest.raises(NotImplementedError, match="m.py has no function Counter.add"):
        names["Counter"]().add(4)
    assert names["double"](4) == 8


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """A copy without the solutions of `masking`."""
    folder = tmp_path_factory.mktemp("student") / "copy"
    write_copy(folder, ["masking"])
    return folder


def test_a_copy_has_no_solution_and_its_own_tests_fail_with_their_functions_line(copy):
    """On one file of tests; the rest of this proof is handout.py --check."""
    assert list(check(copy, ["masking"], ["tests/test_masking.py"])) == []
    files = {path.as_posix() for path in white_list(copy)}
    assert not [name for name in files if name.startswith("lessons/course/")
                and name != "lessons/course/assignments.json"], "teachers' files are in the copy"
    assert not [name for name in files if name.startswith("lessons/results/")
                and name.endswith(".py")], "what makes the tables cannot run in the copy"
    assert not (copy / ".git").exists()
    for taken in (copy, copy / "README.md"):
        with pytest.raises(CourseError, match="is not an empty folder"):
            write_copy(taken, ["masking"])


def test_a_file_that_ends_python_as_soon_as_it_is_read_is_named(monkeypatch):
    """pytest would take it for its own end, without a report and with the status of a success."""
    class Package(types.ModuleType):
        def __getattr__(self, name):
            raise SystemExit

    monkeypatch.setitem(sys.modules, "tinyprune", Package("tinyprune"))
    with pytest.raises(ImportError, match=r"ended by .*test_course.py, line \d+, before"):
        runpy.run_path(str(ROOT / "tests" / "conftest.py"))


def test_a_line_of_a_solution_is_found(tmp_path):
    (tmp_path / "note.md").write_text(f"  {max(solution_lines(['masking']))}  # so\n")
    assert len(list(leaks(tmp_path, ["masking"]))) == 1


# the grader

def test_points_are_given_for_whole_tests_and_a_named_mistake_is_named_once():
    first, second, *_ = grader.tests_of("masking")
    named = f"wrong {grading.NAMED}"
    unnamed = "other numbers; no known mistake gives this"
    rows = grading.rows_of(["masking"], {first: ("failed", named), second: ("failed", unnamed)})
    outputs = [row["output"] for _, row in rows]
    assert outputs[:2] == [named, "other numbers"]
    alone = grading.rows_of(["masking"], {second: ("failed", unnamed), first: ("passed", "")})
    assert [row["output"] for _, row in alone][:2] == ["", unnamed]
    assert alone[0][1]["score"] == alone[0][1]["max_score"] == 3
    assert sum(row["score"] for _, row in alone) == 3, "what did not run gets no points"


def test_a_report_has_the_keys_that_gradescope_reads(tmp_path):
    rows = grading.rows_of(["masking"], {})
    grading.write_report(tmp_path / "results.json", rows, 1.0)
    report = json.loads((tmp_path / "results.json").read_text())
    assert report["score"] == 0
    assert list(report["tests"][0]) == ("name number score max_score status output "
                                        "visibility").split()
    assert {test["status"] for test in report["tests"]} == {"failed"}


@pytest.mark.parametrize("got, expected, says", [
    (numpy.zeros(2), [1, 2], "expected a list, got a NumPy array"),
    ([numpy.zeros(2)], [[1, 2]], "expected [[1, 2]], got [array"),
    (0.5, [0.5], "expected a list, got a number"),
    ((1, 2), [1, 2], "expected a list, got a tuple"),
    (None, 0.5, "returned nothing (None)"),
    (3, None, "expected None, got 3"),
    (3, 0.5, "expected 0.5, got 3"),
    (Counter("ab"), {"a": 1}, "got Counter({"),
    (torch.tensor(0.5), 0.25, "expected 0.25, got tensor(0.5000)"),
    (0.5, torch.tensor([0.5, 1]), "expected a tensor of floating point, got a number"),
    ("9" * 600, "8" * 600, "9… (602 characters); no known mistake")])
def test_a_result_of_another_kind_is_a_difference_not_a_crash(got, expected, says):
    with pytest.raises(AssertionError) as raised:
        checks.check(got, expected, "x", {"a mistake": []})
    assert says in str(raised.value)


def test_a_case_is_named_by_its_texts_and_numbers():
    parameters = {"base": "2", "count": 3, "mistakes": {}, "wrong": None, "long": "9" * 100}
    item = types.SimpleNamespace(callspec=types.SimpleNamespace(params=parameters))
    assert grader.case_of(item) == f"for base '2', count 3, long '{'9' * 49}… (102 characters): "
    assert grader.case_of(types.SimpleNamespace()) == ""
    with pytest.raises(pytest.fail.Exception) as raised, pytest.raises(ValueError):
        pass
    said = grader.sentence(raised.value, "", "for base '2': ")
    assert said.startswith("for base '2': no error was raised, expected: "), said


@pytest.mark.parametrize("code, words", [
    ("def f(x):\n    return F.scaled_dot_product_attention(x, x, x)", "scaled_dot_product"),
    ("def f(x):\n    return helper(x)\n\ndef helper(x):\n    return getattr(F, "
     "'scaled_dot_product_attention')(x)", "scaled_dot_product"),
    ("from torch.nn.functional import scaled_dot_product_attention as other\n\ndef f(x):\n    pass",
     "scaled_dot_product"),
    ("def f(x):\n    from tests.reference import attention\n    return attention(x)", "tests"),
    ("def f(x):\n    import reference\n    return reference.attention(x)", "reference"),
    ("def f(x):\n    return importlib.import_module('reference').attention(x)", "reference"),
    ("class A:\n    def run(x):\n        return F.scaled_dot_product_attention(x, x, x)\n\n"
     "def f(x):\n    return A.run(x)", "A.run uses scaled_dot_product"),
    ("class A:\n    run = F.scaled_dot_product_attention\n\ndef f(x):\n    return A.run(x)",
     "A.line 2 uses scaled_dot_product"),
    ("scaled_dot_product_attention = F.scaled_dot_product_attention\n\ndef f(x):\n    pass",
     "line 1 uses scaled_dot_product")])
def test_what_should_be_written_is_not_imported(code, words):
    found = grading.refusals(code, ["f"], ["scaled_dot_product_attention"])
    assert words in found["f"]


@pytest.mark.parametrize("code", [
    "def f(x):\n    return parse(x)\n\ndef parse(x):\n    return x",
    "def f(x):\n    def parse(y):\n        return y\n    return parse(x)",
    "class P:\n    def parse(self):\n        self.parse\n\ndef f(x):\n    return P(x).parse()",
    "def f(x):\n    reference = x\n    tests = [reference, 'tests']\n    return tests"])
def test_a_students_own_names_are_free(code):
    assert grading.refusals(code, ["f"], ["parse"]) == {}
    code += "\n\nimport ast\nast.parse('x')"
    assert "refused" in grading.refusals(code, ["f"], ["parse"])["f"]


def test_the_packages_own_use_of_the_fused_attention_is_no_fault():
    for title, assignment in ASSIGNMENTS.items():
        for module, names in grading.modules_of([title]).items():
            text = (ROOT / "tinyprune" / f"{module}.py").read_text(encoding="utf-8")
            assert not grading.refusals(text, names, assignment["refused"],
                                        assignment.get("allowed", [])), title


# the proof

def test_the_recorded_proof_holds():
    found = json.loads((ROOT / "lessons" / "results" / "course.json").read_text(encoding="utf-8"))
    assert found["planted"] == found["caught"] == found["named"] >= 100
    assert found["killed"] >= 0.95 * found["mutations"] >= 190
    assert "not explained" not in found["survivors"].values()


def test_there_are_a_hundred_mistakes_and_two_hundred_mutations():
    assert len(MISTAKES) >= 100
    chosen = list(chosen_mutations())
    assert len(chosen) >= 200
    texts = {text() for module, _, _, text in chosen if module == "masking"}
    assert len(texts) == sum(module == "masking" for module, *_ in chosen), "all differ"


def test_every_mistake_has_its_place_and_a_planted_one_is_caught_and_named(tmp_path):
    write_copy(tmp_path, [])
    for module, old, *_ in MISTAKES:
        places = module_path(tmp_path, module).read_text(encoding="utf-8").count(old)
        assert places == 1, f"{module}.py has {old!r} {places} times, not once"
    mistake = next(mistake for mistake in MISTAKES if mistake[0] == "masking")
    caught, said = plant(tmp_path, mistake)
    assert caught and mistake[4] in said, said
