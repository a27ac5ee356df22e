"""Math23k, ASDiv-A and the project's own sample: published files -> problems -> splits.

A problem is its words, with every number replaced by a name (N0, N1, … in reading order), the
numbers, and its equation in prefix order over those names. No record is dropped silently: one
whose equation cannot be read stays in its split, with an empty equation and the parse error.
Training leaves it out; an evaluation asks it.

Wang et al. 2017 (Math23k), Miao et al. 2020 (ASDiv).
"""
import json
import os
import re
import xml.etree.ElementTree as ElementTree
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from sympy import Rational

from tinyprune.checker import evaluate_prefix, match_answer, read_answer
from tinyprune.files import ROOT, FileError, one_line, project_file, read_text
from tinyprune.quantities import EquationError
from tinyprune.tokenizer import check_length, infix_to_prefix, lex, name_numbers
from tinyprune.words import chinese_words, english_words, is_chinese, read_words

DATA = ("sample", "asdiv-a", "math23k")
REMAINDER = re.compile(r"\s*r\s*\d+\s*$")  # 200/28=7 r4
WITHOUT_VALUE = ("division by zero", "exponent", "undefined", "too large")  # of an equation


@dataclass
class Problem:
    id: str
    text: str
    words: list[list[str]]  # each with its subwords; a number is its name, its kind and its rank
    numbers: list[Rational]
    equation: list[str]  # prefix; empty if the recorded one cannot be read
    answer: Rational | None = None  # what counts as right; None if nobody has recorded one
    decimals: int = 0  # of the recorded answer; with one or more, it may have been rounded
    reference_answer: Rational | None = None  # as recorded; differs from `answer` only for a
    #                                           division with remainder: 19 buses, not 18.25
    parse_error: str = ""  # why the equation is empty


@dataclass
class Splits:
    train: list[Problem]
    valid: list[Problem]
    test: list[Problem]


# records

def read_problem(id, words, equation, answer, english, where=""):
    """Words, an infix equation and an answer as recorded -> Problem.

    where: the file, for the message of an error
    Raises FileError for a text or an answer that cannot be read. An equation that cannot be read
    becomes the problem's parse error.
    """
    record = f"{where}record {id}"
    check_record(record, words, answer)
    try:
        read, literals, numbers = read_words(words, english)
    except EquationError as error:
        if error.reason != "too long":
            raise
        raise FileError(f"{record}: its text holds {error}: mend or remove it") from error
    fractions = {value for value, literal in zip(numbers, literals) if "/" in literal}
    prefix = []
    parse_error = ""
    try:
        named = name_numbers(infix_to_prefix(lex(equation, fractions)), literals)
        check_length(named)
        prefix = named
    except EquationError as error:
        parse_error = str(error)
    value, decimals = read_answer(answer)
    return Problem(id, " ".join(words), read, numbers, prefix, value, decimals, value, parse_error)


def check_record(record, words, answer):
    """Raises FileError for a text or an answer that no code could read.

    It runs first and calls no code that reads equations. So an exception from that code is a bug,
    and keeps its traceback.
    """
    text = " ".join(words)
    fault = ""
    if not words:
        fault = "its text is empty"
    elif re.search(r"[\ud800-\udfff]", text):
        fault = "its text holds an unpaired surrogate"
    elif not match_answer(answer):
        fault = f"its answer {answer[:40]!r} is no number"
    if fault:
        raise FileError(f"{record}: {fault}: mend or remove it")


def check_unique_ids(ids, where):
    """Raises FileError if an id occurs twice.

    A problem must be counted once, and never be both trained on and asked.
    """
    repeated = [id for id, count in Counter(ids).items() if count > 1]
    if repeated:
        raise FileError(f"{where}: the id {repeated[0]!r} occurs twice: remove one of the two, or "
                        "download a published file again")


def check_readable(problems):
    """Raises ValueError where most equations cannot be read: the mistake is then in the code."""
    unreadable = [problem for problem in problems if problem.parse_error]
    if 2 * len(unreadable) > len(problems):
        first = unreadable[0]
        raise ValueError(f"{len(unreadable)} of {len(problems)} equations cannot be read, the "
                         f"first of them in {first.id}: {first.parse_error}")


# files

def read_records(path, fields):
    """The four fields of each record of a JSON file: [[id, text, equation, answer]]

    The text and the equation must be texts; an id and an answer may be numbers. Raises FileError,
    which says what is expected and what was found.
    """
    text = read_text(path)
    try:
        records = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _unexpected(path, fields, f"a text that begins with {text[:20]!r} and is no JSON "
                                        f"({one_line(error)})") from error
    if not isinstance(records, list) or not records:
        raise _unexpected(path, fields, describe(records))
    found = []
    for position, record in enumerate(records):
        if not isinstance(record, dict) or not set(fields) <= set(record):
            raise _unexpected(path, fields, f"record {position}: {describe(record)}")
        values = [record[name] for name in fields]
        for name, value, kinds in zip(fields, values, [(str, int), str, str, (str, int, float)]):
            if not isinstance(value, kinds):
                raise _unexpected(path, fields, f"record {position}, whose {name} is "
                                                f"{describe(value)}")
        found.append([str(value).strip() for value in values])
    return found


def _unexpected(path, fields, found):
    return FileError(f"{path}: expected a JSON list of records with the fields "
                     f"{', '.join(fields)}; found {found}: mend it, or download it again if it is "
                     "a published file")


def describe(value):
    """What a JSON value is, for a message."""
    if isinstance(value, dict):
        return f"an object with the fields {', '.join(value) or '(none)'}"[:200]
    if isinstance(value, list):
        return "a list" if value else "an empty list"
    return f"the text {value[:40]!r}" if isinstance(value, str) else repr(value)


def read_math23k(path):
    """One of the published JSON files -> [Problem] in file order. Raises FileError."""
    problems = []
    for id, text, *rest in read_records(path, ["id", "new_split", "equation", "ans"]):
        problems.append(read_problem(id, text.split(), *rest, english=False, where=f"{path}: "))
    check_unique_ids([problem.id for problem in problems], path)
    check_readable(problems)
    return problems


def read_own(path):
    """Problems of your own, a JSON list with the fields id, text, equation and answer -> [Problem]

    A Chinese text is split at its spaces, one without any into characters. Raises FileError.
    """
    problems = []
    for id, text, *rest in read_records(path, ["id", "text", "equation", "answer"]):
        words = english_words(text)
        if is_chinese(text):
            words = text.split() if " " in text else chinese_words(text, known=[])
        problems.append(read_problem(id, words, *rest, english=not is_chinese(text),
                                     where=f"{path}: "))
    check_unique_ids([problem.id for problem in problems], path)
    return problems


def read_asdiv(path):
    """The published XML and fold lists -> five lists of [Problem], in the lists' order.

    path: the folder that holds them. Raises FileError.
    """
    xml = Path(path) / "ASDiv.xml"
    text = read_text(xml)
    if "<!DOCTYPE" in text or "<!ENTITY" in text:  # a few lines of entities can stand for gigabytes
        raise FileError(f"{xml} declares entities, which the published file does not: "
                        "download it again")
    try:
        records = list(ElementTree.fromstring(text).iter("Problem"))
    except (ElementTree.ParseError, ValueError) as error:
        raise FileError(f"{xml} cannot be read as XML ({error}): download it again") from error
    if not records:
        raise FileError(f"{xml}: expected ASDiv's <Problem> elements, found none: mend it, or "
                        "download it again")
    check_unique_ids([record.get("ID") for record in records], xml)
    records = {record.get("ID"): record for record in records}
    folds = []
    for number in range(5):
        file = Path(path) / "nfolds" / "asdiv-a" / f"fold{number}.txt"
        folds.append(read_text(file).split())
        if not folds[-1]:
            raise FileError(f"{file} names no problem: download it again")
        missing = set(folds[-1]) - set(records)
        if missing:
            raise FileError(f"{xml} lacks the problem {min(missing)} of {file}: download it again")
    ids = sum(folds, [])
    check_unique_ids(ids, f"{path}'s fold lists")
    problems = {id: _asdiv_problem(xml, records[id]) for id in ids}
    check_readable(problems.values())
    return [list(map(problems.get, fold)) for fold in folds]


def _asdiv_problem(path, record):
    id = record.get("ID")
    fields = [record.findtext(name) for name in ("Body", "Question", "Formula", "Answer")]
    if not all(fields):
        raise FileError(f"{path}: problem {id} lacks Body, Question, Formula or Answer: "
                        "download it again")
    body, question, formula, answer = (field.strip() for field in fields)
    left, _, right = formula.partition("=")
    words = english_words(f"{body} {question}")
    problem = read_problem(id, words, left, answer, english=True, where=f"{path}: ")
    if REMAINDER.search(right) and problem.equation:
        # The field counts the plain quotient, not what the record rounds it to.
        try:
            problem.answer = evaluate_prefix(problem.equation, problem.numbers)
        except EquationError as error:
            if error.reason not in WITHOUT_VALUE:
                raise  # the equation has been read before, so the code is at fault
            raise FileError(f"{path}: problem {id} has no value ({error}): download it again"
                            ) from error
    return problem


# sets

def hold_out(problems, first=0, parts=10):
    """Holds out one of `parts` equal parts: one in `parts` problems, from position `first` on.

    -> the other problems, these
    """
    others = [problem for position, problem in enumerate(problems) if position % parts != first]
    return others, problems[first::parts]


def folder(data):
    """Where a set lies: in data/, or in the folder that TINYPRUNE_DATA names.

    The sample is always the project's own. Raises FileError if the set is not there.
    """
    if data == "sample":
        return project_file("data", "sample")
    base = Path(os.environ.get("TINYPRUNE_DATA") or ROOT / "data")
    name = data.removesuffix("-a")
    if not (base / name).is_dir():
        raise FileError(f"{base / name} is not there: run `python data/download.py {name}`, or set "
                        f"TINYPRUNE_DATA to the folder that holds {name}/")
    return base / name


def load(data, fold=0, tuning=False):
    """The splits of "sample", "asdiv-a" or "math23k". Raises FileError.

    ASDiv-A: the fold is the test split, and the model trains on the other four. With `tuning`, to
    choose settings, the fold is left alone: a tenth of the other four is the validation split, and
    there is no test split.
    """
    path = folder(data)
    if data == "asdiv-a":
        folds = read_asdiv(path)
        if fold not in range(5):
            raise ValueError(f"ASDiv-A has the folds 0 to 4, not {fold}")
        test = folds.pop(fold)
        others = sum(folds, [])
        return Splits(*hold_out(others), []) if tuning else Splits(others, [], test)
    chinese = path / "math23k" if data == "sample" else path
    train, valid, test = (read_math23k(chinese / f"{split}23k_processed_nodup.json")
                          for split in ("train", "valid", "test"))
    check_unique_ids([problem.id for problem in train + valid + test], path)
    if data == "math23k":
        return Splits(train, valid, test)
    english = read_asdiv(path / "asdiv")
    return Splits(train + sum(english[2:], []), valid + english[1], test + english[0])
