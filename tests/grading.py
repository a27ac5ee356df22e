"""Grades an assignment: one line a test, points, and a report that Gradescope reads.

    python -m pytest --assignment attention
    python -m pytest --assignment attention --report=results.json
    python -m pytest --assignment attention --submission=DIR     (in the teacher's own copy)

A line says whether the test passed or what was expected, what came, and which known mistake gives
exactly that. It shows neither the test's source nor a solution. The tests run in a process of their
own, so that a function that never ends, or that ends Python, costs its own test alone.

With --submission the tests, and all code but the assignment's functions, are this tree's own. So
edited tests do not count.
"""
import ast
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from grader import NAMED, ROOT, assignments, read_lines, tests_of, write_line

LIMIT = 30  # seconds for a case of a test
RANK = ["begun", "passed", "skipped", "failed"]  # the worst outcome of a test's cases counts
SOLUTIONS = ["reference", "tests", "lessons"]  # modules that a blank must not import
UNNAMED = re.compile(r"; no known mistake gives (this|these numbers)")


def run_tests(folder, arguments, limit=LIMIT):
    """Runs tests in this folder: {test: (outcome, sentence)}, outcome: passed, failed or skipped

    arguments: what pytest is to run: files, or tests as assignments.json names them
    A case that takes longer than `limit` seconds, or ends Python, fails; the others still run.
    """
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "lines"
        path.touch()
        while True:
            how = run_once(folder, arguments, path, limit)
            lines = read_lines(path)
            if not lines or lines[-1]["outcome"] != "begun":
                break
            write_line(path, lines[-1]["test"], "failed", how)
        if not lines:  # the package cannot be imported, and pytest ends with the reason
            printed = path.with_name("printed").read_text(encoding="utf-8", errors="replace")
            reason = " ".join(printed.split()).rpartition(" E ")[2]
            return dict.fromkeys(arguments, ("failed", reason or how))
    results = {}
    for line in lines:
        before = results.get(line["test"], ("begun", ""))
        # Of several cases that fail, one whose mistake is known says most.
        worth = RANK.index(line["outcome"]), NAMED in line["sentence"]
        if worth > (RANK.index(before[0]), NAMED in before[1]):
            results[line["test"]] = line["outcome"], line["sentence"]
    return results


def run_once(folder, arguments, path, limit):
    """Runs what has no outcome yet; returns what to say about a case that was under way."""
    ids = [re.sub(r"^(\w+)::", r"tests/\1.py::", argument) for argument in arguments]
    with open(path.with_name("printed"), "w") as printed:
        process = subprocess.Popen(
            [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--assert=plain",
             f"--lines={path}", *ids],
            cwd=folder, stdout=printed, stderr=subprocess.STDOUT,
            env=os.environ | {"PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"})
    size = 0
    since = time.monotonic()
    while process.poll() is None:
        time.sleep(0.05)
        if path.stat().st_size != size:
            size = path.stat().st_size
            since = time.monotonic()
        elif time.monotonic() - since > (limit if size else 4 * limit):  # torch's import is slow
            process.kill()
            process.wait()
            if not size:
                return (f"no test began within {4 * limit} seconds: is the machine busy, or is "
                        "there a loop at the top of a file?")
            return f"no result after {limit} seconds: is there a loop without an end?"
    return "Python ended within this test: os._exit, or no memory left?"


def refusals(text, names, words, allowed=()):
    """What a module's functions must not use: {function: sentence}

    names: the blanks' functions; words: names such as scaled_dot_product_attention
    allowed: methods that may use them
    Whatever is no blank counts for every blank: a helper, a method, a statement.
    """
    found = {}
    tree = ast.parse(text)
    own = bound_names(tree)
    own_methods = uses_of_own_methods(tree)
    for name, part in parts_of(tree).items():
        used = set()
        for node in ast.walk(part):
            if node not in own_methods:
                used |= used_names(node, words, own)
        if used and name not in allowed:
            sentence = f"refused: {name} uses {min(used)}, and the point is to write it yourself"
            found |= dict.fromkeys([name] if name in names else names, sentence)
    return found


def parts_of(tree):
    """{name: node} of a module's functions, methods and other statements"""
    parts = {}
    for node in tree.body:
        owner = f"{node.name}." if isinstance(node, ast.ClassDef) else ""
        for part in node.body if owner else [node]:
            name = part.name if isinstance(part, ast.FunctionDef) else f"line {part.lineno}"
            parts[owner + name] = part
    return parts


def bound_names(tree):
    """The names that functions, arguments and assignments of a module bind."""
    bound = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    bound |= {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
    return bound | {node.id for node in ast.walk(tree)
                    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}


def uses_of_own_methods(tree):
    """The nodes of a syntax tree that use a method of the module's classes: self.parse, not
    ast.parse."""
    imported = set()
    methods = set()
    for node in ast.walk(tree):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            imported |= {(alias.asname or alias.name).partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ClassDef):
            methods |= {part.name for part in node.body if isinstance(part, ast.FunctionDef)}
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in methods:
            owners = {part.id for part in ast.walk(node.value) if isinstance(part, ast.Name)}
            found |= set() if owners & imported else {node}
    return found


def used_names(node, words, own):
    """The refused names that a node of the syntax tree uses, and modules with solutions.

    own: names that the module binds itself. They are free, but not as attributes: torch's function
    stays refused where a variable has its name.
    """
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        modules = [getattr(node, "module", None) or "", *(alias.name for alias in node.names)]
        renamed = {alias.name for alias in node.names if alias.asname} & set(words)
        return {module for module in modules if module.split(".")[0] in SOLUTIONS} | renamed
    if isinstance(node, ast.Call):  # import_module("reference")
        named = {getattr(argument, "value", None) for argument in node.args}
        importer = getattr(node.func, "attr", getattr(node.func, "id", ""))
        return named & set(SOLUTIONS) if "import" in importer else set()
    if isinstance(node, ast.Name):
        return {node.id} & (set(words) - own)
    value = getattr(node, "attr", getattr(node, "value", None))
    return {value} & set(words) if isinstance(value, str) else set()


def modules_of(titles):
    """{module: [function]} of these assignments' blanks"""
    found = {}
    for title in titles:
        for blank in assignments()[title]["blanks"]:
            module, _, name = blank.partition(".")
            found.setdefault(module, []).append(name)
    return found


def results_of(folder, titles):
    """{test: (outcome, sentence)} of all tests of these assignments"""
    tests = [test for title in titles for test in tests_of(title)]
    found = run_tests(folder, tests)
    for title in titles:
        table = assignments()[title]
        for module, names in modules_of([title]).items():
            text = (folder / "tinyprune" / f"{module}.py").read_text(encoding="utf-8")
            refused_here = refusals(text, names, table["refused"], table.get("allowed", []))
            for name, said in refused_here.items():
                refused = table["blanks"][f"{module}.{name}"]
                found |= dict.fromkeys(refused, ("failed", said))
    return found


def rows_of(titles, results):
    """A row for each test, as Gradescope reads it, and the blank that it belongs to."""
    rows = []
    for title in titles:
        for number, (blank, tests) in enumerate(assignments()[title]["blanks"].items(), 1):
            named = any(NAMED in results.get(test, ("", ""))[1] for test in tests)
            for position, (test, points) in enumerate(tests.items(), 1):
                module = test.partition("::")[0]
                missing = results.get(f"{module}::", ("failed", "the test could not be run"))
                outcome, said = results.get(test, missing)
                if named:
                    said = UNNAMED.sub("", said)
                words = test.partition("::test_")[2].replace("_", " ")
                rows.append((f"{title}, function {number}: {blank.split('.')[-1]}", dict(
                    name=f"{blank.split('.')[-1]}: {words}", number=f"{number}.{position}",
                    score=points if outcome == "passed" else 0, max_score=points,
                    status="passed" if outcome == "passed" else "failed", output=said,
                    visibility="visible")))
    return rows


def write_report(path, rows, seconds):
    tests = [test for _, test in rows]
    report = dict(score=sum(test["score"] for test in tests), execution_time=round(seconds),
                  visibility="visible", tests=tests)
    Path(path).write_text(json.dumps(report, indent=1), encoding="utf-8")


def pytest_cmdline_main(config):
    """With --assignment: grades and ends; the exit status is 0 if all points are reached."""
    titles = list(dict.fromkeys(config.option.assignment or []))
    if not titles:
        return None
    if config.invocation_params.dir != ROOT:  # pytest takes the DIR of "--submission DIR" for tests
        raise pytest.UsageError(f"run this in {ROOT}, and write --submission=DIR and "
                                "--report=FILE with a =")
    unknown = set(titles) - set(assignments())
    if unknown:
        raise pytest.UsageError(f"there is no assignment {min(unknown)}: choose one of "
                                f"{', '.join(assignments())}")
    report = config.option.report
    started = time.monotonic()
    rows = rows_of(titles, {})
    try:
        if report:
            write_report(report, rows, 0)  # if all else fails
        rows = grade(titles, config.option.submission)
    finally:
        if report:
            write_report(report, rows, time.monotonic() - started)
    heading = None
    for blank, test in rows:
        if blank != heading:
            print(blank)
        heading = blank
        said = f": {test['output']}" if test["output"] else ""
        words = test["name"].partition(": ")[2]
        print(f"  {test['score']} of {test['max_score']}  {words}{said}")
    total = sum(test["max_score"] for _, test in rows)
    score = sum(test["score"] for _, test in rows)
    print(f"total: {score} of {total} points")
    return int(score < total)


def grade(titles, submission):
    if not submission:
        return rows_of(titles, results_of(ROOT, titles))
    try:
        from blanks import CourseError, assemble
    except ImportError:
        raise pytest.UsageError("--submission works in the teacher's copy alone") from None
    with tempfile.TemporaryDirectory() as name:
        try:
            assemble(Path(name), Path(submission), modules_of(titles))
        except CourseError as error:
            tests = [test for title in titles for test in tests_of(title)]
            return rows_of(titles, dict.fromkeys(tests, ("failed", str(error))))
        return rows_of(titles, results_of(Path(name), titles))
