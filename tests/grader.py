"""The tests' own side of an assignment: what pytest does for a blank, and the lines for grading.py.

A blank that nobody has written says so in one line, without a traceback. Its own tests fail with
that line. All other tests that need it are skipped: they wait for the function.
"""
import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
TABLE = ROOT / "lessons" / "course" / "assignments.json"
SENTENCE = re.compile(r"Function \d+ of [\w-]+: write \w+ in place of this error; then run: "
                      r"python -m pytest --assignment [\w-]+")
# behind the sentence of a known mistake (checks.py writes it, grading.py looks for it)
NAMED = "(your result is exactly the one that this mistake gives)"


def assignments():
    return json.loads(TABLE.read_text(encoding="utf-8"))


def tests_of(title):
    """{test: points} of all the blanks of an assignment"""
    found = {}
    for tests in assignments()[title]["blanks"].values():
        found |= tests
    return found


def pytest_addoption(parser):
    group = parser.getgroup("assignments")
    group.addoption("--assignment", action="append", help="grade this one; may be repeated")
    group.addoption("--submission", metavar="DIR", help="grade the functions of this copy")
    group.addoption("--report", metavar="FILE", help="write the points as Gradescope reads them")
    group.addoption("--lines", help="for the grader itself: a file for one line a case")


def short_name(nodeid):
    """tests/test_attention.py::test_x[1] -> test_attention::test_x"""
    path, _, name = nodeid.partition("::")
    return f"{Path(path).stem}::{name.partition('[')[0]}"


def sentence(error, place, given=""):
    """One line about an exception.

    place: where in the package it was raised, if it was; given: the case of the test
    """
    text = " ".join(str(error).partition("\nassert ")[0].split())
    if isinstance(error, AssertionError):
        text = text or "what the test's name promises does not hold"
    elif isinstance(error, pytest.fail.Exception):
        text = text.replace("DID NOT RAISE", f"{given}no error was raised, expected:")
    else:
        hint = "; does a function return nothing (None)?" if "'NoneType'" in text else ""
        text = f"{given}{type(error).__name__}: {text}{hint} {place}".strip()
    return text if len(text) <= 600 else f"{text[:600]} …"


def place_of(excinfo):
    """The calls in the package that led to an exception, as a text; "" if there are none."""
    frames = [f"{frame.path.name}, line {frame.lineno + 1}" for frame in excinfo.traceback
              if frame.path.parent.name == "tinyprune"]
    return f"(tinyprune/{' -> '.join(frames[-3:])})" if frames else ""


def case_of(item):
    """The parameters of a test's case that are texts or numbers: "for base '2', exponent '3': "."""
    parameters = item.callspec.params if hasattr(item, "callspec") else {}
    shown = [f"{name} {shortened(value, 60)}" for name, value in parameters.items()
             if isinstance(value, (str, int, float))]
    return f"for {', '.join(shown)}: " if shown else ""


def shortened(thing, limit=100):
    """A thing as a text of at most about `limit` characters."""
    text = repr(thing)
    return text if len(text) <= limit else f"{text[:limit - 10]}… ({len(text)} characters)"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """A blank that nobody has written says so in one line; tests of others wait for it."""
    report = yield
    blank = blank_named_in(report)
    if blank and short_name(item.nodeid) in tests_of(blank.split("--assignment ")[1]):
        report.longrepr = blank
    elif blank:
        skip(report, item.path, blank)
    elif report.failed and item.config.option.lines and call.excinfo:
        report.longrepr = sentence(call.excinfo.value, place_of(call.excinfo), case_of(item))
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector):
    """A file of tests that calls a blank while it is read waits as a whole."""
    report = yield
    blank = blank_named_in(report)
    if blank:
        skip(report, collector.path, blank)
    return report


def blank_named_in(report):
    """What a blank says, if that is why a report says "failed"."""
    found = report.failed and SENTENCE.search(" ".join(str(report.longrepr).split()))
    return found[0] if found else None


def skip(report, path, blank):
    report.outcome = "skipped"
    report.longrepr = (str(path), 0, f"waits for {blank[:1].lower()}{blank[1:]}")


class Lines:
    """Writes a line when a case begins and when it has an outcome; leaves out what has one."""

    def __init__(self, path):
        self.path = Path(path)
        self.done = {line["test"] for line in read_lines(self.path)}

    def pytest_collection_modifyitems(self, items):
        items[:] = [item for item in items if short_name(item.nodeid) not in self.done]

    def pytest_collectreport(self, report):
        if report.failed:
            write_line(self.path, f"{Path(report.nodeid).stem}::", "failed",
                       str(report.longrepr).strip().splitlines()[-1])

    def pytest_runtest_logstart(self, nodeid):
        write_line(self.path, short_name(nodeid), "begun")

    def pytest_runtest_logreport(self, report):
        if report.when == "call" or report.outcome != "passed":
            said = report.longrepr[2] if report.skipped else str(report.longrepr or "")
            write_line(self.path, short_name(report.nodeid), report.outcome, said)


def pytest_configure(config):
    if config.option.lines:
        config.pluginmanager.register(Lines(config.option.lines))


def write_line(path, test, outcome, sentence=""):
    with open(path, "a", encoding="utf-8") as file:
        file.write(json.dumps(dict(test=test, outcome=outcome, sentence=sentence)) + "\n")


def read_lines(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
