"""What must hold under bad input and crashes. `python tests/trust.py` checks all of it, for a few minutes, and
writes lessons/results/trust.json; test_trust.py runs a small part of each check.
"""
import argparse
import contextlib
import functools
import gc
import io
import json
import multiprocessing
import os
import random
import sys
import tempfile
import time
from fractions import Fraction
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # as a program of its own, this file lies outside the package's reach

import sympy
import torch

from reference import Refused, exact_prefix, exact_text, value_of
from tinyprune import train as training
from tinyprune.checker import canonical, evaluate, evaluate_text, read_answer, verdict
from tinyprune.data import DataError, Vocabularies, load, read_asdiv, read_math23k, read_problem
from tinyprune.distill import Distillation
from tinyprune.masking import DynamicPruning
from tinyprune.recipe import steps_of
from tinyprune.results import RESULTS, provenance, write_text
from tinyprune.scorer import head_scores
from tinyprune.tokenizer import OPERATORS, EquationError, infix_to_prefix, mirror, prefix_to_infix, read_number
from tinyprune.train import CheckpointError, Settings, load_model, read, save, save_model, task_loss, train
from tinyprune.transformer import Config, Transformer

splits_of = functools.cache(load)  # each set is read once
SLOW = 50  # milliseconds of processor time that no check may take


@contextlib.contextmanager
def light_heap():
    """Leaves what is loaded already out of garbage collection, whose pauses are no fault of what is timed."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


# Fuzzing

HARD = ["9**9**9**9", "9^9^9^9", "(" * 10_000 + "1" + ")" * 10_000, "(" * 990, "1" * 1_000_000, "-" * 999 + "1",
        "(9^64)^64", "9^64*9^64*" * 90 + "1", "1/(1/(" * 60, " " * 1000, " " * 500 + "(" + "a" * 490 + ")", "(a" * 499,
        "5(" * 499, "1," * 499, "(1/" * 300, "%" * 999, "x=" * 499, "+".join(["1/7"] * 249), "^".join("2" * 499),
        "/".join(["0.0001"] * 140), "1(1/3)" * 160, "(((" + "0" * 990 + "1)))", "0" * 500 + "/" + "0" * 499]
SIGNS = list("0123456789" * 2 + "+-*/^()[]{}.,%= xN") + ["**", "(3/8)", "5(1/2)", "x=", "=x", "１", "（", "÷", "−", "千",
                                                        "e", "1/2", "20%", "1,250", "0", "²", "٣", "\n", "\0", "😀"]
TOKENS = OPERATORS * 3 + ["N0", "N1", "N2", "N3", "1", "2", "0", "3.14", "50%", "(3/8)", "5(1/2)", "1/2", "(", ")",
                          "N7", "N01", "N٣", "<unk>", "", "x", "nan", "-3", "1e5", "²", "7,000", "1.", "N99999999999"]
NUMBERS = [Fraction(5), Fraction(-3, 4), Fraction(2), Fraction(0)]


def mutated(items, rng, alphabet):
    """A copy of a list with one to three pieces removed, doubled, exchanged or put in."""
    items = list(items)
    for _ in range(rng.randint(1, 3)):
        place, length = rng.randrange(len(items) + 1), rng.randint(1, 3)
        kind = rng.randrange(4)
        if kind == 0:
            del items[place:place + length]
        elif kind == 1:
            items[place:place] = items[place:place + length]
        elif kind == 2:
            items[place:place] = [rng.choice(alphabet)]
        else:
            items[place:place + 1] = [rng.choice(alphabet)]
    return items


def inputs(count, real, seed=0):
    """Texts and token lists in turn, half of them mutations of real ones: real = ([infix text], [prefix list])."""
    rng = random.Random(seed)
    yield from HARD
    yield from (list(text) for text in HARD)
    for number in range(count - 2 * len(HARD)):
        length = rng.choice([rng.randrange(4), rng.randrange(12), rng.randrange(12), rng.randrange(60)])
        if number % 4 == 0:
            yield "".join(rng.choices(SIGNS, k=length))
        elif number % 4 == 1:
            yield rng.choices(TOKENS, k=length)
        elif number % 4 == 2:
            yield "".join(mutated(rng.choice(real[0]), rng, SIGNS))
        else:
            yield mutated(rng.choice(real[1]), rng, TOKENS)


def taken(given, numbers):
    """What each function of the library makes of this text or token list: {its name: a value, None if it refuses}."""
    functions = {"value": evaluate_text, "answer": read_answer, "number": read_number}
    if not isinstance(given, str):
        functions = {"value": lambda tokens: evaluate(tokens, numbers), "canonical": canonical, "mirror": mirror,
                     "infix": prefix_to_infix, "prefix": infix_to_prefix,
                     "verdict": lambda tokens: verdict(tokens, numbers, numbers[0], True)}
    return {name: value_of(function, given, refusal=EquationError) for name, function in functions.items()}


def complaint(given, found):
    """What is wrong with what `taken` found, or None."""
    value = found["value"]
    if not isinstance(given, str):
        if len({found[name] is None for name in ("canonical", "mirror", "infix")}) > 1:
            return "canonical, mirror and prefix_to_infix do not agree whether it is an equation"
        if found["mirror"] and mirror(found["mirror"]) != given:
            return "mirrored twice it is another equation"
        if (found["verdict"] in ("right", "right by rounding", "wrong")) != (value is not None):
            return "verdict and evaluate do not agree"
    if value is not None:
        expected = value_of(*((exact_text, given) if isinstance(given, str) else (exact_prefix, given, NUMBERS)),
                            refusal=Refused)
        if expected is None or (value.p, value.q) != (expected.numerator, expected.denominator):
            return f"has the value {str(value)[:40]}, but should have {'none' if expected is None else expected}"[:120]
    return None


@light_heap()
def fuzz(count, real, seed=0):
    """-> {"fuzz_inputs", "fuzz_accepted", "fuzz_failures", "slowest_check_ms", "fuzz_examples"}

    A failure is an exception that is no EquationError, more than SLOW ms of processor time for all functions together,
    or a value that the independent evaluator does not give.
    """
    numbers = [sympy.Rational(n.numerator, n.denominator) for n in NUMBERS]
    failures, slowest, accepted, asked = [], 0.0, 0, 0
    for given in inputs(count, real, seed):
        started = time.thread_time()
        try:
            found = taken(given, numbers)
            took = 1000 * (time.thread_time() - started)
            problem = complaint(given, found)
            accepted += found["value"] is not None
        except Exception as error:
            took, problem = 0.0, f"{type(error).__name__}: {error}"[:80]
        slowest = max(slowest, took)
        if problem or took > SLOW:
            failures.append(f"{str(given)[:80]}: {problem or f'{took:.0f} ms'}")
        asked += 1
    return {"fuzz_inputs": asked, "fuzz_accepted": accepted, "fuzz_failures": len(failures),
            "slowest_check_ms": round(slowest, 2), "fuzz_examples": failures[:20]}


# Speed

def written(value):
    """A number as equations have it: 12, 0.25, or (1/3) where it has no end."""
    if value.q == 1:
        return str(value.p)
    return str(float(value)) if 10 ** 6 % value.q == 0 else f"({value.p}/{value.q})"


@light_heap()
def speed(problems):
    """Checks a second of processor time, ours and sympy's own, on the same texts, in turn.

    The texts are written here, of digits, signs and brackets alone: sympify uses eval, and no text of a file or a model
    may reach it.
    """
    texts = []
    for problem in problems:
        names = {f"N{i}": value for i, value in enumerate(problem.numbers)}
        filled = [token if token in OPERATORS else written(names[token] if token in names else read_number(token))
                  for token in problem.equation]
        texts.append((prefix_to_infix(filled).replace(" ", ""), problem.answer))
    ours, theirs, agree = 0.0, 0.0, 0
    for first in range(0, len(texts), 200):  # no text twice: sympy would remember it
        some, started = texts[first:first + 200], time.process_time()
        mine = [evaluate_text(text) == answer for text, answer in some]
        between = time.process_time()
        others = [sympy.simplify(sympy.sympify(text.replace("^", "**"), rational=True) - answer) == 0
                  for text, answer in some]
        ours, theirs = ours + between - started, theirs + time.process_time() - between
        agree += sum(a == bool(b) for a, b in zip(mine, others))
    return {"checks_per_second": round(len(texts) / ours), "sympy_checks_per_second": round(len(texts) / theirs),
            "times_as_fast": round(theirs / ours, 1), "speed_texts": len(texts), "speed_agree": agree}


# Agreement with the records

def agreement(data):
    """How many recorded equations have the recorded answer, and each that has not, by cause. The divisions with
    remainder, whose recorded answer is a rounded quotient, are counted apart."""
    splits = splits_of(data)
    problems = splits.train + splits.valid + splits.test
    remainders = [problem for problem in problems if problem.recorded != problem.answer]
    plain = [problem for problem in problems if problem.recorded == problem.answer]
    found = [(verdict(p.equation, p.numbers, p.recorded, p.decimal), p) for p in plain]
    right = sum(said.startswith("right") for said, _ in found)
    rest = {}
    for said, problem in found:
        if not said.startswith("right"):
            cause = f"the equation cannot be read: {problem.flaw}" if problem.flaw else \
                f"{said}: it has the value {float(evaluate(problem.equation, problem.numbers)):.12g}, " \
                f"recorded {float(problem.recorded):.12g}"
            rest[problem.id] = cause
    return {"asked": len(plain), "right": right, "exactly": sum(said == "right" for said, _ in found),
            "remainder_divisions": len(remainders), "share": right / len(plain), "rest": rest}


# Kills

def train_for_a_while(folder):
    """A small student that is distilled while heads close: all the state that a checkpoint has to hold."""
    torch.set_num_threads(1)
    training.SAVE_EVERY = 0.2
    problems = [read_problem(f"{n}{sign}", f"tom {verb} {n} and 7 pens".split(), f"{n}{sign}7", "1", english=True)
                for n in range(10, 90) for verb, sign in (("gets", "+"), ("loses", "-"))]
    vocabularies = Vocabularies.of(problems)
    sizes = dict(width=32, heads=4, head_width=8, encoder_layers=2, feedforward=32)
    torch.manual_seed(1)
    model, teacher = (Transformer(Config(len(vocabularies.source), len(vocabularies.target), **sizes)) for _ in "ab")
    settings = Settings(epochs=5, batch_size=8, learning_rate=2e-3)
    steps = steps_of(settings, problems, vocabularies)
    pruning = DynamicPruning(model, lambda model: head_scores(model, [], "norm_qkvo"), 0.4, end=steps // 2,
                             every=steps // 20)
    with contextlib.redirect_stdout(io.StringIO()):
        log = train(model, problems, vocabularies, settings, Distillation(teacher, smoothing=0.1),
                    folder / "checkpoint", pruning=pruning)
    save({"weights": model.state_dict(), "log": log, "pruning": pruning.log, "closed": sorted(pruning.closed)},
         folder / "end")


def same(a, b):
    """Equal bit for bit: dicts, lists, tensors and all else."""
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(same, a, b))
    return torch.equal(a, b) if isinstance(a, torch.Tensor) else a == b


def kills(count, seed=0):
    """Trains once without a break, then again and again with SIGKILLs at random moments, `count` in all: same end?"""
    rng = random.Random(seed)
    processes = multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload(["sympy", "torch._dynamo"])  # a new process begins at once

    def start(folder):
        child = processes.Process(target=train_for_a_while, args=(folder,))
        child.start()
        return child

    identical, unreadable, moments = 0, 0, []
    with tempfile.TemporaryDirectory() as base:
        processes.Process(target=int).start()  # the first waits for the server, which is not to be timed
        whole, began = Path(base) / "whole", time.perf_counter()
        start(whole).join()
        length = time.perf_counter() - began
        while len(moments) < count:
            folder, mine = Path(tempfile.mkdtemp(dir=base)), 0  # its own, should the training end before its kill
            while not (folder / "end").exists():
                child = start(folder)
                child.join(timeout=rng.uniform(0.0, length) if len(moments) < count else None)
                if child.is_alive():
                    child.kill()
                    child.join()
                    mine += 1
                    moments.append(0)
                    if (folder / "checkpoint").exists():
                        try:
                            moments[-1] = read(folder / "checkpoint")["done"]
                        except CheckpointError:
                            unreadable += 1
                elif child.exitcode:
                    raise RuntimeError(f"the training failed with {child.exitcode}")
            identical += mine * same(read(folder / "end"), read(whole / "end"))
    return {"kills": len(moments), "kills_bit_identical": identical, "kills_unreadable_checkpoints": unreadable,
            "kills_found_at_step": sorted(moments)}


# Bad files

RECORD = {"id": "7", "new_split": "有 12 个 苹果 ， 吃 了 ( 3 / 8 ) ， 剩 多少 ？", "equation": "x=12*(1-(3/8))", "ans": "7.5"}
BOMB = '<!DOCTYPE a [<!ENTITY b "bb">' + "".join(f'<!ENTITY b{n} "{f"&b{n - 1};" * 10}">' for n in range(1, 12)) + "]>"


def math(content):
    """Reads this as a file of Math23k: bytes, text, or what JSON can write."""
    def attempt(folder):
        path = folder / "math.json"
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
        read_math23k(path)
    return attempt


def asdiv(xml=lambda text: text, lists=lambda names: names):
    """Reads ASDiv with a changed ASDiv.xml or changed fold lists."""
    def attempt(folder):
        (folder / "nfolds" / "asdiv-a").mkdir(parents=True)
        for number, names in enumerate(lists([f"f{n}" for n in range(5)])):
            (folder / "nfolds" / "asdiv-a" / f"fold{number}.txt").write_text(names)
        problems = "".join(f'<Problem ID="f{n}"><Body>Tom has 7 pens.</Body><Question>How many with 5 more?</Question>'
                           f"<Formula>5+7=12</Formula><Answer>12 (pens)</Answer></Problem>" for n in range(5))
        made = xml(f'<?xml version="1.0" encoding="UTF-8"?><Machine>{problems}</Machine>')
        (folder / "ASDiv.xml").write_bytes(made if isinstance(made, bytes) else made.encode())
        read_asdiv(folder)
    return attempt


def endless_line(folder):
    with open(folder / "math.json", "wb") as file:
        file.truncate(2 ** 30)  # 1 GB that takes no room
    read_math23k(folder / "math.json")


def own_problems():
    return splits_of("sample").train[:40]


def small_model(vocabularies):
    torch.manual_seed(0)
    return Transformer(Config(len(vocabularies.source), len(vocabularies.target), width=12, heads=3, head_width=4,
                              encoder_layers=1, decoder_layers=1, feedforward=10))


def changed(change):
    """Reads a file, then writes what change(its content) gives, or the content as it changed it."""
    def apply(path):
        state = read(path)
        other = change(state)
        save(state if other is None else other, path)
    return apply


def model_file(change):
    """Loads a model's file after change(what the file holds)."""
    def attempt(folder):
        vocabularies = Vocabularies.of(own_problems(), least=1, least_constant=1)
        save_model(small_model(vocabularies), vocabularies, folder / "model.pt")
        changed(change)(folder / "model.pt")
        load_model(folder / "model.pt")
    return attempt


def checkpoint(change=lambda path: None, **settings):
    """Trains, then change(path of the checkpoint), then goes on, with other settings."""
    def attempt(folder):
        problems = own_problems()
        vocabularies = Vocabularies.of(problems, least=1, least_constant=1)

        def run(**more):
            train(small_model(vocabularies), problems, vocabularies, Settings(**{"epochs": 1, "batch_size": 8} | more),
                  task_loss(0.1), folder / "run")

        with contextlib.redirect_stdout(io.StringIO()):
            run()
            change(folder / "run")
            run(**settings)
    return attempt


def cut(path):
    path.write_bytes(path.read_bytes()[:-1000])


def no_room(attempt):
    """The same where no file may grow beyond a few bytes, as on a full disk."""
    def limited(folder):
        import resource  # Windows has none, and that is no reason for all other checks to fail there

        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (2000, before[1]))
        try:
            attempt(folder)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
    return limited


def without_folder(attempt):
    """The same in a place where no folder can be made."""
    def nowhere(folder):
        (folder / "file").touch()
        attempt(folder / "file")
    return nowhere


class Trap:
    """Unpickled, it would make a file."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return os.mkdir, (self.path,)


def trap(folder):
    torch.save({"config": Trap(folder / "sprung")}, folder / "model.pt")
    try:
        load_model(folder / "model.pt")
    finally:
        assert not (folder / "sprung").exists(), "reading the file ran its code"


def too_large(state):
    state["config"]["width"] = 10 ** 9


BAD_FILES = {
    "JSON cut off": math(json.dumps([RECORD])[:-20]), "empty file": math(""), "JSON of a number": math(7),
    "JSON of an object": math(RECORD), "an empty list": math([]), "a list of numbers": math([1, 2]),
    "UTF-16": math(json.dumps([RECORD], ensure_ascii=False).encode("utf-16")),
    "GB18030": math(json.dumps([RECORD], ensure_ascii=False).encode("gb18030")),
    "binary": math(bytes(range(256))), "nested without end": math("[" * 100_000), "1 GB in a line": endless_line,
    "half a character": math([RECORD | {"new_split": "有 \ud800 3 个"}]),
    "a number of 5,000 digits as the answer": math('[{"id": "7", "ans": ' + "9" * 5000 + "}]"),
    "a number of 5,000 digits in the text": math([RECORD | {"new_split": "9" * 5000}]),
    "duplicate ids": math([RECORD, RECORD]), "an answer that is no number": math([RECORD | {"ans": "seven"}]),
    "an answer NaN": math('[{"id": "7", "new_split": "3", "equation": "x=3", "ans": NaN}]'),
    "an empty text": math([RECORD | {"new_split": " "}]), "a number for an equation": math([RECORD | {"equation": 7}]),
    **{f"without {name}": math([{key: value for key, value in RECORD.items() if key != name}]) for name in RECORD},
    "XML cut off": asdiv(lambda text: text[:-30]), "empty XML": asdiv(lambda text: ""),
    "XML in UTF-16": asdiv(lambda text: text.replace("UTF-8", "UTF-16").encode("utf-16")),
    "entity bomb": asdiv(lambda text: text.replace("<Machine>", BOMB + "<Machine>").replace("Tom", "&b11;")),
    "an entity from outside": asdiv(lambda text: text.replace(
        "<Machine>", '<!DOCTYPE a [<!ENTITY p SYSTEM "file:///etc/passwd">]><Machine>').replace("Tom", "&p;")),
    "JSON in place of XML": asdiv(lambda text: "[]"), "a null character": asdiv(lambda text: text.replace("Tom", "\0")),
    "no Formula": asdiv(lambda text: text.replace("Formula", "Formulas")),
    "an empty Answer": asdiv(lambda text: text.replace("12 (pens)", "")),
    "duplicate problems": asdiv(lambda text: text.replace('"f1"', '"f0"')),
    "a problem without its ID": asdiv(lambda text: text.replace('ID="f1"', "")),
    "a problem in two folds": asdiv(lists=lambda names: names[:4] + ["f0"]),
    "a fold of unknown problems": asdiv(lists=lambda names: names[:4] + ["ghost"]),
    "an empty fold": asdiv(lists=lambda names: names[:4] + [""]),
    "a missing fold": asdiv(lists=lambda names: names[:4]),
    "a model's file that runs code": trap,
    "a model's file with another shape": model_file(lambda state: state["config"].update(width=20)),
    "a model's file with a layer too many": model_file(lambda state: state["config"].update(encoder_layers=2)),
    "a model's file that asks for all memory": model_file(too_large),
    "a model's file with an unknown setting": model_file(lambda state: state["config"].update(colour=1)),
    "a model's file with a word too few": model_file(lambda state: state["source"].pop() and None),
    "a model's file with a word twice": model_file(lambda state: state["target"].__setitem__(-1, state["target"][-2])),
    "a model's file with a number for a word": model_file(lambda state: state["source"].__setitem__(-1, 7)),
    "a model's file without weights": model_file(lambda state: state.pop("weights") and None),
    "a model's file that lacks a weight": model_file(lambda state: state["weights"].popitem() and None),
    "a model's file of a list": model_file(lambda state: [1, 2]),
    "a model's file of one tensor": model_file(lambda state: torch.zeros(3)),
    "a checkpoint cut off": checkpoint(cut), "an empty checkpoint": checkpoint(lambda path: path.write_bytes(b"")),
    "a text as a checkpoint": checkpoint(lambda path: path.write_text("step 7")),
    "a folder as a checkpoint": checkpoint(lambda path: (path.unlink(), path.mkdir())),
    "a checkpoint of a list": checkpoint(changed(lambda state: [1, 2])),
    "a checkpoint without its weights": checkpoint(changed(lambda state: state.pop("model") and None)),
    "a checkpoint of another seed": checkpoint(seed=1), "a checkpoint of more epochs": checkpoint(epochs=2),
    "a checkpoint of another config": checkpoint(changed(lambda state: state["identity"]["config"].update(heads=2))),
    "a checkpoint of other problems": checkpoint(changed(lambda state: state["identity"].update(problems="0"))),
    "a full disk": no_room(checkpoint()), "a place where nothing can be written": without_folder(checkpoint()),
}


def bad_file(name, folder):
    """Tries one of BAD_FILES. -> the one sentence with which it is refused; raises AssertionError if it is not."""
    try:
        BAD_FILES[name](folder)
    except (DataError, CheckpointError) as error:
        sentence = str(error)
        assert "\n" not in sentence and str(folder) in sentence and len(sentence) < 800, sentence
        assert any(word in sentence for word in ("delete", "download", "mend", "remove", "make room")), sentence
        return sentence
    raise AssertionError(f"{name}: was not refused")


def bad_files():
    refused, surprises = 0, []
    for name in BAD_FILES:
        with tempfile.TemporaryDirectory() as folder:
            try:
                bad_file(name, Path(folder))
                refused += 1
            except Exception as error:  # whatever it is, it is no refusal
                surprises.append(f"{name}: {type(error).__name__}: {error}"[:200])
    return {"bad_files_tried": len(BAD_FILES), "bad_files_refused": refused, "bad_files_surprises": surprises}


# All of it

def real_equations(data):
    """Recorded equations as infix texts with their numbers, and as prefix lists over names."""
    splits = splits_of(data)
    problems = [problem for problem in splits.train + splits.test if problem.equation]
    texts = []
    for problem in problems:
        numbers = {f"N{i}": str(value) if value.q == 1 else f"({value})" for i, value in enumerate(problem.numbers)}
        texts.append("x=" + prefix_to_infix([numbers.get(token, token) for token in problem.equation]))
    return texts, [problem.equation for problem in problems]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=1_000_000, help="how many to fuzz with")
    parser.add_argument("--out", type=Path, default=RESULTS)
    args = parser.parse_args()
    started = time.time()
    torch.set_num_threads(1)
    found = {}
    for name, check in {
            "agreement": lambda: {"math23k": agreement("math23k"), "asdiv_a": agreement("asdiv-a")},
            "speed": lambda: speed([p for p in splits_of("math23k").test if p.equation]),
            "bad files": bad_files, "kills": lambda: kills(30),
            "fuzz": lambda: fuzz(args.inputs, real_equations("math23k"))}.items():
        print(f"{name} …", flush=True)
        found |= check()
        print(f"  {time.time() - started:.0f} s", flush=True)
    found["math23k_agree"], found["asdiv_a_agree"] = found["math23k"]["share"], found["asdiv_a"]["share"]
    whole = json.dumps({**provenance(started), **found}, ensure_ascii=False, indent=1)
    write_text(args.out / "trust.json", whole + "\n")
    print(json.dumps({key: value for key, value in found.items() if not isinstance(value, (dict, list))}, indent=1))


if __name__ == "__main__":
    main()
