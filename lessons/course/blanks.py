"""Where the solutions stand in the package, and how they are taken out and put back.

A solution is a block of a function's body between two marker lines, as deep as the body itself:

    ### BEGIN SOLUTION
    ### END SOLUTION

Signature and docstring stay outside. assignments.json says which assignment a function belongs to.
"""
import ast
import json
import re
import shutil
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
ASSIGNMENTS = json.loads((Path(__file__).parent / "assignments.json").read_text(encoding="utf-8"))
BEGIN = "### BEGIN SOLUTION"
END = "### END SOLUTION"
LIKE_A_MARKER = re.compile(r"(?i:^\s*#+ *(begin|end)\b *s\w*)|SOLUTION")


class CourseError(ValueError):
    """One line that says what is wrong, and in which file and line."""


class Blank(NamedTuple):
    function: str  # its name within the module: "attention", "MultiHeadAttention.prune_heads"
    first: int  # line of the first marker, counted from 1
    last: int


def module_path(root, module):
    return Path(root) / "tinyprune" / f"{module}.py"


def lines_of_text(text):
    """A module's lines as ast counts them: splitlines would also cut at U+2028 and form feeds."""
    return text.removesuffix("\n").split("\n")


def parse(text, path):
    try:
        return ast.parse(text)
    except SyntaxError as error:
        raise CourseError(f"{path}, line {error.lineno}: {error.msg}") from error


def functions(tree):
    """The functions of a module and the methods of its classes: {name: node}"""
    found = {}
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            found[node.name] = node
        elif isinstance(node, ast.ClassDef):
            methods = [part for part in node.body if isinstance(part, ast.FunctionDef)]
            found.update({f"{node.name}.{method.name}": method for method in methods})
    return found


def find_blanks(text, path):
    """[Blank] of a module. Raises CourseError for a marker that breaks the rules above."""
    lines = lines_of_text(text)
    found = []
    begin = None  # the line of a BEGIN that waits for its END
    for number, line in enumerate(lines, 1):
        if not LIKE_A_MARKER.search(line):
            continue
        where = f"{path}, line {number}"
        if line.strip() not in (BEGIN, END):
            raise CourseError(f"{where}: {line.strip()!r} is no marker: write {BEGIN!r} or {END!r}")
        if line.strip() == BEGIN:
            if begin:
                raise CourseError(f"{where}: the solution of line {begin} has not ended yet")
            begin = number
            continue
        if not begin:
            raise CourseError(f"{where}: no solution has begun")
        found.append(Blank(function_around(text, begin, number, where), begin, number))
        begin = None
    if begin:
        raise CourseError(f"{path}, line {begin}: the solution never ends")
    return found


def function_around(text, first, last, where):
    """The name of the function whose body the markers cut cleanly. Raises CourseError."""
    lines = lines_of_text(text)
    for name, node in functions(parse(text, where)).items():
        if not node.lineno < first < last <= node.end_lineno + 1:
            continue
        within = [part for part in node.body if first < part.lineno <= part.end_lineno < last]
        cut = [part for part in node.body if part.lineno < last and part.end_lineno > first]
        depths = {len(lines[line - 1]) - len(lines[line - 1].lstrip()) for line in (first, last)}
        if depths != {node.body[0].col_offset}:
            raise CourseError(f"{where}: the markers must be as deep as the body of {name}")
        if cut != within or not within:
            raise CourseError(f"{where}: the markers must hold whole statements of {name}")
        if within[0] is node.body[0]:
            raise CourseError(f"{where}: the docstring of {name} must stay before the marker")
        return name
    raise CourseError(f"{where}: the solution does not lie within one function")


def blanks_of(root):
    """{module: [Blank]} of a package. Raises CourseError, also where the table says otherwise."""
    found = {}
    for path in sorted((Path(root) / "tinyprune").glob("*.py")):
        blanks = find_blanks(path.read_text(encoding="utf-8"), f"tinyprune/{path.name}")
        if blanks:
            found[path.stem] = blanks
    marked = [f"{module}.{blank.function}" for module, blanks in found.items() for blank in blanks]
    listed = [name for assignment in ASSIGNMENTS.values() for name in assignment["blanks"]]
    for name in sorted(set(marked) ^ set(listed)):
        lacks = "has no entry in assignments.json" if name in marked else "has no markers"
        raise CourseError(f"{name} {lacks}")
    for names in (marked, listed):
        twice = sorted(name for name in set(names) if names.count(name) > 1)
        if twice:
            raise CourseError(f"{twice[0]} is marked or listed twice")
    return found


def sentence_for(name):
    """What a blank says where its solution stood; name: "module.function" """
    for title, assignment in ASSIGNMENTS.items():
        for number, other in enumerate(assignment["blanks"], 1):
            if other == name:
                written = name.split(".")[-1]
                return (f"Function {number} of {title}: write {written} in place of this error; "
                        f"then run: python -m pytest --assignment {title}")
    raise CourseError(f"{name} is in no assignment")


def student_text(text, blanks, stubs):
    """A module without its markers; in place of each solution in `stubs` stands its sentence.

    blanks: [Blank]; stubs: {function: sentence}
    """
    lines = lines_of_text(text)
    for blank in reversed(blanks):
        body = lines[blank.first:blank.last - 1]
        if blank.function in stubs:
            depth = " " * (len(lines[blank.first - 1]) - len(BEGIN))
            sentence = stubs[blank.function].replace("; then", ';"\n' + depth + '    " then')
            body = f'{depth}raise NotImplementedError(\n{depth}    "{sentence}")'.splitlines()
        lines[blank.first - 1:blank.last] = body
    return "\n".join(lines) + "\n"


def with_functions(text, other, names, path):
    """A module's text with these functions taken from another version of the module.

    What the other version alone defines or imports at its top level comes along, before what
    follows it there: a decorator or a default value may need it. So do methods that only its class
    of a taken method has.
    A function that the other version lacks becomes one that says so: the others still count.
    Raises CourseError if the other version does not parse.
    """
    tree = parse(text, path)
    own = functions(tree)
    other_tree = parse(other, path)
    others = functions(other_tree)
    lines = lines_of_text(text)
    edits = []  # (first, last, lines that replace those from first to last)
    for name in names:
        new = lines_of(others[name], other) if name in others else missing(own[name], name, path)
        edits.append((*span(own[name]), new))
    for name in others:
        siblings = [taken for taken in names if class_of(taken) == class_of(name)]
        if name not in own and class_of(name) and siblings:
            first, _ = span(own[siblings[0]])
            edits.append((first, first, ["", *lines_of(others[name], other), ""]))
    known = {name: span(node)[0] for node in tree.body for name in bound_names(node)}
    new = []
    for node in other_tree.body:
        bound = bound_names(node)
        if bound - set(known):
            new += lines_of(node, other)
        elif bound:
            first = min(map(known.get, bound))
            edits.append((first, first, new))
            new = []
    edits.append((len(lines), len(lines), new))
    for first, last, replacement in sorted(edits, key=lambda edit: edit[:2], reverse=True):
        lines[first:last] = replacement
    return "\n".join(lines) + "\n"


def missing(node, name, path):
    """The lines of a function, in the place of this node, that says that it is missing."""
    depth = " " * node.col_offset
    return [f"{depth}def {node.name}(*_, **__):",
            f"{depth}    raise NotImplementedError(",
            f'{depth}        "{path} has no function {name}: write it with def")']


def class_of(name):
    """The class of "Class.method", and nothing of "function"."""
    return name.rpartition(".")[0]


def span(node):
    """A statement's lines, its decorators among them: (first, last), as a slice takes them"""
    decorators = getattr(node, "decorator_list", [])
    return min([node.lineno, *(part.lineno for part in decorators)]) - 1, node.end_lineno


def lines_of(node, text):
    first, last = span(node)
    return lines_of_text(text)[first:last]


def bound_names(node):
    """The names that a statement at the top level of a module gives to something."""
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        return {alias.asname or alias.name for alias in node.names}
    if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
        return {node.name}
    if isinstance(node, ast.Name):
        return {node.id} if isinstance(node.ctx, ast.Store) else set()
    return set().union(*map(bound_names, ast.iter_child_nodes(node)))  # also of an `if` or a `try`


def assemble(folder, submission, modules):
    """Fills a folder with this tree's package and tests, and the submission's functions.

    modules: {module: [function]}
    Raises CourseError where the submission has no such module, or one that does not parse.
    """
    for pattern in ("tinyprune/*.py", "tests/*.py", "pyproject.toml", "lessons/course/*.json"):
        for path in ROOT.glob(pattern):
            copy = folder / path.relative_to(ROOT)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy)
    for module, names in modules.items():
        own = module_path(folder, module)
        theirs = module_path(submission, module)
        if not theirs.exists():
            raise CourseError(f"{theirs} is missing")
        try:
            submitted = theirs.read_text(encoding="utf-8-sig")  # some editors write a mark first
        except UnicodeDecodeError as error:
            raise CourseError(f"tinyprune/{module}.py is not UTF-8 text: save it as UTF-8"
                              ) from error
        text = with_functions(own.read_text(encoding="utf-8"), submitted, names,
                              f"tinyprune/{module}.py")
        own.write_text(text, encoding="utf-8")
