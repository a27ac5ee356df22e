"""Math23k, ASDiv-A and the project's own sample: published files -> problems -> splits -> batches.

A problem is its words, with every number replaced by a name (N0, N1, … in reading order), the numbers, and
its equation in prefix order over those names. Nothing is dropped silently: a record whose equation cannot be
read stays in its split, with an empty equation and the flaw named; it is asked in tests and never trained on.

Wang et al. 2017 (Math23k), Miao et al. 2020 (ASDiv).
"""
import json
import os
import re
import xml.etree.ElementTree as ElementTree
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import torch
from sympy import Rational

from tinyprune import BOS, MIRROR, PAD
from tinyprune.checker import evaluate, is_decimal, read_answer
from tinyprune.tokenizer import (OPERATORS, PLAIN_DIGITS, EquationError, Vocabulary, infix_to_prefix, lex, mask_numbers,
                                 mirror, name_numbers, pieces, read_number)

ROOT = Path(__file__).resolve().parent.parent
DATA = ("sample", "asdiv-a", "math23k")
MOST_BYTES = 100 * 2 ** 20  # of a data file; the largest published one has 12 MB
REMAINDER = re.compile(r"\s*r\s*\d+\s*$")  # 200/28=7 r4


@dataclass
class Problem:
    id: str
    text: str
    words: list[list[str]]  # each with its pieces; a number is its name N0, N1, …, its kind and its rank
    numbers: list[Rational]
    equation: list[str]  # prefix; empty if the recorded one cannot be read
    answer: Rational  # what counts as right
    decimal: bool  # recorded as a decimal, so that a rounded answer may count
    recorded: Rational  # differs from `answer` only for a division with remainder: 19 buses, not 18.25
    flaw: str = ""  # why the equation is empty


@dataclass
class Splits:
    train: list[Problem]
    valid: list[Problem]
    test: list[Problem]


class DataError(ValueError):
    """A file or record that cannot be read or written: one sentence that names it, and the remedy."""


def folder(data):
    """Where a set lies: data/ or the folder that TINYPRUNE_DATA names; the sample is always the project's own."""
    if data == "sample":
        return ROOT / "data" / "sample"
    base = Path(os.environ.get("TINYPRUNE_DATA") or ROOT / "data")
    path = base / {"asdiv-a": "asdiv", "math23k": "math23k"}[data]
    if not path.is_dir():
        name = path.name
        raise DataError(f"{path} is not there: run `python data/download.py {name}`, or set TINYPRUNE_DATA to the "
                        f"folder that holds {name}/")
    return path


def write_whole(path, write):
    """Calls write(temporary path), then puts that file in its place: a whole file, or what was there before. Raises
    DataError where there is no room or no permission."""
    path = Path(path)
    temporary = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            write(temporary)
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise DataError(f"{path} cannot be written ({one_line(error)}): make room, or see to the folder's permissions; "
                        "what was there before is unharmed") from None


def one_line(error):
    """What an error says, short enough for a sentence."""
    return " ".join(str(error).split())[:200]


def read_text_file(path):
    """The text of a UTF-8 file. Raises DataError."""
    path = Path(path)
    try:
        if path.stat().st_size > MOST_BYTES:
            raise DataError(f"{path} has more than {MOST_BYTES} bytes, which no data set here has: download it again")
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeError) as error:
        raise DataError(f"{path} cannot be read as UTF-8 text ({one_line(error)}): download it again") from None


def refuse_twins(ids, where):
    """Raises DataError if an id occurs twice: a problem must be counted once, and never trained on and asked."""
    twins = [id for id, count in Counter(ids).items() if count > 1]
    if twins:
        raise DataError(f"{where}: the id {twins[0]!r} occurs twice: download it again, or remove one of the two")


def value_ranks(numbers):
    """The place of each value among the different ones, smallest first: [30, 7, 7, 100] -> [1, 0, 0, 2]"""
    ranks = {value: rank for rank, value in enumerate(sorted(set(numbers)))}
    return [ranks[value] for value in numbers]


def number_pieces(name, literal, rank):
    """A number as the model reads it: its name, its kind, and its place among the problem's values, smallest first.

    A subtraction is almost always larger minus smaller, and a number's name does not say which is larger.
    """
    kind = "percent" if "%" in literal else "fraction" if "/" in literal else "decimal" if "." in literal else "whole"
    return [name, f"·{kind}", f"·rank {min(rank, 9)}"]


def read_text(words, english):
    """The words of a problem -> its words as pieces, with numbers named; the numbers' literals and their values."""
    masked, literals = mask_numbers(words, english=english)
    numbers = [read_number(literal) for literal in literals]
    described = iter([number_pieces(f"N{i}", *pair) for i, pair in enumerate(zip(literals, value_ranks(numbers)))])
    return [next(described) if is_name(word) else pieces(word) for word in masked], literals, numbers


def read_problem(id, words, equation, answer, english):
    """Words, an infix equation and an answer as recorded -> Problem. Raises DataError for an unreadable text or answer;
    an equation that cannot be read becomes the problem's flaw."""
    if not words:
        raise DataError(f"record {id}: its text is empty: mend or remove it")
    try:
        " ".join(words).encode()
        read, literals, numbers = read_text(words, english)
    except (EquationError, UnicodeEncodeError) as error:  # a number without end; half a character, "\ud800"
        raise DataError(f"record {id}: its text cannot be read ({error}): mend or remove it") from None
    fractions = {value for value, literal in zip(numbers, literals) if "/" in literal}
    prefix, flaw = [], ""
    try:
        prefix = name_numbers(infix_to_prefix(lex(equation, fractions)), literals)
    except EquationError as error:
        flaw = str(error)
    try:
        recorded, decimal = read_answer(answer), is_decimal(answer)
    except EquationError as error:
        raise DataError(f"record {id}: its answer {answer!r} cannot be read ({error}): mend or remove it") from None
    return Problem(id, " ".join(words), read, numbers, prefix, recorded, decimal, recorded, flaw)


def is_name(word):
    """Whether a word of a masked text, or a token of an equation, is a number's name: N0, N1, …"""
    return word[:1] == "N" and word.isascii() and word[1:].isdecimal()


def read_math23k(path):
    """One of the published JSON files -> [Problem] in file order. Raises DataError."""
    text = read_text_file(path)
    try:
        records = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path} cannot be read as JSON ({one_line(error)}): download it again") from None
    if not isinstance(records, list) or not records:
        raise DataError(f"{path} holds no list of records: download it again")
    problems = []
    for place, record in enumerate(records):
        try:
            problems.append(read_problem(str(record["id"]), record["new_split"].split(), record["equation"],
                                         str(record["ans"]), english=False))
        except (KeyError, TypeError, AttributeError) as error:
            raise DataError(f"{path}: record {place} lacks a field or has one of the wrong kind ({error}): "
                            "download the file again") from None
        except DataError as error:
            raise DataError(f"{path}: {error}") from None
    refuse_twins([problem.id for problem in problems], path)
    return problems


def english_words(text):
    """Lower-case words, numbers and signs of an English text: "Tom's 1,250 pens." -> tom 's 1,250 pens .

    A number that begins with its point gets a zero: .5 -> 0.5
    """
    pattern = r"\d[\d,]*(?:\.\d+)?(?:/\d+)?%?|\.\d+%?|[^\W\d_]+(?:-[^\W\d_]+)*|'s\b|[^\w\s]|\w"
    words = [word.rstrip(",") or word for word in re.findall(pattern, text.lower())]
    return [f"0{word}" if re.match(r"\.\d", word) else word for word in words]


def chinese_words(text, known):
    """Splits a Chinese text into words, the longest known one at each place; runs of digits and signs stay whole."""
    longest, words = max((len(word) for word in known), default=1), []
    for run in re.findall(r"[\x21-\x7e]+|[^\x00-\x7f]+", text.translate(PLAIN_DIGITS)):
        while run:
            size = len(run) if run.isascii() else next(
                (size for size in range(min(longest, len(run)), 1, -1) if run[:size] in known), 1)
            words.append(run[:size])
            run = run[size:]
    return words


def read_asdiv(path):
    """The published XML and fold lists -> five lists of [Problem], in the lists' order. Raises DataError."""
    path = Path(path)
    text = read_text_file(path / "ASDiv.xml")
    if "<!DOCTYPE" in text or "<!ENTITY" in text:  # a few lines of entities can stand for gigabytes
        raise DataError(f"{path / 'ASDiv.xml'} declares entities, which the published file does not: download it again")
    try:
        records = list(ElementTree.fromstring(text).iter("Problem"))
    except (ElementTree.ParseError, ValueError) as error:
        raise DataError(f"{path / 'ASDiv.xml'} cannot be read as XML ({error}): download it again") from None
    refuse_twins([record.get("ID") for record in records], path / "ASDiv.xml")
    records = {record.get("ID"): record for record in records}
    lists = [path / "nfolds" / "asdiv-a" / f"fold{number}.txt" for number in range(5)]
    folds = [read_text_file(name).split() for name in lists]
    for name, fold in zip(lists, folds):
        if not fold:
            raise DataError(f"{name} names no problem: download it again")
    refuse_twins(sum(folds, []), lists[0].parent)
    missing = [id for fold in folds for id in fold if id not in records]
    if missing:
        raise DataError(f"{path / 'ASDiv.xml'} lacks the problem {missing[0]} of the fold lists: download it again")
    return [[_asdiv_problem(path / "ASDiv.xml", records[id]) for id in fold] for fold in folds]


def _asdiv_problem(path, record):
    id = record.get("ID")
    try:
        body, question, formula, answer = (record.find(name).text.strip()
                                           for name in ("Body", "Question", "Formula", "Answer"))
    except AttributeError:
        raise DataError(f"{path}: problem {id} lacks Body, Question, Formula or Answer: download it again") from None
    try:
        left, _, right = formula.partition("=")
        problem = read_problem(id, english_words(f"{body} {question}"), left, answer, english=True)
    except DataError as error:
        raise DataError(f"{path}: {error}") from None
    if REMAINDER.search(right) and problem.equation:
        # The field counts the plain quotient; the recorded answer alone is the strict figure.
        problem.answer = evaluate(problem.equation, problem.numbers)
    return problem


def load(data, fold=0, tuning=False):
    """The splits of "sample", "asdiv-a" or "math23k". Raises DataError.

    ASDiv-A: the fold is the test split and the model trains on the other four. To choose settings, `tuning`
    leaves the fold alone: a tenth of the other four is the validation split, and there is no test split.
    """
    path = folder(data)
    if data == "asdiv-a":
        if fold not in range(5):
            raise DataError(f"ASDiv-A has no fold {fold}: choose one of 0 to 4")
        folds = read_asdiv(path)
        others = [problem for number, problems in enumerate(folds) if number != fold for problem in problems]
        if not tuning:
            return Splits(others, [], folds[fold])
        return Splits([p for place, p in enumerate(others) if place % 10], others[::10], [])
    chinese = [read_math23k((path / "math23k" if data == "sample" else path) / f"{split}23k_processed_nodup.json")
               for split in ("train", "valid", "test")]
    refuse_twins([problem.id for split in chinese for problem in split], path)
    if data == "math23k":
        return Splits(*chinese)
    english = read_asdiv(path / "asdiv")
    return Splits(chinese[0] + sum(english[2:], []), chinese[1] + english[1], chinese[2] + english[0])


def problem_lengths(problems):
    """(source words, equation tokens) of each problem that has an equation: what measure.py counts by."""
    return [(len(problem.words), len(problem.equation)) for problem in problems if problem.equation]


@dataclass
class Vocabularies:
    source: Vocabulary
    target: Vocabulary

    @classmethod
    def of(cls, problems, least=2, least_constant=5):
        """Words and pieces seen `least` times, and what equations are written with: operators, the numbers' names and
        the constants that `least_constant` equations or more use. A rarer constant makes its equation untrainable."""
        tokens = Counter(token for problem in problems for token in set(problem.equation))
        names = max(int(token[1:]) for token in tokens if is_name(token)) + 1
        constants = sorted(token for token, count in tokens.items()
                           if count >= least_constant and not is_name(token) and token not in OPERATORS)
        return cls(Vocabulary.of([sum(problem.words, []) for problem in problems], least),
                   Vocabulary([*OPERATORS, *constants, *(f"N{index}" for index in range(names))]))

    def can_write(self, problem):
        """Whether the problem has an equation, and every token of it is in the target vocabulary."""
        return bool(problem.equation) and all(token in self.target.index for token in problem.equation)


@dataclass
class Batch:
    source: torch.Tensor  # (B, S, P), the pieces of each word, padded with PAD
    lengths: torch.Tensor  # (B,)
    target: torch.Tensor  # (B, T), padded with PAD, or (2B, T): all equations, then all of them mirrored
    counts: torch.Tensor  # (B,): how many numbers each problem has
    start: torch.Tensor | None = None  # (2B,): BOS before an equation, MIRROR before a mirrored one; None: BOS always
    places: list[int] = field(default_factory=list)  # where its problems stand in the list that was batched

    def to(self, device):
        return Batch(*(x if x is None else x.to(device)
                       for x in (self.source, self.lengths, self.target, self.counts, self.start)), self.places)


def pad(rows):
    """Lists of ids -> (B, longest), filled up with PAD."""
    rows = [torch.tensor(row, dtype=torch.long) for row in rows]
    return torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=PAD)


def pad_words(texts):
    """Texts of words of pieces, [[[id]]] -> (B, S, P), filled up with PAD."""
    most = max(len(word) for text in texts for word in text)
    return pad([[word + [PAD] * (most - len(word)) for word in text] for text in texts])


def batches(problems, vocabularies, size, generator=None, mirrored=False):
    """[Problem] -> [Batch] of `size` problems of similar length, in text and equation, so that little is padding.

    With a torch.Generator problems of like length meet in changing company and the batches come in random order;
    without one, they come from short to long. mirrored: every equation is a target twice, as it is and mirrored.
    """
    sources = [vocabularies.source.encode_words(problem.words) for problem in problems]
    targets = [vocabularies.target.encode(problem.equation) for problem in problems]
    order = torch.randperm(len(problems), generator=generator).tolist() if generator else range(len(problems))
    order = sorted(order, key=lambda place: (len(sources[place]) // 3, len(targets[place])))
    groups = [order[start:start + size] for start in range(0, len(order), size)]
    if generator:
        groups = [groups[place] for place in torch.randperm(len(groups), generator=generator).tolist()]
    made = []
    for group in groups:
        written, start = [targets[place] for place in group], None
        if mirrored:
            written += [vocabularies.target.encode(mirror(problems[place].equation)) for place in group]
            start = torch.tensor([BOS] * len(group) + [MIRROR] * len(group))
        made.append(Batch(pad_words([sources[place] for place in group]),
                          torch.tensor([len(sources[place]) for place in group]), pad(written),
                          torch.tensor([len(problems[place].numbers) for place in group]), start, group))
    return made
