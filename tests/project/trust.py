"""Bad input and crashes: what must hold then. test_trust.py runs a small part of each check.

`python tests/project/trust.py` checks all of it, for a few minutes, and writes
lessons/results/trust.json.
"""
import argparse
import contextlib
import functools
import gc
import io
import itertools
import json
import multiprocessing
import operator
import os
import random
import re
import sys
import tempfile
import time
from collections import Counter
from fractions import Fraction
from functools import partial
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]  # for a program of its own, outside of pytest

import sympy  # noqa: E402
import torch  # noqa: E402

from builders import model_for  # noqa: E402
from cases import small_problem, table  # noqa: E402
from reference import Refused, exact_prefix, exact_text, value_of  # noqa: E402
from tinyprune import train as training  # noqa: E402
from tinyprune.checker import (  # noqa: E402
    canonical,
    check_answer,
    evaluate_prefix,
    evaluate_text,
    operand_value,
    read_answer,
)
from tinyprune.checkpoint import load_model, read, save, save_model  # noqa: E402
from tinyprune.data import load, read_asdiv, read_math23k  # noqa: E402
from tinyprune.distill import distillation_loss, task_loss  # noqa: E402
from tinyprune.dynamic_pruning import DynamicPruning  # noqa: E402
from tinyprune.files import FileError, write_text  # noqa: E402
from tinyprune.quantities import EquationError, is_name, read_number  # noqa: E402
from tinyprune.results import RESULTS, gather, write_findings  # noqa: E402
from tinyprune.scorer import norm_score  # noqa: E402
from tinyprune.solver import MAX_PROBLEM_CHARACTERS  # noqa: E402
from tinyprune.tokenizer import OPERATORS, infix_to_prefix, mirror, prefix_to_infix  # noqa: E402
from tinyprune.train import TrainConfig, steps_of, train  # noqa: E402
from tinyprune.vocabulary import Vocabularies  # noqa: E402
from tinyprune.words import read_words  # noqa: E402

splits_of = functools.cache(load)  # each set is read once
SLOW = 50  # milliseconds of processor time that no check may take


@contextlib.contextmanager
def light_heap():
    """Leaves what is loaded already out of garbage collection: its pauses are not what is timed."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


def equation_text(problem):
    """The problem's equation in infix, of digits, signs and brackets alone."""
    def in_digits(token):  # 12, 0.25, or (1/3) where it has no end
        value = operand_value(token, problem.numbers)
        if 10**6 % value.q:
            return f"({value})"
        return str(value if value.q == 1 else float(value))

    tokens = [token if token in OPERATORS else in_digits(token) for token in problem.equation]
    return prefix_to_infix(tokens).replace(" ", "")


# Fuzzing: equations' texts (str), prefix equations (list), problems' texts (tuple), all at random

HARD = [text * int(times) + end for text, times, end in table("""
    9**9**9**9 | 1       |
    9^9^9^9    | 1       |
    (9^64)^64  | 1       |
    9^64*9^64* | 90      | 1
    1          | 1000000 |
    (          | 990     |
    (a         | 499     |
    5(         | 499     |
    1,         | 499     |
    (1/        | 300     |
    1/(1/(     | 60      |
    -          | 999     | 1
    %          | 999     |
    x=         | 499     |
    1(1/3)     | 160     |
    1/7+       | 248     | 1/7
    2^         | 498     | 2
    0.0001/    | 139     | 0.0001
    1_         | 499     |
    (1)%       | 240     |
    (1)%+      | 190     | 1
    1_1/2_     | 160     |
    5又1/2:    | 160     | 1
    又1/2      | 200     |
    1又        | 499     |
    1_/_       | 240     |
    (1/_       | 240     |
    1，260     | 190     |
    10万+      | 240     | 1
    .5         | 499     |
    1_%        | 330     |
    two_hundred_and_        | 60 |
    a_thousand_             | 90 | and one
    two_hundred_thousand,_  | 45 | six
    1,111      | 1       | ,111,111,111,111,11
    twenty-    | 140     |
    one_       | 240     |
    MP3        | 330     |
    -3_        | 330     |
""")]
HARD = [text.replace("_", " ") for text in HARD]
HARD += ["(" * 10_000 + "1" + ")" * 10_000, "(((" + "0" * 990 + "1)))", " " * 1000,
         " " * 500 + "(" + "a" * 490 + ")", "0" * 500 + "/" + "0" * 499]
SIGNS = [*"0123456789" * 2, *"+-*/^()[]{}.,%= xN１（÷−千e0²٣\n\0😀:：又万亿$，％", " 1/2", " / ",
         *"** (3/8) 5(1/2) x= =x 1/2 20% 1,250 又1/2 )% .5 5. 1，260".split()]
TOKENS = OPERATORS * 3 + ["", *"N0 N1 N2 N3 1 2 0 3.14 50% (3/8) 5(1/2) 1/2 ( ) N7 N01 N٣ <unk> x "
                          "nan -3 1e5 ² 7,000 1. .5 5又1/2 10万 )% % -1/2 N99999999999".split()]
WORDS = [" "] * 20 + [
    *"0123456789()-/.,%$N，又万度个有x٣²😀\0",
    *"1/2 (3/8) 3/4/5 5(3/4) -3 .5 5. 20% 1,260 1，260 3:1 MP3 N0 A4 5m2 Kg4.5 3rd two six twenty "
     "ten hundred thousand million billion a and one each the of day -five ſix fıve -year".split()]
FRACTIONS = [Fraction(5), Fraction(-3, 4), Fraction(2), Fraction(0)]
NUMBERS = list(map(sympy.Rational, FRACTIONS))


def mutated(items, rng, alphabet):
    """A copy of a list with one to three parts removed, doubled, put in or exchanged."""
    items = list(items)
    for _ in range(rng.randint(1, 3)):
        start = rng.randrange(len(items) + 1)
        end = start + rng.randint(1, 3)
        part = items[start:end]
        new = rng.choice(alphabet)
        items[start:end] = rng.choice([[], part + part, [new, *part], [new, *part[1:]]])
    return items


def inputs(texts, prefixes, seed):
    """Inputs of all kinds without end, many of them mutations of the given ones."""
    rng = random.Random(seed)
    yield from HARD
    yield from map(list, HARD)
    for text, english in itertools.product(HARD, [True, False]):
        yield text[:MAX_PROBLEM_CHARACTERS].split(), english
    while True:
        length = rng.randrange(rng.choice([4, 12, 12, 60]))
        yield "".join(rng.choices(SIGNS, k=length))
        yield rng.choices(TOKENS, k=length)
        yield "".join(mutated(rng.choice(texts), rng, SIGNS))
        yield mutated(rng.choice(prefixes), rng, TOKENS)
        yield "".join(rng.choices(WORDS, k=length)).split(), rng.random() < 0.6


def names_of(words, english):
    """The names in a text, and how many numbers it has. Raises EquationError."""
    try:
        words, literals, _ = read_words(words, english)
    except EquationError as error:
        if error.reason != "too long":
            raise  # whatever is found in a text must be a number
        return [], 0
    return [word for word, *_ in words if is_name(word)], len(literals)


def results_of(given):
    """What the library makes of an input: {a name: a value, None if it refuses}"""
    if isinstance(given, tuple):
        return {"value": None, "names": names_of(*given)}
    if isinstance(given, str):
        functions = {"value": evaluate_text, "answer": read_answer, "number": read_number}
    else:
        answer = partial(check_answer, numbers=NUMBERS, answer=NUMBERS[0], decimals=4)
        functions = {"value": partial(evaluate_prefix, numbers=NUMBERS), "canonical": canonical,
                     "mirror": mirror, "infix": prefix_to_infix, "prefix": infix_to_prefix,
                     "answer": answer}
    return {name: value_of(function, given, refusal=EquationError)
            for name, function in functions.items()}


def complaint(given, found):
    """What is wrong with what `results_of` found, or None."""
    value = found["value"]
    if isinstance(given, tuple):
        names, count = found["names"]
        return None if names == [f"N{i}" for i in range(count)] else f"{names} name {count} numbers"
    if isinstance(given, str):
        exact = partial(exact_text, given)
        if found["number"] is not None and found["number"] != value:
            return "is another number than the equation of this number alone"
        if found["number"] is not None and found["number"] != found["answer"][0]:
            return "is another number than the answer"
    else:
        exact = partial(exact_prefix, given, FRACTIONS)
        if len({found[name] is None for name in ("canonical", "mirror", "infix")}) > 1:
            return "canonical, mirror and prefix_to_infix do not agree whether it is an equation"
        if found["mirror"] and mirror(found["mirror"]) != given:
            return "mirrored twice it is another equation"
        if (found["answer"] in ("right", "right by rounding", "wrong")) != (value is not None):
            return "check_answer and evaluate_prefix do not agree"
    if value is None or value_of(exact, refusal=Refused) == Fraction(value.p, value.q):
        return None
    return f"has the value {str(value)[:40]}, which the independent evaluator does not give"


@light_heap()
def fuzz(count, texts, prefixes, seed=0):
    """-> how many inputs were tried and accepted, how many failed, the slowest, and examples

    A failure is an exception that is no EquationError, more than SLOW ms of processor time for all
    functions together, a value that the independent evaluator does not give, a number that is
    another one as an answer or as an equation, or a text whose names are not those of its numbers.
    """
    failures = []
    slowest = 0.0
    accepted = 0
    for given in itertools.islice(inputs(texts, prefixes, seed), count):
        started = time.thread_time()
        try:
            found = results_of(given)
            milliseconds = 1000 * (time.thread_time() - started)
            slowest = max(slowest, milliseconds)
            accepted += found["value"] is not None
            problem = complaint(given, found)
            if milliseconds > SLOW:
                problem = f"{milliseconds:.0f} ms"
        except Exception as error:
            problem = f"{type(error).__name__}: {error}"[:80]
        if problem:
            failures.append(f"{str(given)[:80]}: {problem}")
    return {"fuzz_inputs": count, "fuzz_accepted": accepted, "fuzz_failures": len(failures),
            "slowest_check_ms": round(slowest, 2), "fuzz_examples": failures[:20]}


# Speed

@light_heap()
def speed(problems):
    """Checks a second of processor time, ours and sympy's own, on the same texts, in turn.

    sympify uses eval, and no text of a file or a model may reach it: equation_text writes them.
    """
    ours = 0.0
    theirs = 0.0
    agree = 0
    for problem in problems:
        text = equation_text(problem)
        started = time.process_time()
        right = evaluate_text(text) == problem.answer
        between = time.process_time()
        value = sympy.sympify(text.replace("^", "**"), rational=True)
        agree += right == (sympy.simplify(value - problem.answer) == 0)
        ours += between - started
        theirs += time.process_time() - between
    return {"checks_per_second": round(len(problems) / ours),
            "sympy_checks_per_second": round(len(problems) / theirs),
            "times_as_fast": round(theirs / ours, 1), "speed_texts": len(problems),
            "speed_agree": agree}


# Agreement with the records

def agreement(data):
    """How many recorded equations have the recorded answer, and each that has not, by cause.

    The divisions with remainder, whose recorded answer is a rounded quotient, are counted apart.
    """
    splits = splits_of(data)
    problems = splits.train + splits.valid + splits.test
    plain = [problem for problem in problems if problem.reference_answer == problem.answer]
    outcomes = Counter()
    rest = {}
    for problem in plain:
        found = check_answer(problem.equation, problem.numbers, problem.answer, problem.decimals)
        outcomes[found] += 1
        if problem.parse_error:
            rest[problem.id] = f"the equation cannot be read: {problem.parse_error}"
        elif not found.startswith("right"):
            value = evaluate_prefix(problem.equation, problem.numbers)
            rest[problem.id] = (f"{found}: it has the value {float(value):.12g}, "
                                f"recorded {float(problem.answer):.12g}")
    right = len(plain) - len(rest)
    return {"asked": len(plain), "right": right, "exactly": outcomes["right"],
            "remainder_divisions": len(problems) - len(plain), "share": right / len(plain),
            "rest": rest}


# Kills

def train_for_a_while(folder):
    """Distils a small student while heads are pruned: a checkpoint must hold all of that state."""
    torch.set_num_threads(1)
    training.SAVE_EVERY = 0.2
    problems = [small_problem("tom gets N0 and N1 pens", "+ N0 N1"),
                small_problem("tom loses N0 and N1 pens", "- N0 N1")] * 80
    vocabularies = Vocabularies.of(problems)
    model, teacher = [model_for(vocabularies, seed, width=32, heads=4, dropout=0.1)
                      for seed in (1, 2)]
    config = TrainConfig(epochs=5, batch_size=8, learning_rate=2e-3)
    steps = steps_of(config, problems, vocabularies)
    pruning = DynamicPruning(partial(norm_score, batches=[]), 0.4, steps // 2, steps // 20)
    loss = partial(distillation_loss, teacher=teacher, label_smoothing=0.1)
    with contextlib.redirect_stdout(io.StringIO()):
        log = train(model, problems, vocabularies, config, loss=loss, pruning=pruning,
                    checkpoint=folder / "checkpoint")
    weights = {name: weight.tolist() for name, weight in model.state_dict().items()}
    end = [weights, log, pruning.log, sorted(pruning.pruned)]
    write_text(folder / "end", json.dumps(end))


def kills(count, seed=0):
    """Trains once without a break, then again with SIGKILLs at `count` random moments: same end?"""
    rng = random.Random(seed)
    processes = multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload(["sympy", "torch._dynamo"])  # a new process begins at once

    def start(folder):
        child = processes.Process(target=train_for_a_while, args=(folder,))
        child.start()
        return child

    identical = 0
    moments = []
    with tempfile.TemporaryDirectory() as base:
        whole = Path(base) / "whole"
        processes.Process(target=int).start()  # waits for the server, which is not to be timed
        started = time.perf_counter()
        start(whole).join()
        seconds = time.perf_counter() - started
        while len(moments) < count:
            folder = Path(tempfile.mkdtemp(dir=base))
            before = len(moments)
            while not (folder / "end").exists():
                child = start(folder)
                child.join(rng.uniform(0, seconds) if len(moments) < count else None)
                if child.exitcode is None:
                    child.kill()
                    child.join()
                    saved = folder / "checkpoint"
                    moments.append(read(saved)["done"] if saved.exists() else 0)
                else:
                    assert child.exitcode == 0, "the training failed"
            same = (folder / "end").read_text() == (whole / "end").read_text()
            identical += same * (len(moments) - before)
    return {"kills": len(moments), "kills_bit_identical": identical,
            "kills_found_at_step": sorted(moments)}


# Bad files: an attempt is a function of an empty folder, and must end with a FileError

RECORD = """{"id": "7", "new_split": "有 12 个 苹果 ， 吃 了 ( 3 / 8 ) ， 剩 多少 ？",
"equation": "x=12*(1-(3/8))", "ans": "7.5"}"""
FOLDS = "f0 f1 f2 f3 f4"
PROBLEMS = "".join(f"""<Problem ID="{name}"><Body>Tom has 7 pens.</Body>
<Question>How many with 5 more?</Question><Formula>5+7=12</Formula><Answer>12 (pens)</Answer>
</Problem>""" for name in FOLDS.split())
XML = f'<?xml version="1.0" encoding="UTF-8"?><Machine>{PROBLEMS}</Machine>'
BOMB = "".join(f'<!ENTITY b{n} "{f"&b{n - 1};" * 10}">' for n in range(1, 12))


def write(path, content):
    path.write_bytes(content if isinstance(content, bytes) else content.encode())


def math(content):
    """Reads this text, or these bytes, as a file of Math23k."""
    def attempt(folder):
        write(folder / "math.json", content)
        read_math23k(folder / "math.json")
    return attempt


def endless_line(folder):
    with open(folder / "math.json", "wb") as file:
        file.truncate(2**30)  # 1 GB that takes no room
    read_math23k(folder / "math.json")


def asdiv(xml=XML, folds=FOLDS):
    """Reads this text, or these bytes, as ASDiv.xml, with one problem in each fold."""
    def attempt(folder):
        lists = folder / "nfolds" / "asdiv-a"
        lists.mkdir(parents=True)
        for number, name in enumerate(folds.split(" ")):
            write(lists / f"fold{number}.txt", name)
        write(folder / "ASDiv.xml", xml)
        read_asdiv(folder)
    return attempt


def with_entity(declaration, use):
    document = XML.replace("<Machine>", f"<!DOCTYPE a [{declaration}]><Machine>")
    return asdiv(document.replace("Tom", use))


def own_problems():
    problems = splits_of("sample").train[:40]
    return problems, Vocabularies.of(problems, min_count=1)


def write_model(path):
    _, vocabularies = own_problems()
    save_model(model_for(vocabularies), vocabularies, path)


def model_file(change):
    """Loads a model's file after change(its path)."""
    def attempt(folder):
        write_model(folder / "model.pt")
        change(folder / "model.pt")
        load_model(folder / "model.pt")
    return attempt


def checkpoint(change):
    """Trains, then change(path of the checkpoint), then goes on."""
    def attempt(folder):
        path = folder / "run"
        problems, vocabularies = own_problems()
        config = TrainConfig(epochs=1, batch_size=8)
        with contextlib.redirect_stdout(io.StringIO()):
            for prepare in (keep, change):
                prepare(path)
                train(model_for(vocabularies), problems, vocabularies, config, loss=task_loss,
                      checkpoint=path)
    return attempt


# changes of a file: functions of its path

def keep(path):
    """Leaves the file as it is."""


def cut(path):
    path.write_bytes(path.read_bytes()[:-1000])


def flip(path):
    """One bit of a weight."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 16
    path.write_bytes(content)


def make_folder(path):
    path.unlink()
    path.mkdir()


def set_trap(path):
    """Unpickled, what is written here would make a folder."""
    class Trap:
        def __reduce__(self):
            return os.mkdir, (str(path.with_name("sprung")),)

    torch.save({"config": Trap()}, path)


def edited(keys, value):
    """Puts a value where these keys lead, or removes what is there; keys and value as JSON."""
    def change(path):
        whole = [read(path)]
        *outer, last = [0, *json.loads(keys)]
        part = functools.reduce(operator.getitem, outer, whole)
        if value:
            part[last] = json.loads(value)
        else:
            del part[last]
        save(whole[0], path)
    return change


TEXTS = """
    JSON cut off                | [{"id": "7", "new_split":
    empty file                  |
    JSON of a number            | 7
    JSON of an object           | {"id": "7", "new_split": "3", "equation": "x=3", "ans": "3"}
    an empty list               | []
    a list of numbers           | [1, 2]
"""
RECORDS = """
    without an id               | "id"             | "it"
    without a text              | "new_split"      | "old_split"
    without an equation         | "equation"       | "formula"
    without an answer           | "ans"            | "answer"
    half a character            | 吃               | \\ud800
    an empty text               | 有 12 个 苹果 ， 吃 了 ( 3 / 8 ) ， 剩 多少 ？ |
    a number for an equation    | "x=12*(1-(3/8))" | 7
    an answer that is a word    | "7.5"            | "seven"
    an answer that is no number | "7.5"            | NaN
"""
DOCUMENTS = """
    XML cut off                 | </Machine>       |
    a null character            | Tom              | \0
    no Formula                  | Formula          | Formulas
    an empty Answer             | 12 (pens)        |
    duplicate problems          | "f1"             | "f0"
    a problem without its ID    | ID="f1"          |
"""
LISTS = """
    a problem in two folds      | f0 f1 f2 f3 f0
    a fold of unknown problems  | f0 f1 f2 f3 ghost
    a missing fold              | f0 f1 f2 f3
"""
MODELS = """
    of a list                  | []                             | [1, 2]
    with another shape         | ["config", "width"]            | 20
    with a layer too many      | ["config", "encoder_layers"]   | 3
    that asks for all memory   | ["config", "width"]            | 1000000000
    with an unknown setting    | ["config", "colour"]           | 1
    without a setting          | ["config", "target_tokens"]    |
    with a word too few        | ["source", -1]                 |
    with a word twice          | ["target", -1]                 | "N0"
    with a number for a word   | ["source", -1]                 | 7
    without words              | ["source"]                     |
    without weights            | ["weights"]                    |
    that lacks a weight        | ["weights", "classifier.bias"] |
"""
CHECKPOINTS = """
    of a list                  | []                             | [1, 2]
    without its weights        | ["model"]                      |
    without its optimizer      | ["optimizer"]                  |
    without its steps          | ["done"]                       |
    with fewer steps than none | ["done"]                       | -3
    with more steps than all   | ["done"]                       | 99999
    of a null optimizer        | ["optimizer"]                  | null
    of another run             | ["identity"]                   | "another"
"""
DAMAGES = {
    "that is cut off": cut, "with a bit that is another": flip,
    "that is empty": lambda path: path.write_bytes(b""),
    "that is a text": lambda path: path.write_text("step 7"), "that is a folder": make_folder,
    "of one tensor": lambda path: save(torch.zeros(3), path), "that runs code": set_trap}
BAD_FILES = {
    "nested without end": math("[" * 100_000), "binary": math(bytes(range(256))),
    "UTF-16": math(f"[{RECORD}]".encode("utf-16")),
    "GB18030": math(f"[{RECORD}]".encode("gb18030")), "1 GB in a line": endless_line,
    "5,000 digits as the answer": math(f"[{RECORD}]".replace('"7.5"', "9" * 5000)),
    "5,000 digits in the text": math(f"[{RECORD}]".replace("12", "9" * 5000)),
    "duplicate ids": math(f"[{RECORD}, {RECORD}]"),
    "empty XML": asdiv(""), "JSON in place of XML": asdiv("[]"),
    "XML in UTF-16": asdiv(XML.replace("UTF-8", "UTF-16").encode("utf-16")),
    "an entity": with_entity('<!ENTITY b "bb">', "&b;"),
    "entity bomb": with_entity(f'<!ENTITY b0 "bb">{BOMB}', "&b11;"),
    "an entity from outside": with_entity('<!ENTITY p SYSTEM "file:///etc/passwd">', "&p;"),
    "an empty fold": asdiv(folds="f0 f1 f2 f3 "),
    "a model's file that is not there": model_file(Path.unlink),
    "a checkpoint that is a model": checkpoint(write_model)}
BAD_FILES |= {name: math(text) for name, text in table(TEXTS)}
BAD_FILES |= {name: math(f"[{RECORD.replace(old, new)}]") for name, old, new in table(RECORDS)}
BAD_FILES |= {name: asdiv(XML.replace(old, new)) for name, old, new in table(DOCUMENTS)}
BAD_FILES |= {name: asdiv(folds=folds) for name, folds in table(LISTS)}
for name, change in DAMAGES.items():
    BAD_FILES[f"a model's file {name}"] = model_file(change)
    BAD_FILES[f"a checkpoint {name}"] = checkpoint(change)
for name, *change in table(MODELS):
    BAD_FILES[f"a model's file {name}"] = model_file(edited(*change))
for name, *change in table(CHECKPOINTS):
    BAD_FILES[f"a checkpoint {name}"] = checkpoint(edited(*change))


def bad_file(name, folder):
    """Tries one of BAD_FILES. Raises AssertionError if it is not refused in one sentence."""
    try:
        BAD_FILES[name](folder)
    except FileError as error:
        sentence = str(error)
        assert "\n" not in sentence and str(folder) in sentence and len(sentence) < 800, sentence
        assert re.search("delete|download|mend|remove|make room", sentence), sentence
    else:
        raise AssertionError(f"{name}: was not refused")
    assert not (folder / "sprung").exists(), "reading the file ran its code"


def bad_files():
    surprises = []
    for name in BAD_FILES:
        with tempfile.TemporaryDirectory() as folder:
            try:
                bad_file(name, Path(folder))
            except Exception as error:  # whatever it is, it is no refusal
                surprises.append(f"{name}: {type(error).__name__}: {error}")
    return {"bad_files_tried": len(BAD_FILES),
            "bad_files_refused": len(BAD_FILES) - len(surprises), "bad_files_surprises": surprises}


# All of it

def with_equations(problems):
    return [problem for problem in problems if problem.equation]


@functools.cache
def real_equations(data):
    """Recorded equations as infix texts with their numbers, and as prefix lists over names."""
    splits = splits_of(data)
    problems = with_equations(splits.train + splits.test)
    texts = [f"x={equation_text(problem)}" for problem in problems]
    return texts, [problem.equation for problem in problems]


def all_checks(inputs):
    yield {"math23k": agreement("math23k"), "asdiv_a": agreement("asdiv-a")}
    yield speed(with_equations(splits_of("math23k").test))
    yield bad_files()
    yield kills(30)
    yield fuzz(inputs, *real_equations("math23k"))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=1_000_000, help="of the fuzz")
    parser.add_argument("--out", type=Path, default=RESULTS)
    args = parser.parse_args()
    started = time.time()
    torch.set_num_threads(1)
    write_findings(args.out / "trust.json", gather(all_checks(args.inputs)), started)


if __name__ == "__main__":
    main()
