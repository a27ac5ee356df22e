# %% [markdown]
r"""
# 04 The checker: when are two answers the same?

A solver writes an equation, and the book has an answer. Is the equation right? The check looks like
one line of Python, `eval(equation) == answer`, but every part of that line is a mistake. This
lesson takes the line apart. On floats, `==` calls right answers wrong. `eval` runs whatever a model
has written. And "the same" has more than one meaning.

You need lesson 03 (prefix order) and no torch. It takes about 25 minutes to read, seconds to run,
and over three hours for the exercises. It runs on the sample. With `--data asdiv-a` or `--data
math23k` it shows published problems (`python data/download.py` gets them).
"""

# %% 4.1 A sum that every checker meets
import math
import operator
import time
from collections import Counter
from fractions import Fraction

from sympy import Rational

from tinyprune import checker, cli, figures
from tinyprune.checker import canonical, evaluate_prefix, evaluate_text, outcome, same_equation
from tinyprune.data import load
from tinyprune.quantities import EquationError, is_name, name_index, read_number
from tinyprune.tokenizer import prefix_to_infix

args = cli.options()
splits = load(args.data, args.fold)
problems = splits.train + splits.valid + splits.test

figures.heading("4.1 Is 0.1 + 0.2 the same as 0.3?")
print(f"  floats:    {0.1 + 0.2 == 0.3}, because 0.1 + 0.2 is {0.1 + 0.2}")
print(f"  fractions: {Fraction(1, 10) + Fraction(2, 10) == Fraction(3, 10)}")

# %% [markdown]
r"""
A float cannot hold 1/10. It has 53 binary digits, so it holds a number close by, whose denominator
is a power of two. To see what that does to real problems, we need the value of an equation in
prefix order, such as `- N0 * N1 N2`. One stack is enough. Read the equation from the **right**: a
number goes onto the stack, and an operator takes two values from it and puts one back. At the end
one value is on the stack: it is the value of the equation.

The same function serves floats and fractions: only the kind of number differs. Nearly all
*recorded* equations, those of the data sets, are right. Guess how many of them a checker with
floats calls wrong.
"""

# %% 4.2 Floats against fractions
figures.heading(f"4.2 {args.data}: recorded equations that `==` calls wrong")
OPERATIONS = {"+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv,
              "^": operator.pow}


def exact(number):
    return Fraction(int(number.p), int(number.q))


def print_stack(token, stack):
    print(f"  read {token:>3}   stack  {'  '.join(map(str, stack))}")


def run(prefix, numbers, kind, operations=OPERATIONS, trace=None):
    """The value of a prefix equation. Errors are not handled.

    kind: float or exact, the function that converts every number
    trace: called as trace(token, stack) after every token
    """
    stack = []
    for token in reversed(prefix):
        if token in operations:
            left = stack.pop()  # on top, because it was read last
            right = stack.pop()
            stack.append(operations[token](left, right))
        else:
            number = numbers[name_index(token)] if is_name(token) else read_number(token)
            stack.append(kind(number))
        if trace:
            trace(token, stack)
    return stack.pop()


run(["-", "N0", "*", "N1", "N2"], [Rational(20), Rational(3), Rational(4)], exact,
    trace=print_stack)
readable = [problem for problem in problems if problem.equation]


def called_wrong(kind):
    """The problems whose recorded equation, computed with this kind, misses the recorded answer."""
    wrong = []
    for problem in readable:
        value = run(problem.equation, problem.numbers, kind)
        if value != kind(problem.answer):
            wrong.append(problem)
    return wrong


wrong_by_floats = called_wrong(float)
for problem in wrong_by_floats[:2]:
    value = run(problem.equation, problem.numbers, float)
    recorded = float(problem.answer)
    print(f"  {prefix_to_infix(problem.equation)} = {value!r}, recorded {recorded!r}")
rows = []
for name, wrong in (("floats", wrong_by_floats), ("fractions", called_wrong(exact))):
    decimals = sum(problem.decimals > 0 for problem in wrong)
    rows.append((name, len(readable), len(wrong), decimals))
figures.table(rows, ["arithmetic", "recorded equations", "called wrong",
                     "of these, decimal answers"])
for problem in readable:
    library = evaluate_prefix(problem.equation, problem.numbers)
    assert run(problem.equation, problem.numbers, exact) == exact(library)
print(f"  ours with fractions = the library's evaluate_prefix, {len(readable)} times")

# %% [markdown]
r"""
Some equations are wrong for floats and right for fractions. Each of these tells a student that a
right answer is wrong. Other equations are wrong for fractions too: none in our sample, some in the
published sets. These are not errors of arithmetic. The recorded answer was rounded, or the record
is wrong. Section 4.7 lists them.

Now break it. The stack gives back the *left* operand first, because that operand was read last.
Suppose that somebody exchanges the two operands. Which operators give another value? Guess how many
of the recorded equations change.
"""

# %% 4.3 Operands the wrong way round
figures.heading("4.3 The operands exchanged: which equations change?")


def exchanged(operation):
    return lambda left, right: operation(right, left)


EXCHANGED = {sign: exchanged(operation) for sign, operation in OPERATIONS.items()}
same = 0
for problem in readable:
    value = run(problem.equation, problem.numbers, float)
    try:
        same += run(problem.equation, problem.numbers, float, EXCHANGED) == value
    except (ZeroDivisionError, OverflowError):
        pass  # no value is another value, too
print(f"  another value: {len(readable) - same} of {len(readable)}; the same value: {same}")

# %% [markdown]
r"""
Equations of + and * keep their value, so a test with `2 + 3` proves nothing. Test an equation that
is not symmetric.

## Why not eval

`eval` runs Python. The output of a model, or of a user, must not be run as Python:
`__import__('os')` is the beginning of an expression that deletes files, and `9**9**9**9` is a plain
power that no computer finishes. Filters in front of `eval` are no solution, because somebody always
finds a way around a filter. sympy's own parser uses eval too.

So the library knows only numbers, five operators and brackets, as the published sets write them.
Every other character is an error, and the message says where it is. The library checks the length
of a text and the size of an exponent (at most 64) before it computes, so no single operation can
take long. It also refuses a result of more than 4000 bits, so no later step must work with it. It
never gives any of the texts below to `eval`.

A checker must not refuse too much, either. People write one number in several ways (lesson 03). The
second table has some that the library reads, and what it makes of them. A colon is a division, and
a % may follow a bracket. A recorded answer may have a currency's sign.
"""

# %% 4.4 The library refuses what must not be run
figures.heading("4.4 Texts that must not be run")
start = time.perf_counter()
for text in ("__import__('os')", "9**9**9**9", "(1+2", "2(3+4)", "1e5", "5/0", "(-8)^0.5",
             "(" * 999):
    try:
        print(f"  {text} = {evaluate_text(text)}")
    except EquationError as error:
        print(f"  {text[:16]:16}  {error}")
seconds = time.perf_counter() - start
print(f"  all of them together: {'under' if seconds < 0.5 else 'over'} half a second")
rows = []
for text in ("480/(1-20%)", "(2/5)%", "10:4", "5(3/4)", "1 1/2"):
    rows.append((text, evaluate_text(text), "equation"))
answer, _ = checker.read_answer("$9,500")
rows.append(("$9,500", answer, "answer"))
figures.table(rows, ["but these are read", "value", "as"])

# %% [markdown]
r"""
## Errors that are answers

A model that may write anything writes `+ N0`, `N0 N0` and `N7`. (Our model may not: lesson 03.)
These are not accidents in the checker. They are answers, and they are wrong. A checker that crashes
on them stops an evaluation in the middle of the night. A checker that ignores the error may count
them as right. Our `run` from 4.2 handles no error. Guess for each line below: does `run` crash, or
does it give a value?
"""

# %% 4.5 A crash, a value, or an outcome
figures.heading("4.5 Broken equations, with N0 = 6 and N1 = 2; the recorded answer is 6")
numbers = [Rational(6), Rational(2)]
rows = []
for text in ("+ N0", "N0 N1", "/ N0 0", "N7", "N0 + N1", "", "+ N0 * N1 / N0 - N1 N1"):
    equation = text.split()
    try:
        ours = f"value {run(equation, numbers, exact)}"
    except Exception as error:  # every kind of crash is shown, so every kind is caught
        ours = type(error).__name__
    try:
        library = f"value {evaluate_prefix(equation, numbers)}"
    except EquationError as error:
        library = error.reason
    letter = outcome(equation, numbers, Rational(6), decimals=0)
    rows.append((text or "(nothing)", ours, library, letter))
figures.table(rows, ["equation", "run", "evaluate_prefix", "outcome"])

# %% [markdown]
r"""
Look at `N0 N1`. One value too many was on the stack, the top of the stack was 6, and 6 was the
answer. So a checker must look for values that are left over. The library's `outcome` is one sign:
`=` right, `~` right by rounding, `x` wrong, `!` no value: not an equation, or one that cannot be
computed, such as 6 / 0. Only the first two count as right. `check_answer` gives the outcome in
words, and instead of `!` it gives the reason.

## Rounded answers

A book writes 1/3 as 0.3333. The exact value is different, and nobody is wrong. So a checker must
accept some values that are not the recorded one. Published papers use a *tolerance*: a small
difference, often relative to the answer (here: to the larger of both), from 1e-4 to 1e-2. But a
recorded answer says itself how exact it is: 0.3333 has four decimals. A value may differ from it in
the fifth decimal, and no more. So there is a second rule. A value is right if it gives the recorded
answer when it is *rounded* to the decimals of that answer, or *cut* there (2/3 is rounded to 0.67
and cut to 0.66).

Guess: which of the two rules accepts which of these five values? 1/12 for 0.0833, 2/3 for 0.67 and
for 0.66, 579.6 for 579.65, and 10001 for 10000.

Then we count on at most 3,000 problems. For each problem we compute the twenty most frequent
training equations, where the problem has enough numbers, and keep the equations with a wrong value.
How many of these does each rule accept? For comparison we count the right equations that a rule
saves: the recorded equations whose value is not exactly the recorded answer, where that answer is a
decimal and so may have been rounded. Guess the row where the accepted wrong equations begin to
outnumber the saved ones. (The records of our sample are exact, so there is nothing to save.)
"""

# %% 4.6 A tolerance, or the recorded decimals
figures.heading("4.6 Which values does a rule save, and which does it let in?")


def distance(a, b):
    """|a - b| as a share of the larger one: a float, good enough for a count."""
    return float(abs(a - b) / max(abs(a), abs(b)))


def count_accepted(distances, tolerance):
    return sum(value <= tolerance for value in distances)


def rounds_to(value, answer, decimals):
    """Whether a value, rounded or cut to so many decimals, is the answer, for answers over 0."""
    step = Rational(1, 10 ** min(decimals, 12))  # after 12 decimals comes the noise of floats
    rounded = abs(value - answer) <= step / 2
    cut = 0 <= value - answer < step
    return decimals > 0 and bool(rounded or cut)


rows = []
for fraction, recorded in (("1/12", "0.0833"), ("2/3", "0.67"), ("2/3", "0.66"),
                           ("579.6", "579.65"), ("10001", "10000")):
    value = read_number(fraction)
    answer, decimals = checker.read_answer(recorded)
    accepts = [distance(value, answer) <= 1e-4, rounds_to(value, answer, decimals)]
    letter = outcome([fraction], [], answer, decimals)
    rows.append((fraction, recorded, *("yes" if yes else "no" for yes in accepts), letter))
figures.table(rows, ["value", "recorded", "within 1e-4", "its decimals", "outcome"])

training_equations = [" ".join(problem.equation) for problem in splits.train if problem.equation]
frequent = [equation.split() for equation, _ in Counter(training_equations).most_common(20)]
saved = []  # (value, answer, decimals) of recorded equations
wrong_decimal = []  # of wrong equations, where the recorded answer is a decimal
wrong_other = []
step = math.ceil(len(readable) / 3000)  # at most 3,000 problems are enough
for problem in readable[::step]:
    value = evaluate_prefix(problem.equation, problem.numbers)
    if problem.decimals and value != problem.answer:
        saved.append((value, problem.answer, problem.decimals))
    for equation in frequent:
        try:
            other = evaluate_prefix(equation, problem.numbers)
        except EquationError:
            continue  # the problem has no such number, or the equation has no value
        if other not in (value, problem.answer):
            wrong = wrong_decimal if problem.decimals else wrong_other
            wrong.append((other, problem.answer, problem.decimals))

columns = {"recorded, saved": saved,
           "wrong, decimal answer": wrong_decimal,
           "wrong, other answer": wrong_other}
powers = range(-6, 0)
accepted = {}  # {column: [how many equations each tolerance accepts]}
by_decimals = []
for name, cases in columns.items():
    distances = [distance(value, answer) for value, answer, _ in cases]
    accepted[name] = [count_accepted(distances, 10**power) for power in powers]
    by_decimals.append(sum(rounds_to(*case) for case in cases))
    assert by_decimals[-1] == sum(checker.rounds_to(*case) for case in cases)
rows = list(zip([f"within 1e{power}" for power in powers], *accepted.values()))
figures.table([*rows, ("its decimals", *by_decimals)], ["rule", *accepted])
lines = {name: list(zip(powers, counts)) for name, counts in accepted.items()}
figures.curves(lines, "log10 of the tolerance", "equations accepted",
               f"04_tolerance_{args.data}", title=f"Equations accepted, {args.data}")
print(f"  {len(saved)} recorded and {len(wrong_decimal) + len(wrong_other)} wrong equations tried")

# %% [markdown]
r"""
Most answers are whole numbers or fractions, and these were not rounded (but for divisions with
remainder: 4.7). For them a tolerance can only do harm: with 1e-4, a checker accepts 10,001 in place
of 10,000. So our checker first compares exactly. It rounds only where the recorded answer is a
decimal, and does so in exact arithmetic. It counts the two outcomes apart.

The rule of the decimals takes the record at its word. A book that writes 0.0833 may mean 1/12. A
book that writes 579.65 does not mean 579.6, however small the difference is. The rule also has a
price. An answer with one decimal stands for a wide range of values, so 0.25 is right for 0.2. The
last row shows how many wrong equations gain from this: 56 on Math23k, where 1e-4 lets in 2. Of
Math23k's decimal answers, all 4,140 with one to ten decimals are exact: nobody has rounded them. So
there even 1e-6 saves all 117 recorded equations that need it. From 1e-2 on a tolerance lets in more
wrong equations (136) than it saves. Exercise 5 asks for a rule that knows this.

The next section applies the checker to the recorded equations themselves. This is the first thing
to know about a checker: its outcomes on equations that are right.
"""

# %% 4.7 Do the records agree with themselves?
figures.heading(f"4.7 {args.data}: do the recorded equations give the recorded answers?")
rows = []
doubtful = []  # (outcome, problem)
for name, part in (("train", splits.train), ("valid", splits.valid), ("test", splits.test)):
    letters = [outcome(p.equation, p.numbers, p.answer, p.decimals) for p in part]
    rows.append((name, len(part), *map(letters.count, "=~x!")))
    doubtful += [(letter, problem) for letter, problem in zip(letters, part) if letter in "x!"]
figures.table(rows, ["split", "problems", "= exactly", "~ by rounding", "x not at all",
                     "! unreadable"])
for letter, problem in doubtful[:8]:
    why = problem.parse_error
    if problem.equation:
        value = float(evaluate_prefix(problem.equation, problem.numbers))
        infix = prefix_to_infix(problem.equation)
        why = f"{value:.10g}, recorded {float(problem.answer):.10g}: {infix}"
    print(f"  {letter} {problem.id}: {why}"[:80])

divisions = [problem for problem in problems if problem.reference_answer != problem.answer]
up = sum(bool(problem.reference_answer > problem.answer) for problem in divisions)
print("  divisions with remainder, where the record rounds the quotient: "
      f"{len(divisions)} ({up} up)" + ("" if divisions else "; ASDiv-A has some"))
for problem in divisions[:3]:
    print(f"    … {problem.text[-50:]}  {float(problem.answer):.4g}, "
          f"recorded {problem.reference_answer}")

# %% [markdown]
r"""
An ASDiv-A problem has 292 cookies and bags that hold 16 of them: how many bags? The quotient is
18.25, and the book says 19. Whether a quotient goes up or down depends on the question. Published
papers count the plain quotient as right, and so does our field `answer`. The field
`reference_answer` keeps the number in the book, for readers who want to count that one alone. No
record is dropped. A record that disagrees with itself stays in its split, and the table says how
many there are. So whoever compares two systems knows how large the effect can be.

## The same equation

Answer accuracy accepts an equation that is right by accident (2 + 2 for 2 * 2). Equation accuracy
compares token by token, so it refuses `N1 + N0` where `N0 + N1` is recorded. A third measure stands
between them: equality up to *commutation* (a + b = b + a) and *association* ((a + b) + c = a + (b +
c)). The function `canonical` reads a - b as a + (-b), merges sums within sums and products within
products, and sorts their parts. Two equations are the same to it if they end up as the same text.
Guess: which of these six pairs are the same to it? a + b and b + a; a - b and b - a; a - (b - c)
and a - b + c; a / (b * c) and a / c / b; a * (b + c) and a * b + a * c; a * b / b and a.
"""

# %% 4.8 Equal up to order
figures.heading("4.8 The same equation, or only the same value?")
numbers = [Rational(7), Rational(3), Rational(2)]
pairs = [("+ N0 N1", "+ N1 N0"),
         ("- N0 N1", "- N1 N0"),
         ("- N0 - N1 N2", "+ - N0 N1 N2"),
         ("/ N0 * N1 N2", "/ / N0 N2 N1"),
         ("* N0 + N1 N2", "+ * N0 N1 * N0 N2"),
         ("/ * N0 N1 N1", "N0")]
rows = []
for pair in pairs:
    a, b = (equation.split() for equation in pair)
    equal_values = evaluate_prefix(a, numbers) == evaluate_prefix(b, numbers)
    answers = ["yes" if equal else "no" for equal in (a == b, same_equation(a, b), equal_values)]
    rows.append((prefix_to_infix(a), prefix_to_infix(b), *answers))
figures.table(rows, ["", "", "tokens", "up to order", "value"])
print(f"  canonical of N0 - (N1 - N2): {canonical('- N0 - N1 N2'.split())}")
different = set(training_equations)
forms = {canonical(equation.split()) for equation in different}
print(f"  different training equations: {len(different)} as written, {len(forms)} up to order")

# %% [markdown]
r"""
a * (b + c) and a * b + a * c are different ways to think, and they stay different: `canonical`
cancels nothing and multiplies nothing out. Lesson 05 reports all three figures side by side,
because none of them alone is enough.

## Exercises

1. (★, 10 minutes) Guess, in floats: 0.1 + 0.7 == 0.8, 0.5 + 0.25 == 0.75, 0.1 * 3 == 0.3, 1 / 3 * 3
   == 1. Two of them are true. Run them. Which one has a reason, and which one is true by luck of
   rounding? Then do the same with fractions, by hand.
2. (★★, 40 minutes) Write `evaluate_parts` (`tinyprune/checker.py`) on a prefix equation: the values
   of all its parts, the whole last. `fold_prefix` (`tinyprune/tokenizer.py`) finds missing operands
   and operators for you.
   `pytest tests/test_checker.py -k "operands_in_order or values or every_part or broken"`
3. (★★, 40 minutes) Write `operate` and `power` with the errors that are answers: division by zero,
   0 ^ 0, exponents that give no value, values without end.
   `pytest tests/test_checker.py -k "broken or refused or 4000 or exact"`
4. (★★, 20 minutes) Find the mistake. This checker reports an accuracy that is too high:

       def outcome(prefix, numbers, answer, decimals):
           try:
               return "=" if run(prefix, numbers, exact) == answer else "x"
           except (EquationError, IndexError, ZeroDivisionError):
               return "!"

   Which row of 4.5 shows the mistake? Which equations would a model have to write to gain from it?
   `pytest tests/test_checker.py -k broken_equations_are_wrong` passes already: it shows what a
   right `outcome` does.
5. (★★, 30 minutes; with `--data math23k`, as the sample's answers were not rounded) Improve the
   rule of 4.6. Where the recorded equation gives exactly the recorded answer, nobody has rounded.
   Treat such an answer as exact, and print the last row again. How many wrong equations does it let
   in now, and does it save fewer right ones? `pytest tests/test_checker.py -k rounded` checks the
   function that you build on.
6. (★★★, 60 minutes) Open: how much does equality up to order find? Train the teacher of lesson 05.
   Compare its equation accuracy, the same up to order, and its answer accuracy. Some equations have
   a right answer and are still different up to order: how many of them are right by algebra, and
   how many by accident? Read twenty of them and give the counts.
   `pytest tests/test_checker.py -k "equal or canonical"` checks the functions that you build on.
"""
