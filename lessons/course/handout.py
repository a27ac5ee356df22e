"""Writes a student's copy of the project: the package with the solutions of some assignments left
out, the lessons, the data and the students' tests.

    python lessons/course/handout.py DIR --assignment attention --assignment scores
    python lessons/course/handout.py DIR --check

Only the files of a white list are copied: neither git's history, nor the teacher's files, nor the
solutions of these assignments. All other components are complete. A test of another component that
needs a blank function does not fail in the copy: it is skipped, with one line that says which
function it waits for (tests/grader.py). A slow stand-in from tests/reference.py would keep such
tests running, but it would have to be put in the place of every import, would take minutes where a
test trains a model, and would hide that the student's own function is what the model runs on.

--check proves a copy: with the blanks in, the assignment's own tests fail, each with its function's
line, and no other; with the solutions in, all tests pass; and no line of a solution is left in any
file. Without --assignment it makes and proves a copy of every assignment, each in its own folder.
"""
import argparse
import shutil
import sys
import tempfile
from pathlib import Path

from blanks import (
    ASSIGNMENTS,
    ROOT,
    CourseError,
    blanks_of,
    lines_of_text,
    module_path,
    sentence_for,
    student_text,
)

sys.path.insert(0, str(ROOT / "tests"))
from grader import tests_of  # noqa: E402  the line above finds it
from grading import run_tests  # noqa: E402

FILES = """README.md pyproject.toml requirements.txt .gitignore tinyprune/*.py tests/*.py
data/README.md data/download.py data/train_own.py data/sample/**/* data/teachers/*
lessons/[0-9]*.py lessons/data_errors.json lessons/results/*.json lessons/results/*.jsonl
lessons/results/*.md lessons/results/*.png lessons/results/study/*
lessons/course/assignments.json""".split()
TEACHERS = ["lessons/results/course.json"]
MIN_LINE = 26  # characters: shorter lines of a solution say too little to give it away
LIMIT = 300  # seconds for a case: some tests read the whole of Math23k
HEADERS = ("def ", "for ", "except ", "with ")  # they say what is walked through, not what is done


def white_list(root):
    """The files that a student gets: relative paths."""
    found = [path.relative_to(root) for pattern in FILES for path in sorted(root.glob(pattern))
             if path.is_file() and "__pycache__" not in path.parts]
    return [path for path in found if path.as_posix() not in TEACHERS]


def write_copy(folder, assignments):
    """The student's copy of these assignments. Raises CourseError."""
    blanks = blanks_of(ROOT)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise CourseError(f"{folder} is not an empty folder")
    for path in white_list(ROOT):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / path, folder / path)
    page = folder / "README.md"
    page.write_text(student_page(page.read_text(encoding="utf-8"), assignments), encoding="utf-8")
    write_package(folder, blanks, assignments)


def student_page(text, assignments):
    """The README with the assignments first, and without the part for teachers."""
    title, rest = text.split("\n", 1)
    before, _, after = rest.partition("## Teaching with it\n")
    rest = before + "## " + after.partition("\n## ")[2]
    parts = [title]
    for assignment in assignments:
        table = ASSIGNMENTS[assignment]
        reading = f"Read lesson `lessons/{table['lesson']}.py`. {table.get('also', '')}".strip()
        parts.append(f"""
## Your assignment: {assignment}

{reading}
The goal: you can {table["goal"]}.

Write these functions, in this order; it takes about {table["hours"]} hours. Each has a docstring,
and in place of its body a line that names it:

{listed(table["blanks"])}

A function of your own that one of them calls must stand in the same file: only these files count.

`python -m pytest --assignment {assignment}` shows your points, a line for each test. It takes about
half a minute. With `--report=results.json` it also writes them to a file. A test of another
function that calls yours is skipped until you have written yours. Lessons, the commands under
"Quick start" and the code sample below end in the same way: with the line of a function that is
still to be written. `tests/reference.py` holds slow versions, which your functions must not
import.""")
    return "\n".join([*parts, "\n## The project", rest])


def listed(blanks):
    """The blanks as lines: number, function, file."""
    lines = []
    for number, blank in enumerate(blanks, 1):
        module, _, name = blank.partition(".")
        lines.append(f"{number}. `{name}` in `tinyprune/{module}.py`")
    return "\n".join(lines)


def write_package(folder, blanks, assignments):
    """The package's modules, without the solutions of these assignments and without markers."""
    stubs = {name: sentence_for(name)
             for title in assignments for name in ASSIGNMENTS[title]["blanks"]}
    for module, of_module in blanks.items():
        text = module_path(ROOT, module).read_text(encoding="utf-8")
        own = {blank.function: stubs[f"{module}.{blank.function}"] for blank in of_module
               if f"{module}.{blank.function}" in stubs}
        text = student_text(text, of_module, own)
        module_path(folder, module).write_text(text, encoding="utf-8")


# the proof

def code_of(line):
    """A line without its comment and its blanks at both ends."""
    return line.split("  #")[0].strip()


def solution_lines(assignments):
    """The lines of these assignments' solutions that are long enough to give one away."""
    found = set()
    names = {name for title in assignments for name in ASSIGNMENTS[title]["blanks"]}
    for module, blanks in blanks_of(ROOT).items():
        lines = lines_of_text(module_path(ROOT, module).read_text(encoding="utf-8"))
        for blank in blanks:
            if f"{module}.{blank.function}" in names:
                found |= set(map(code_of, lines[blank.first:blank.last - 1]))
    return {line for line in found
            if len(line) >= MIN_LINE and not line.startswith(("#", *HEADERS))}


def leaks(folder, assignments):
    """Lines of the solutions that stand anywhere in the copy: sentences."""
    secret = solution_lines(assignments)
    for path in sorted(folder.rglob("*")):
        if path.suffix not in (".py", ".md", ".toml", ".txt", ".ipynb"):
            continue
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            if code_of(line) in secret:
                yield (f"{path.relative_to(folder)}, line {number}: a line of the solution: "
                       f"{line.strip()}")


def faults_with_blanks(folder, assignments, tests=("tests",)):
    """What is wrong with the tests of a copy whose blanks are empty: sentences."""
    own = [test for title in assignments for test in tests_of(title)]
    seen = run_tests(folder, tests, limit=LIMIT)
    for test in own:
        if test not in seen:
            yield f"{test} does not exist"
    for test, (outcome, sentence) in seen.items():
        names_function = any(f" of {title}: write " in sentence for title in assignments)
        if test not in own and outcome == "failed":
            yield f"{test} is none of the assignment's tests and fails: {sentence}"
        elif test in own and outcome != "failed":
            yield f"{test} does not need the solution: {outcome}"
        elif test in own and not (names_function and sentence.startswith("Function ")):
            yield f"{test} does not say which function is to be written: {sentence}"


def check(folder, assignments, tests=("tests",)):
    """All that is wrong with a copy: sentences. Raises CourseError."""
    yield from leaks(folder, assignments)
    yield from faults_with_blanks(folder, assignments, tests)


def check_solutions():
    """What fails in a copy that has all solutions: sentences."""
    with tempfile.TemporaryDirectory() as name:
        write_copy(Path(name), [])
        for test, (outcome, sentence) in run_tests(Path(name), ["tests"], LIMIT).items():
            if outcome == "failed":
                yield f"{test} fails with the solutions in: {sentence}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("folder", type=Path, metavar="DIR", help="a new or empty folder")
    parser.add_argument("--assignment", action="append", choices=ASSIGNMENTS, default=[])
    parser.add_argument("--check", action="store_true", help="prove the copy")
    options = parser.parse_args()
    if not (options.assignment or options.check):
        parser.error("name an --assignment: " + ", ".join(ASSIGNMENTS))
    copies = {options.folder: list(dict.fromkeys(options.assignment))}
    if not options.assignment:
        copies = {options.folder / title: [title] for title in ASSIGNMENTS}
    found = []
    try:
        for folder, assignments in copies.items():
            write_copy(folder, assignments)
            print(f"{folder}: {', '.join(assignments)}", flush=True)
            faults = check(folder, assignments) if options.check else ()
            for fault in faults:
                found.append(fault)
                print(f"  {fault}", flush=True)
        for fault in check_solutions() if options.check else ():
            found.append(fault)
            print(f"  {fault}", flush=True)
    except CourseError as error:
        sys.exit(str(error))
    if options.check:
        print(f"{len(found)} faults")
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
