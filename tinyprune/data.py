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
from tinyprune.quantities import (
    PLAIN_DIGITS,
    EquationError,
    mask_numbers,
    read_number,
)
from tinyprune.tokenizer import infix_to_prefix, lex, name_numbers
from tinyprune.vocabulary import subwords

DATA = ("sample", "asdiv-a", "math23k")
REMAINDER = re.compile(r"\s*r\s*\d+\s*$")  # 200/28=7 r4
ENGLISH_WORD = re.compile(r"\d[\d,]*(?:\.\d+)?(?:/\d+)?%?|\.\d+%?"  # numbers
                          r"|[^\W\d_]+(?:-[^\W\d_]+)*|'s\b"  # words; the 's of Tom's
                          r"|[^\w\s]|\w")  # signs


@dataclass
class Problem:
    id: str
    text: str
    words: list[list[str]]  # each with its subwords; a number is its name, its kind and its rank
    numbers: list[Rational]
    equation: list[str]  # prefix; empty if the recorded one cannot be read
    answer: Rational | None = None  # what counts as right; None if nobody has recorded one
    decimal: bool = False  # recorded as a decimal, so that a rounded answer may count
    reference_answer: Rational | None = None  # as recorded; differs from `answer` only for a
    #                                           division with remainder: 19 buses, not 18.25
    parse_error: str = ""  # why the equation is empty


@dataclass
class Splits:
    train: list[Problem]
    valid: list[Problem]
    test: list[Problem]


# texts

def english_words(text):
    """Lower-case words, numbers and signs: "Tom's 1,250 pens." -> tom 's 1,250 pens .

    A number that begins with its point gets a zero: .5 -> 0.5
    """
    words = [word.rstrip(",") or word for word in ENGLISH_WORD.findall(text.lower())]
    return [f"0{word}" if re.match(r"\.\d", word) else word for word in words]


def chinese_words(text, known):
    """Splits a Chinese text into words, the longest known one at each position.

    known: a collection of words. Runs of ASCII digits and signs stay whole.
    """
    chinese = [word for word in known if re.fullmatch(r"[^\x00-\x7f]+", word)]
    longest_first = map(re.escape, sorted(chinese, key=len, reverse=True))
    pattern = "|".join([r"[\x21-\x7e]+", *longest_first, r"[^\x00-\x7f]"])
    return re.findall(pattern, text.translate(PLAIN_DIGITS))


def value_ranks(numbers):
    """The rank of each value among the different ones, the smallest first.

    [30, 7, 7, 100] -> [1, 0, 0, 2]
    """
    ranks = {value: rank for rank, value in enumerate(sorted(set(numbers)))}
    return [ranks[value] for value in numbers]


def number_subwords(name, literal, rank):
    """A number as the model reads it: its name, its kind, and its rank among the problem's values.

    A subtraction is almost always larger minus smaller, and a number's name does not say which is
    larger.
    """
    marks = {"%": "percent", "/": "fraction", ".": "decimal"}
    kind = next((kind for mark, kind in marks.items() if mark in literal), "whole")
    return [name, f"·{kind}", f"·rank {min(rank, 9)}"]


def read_words(words, english):
    """The words of a text -> its words as subwords, the numbers' literals, the numbers.

    Raises EquationError (too long) for a number without end.
    """
    masked, literals = mask_numbers(words, english)
    numbers = [read_number(literal) for literal in literals]
    named = {}  # name: the number's subwords
    for index, (literal, rank) in enumerate(zip(literals, value_ranks(numbers))):
        named[f"N{index}"] = number_subwords(f"N{index}", literal, rank)
    return [named.get(word) or subwords(word) for word in masked], literals, numbers


# records

def read_problem(id, words, equation, answer, english):
    """Words, an infix equation and an answer as recorded -> Problem.

    Raises FileError for a text or an answer that cannot be read. An equation that cannot be read
    becomes the problem's parse error.
    """
    check_record(id, words, answer)
    try:
        read, literals, numbers = read_words(words, english)
    except EquationError as error:
        if error.reason != "too long":
            raise
        raise FileError(f"record {id}: its text holds {error}: mend or remove it") from error
    fractions = {value for value, literal in zip(numbers, literals) if "/" in literal}
    prefix = []
    parse_error = ""
    try:
        prefix = name_numbers(infix_to_prefix(lex(equation, fractions)), literals)
    except EquationError as error:
        parse_error = str(error)
    value, decimal = read_answer(answer)
    return Problem(id, " ".join(words), read, numbers, prefix, value, decimal, value, parse_error)


def check_record(id, words, answer):
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
        raise FileError(f"record {id}: {fault}: mend or remove it")


def check_unique_ids(ids, where):
    """Raises FileError if an id occurs twice.

    A problem must be counted once, and never be both trained on and asked.
    """
    repeated = [id for id, count in Counter(ids).items() if count > 1]
    if repeated:
        raise FileError(f"{where}: the id {repeated[0]!r} occurs twice: download it again, "
                        "or remove one of the two")


def check_readable(problems):
    """Raises ValueError where most equations cannot be read: the mistake is then in the code."""
    unreadable = [problem for problem in problems if problem.parse_error]
    if 2 * len(unreadable) > len(problems):
        first = unreadable[0]
        raise ValueError(f"{len(unreadable)} of {len(problems)} equations cannot be read, the "
                         f"first of them in {first.id}: {first.parse_error}")


# files

def read_math23k(path):
    """One of the published JSON files -> [Problem] in file order. Raises FileError."""
    text = read_text(path)
    try:
        records = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise FileError(f"{path} cannot be read as JSON ({one_line(error)}): "
                        "download it again") from error
    if not isinstance(records, list) or not records:
        raise FileError(f"{path} holds no list of records: download it again")
    problems = []
    for position, record in enumerate(records):
        try:
            fields = [str(record["id"]), record["new_split"].split(), record["equation"].strip(),
                      str(record["ans"])]
        except (KeyError, TypeError, AttributeError) as error:
            raise FileError(f"{path}: record {position} lacks a field or has one of the wrong kind "
                            f"({error}): download the file again") from error
        problems.append(_in_file(path, *fields, english=False))
    check_unique_ids([problem.id for problem in problems], path)
    check_readable(problems)
    return problems


def _in_file(path, *record, english):
    """read_problem, whose FileError then names the file too."""
    try:
        return read_problem(*record, english)
    except FileError as error:
        raise FileError(f"{path}: {error}") from error


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
    check_unique_ids(sum(folds, []), f"{path}'s fold lists")
    problems = {id: _asdiv_problem(xml, records[id]) for id in sum(folds, [])}
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
    problem = _in_file(path, id, english_words(f"{body} {question}"), left, answer, english=True)
    if REMAINDER.search(right) and problem.equation:
        # The field counts the plain quotient, not what the record rounds it to.
        problem.answer = evaluate_prefix(problem.equation, problem.numbers)
    return problem


# sets

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
        test = folds.pop(range(5).index(fold))  # ValueError for a fold that is not 0 to 4
        others = sum(folds, [])
        if not tuning:
            return Splits(others, [], test)
        kept = [problem for position, problem in enumerate(others) if position % 10]
        return Splits(kept, others[::10], [])
    chinese = path / "math23k" if data == "sample" else path
    train, valid, test = (read_math23k(chinese / f"{split}23k_processed_nodup.json")
                          for split in ("train", "valid", "test"))
    check_unique_ids([problem.id for problem in train + valid + test], path)
    if data == "math23k":
        return Splits(train, valid, test)
    english = read_asdiv(path / "asdiv")
    return Splits(train + sum(english[2:], []), valid + english[1], test + english[0])


def problem_lengths(problems):
    """(words, equation tokens) of each problem that has an equation: what measure.py counts by."""
    return [(len(problem.words), len(problem.equation)) for problem in problems if problem.equation]
