# %% [markdown]
r"""
# 03 Equations: how many different things must a solver be able to write?

A model that answers "12 - 3 = 9" must know arithmetic. A model that writes only the equation need
not: the computer does the arithmetic. But every problem has its own numbers, and so every problem
has its own equation. How can a model learn from examples when hardly two of them are alike?

This lesson makes the equations alike. Numbers get names, brackets disappear, and the equations
that remain are few enough to count. You need to know nothing but Python, and the lesson uses no
torch. Lessons 01 and 02 can wait. It takes about 30 minutes to read, seconds to run, and two hours
for the exercises. It runs on the sample that comes with the project. With `--data asdiv-a` or
`--data math23k` it shows the same on published problems (`python data/download.py` gets them).

Several sections ask for a guess. Write yours down before you run the cell.
"""

# %% 3.1 Every problem has its own equation
import math
import re
import textwrap
from collections import Counter

from tinyprune import UNK, cli, figures
from tinyprune.data import load
from tinyprune.quantities import is_name, mask_numbers, name_index, read_number
from tinyprune.tokenizer import OPERATORS, infix_to_prefix, lex, mirror, prefix_to_infix
from tinyprune.vocabulary import Vocabularies

args = cli.options()
splits = load(args.data, args.fold)
train = [problem for problem in splits.train if problem.equation]
test = [problem for problem in splits.test if problem.equation]
figures.heading(f"3.1 {args.data}: how many of {len(train)} training equations are different?")


def with_numbers(problem):
    """The equation as a school book prints it: 12 and 3 where with_names has N0 and N1."""
    tokens = []
    for token in problem.equation:
        value = problem.numbers[name_index(token)] if is_name(token) else token
        tokens.append(str(value))
    return " ".join(tokens)


def with_names(problem):
    return " ".join(problem.equation)


rows = []
coverage = {}  # {name: [(log2 of n, share of problems that the n most frequent equations cover)]}
for name, describe in (("with numbers", with_numbers), ("with names", with_names)):
    equations = Counter(map(describe, train))
    frequencies = [count for _, count in equations.most_common()]
    top_ten = sum(frequencies[:10]) / len(train)
    unseen = sum(describe(problem) not in equations for problem in test)
    rows.append((name, len(equations), f"{top_ten:.0%}", frequencies.count(1),
                 f"{unseen} of {len(test)}"))
    powers = [1.25**exponent for exponent in range(40)]
    sizes = sorted({round(power) for power in powers if power <= len(equations)})
    coverage[name] = [(math.log2(n), sum(frequencies[:n]) / len(train)) for n in sizes]
figures.table(rows, ["equations", "different", "top ten cover", "occur once", "new in test"])
figures.curves(coverage, "log2 of n", "share of problems that the n most frequent equations cover",
               f"03_reach_{args.data}")
for equation, count in equations.most_common(3):  # of the second row: numbers named
    print(f"  {count:5} times {prefix_to_infix(equation.split())}")

# %% [markdown]
r"""
With their numbers, nearly all training equations are different, and at least three of four test
equations are new: there is nothing to learn from. With names, a few equations cover a large share
of the problems. The others form a tail, short in our own sample and long in the published sets.

The last column is a warning. A solver that can only *choose* among equations from training can
write none of the new ones. It can answer those problems only by luck. Our solver writes token by
token, so it can write an equation that it has never seen.

## Names for numbers

The easy case comes first: whole numbers get the names N0, N1, … in reading order. A number that
occurs twice gets two names, because it may mean two things. The function below needs three lines.
Before you run it, guess: which of the five texts break these three lines, and how? The table shows
the result of the library, the package `tinyprune`, beside ours.
"""

# %% 3.2 Naming numbers: the easy case, and the rest
figures.heading("3.2 Whole numbers are easy; what about the rest?")


def name_whole_numbers(text):
    """-> the text with names, and the literals: literals[i] is what Ni stands for"""
    literals = re.findall(r"\d+", text)
    names = (f"N{index}" for index in range(len(literals)))
    return re.sub(r"\d+", lambda match: next(names), text), literals


rows = []
for text in ("12 pens , 12 boys", "20% of 1,250", "0.5 of ( 3 / 8 )", "8m , then $5", "seven pens"):
    easy, _ = name_whole_numbers(text)
    words, _ = mask_numbers(text.split(), english=True)
    rows.append((text, easy, " ".join(words)))
figures.table(rows, ["text", "easy", "library"])
agree = 0
for problem in train:
    _, literals = name_whole_numbers(problem.text)
    agree += list(map(read_number, literals)) == problem.numbers
print(f"  the easy way finds exactly the right numbers in {agree} of {len(train)} "
      "training problems")

# %% [markdown]
r"""
The library reads percentages, decimals, fractions that are spread over five words, numbers with
thousands commas, numbers that touch a unit, and, in English, number words. It does not read "half",
"double" or "a pair": see exercise 5.

The numbers of the equation then get the names of the numbers in the text. Each number gets the
name of the first equal number that the equation has not used yet. A number that the text does not
have stays a constant: for example the 1 of "1 - 20%", or 3.14.

## Operators before operands

A reader of `2 + 3 * 4` needs a rule: `*` has a higher *precedence* than `+`, so the product is
computed first. The usual way to write, with the operator between its two operands, is called
*infix*. If we write every operator *before* its two operands, no rule is needed. This is called
*prefix* order: `+ 2 * 3 4`.

The translation is short if only + and * occur. The operator with the lowest precedence is applied
last, so it comes first in prefix order. We cut the equation at this operator and translate both
sides in the same way.

For - there is one more choice: at which of several equal operators do we cut? Guess the value of
`10 - 4 - 3` if we cut at the first one.
"""

# %% 3.3 Infix to prefix
figures.heading("3.3 Cut at the operator of lowest precedence: the last one, or the first?")


def to_prefix(tokens, precedence="+*", at_first=False):
    """[2, +, 3, *, 4] -> [+, 2, *, 3, 4], without brackets.

    precedence: the operators, the lowest precedence first
    at_first: cut at the first of several equal operators, not at the last
    """
    for operator in precedence:
        positions = [i for i, token in enumerate(tokens) if token == operator]
        if positions:
            cut = positions[0] if at_first else positions[-1]
            left = to_prefix(tokens[:cut], precedence, at_first)
            right = to_prefix(tokens[cut + 1:], precedence, at_first)
            return [operator, *left, *right]
    return tokens


examples = [("2 + 3 * 4", "+*"),
            ("2 * 3 + 4 * 5", "+*"),
            ("10 - 4 - 3", "-"),
            ("24 / 4 / 2", "/"),
            ("2 + 3 * 4", "*+")]
rows = []
for text, precedence in examples:
    last = to_prefix(text.split(), precedence)
    first = to_prefix(text.split(), precedence, at_first=True)
    library = infix_to_prefix(lex(text))
    rows.append((text, " then ".join(precedence), *map(" ".join, (last, first, library))))
figures.table(rows, ["infix", "cut at", "last", "first", "library"])
checked = 0
for problem in train:
    infix = prefix_to_infix(problem.equation).split()
    operators = set(infix) & set(OPERATORS)
    if operators <= {"+", "*"} and "(" not in "".join(infix):
        assert to_prefix(infix) == infix_to_prefix(infix) == problem.equation
        checked += 1
print(f"  ours = library on all {checked} training equations of + and * without brackets")

# %% [markdown]
r"""
Equal operators group from the left, so we must cut at the last one: `(10 - 4) - 3`. If we cut at
the first one, the equation means 10 - (4 - 3). The last row has the precedence upside down:
(2 + 3) * 4. Neither mistake crashes, and both results are equations. Only their values show the
mistake. (Powers group from the right: 2^3^2 is 2^(3^2). The library also handles brackets, powers
and the minus of -3. It needs one pass from left to right and two stacks: this is Dijkstra's
shunting-yard algorithm.)

## Where do the brackets go?

Brackets say which operands belong together. In prefix order the operator's position says it:
`* + a b c` is (a + b) * c, and `+ a * b c` is a + b * c. The function below reads a prefix equation
from left to right, and that is enough to draw its tree.

A prefix equation also says when it is complete. An operand that is still missing is an *open slot*.
At first there is one open slot. An operator fills one slot and opens two. A number fills one slot
and opens none. When no slot is open, the equation is complete.
"""

# %% 3.4 Trees, and brackets that vanish
figures.heading("3.4 Brackets vanish, and the end is known")


def draw(tokens, branch="  ", indent="  "):
    """Prints the tree of an equation; tokens: an iterator over its prefix tokens."""
    token = next(tokens)
    print(branch + token)
    if token in OPERATORS:
        draw(tokens, indent + "├─ ", indent + "│  ")
        draw(tokens, indent + "└─ ", indent + "   ")


def bracket_pairs(equation):
    """The pairs that the infix form needs; those of a literal such as (1/2) do not count."""
    return prefix_to_infix(equation).count("(") - " ".join(equation).count("(")


pairs = [bracket_pairs(problem.equation) for problem in train]
lengths = [len(problem.equation) for problem in train]
infix_lengths = [length + 2 * count for length, count in zip(lengths, pairs)]
with_brackets = sum(count > 0 for count in pairs)
print(f"  infix: {with_brackets} of {len(train)} need brackets; mean length "
      f"{sum(infix_lengths) / len(train):.2f} tokens, longest {max(infix_lengths)}")
print(f"  prefix: 0 need them; mean length {sum(lengths) / len(train):.2f} tokens, "
      f"longest {max(lengths)}")

short = [problem for problem in train if len(problem.equation) <= 7]
bracketed = Counter(with_names(problem) for problem in short if bracket_pairs(problem.equation))


def length_and_count(equation):
    return len(equation.split()), bracketed[equation]


example = max(bracketed, key=length_and_count).split()  # a long one, and frequent
open_slots = [1]
for token in example:
    open_slots.append(open_slots[-1] + (1 if token in OPERATORS else -1))
print(f"\n  {prefix_to_infix(example)}\n")
draw(iter(example))
print("\n  token       " + "".join(f"{token:>4}" for token in example))
print("  open slots  " + "".join(f"{count:>4}" for count in open_slots[1:]))
assert open_slots[-1] == 0 and 0 not in open_slots[:-1]

# %% [markdown]
r"""
So the decoder, the part of the model that writes, needs no end token. We can also keep it from
writing nonsense (`decode.py`). While a slot is open, it must go on. When no slot is open, it must
stop. And it may write a name only if the problem has that number.

## The two vocabularies

The model reads words, and it writes tokens of a few kinds. Each word that it knows has an
*embedding*: a vector of numbers that training adjusts. A word that occurs once in training gives
its embedding one example to learn from. So we drop such words, and the model learns one embedding
for "unknown word" from them. But the characters of a rare Chinese word are not rare. So a word is
read as a bag of *subwords*: the word itself and its first four characters. Its embedding is the sum
of theirs.

Guess two shares of the test problems: those with an unknown word, and those with a word of which
no subword is known. (Our sample is written with few words, and training has all of them. The
published sets are different. English words have one subword only: their beginnings and endings were
tried, and did not help. For ASDiv-A the model keeps every word, though a third of the words
occur once. There only the word dropout of lesson 05 shows the model unknown words.)
"""

# %% 3.5 The words it reads, the tokens it writes
figures.heading("3.5 The words it reads, the tokens it writes")
rows = []
for min_count in (1, 2, 5):  # how often a subword must occur to be kept
    source = Vocabularies.of(train, min_count).source
    unknown = 0
    nothing_known = 0
    for problem in test:
        text = source.encode_words(problem.words)
        unknown += any(word[0] == UNK for word in text)
        nothing_known += [UNK] in text
    rows.append((min_count, len(source), f"{unknown / len(test):.1%}",
                 f"{nothing_known / len(test):.1%}"))
figures.table(rows, ["min_count", "vocabulary", "problems with an unknown word",
                     "with no subword of it known"])
vocabularies = Vocabularies.of(train)
source = vocabularies.source
unknown_words = {}
for problem in test:
    unknown_words |= {word[0]: word for word in problem.words if word[0] not in source.index}
chinese_first = sorted(unknown_words.values(), key=lambda word: word[0].isascii())
for word in chinese_first[:3]:
    ids, = source.encode_words([word])
    print(f"  {word[0]} is read as {' '.join(source.tokens[i] for i in ids)}")


def print_wrapped(text, width=78):
    print(textwrap.fill(text, width, initial_indent="  ", subsequent_indent="    "))


tokens = vocabularies.target.tokens
print_wrapped(f"{len(tokens)} target tokens, the first four special: {' '.join(tokens)}")
writable = [sum(map(vocabularies.can_write, part)) for part in (train, test)]
print(f"  they can write {writable[0]} of {len(train)} training equations, "
      f"{writable[1]} of {len(test)} in test")

# %% [markdown]
r"""
The last figure is a ceiling: no training lets a solver write more of the recorded equations. The
vocabulary leaves out constants that hardly any equation uses, because nobody could learn when to
use them.

## Names hide the values

Is the equation `N0 - N1` or `N1 - N0`? The words are the same with 12 and 3 as with 3 and 12, and
the names do not say which number is larger. So a number has two subwords beside its name. One is
its kind: whole, decimal, percent or fraction. The other is its rank among the problem's numbers,
where 0 is the smallest. How much is the rank worth? Consider the subtractions of one number from
another, and guess two shares. How often does the first operand come first in the text? How often is
the first operand the larger one?
"""

# %% 3.6 Kind and rank
figures.heading("3.6 Which number is subtracted from which?")
in_order = 0
larger_first = 0
total = 0
for problem in train:
    equation = problem.equation
    for sign, left, right in zip(equation, equation[1:], equation[2:]):
        if sign == "-" and is_name(left) and is_name(right):
            left_index = name_index(left)
            right_index = name_index(right)
            numbers = problem.numbers
            in_order += left_index < right_index
            larger_first += bool(numbers[left_index] > numbers[right_index])
            total += 1
print(f"  of {total} subtractions, {in_order / total:.1%} are in text order, "
      f"{larger_first / total:.1%} larger - smaller")

three_numbers = [problem for problem in test if len(problem.numbers) == 3]
example = next(problem for problem in three_numbers if len(problem.text) < 150)
words = ["".join(word) if is_name(word[0]) else word[0] for word in example.words]
lines = {"text": example.text,
         "read as": " ".join(words),
         "write": with_names(example),
         "or mirrored": " ".join(mirror(example.equation)),
         "means": f"{prefix_to_infix(example.equation)}, that is {example.answer}"}
for label, line in lines.items():
    print_wrapped(f"{label}: {line}", 78 if line.isascii() else 50)

# %% [markdown]
r"""
For a subtraction the rank is nearly a rule: on Math23k, 99.9% are larger minus smaller. For other
operators it is only information, and the model learns when to follow it. (On Math23k, among the
problems that need one division only, four of five divide the larger number by the smaller one.) The
rank is computed from the problem alone, so it reveals nothing about
the answer.

The line "or mirrored" shows the same equation with both operands of every operator swapped: this
is the equation read from right to left. It obeys the same grammar. A decoder can learn to write
both forms, and its first token tells it which one to write. It then has two opinions on every
problem. In lesson 05 each direction scores the equations that the other one has written. Swap the
operands back before you compute a value: in a mirrored `- a b`, a is subtracted from b.

## Exercises

1. By hand: write the prefix forms of `2 * (3 + 4) - 5`, `24 / 4 / 2` and `2 ^ 3 ^ 2`, and the infix
   form of `- a - b c`. How many slots are still open after `+ * a b`? Check with
   `infix_to_prefix(lex(...))` and `prefix_to_infix`.
   `pytest tests/test_tokenizer.py -k infix_to_prefix`
2. Write `mask_numbers`: names in reading order, and all that the table of 3.2 shows.
   `pytest tests/test_quantities.py -k numbers`
3. Write `infix_to_prefix` for all operators and brackets, in one pass: a - b - c, 2 ^ 3 ^ 2,
   -2 ^ 2, and errors that say what is missing and where.
   `pytest tests/test_tokenizer.py -k "infix or shunting or broken or limits"`
4. Find the mistake. In `fold_prefix` (tinyprune/tokenizer.py) somebody has exchanged two names:

       right = stack.pop()
       left = stack.pop()

   Which equations still have the right value, and which share of the training set is that? Guess,
   then count: compare `evaluate_prefix(problem.equation, problem.numbers)` with `problem.answer`.
   On the sample every answer is a recorded number, and this fold does not read it.
   `pytest tests/test_tokenizer.py -k fold_meets_left_and_right`
5. Open: number words on ASDiv-A. Which words name a number, but are not read: "half", "double",
   "pair", "dozen", "third"? Read at least one of them, and count. How many training equations gain
   a number? How many texts gain a number that no equation needs? How does "new in test" change?
"""
