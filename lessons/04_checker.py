# %% [markdown]
r"""
# 04 The checker: when are two answers the same?

A solver writes an equation; the book has an answer. Right or wrong? It looks like one line of Python,
`eval(equation) == answer`, and every part of that line is a mistake. This lesson takes it apart: `==` on floats calls
right answers wrong, `eval` runs whatever a model has written, and "the same" has more than one meaning.

You need lesson 03 (prefix order), no torch. About 25 minutes to read, seconds to run, 90 minutes for the exercises. It
runs on the sample; `--data asdiv-a` and `--data math23k` show published problems (`python data/download.py`).
"""

# %% 4.1 A sum that every checker meets
import math
import operator
import time
from collections import Counter
from fractions import Fraction

from sympy import Rational

from tinyprune import figures, recipe
from tinyprune.checker import canonical, evaluate, evaluate_text, judge, same_equation
from tinyprune.data import load
from tinyprune.tokenizer import EquationError, prefix_to_infix, read_number

args = recipe.options()
splits = load(args.data, args.fold)
problems = [problem for part in (splits.train, splits.valid, splits.test) for problem in part]

figures.heading("4.1 Is 0.1 + 0.2 the same as 0.3?")
print(f"  floats:    {0.1 + 0.2 == 0.3}, for 0.1 + 0.2 is {0.1 + 0.2}")
print(f"  fractions: {Fraction(1, 10) + Fraction(2, 10) == Fraction(3, 10)}")

# %% [markdown]
r"""
A float cannot hold 1/10, only the nearest number with a binary denominator. To see what that does to real problems,
we need a value for an equation in prefix order: `- N0 * N1 N2`. It takes one stack. Read from the **right**: a number
goes onto the stack; an operator takes two from it and puts one back. At the end the value lies there alone.

The same function serves floats and fractions; only the kind of number differs. Guess how many of the *recorded*
equations, nearly all of them right, a float checker calls wrong.
"""

# %% 4.2 Floats against fractions
figures.heading(f"4.2 {args.data}: recorded equations that `==` calls wrong")
APPLY = {"+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv, "^": operator.pow}


def exact(number):
    return Fraction(int(number.p), int(number.q))


def run(prefix, numbers, kind, apply=APPLY, trace=lambda token, stack: None):
    """The value of a prefix equation; kind: float or exact, what the numbers become. No error is handled."""
    stack = []
    for token in reversed(prefix):
        if token in apply:
            left = stack.pop()  # on top, for it was read last
            stack.append(apply[token](left, stack.pop()))
        else:
            stack.append(kind(numbers[int(token[1:])] if token[0] == "N" else read_number(token)))
        trace(token, stack)
    return stack.pop()


run(["-", "N0", "*", "N1", "N2"], [Rational(n) for n in (20, 3, 4)], exact,
    trace=lambda token, stack: print(f"  read {token:>3}   stack  {'  '.join(map(str, stack))}"))
readable = [problem for problem in problems if problem.equation]
rows = []
for name, kind in (("floats", float), ("fractions", exact)):
    wrong = [problem for problem in readable
             if run(problem.equation, problem.numbers, kind) != kind(problem.answer)]
    decimal = sum(problem.decimal for problem in wrong)
    rows.append((name, len(readable), len(wrong), decimal))
    for problem in wrong[:2] if kind is float else []:
        value = run(problem.equation, problem.numbers, kind)
        print(f"  {prefix_to_infix(problem.equation)} = {value!r}, recorded {float(problem.answer)!r}")
figures.table(rows, ["arithmetic", "recorded equations", "called wrong", "of these, decimal answers"])
for problem in readable:
    assert run(problem.equation, problem.numbers, exact) == exact(evaluate(problem.equation, problem.numbers))
print(f"  ours with fractions = the library's evaluate, {len(readable)} times")

# %% [markdown]
r"""
Every one that floats call wrong and fractions do not is a student told that a right answer is wrong. What fractions
still call wrong (nothing in our sample, something in the published sets) is not arithmetic: the recorded answer was
rounded, or the record is wrong. Section 4.7 lists them.

Now break it: a stack gives back the *left* operand first, because it was read last. Take them the other way round, and
which operators notice? How many of the recorded equations, do you think, are hurt?
"""

# %% 4.3 Operands the wrong way round
figures.heading("4.3 The operands exchanged: which equations notice?")
exchanged = APPLY | {"-": lambda a, b: b - a, "/": lambda a, b: b / a, "^": lambda a, b: b ** a}
notices = Counter()
for problem in readable:
    value = run(problem.equation, problem.numbers, float)
    try:
        notices[run(problem.equation, problem.numbers, float, exchanged) == value] += 1
    except (ZeroDivisionError, OverflowError):
        notices[False] += 1
print(f"  another value: {notices[False]} of {len(readable)}; the same value: {notices[True]}")

# %% [markdown]
r"""
Equations of + and * do not notice, so a test with `2 + 3` proves nothing. Test what is not symmetric.

## Why not eval

`eval` runs Python. A model's output, or a user's, is not Python to be run: `__import__('os')` is the beginning of a
sentence that deletes files, and `9**9**9**9` is a plain sum that outlives the computer. Filters on top of `eval` are a
race that the filter loses; sympy's own parser uses eval too. So the library knows numbers, five signs and brackets, as
the published sets spell them, and every other character is an error with its place. How long a text may be and how
large an exponent (64) is asked before the work, so that no single operation can take long, and a value of more than
4000 bits is refused before more is done with it. Nothing below is ever given to `eval`.
"""

# %% 4.4 What the library says to what must not be run
figures.heading("4.4 Texts that are not answers")
start = time.perf_counter()
for text in ("__import__('os')", "9**9**9**9", "(1+2", "2(3+4)", "1e5", "5/0", "(-8)^0.5", "(" * 999):
    try:
        print(f"  {text} = {evaluate_text(text)}")
    except EquationError as error:
        print(f"  {text[:16]:16}  {error}")
print(f"  all of them together: {'under' if time.perf_counter() - start < 0.5 else 'over'} half a second")
print(f"  while 5(3/4) is a mixed number, {evaluate_text('5(3/4)')}, and 480/(1-20%) is {evaluate_text('480/(1-20%)')}")

# %% [markdown]
r"""
## Errors that are answers

A model that may write what it likes (ours may not: lesson 05) writes `+ N0`, `N0 N0` and `N7`. Those are not accidents
of the checker, they are answers, and they are wrong. A checker that crashes on them stops an evaluation in the middle
of the night; one that shrugs counts them as right. Our `run` above handles no error. Guess, for each line: a crash, or
a value?
"""

# %% 4.5 A crash, a value, or a verdict
figures.heading("4.5 Broken equations, with N0 = 6 and N1 = 2; the recorded answer is 6")
two = [Rational(6), Rational(2)]
rows = []
for text in ("+ N0", "N0 N1", "/ N0 0", "N7", "N0 + N1", "", "+ N0 * N1 / N0 - N1 N1"):
    try:
        ours = f"value {run(text.split(), two, exact)}"
    except Exception as error:  # whatever it is: that is the point
        ours = type(error).__name__
    try:
        reason = f"value {evaluate(text.split(), two)}"
    except EquationError as error:
        reason = error.reason
    rows.append((text or "(nothing)", ours, reason, judge(text.split(), two, Rational(6), decimal=False)))
figures.table(rows, ["equation", "run", "evaluate", "verdict"])

# %% [markdown]
r"""
Look at `N0 N1`: a value was left over, the top of the stack was 6, and 6 was the answer. Left-overs must be looked for.
The library's `judge` says it in one letter: `=` right, `~` right by rounding, `x` wrong, `!` not an equation. Only the
first two count. `verdict` says it in words, and in place of `!` the reason.

## Rounded answers

A book writes 1/3 as 0.3333. The exact value differs, and nobody is wrong. So a tolerance is needed, and the field uses
anything from 1e-4 to 1e-2, of the value or flat. What does a tolerance let in? For some 3,000 problems, take those of
the training set's twenty commonest equations that the problem has numbers for, keep the ones with a wrong value, and
count which are accepted all the same. On the other side: recorded equations that are refused, and whose recorded answer
is a decimal that may have been rounded. Guess the row where the wrong ones begin to outnumber those. (Our sample's
records are exact: there is nothing to save.)
"""

# %% 4.6 What a tolerance lets in
figures.heading("4.6 Tolerance: what it saves and what it lets in")
for recorded in ("0.33", "0.3333", "0.33333333"):
    verdict = judge(["/", "N0", "N1"], [Rational(1), Rational(3)], Rational(recorded), decimal=True)
    print(f"  1/3 against {recorded:10}  {verdict}")


def distance(a, b):
    """|a - b| as a share of the larger one, a float: for a count, not for a verdict."""
    return float(abs(a - b) / max(abs(a), abs(b)))


common = [equation.split() for equation, _ in
          Counter(" ".join(p.equation) for p in splits.train if p.equation).most_common(20)]
saved, let_in = [], {True: [], False: []}  # let_in[decimal]
for problem in readable[::math.ceil(len(readable) / 3000)]:  # 3,000 are enough to see it
    value = evaluate(problem.equation, problem.numbers)
    if problem.decimal and value != problem.answer:
        saved.append(distance(value, problem.answer))
    for equation in common:
        try:
            other = evaluate(equation, problem.numbers)
        except EquationError:
            continue  # it asks for a number that this problem does not have
        if other not in (value, problem.answer):
            let_in[problem.decimal].append(distance(other, problem.answer))
rows = []
for power in range(-6, 0):
    within = [sum(far <= 10 ** power for far in distances) for distances in (saved, let_in[True], let_in[False])]
    rows.append((power, *within))
figures.table([(f"1e{power}", *within) for power, *within in rows],
              ["tolerance", "recorded, saved", "wrong, decimal answer", "wrong, other answer"])
figures.curves({name: [(row[0], row[place]) for row in rows] for place, name in
                ((1, "recorded, saved"), (2, "wrong, decimal"), (3, "wrong, other"))},
               "log10 of the tolerance", "equations accepted", f"04_tolerance_{args.data}")
print(f"  {sum(map(len, let_in.values()))} wrong equations were tried")

# %% [markdown]
r"""
Most answers are whole numbers or fractions and were never rounded, and there a tolerance can do nothing but harm: at
1e-4, 10,000 would accept 10,001. So ours: exact first; only where the record is a decimal, |a - b| <= 1e-4 of the
larger, in exact arithmetic too; and the two are counted apart. The next section applies it to the recorded equations
themselves: what a checker says of the truth is the first thing to know about the checker.
"""

# %% 4.7 The agreement of the records with themselves
figures.heading(f"4.7 {args.data}: do the recorded equations give the recorded answers?")
rows, doubtful = [], []
for name, part in (("train", splits.train), ("valid", splits.valid), ("test", splits.test)):
    verdicts = [judge(p.equation, p.numbers, p.answer, p.decimal) for p in part]
    rows.append((name, len(part), *(verdicts.count(letter) for letter in "=~x!")))
    doubtful += [(verdict, problem) for verdict, problem in zip(verdicts, part) if verdict in "x!"]
figures.table(rows, ["split", "problems", "= exactly", "~ by rounding", "x not at all", "! unreadable"])
for verdict, problem in doubtful[:8]:
    why = problem.flaw or (f"{float(evaluate(problem.equation, problem.numbers)):.10g}, recorded "
                           f"{float(problem.answer):.10g}: {prefix_to_infix(problem.equation)}")
    print(f"  {verdict} {problem.id}: {why}"[:80])
divisions = [problem for problem in problems if problem.recorded != problem.answer]
up = sum(bool(problem.recorded > problem.answer) for problem in divisions)
print(f"  divisions with remainder, where the record rounds the quotient: {len(divisions)} ({up} up)"
      + ("; ASDiv-A has some" if not divisions else ""))
for problem in divisions[:3]:
    print(f"    … {problem.text[-50:]}  {float(problem.answer):.4g}, recorded {problem.recorded}")

# %% [markdown]
r"""
"How many buses?" has a whole answer, and whether 9 buses or 10 is in the question, not in the quotient. The field
counts the plain quotient as right; so does `answer`, and `recorded` keeps what the book says, for the strict figure.
Nothing is dropped: a record that disagrees with itself stays in its split, and whoever compares systems knows by how
much.

## The same equation

Answer accuracy accepts an equation that is right by accident (2 + 2 for 2 * 2). Equation accuracy, token by token,
refuses `N1 + N0` where `N0 + N1` is recorded. Between them lies equality up to commutation and association: `canonical`
flattens sums and products and sorts their parts, a - b being a + (-b). Which of these pairs are the same to it?
"""

# %% 4.8 Equal up to order
figures.heading("4.8 The same equation, or only the same value?")
seven = [Rational(n) for n in (7, 3, 2)]
rows = []
for one, other in (("+ N0 N1", "+ N1 N0"), ("- N0 N1", "- N1 N0"), ("- N0 - N1 N2", "+ - N0 N1 N2"),
                   ("/ N0 * N1 N2", "/ / N0 N2 N1"), ("* N0 + N1 N2", "+ * N0 N1 * N0 N2"), ("/ * N0 N1 N1", "N0")):
    one, other = one.split(), other.split()
    rows.append((prefix_to_infix(one), prefix_to_infix(other), "yes" if one == other else "no",
                 "yes" if same_equation(one, other) else "no",
                 "yes" if evaluate(one, seven) == evaluate(other, seven) else "no"))
figures.table(rows, ["", "", "tokens", "up to order", "value"])
print(f"  canonical of N0 - (N1 - N2): {canonical('- N0 - N1 N2'.split())}")
written = {" ".join(problem.equation) for problem in splits.train if problem.equation}
print(f"  different training equations: {len(written)} as written, "
      f"{len({canonical(equation.split()) for equation in written})} up to order")

# %% [markdown]
r"""
a * (b + c) and a * b + a * c are different ways to think, and stay different; nothing is cancelled or multiplied out.
Lesson 05 reports all three figures side by side, and none of them alone is the truth.

## Exercises

1. By hand: 0.1 + 0.2 == 0.3, 0.5 + 0.25 == 0.75, 0.1 * 3 == 0.3, 1 / 3 * 3 == 1, in floats. Two of them hold: which
   for a reason, and which by luck of rounding? Then with fractions. `pytest tests/test_checker.py -k exact_value`
2. Write `values` on a prefix equation: the value of every part, the whole last.
   `pytest tests/test_checker.py -k "operands_in_order or values"`
3. Write `operate` and `power` with the errors that are answers: division by zero, 0 ^ 0, exponents without a value,
   values without end. `pytest tests/test_checker.py -k "broken or refused or 4000"`
4. Find the mistake. This checker reports too high an accuracy:

       def judge(prefix, numbers, answer, decimal):
           try:
               return "=" if run(prefix, numbers, exact) == answer else "x"
           except (EquationError, IndexError, ZeroDivisionError):
               return "!"

   Which row of 4.5 shows it, and what would a model have to write to gain from it?
   `pytest tests/test_checker.py -k broken_equations_are_wrong`
5. Open: how much does equality up to order find? Train the teacher of lesson 05 and compare its equation accuracy,
   the same up to order, and its answer accuracy. Of the equations with a right answer that are still different: how
   many are right by algebra, and how many by accident? Read twenty of them; give the counts.
   `pytest tests/test_checker.py -k "equal or canonical"` holds for what you build on.
"""
