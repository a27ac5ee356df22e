"""Proves the students' tests: planted mistakes and automatic mutations of the solutions.

    python lessons/course/prove.py

Each mistake of mistakes.py is planted in a copy, and its own test must fail with a message that
holds the mistake's word. Then every solution is mutated, one token at a time (operators,
comparisons, constants, dimensions, exchanged arguments, related functions), and a test of its
assignment must fail. What survives is listed with the reason, where EQUIVALENT knows one. The
result is written to lessons/results/course.json. It takes about ten minutes.
"""
import ast
import contextlib
import copy
import json
import multiprocessing
import os
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

from blanks import ASSIGNMENTS, ROOT, blanks_of, functions, lines_of_text, module_path
from handout import code_of, write_copy
from mistakes import EQUIVALENT, MISTAKES

LIMIT = 60  # seconds for the tests of one change
PER_BLANK = 8  # mutations of one solution at most, spread over all that there are


# one change, and the tests that must see it

def outcome(folder, tests, stop):
    """Runs tests in a fresh process: (whether one failed, the sentences of those that failed)

    stop: ["-x"] to stop at the first one that fails
    The process begins with torch loaded, where the system can do that. Raises RuntimeError if no
    test ran.
    """
    lines = folder / "lines"
    lines.write_text("", encoding="utf-8")
    ways = multiprocessing.get_all_start_methods()
    context = multiprocessing.get_context("forkserver" if "forkserver" in ways else "spawn")
    context.set_forkserver_preload(["torch", "sympy", "pytest"])
    process = context.Process(target=run_pytest, args=(folder, lines, tests, stop))
    process.start()
    process.join(LIMIT)
    if process.is_alive():
        process.kill()
        process.join()
        return True, "no result in time"
    found = [json.loads(line) for line in lines.read_text(encoding="utf-8").splitlines()]
    said = [line["sentence"] for line in found if line["outcome"] == "failed"]
    if not found:
        raise RuntimeError(f"{tests} did not run")
    return bool(said), "; ".join(said)


def run_pytest(folder, lines, tests, stop):
    import pytest  # in the new process
    os.chdir(folder)
    sys.path[:] = [str(folder), *(path for path in sys.path if not path.startswith(str(ROOT)))]
    sys.dont_write_bytecode = True
    for name, module in list(sys.modules.items()):  # the copy has its own grader.py
        if str(getattr(module, "__file__", "")).startswith(str(ROOT)):
            del sys.modules[name]
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
        with contextlib.redirect_stderr(nowhere):
            pytest.main([f"--lines={lines}", "-p", "no:cacheprovider", "--assert=plain",
                         f"--rootdir={folder}", *stop, *tests])


def file_of(test):
    """The file of a test's name: tests/test_masking.py::test_x"""
    for path in sorted((ROOT / "tests").glob("test_*.py")):
        if f"\ndef {test}(" in path.read_text(encoding="utf-8"):
            return f"tests/{path.name}::{test}"
    raise ValueError(f"there is no test {test}")


@contextlib.contextmanager
def changed(path, text):
    before = path.read_text(encoding="utf-8")
    path.write_text(text, encoding="utf-8")
    try:
        yield
    finally:
        path.write_text(before, encoding="utf-8")


def plant(folder, mistake):
    """Whether its test catches a mistake, and the message."""
    module, old, new, test, _ = mistake
    path = module_path(folder, module)
    text = path.read_text(encoding="utf-8")
    if text.count(old) != 1:
        raise ValueError(f"{module}.py has {old!r} {text.count(old)} times, not once")
    with changed(path, text.replace(old, new)):
        return outcome(folder, [file_of(test)], [])


# mutations

OPERATORS = {ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Add, ast.Div: ast.Mult,
             ast.FloorDiv: ast.Div, ast.Mod: ast.FloorDiv, ast.Pow: ast.Mult,
             ast.BitAnd: ast.BitOr, ast.MatMult: ast.Mult}
COMPARISONS = {ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt,
               ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.In: ast.NotIn, ast.NotIn: ast.In,
               ast.Is: ast.IsNot, ast.IsNot: ast.Is}
RELATED = {"sum": "mean", "mean": "sum", "min": "max", "max": "min", "floor": "ceil",
           "tril": "triu", "softmax": "log_softmax", "log_softmax": "softmax", "sqrt": "log",
           "any": "all", "norm": "sum", "log": "exp"}


def mutants_of(node):
    """Other versions of one node of the syntax tree."""
    if isinstance(node, ast.BinOp) and type(node.op) in OPERATORS:
        yield ast.BinOp(node.left, OPERATORS[type(node.op)](), node.right)
    elif isinstance(node, ast.Compare) and type(node.ops[0]) in COMPARISONS:
        yield ast.Compare(node.left, [COMPARISONS[type(node.ops[0])](), *node.ops[1:]],
                          node.comparators)
    elif isinstance(node, ast.BoolOp):
        yield ast.BoolOp(ast.And() if isinstance(node.op, ast.Or) else ast.Or(), node.values)
    elif isinstance(node, ast.UnaryOp):
        if not isinstance(node.operand, ast.Constant):  # of -1 the 1 is mutated: -2
            yield node.operand
    elif isinstance(node, ast.Constant) and type(node.value) in (int, float, bool):
        yield ast.Constant(not node.value if isinstance(node.value, bool) else node.value + 1)
    elif isinstance(node, ast.Attribute) and node.attr in RELATED:
        yield ast.Attribute(node.value, RELATED[node.attr], node.ctx)
    elif isinstance(node, ast.Name) and node.id in ("min", "max", "any"):
        yield ast.Name(RELATED[node.id], node.ctx)
    elif isinstance(node, ast.Call) and len(node.args) > 1 and not commutes(node.func):
        first, second, *others = node.args
        yield ast.Call(node.func, [second, first, *others], node.keywords)
    elif isinstance(node, ast.IfExp):
        yield ast.IfExp(node.test, node.orelse, node.body)


def commutes(function):
    """Whether a call means the same with its arguments exchanged (xlogy(p, p) in this package)."""
    return ast.unparse(function).rpartition(".")[2] in ("transpose", "min", "max", "xlogy")


class Replace(ast.NodeTransformer):
    def __init__(self, old, new):
        self.old = old
        self.new = new

    def visit(self, node):
        return self.new if node is self.old else self.generic_visit(node)


def mutations_of(text, tree, blank):
    """[(label, node, mutant)] of each one-token change within a blank of a module with markers."""
    lines = lines_of_text(text)
    function = functions(tree)[blank.function]
    body = [part for part in function.body if blank.first < part.lineno < blank.last]
    nodes = [node for part in body for node in ast.walk(part)]
    errors = [node for node in nodes if isinstance(node, ast.Raise)]
    untested = {id(part) for error in errors for part in ast.walk(error)}  # words of messages
    found = []
    for node in nodes:
        for mutant in () if id(node) in untested else mutants_of(node):
            change = f"{ast.unparse(node)} -> {ast.unparse(mutant)}"
            line = code_of(lines[node.lineno - 1])
            found.append((f"{blank.function}, {line}: {change}", node, mutant))
    return found


def mutated(tree, node, mutant):
    """The module's text with one node exchanged."""
    memo = {id(node): node, id(mutant): mutant}  # these two are not copied
    whole = Replace(node, mutant).visit(copy.deepcopy(tree, memo))
    return ast.unparse(ast.fix_missing_locations(whole))


def chosen_mutations():
    """[(module, tests, label, text)]: at most PER_BLANK of each blank, evenly spread"""
    tests_of = {name: list(tests) for assignment in ASSIGNMENTS.values()
                for name, tests in assignment["blanks"].items()}
    for module, blanks in blanks_of(ROOT).items():
        text = module_path(ROOT, module).read_text(encoding="utf-8")
        tree = ast.parse(text)
        for blank in blanks:
            found = mutations_of(text, tree, blank)
            step = max(len(found) / PER_BLANK, 1)
            tests = [f"tests/{test.replace('::', '.py::')}"
                     for test in tests_of[f"{module}.{blank.function}"]]
            for position in sorted({int(step * i) for i in range(min(PER_BLANK, len(found)))}):
                label, node, mutant = found[position]
                yield module, tests, label, partial(mutated, tree, node, mutant)


# both

def prove_mistakes(folder):
    caught = 0
    named = 0
    for mistake in MISTAKES:
        module, old, new, test, word = mistake
        was_caught, said = plant(folder, mistake)
        caught += was_caught
        named += was_caught and word in said
        if not was_caught or word not in said:
            print(f"{module}: {old!r} -> {new!r}\n  {test} says {said!r}", flush=True)
    return dict(planted=len(MISTAKES), caught=caught, named=named)


def prove_mutations(folder):
    chosen = list(chosen_mutations())
    killed = 0
    survivors = {}
    for module, tests, label, text in chosen:
        with changed(module_path(folder, module), text()):
            if outcome(folder, tests, ["-x"])[0]:
                killed += 1
            else:
                survivors[f"{module}.{label}"] = EQUIVALENT.get(label, "not explained")
                print(f"survives: {module}.{label}", flush=True)
    return dict(mutations=len(chosen), killed=killed, survivors=survivors)


def main():
    from tinyprune.results import RESULTS, write_findings
    started = time.time()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        write_copy(folder, [])
        found = prove_mistakes(folder) | prove_mutations(folder)
    for key in ("planted", "caught", "named", "mutations", "killed"):
        print(f"{key}: {found[key]}")
    write_findings(RESULTS / "course.json", found, started)


if __name__ == "__main__":
    main()
