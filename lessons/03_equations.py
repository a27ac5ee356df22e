# %% [markdown]
r"""
# 03 Equations: how many different things must a solver be able to write?

A model that answers "12 - 3 = 9" would have to know arithmetic. A model that writes the equation need not: the computer
computes. But then every problem has an equation of its own, for every problem has its own numbers. How does one learn
from examples of which hardly two are alike?

This lesson makes the equations alike: numbers get names, brackets vanish, and what is left is small enough to count.
You need nothing but Python; lessons 01 and 02 can wait. About 30 minutes to read, seconds to run, two hours for the
exercises. It runs on the sample; `--data asdiv-a` and `--data math23k` show the same on published problems
(`python data/download.py`).
"""

# %% 3.1 Every problem has its own equation
import math
import re
import textwrap
from collections import Counter

from tinyprune import UNK, figures, recipe
from tinyprune.data import Vocabularies, is_name, load
from tinyprune.tokenizer import OPERATORS, infix_to_prefix, lex, mask_numbers, mirror, prefix_to_infix, read_number

args = recipe.options()
splits = load(args.data, args.fold)
train, test = ([problem for problem in part if problem.equation] for part in (splits.train, splits.test))
figures.heading(f"3.1 {args.data}: how many of {len(train)} training equations are different?")


def with_numbers(problem):
    """The equation as a school book has it: 12 - 3, not N0 - N1."""
    return " ".join(str(problem.numbers[int(token[1:])]) if is_name(token) else token for token in problem.equation)


def with_names(problem):
    return " ".join(problem.equation)


rows, reach = [], {}
for name, written in (("with numbers", with_numbers), ("numbers named", with_names)):
    counts = Counter(map(written, train))
    often = [count for _, count in counts.most_common()]
    unseen = sum(written(problem) not in counts for problem in test)
    rows.append((name, len(counts), f"{sum(often[:10]) / len(train):.0%}", often.count(1), f"{unseen} of {len(test)}"))
    some = sorted({round(1.25 ** power) for power in range(40) if 1.25 ** power <= len(often)})
    reach[name] = [(math.log2(n), sum(often[:n]) / len(train)) for n in some]
figures.table(rows, ["equations", "different", "top ten cover", "occur once", "new in test"])
figures.curves(reach, "log2 of n", "share of problems that the n commonest equations cover", f"03_reach_{args.data}")
for equation, count in counts.most_common(3):
    print(f"  {count:5} times {prefix_to_infix(equation.split())}")

# %% [markdown]
r"""
With numbers in them, nearly every equation is new, and so is nearly every one of the test: nothing to learn from. With
names, a few shapes do most of the work. The rest is a tail, short in our own sample, long in the published sets, and
the last column is a warning: a solver that could only *choose* among the equations it has seen could write none of
those, and would be right there by luck alone. Ours writes token by token, so it can write what it has never seen.

## Names for numbers

The easy case first: whole numbers, named N0, N1, … in reading order. A number that occurs twice gets two names, for it
may mean two things. Before you run it: which of the texts below break these three lines, and how?
"""

# %% 3.2 Naming numbers: the easy case, and the rest
figures.heading("3.2 Whole numbers are easy; what about the rest?")


def name_whole_numbers(text):
    found = re.findall(r"\d+", text)
    names = iter(range(len(found)))
    return re.sub(r"\d+", lambda match: f"N{next(names)}", text), found


figures.table([(text, name_whole_numbers(text)[0], " ".join(mask_numbers(text.split(), english=True)[0]))
               for text in ("12 pens , 12 boys", "20% of 1,250", "0.5 of ( 3 / 8 )", "8m , then $5", "seven pens")],
              ["text", "easy", "library"])
agree = 0
for problem in train:
    found = [read_number(literal) for literal in name_whole_numbers(problem.text)[1]]
    agree += found == problem.numbers
print(f"  the easy way finds just the right numbers in {agree} of {len(train)} training problems")

# %% [markdown]
r"""
The library reads percentages, decimals, fractions spread over five words, thousands commas, numbers glued to a unit,
and, in English, number words. What it does not read is "half", "double", "a pair": exercise 5.

The equation's numbers then take the names of the text's: the first occurrence that the equation has not used yet. What
the text does not have (the 1 of "1 - 20%", 3.14) stays a constant.

## Operator first

`2 + 3 * 4` needs rules to be read: which sign binds tighter? Write every operator *before* its two operands, and no
rule is needed. The translation is short if only + and * occur: the loosest sign is done last, so it stands first; cut
there, and translate both sides.

For - one thing more decides: at which of several equal signs does one cut? Guess what `10 - 4 - 3` comes to if one
cuts at the first.
"""

# %% 3.3 Infix to prefix
figures.heading("3.3 Cut at the loosest sign: at the last one, or at the first?")


def prefix(tokens, signs=("+", "*"), first=False):
    """[2, +, 3, *, 4] -> [+, 2, *, 3, 4], without brackets; signs: the loosest one first."""
    for sign in signs:
        if sign in tokens:
            place = tokens.index(sign) if first else len(tokens) - 1 - tokens[::-1].index(sign)
            left, right = tokens[:place], tokens[place + 1:]
            return [sign, *prefix(left, signs, first), *prefix(right, signs, first)]
    return tokens


rows = []
for text, signs in (("2 + 3 * 4", ("+", "*")), ("2 * 3 + 4 * 5", ("+", "*")), ("10 - 4 - 3", ("-",)),
                    ("24 / 4 / 2", ("/",)), ("2 + 3 * 4", ("*", "+"))):
    tokens = text.split()
    rows.append((text, " before ".join(signs), *(" ".join(found) for found in (
        prefix(tokens, signs), prefix(tokens, signs, first=True), infix_to_prefix(lex(text))))))
figures.table(rows, ["infix", "cut at", "last", "first", "library"])
checked = 0
for problem in train:
    infix = prefix_to_infix(problem.equation).split()
    if set(infix) & set(OPERATORS) <= {"+", "*"} and "(" not in "".join(infix):
        assert prefix(infix) == infix_to_prefix(infix) == problem.equation
        checked += 1
print(f"  ours = library on all {checked} training equations of + and * without brackets")

# %% [markdown]
r"""
Equal signs group from the left, so one cuts at the last: `(10 - 4) - 3`. Cut at the first, and it is 10 - (4 - 3).
The last row has the precedence upside down: (2 + 3) * 4. Neither crashes, both are equations, and only the values tell.
(Powers are the other way round: 2^3^2 is 2^(3^2). The library does brackets, powers and the minus of -3 as well, in
one pass from left to right, with Dijkstra's two stacks.)

## What became of the brackets?

They said what belongs together. In prefix order the place says it: `* + a b c` and `+ a * b c`. Read from left to
right, a prefix equation even draws itself. And it says when it is complete: at first one operand is wanted; an operator
is one operand and wants two; a number is one and wants none. When nothing is wanted any more, it is done.
"""

# %% 3.4 Trees, and brackets that vanish
figures.heading("3.4 Brackets vanish, and the end is known")


def draw(tokens, here="  ", below="  "):
    """Prints the tree of an equation, from an iterator over its prefix tokens."""
    token = next(tokens)
    print(here + token)
    if token in OPERATORS:
        draw(tokens, below + "├─ ", below + "│  ")
        draw(tokens, below + "└─ ", below + "   ")


def brackets(equation):
    return prefix_to_infix(equation).count("(") - " ".join(equation).count("(")  # a literal may hold some: (1/2)


needed = [brackets(problem.equation) for problem in train]
lengths = [len(problem.equation) for problem in train]
print(f"  infix: {sum(map(bool, needed))} of {len(train)} need brackets; mean length "
      f"{(sum(lengths) + 2 * sum(needed)) / len(train):.2f} tokens, longest "
      f"{max(length + 2 * pairs for length, pairs in zip(lengths, needed))}")
print(f"  prefix: 0 need them; mean length {sum(lengths) / len(train):.2f} tokens, longest {max(lengths)}")
bracketed = Counter(with_names(p) for p in train if len(p.equation) <= 7 and brackets(p.equation))
shown = max(bracketed, key=lambda text: (len(text.split()), bracketed[text])).split()  # long, and common
wanted = [1]
for token in shown:
    wanted.append(wanted[-1] + (1 if token in OPERATORS else -1))
print(f"\n  {prefix_to_infix(shown)}\n")
draw(iter(shown))
print("\n  token        " + "".join(f"{token:>4}" for token in shown))
print("  still wanted " + "".join(f"{count:>4}" for count in wanted[1:]))
assert wanted[-1] == 0 and 0 not in wanted[:-1]

# %% [markdown]
r"""
So the decoder needs no end token, and it can be kept from ever writing nonsense: while something is wanted it may
write, when nothing is it must stop, and no name may be written that the problem does not have (`decode.py`).

## The two vocabularies

What the model reads is words; what it writes is a handful of tokens. A word that occurs once in training has an
embedding that was moved once: better to learn what "unknown" looks like. But a rare Chinese word has characters that
are not rare. So a word is read as a bag of pieces, the word itself and its first four characters, and its embedding is
the sum of theirs. Guess two shares of the test problems: with a word that is unknown, and with one of which no piece is
known. (Our sample is written with few words, all of them seen; the published sets are not. English words have one
piece: how they begin and end was tried, and did not pay. ASDiv-A's recipe keeps every word, though a third of them
occur once: there lesson 05's word dropout alone shows the model what "unknown" is.)
"""

# %% 3.5 What is read, what is written
figures.heading("3.5 The words it reads, the tokens it writes")
rows = []
for least in (1, 2, 5):
    vocabularies = Vocabularies.of(train, least)
    read = [vocabularies.source.encode_words(problem.words) for problem in test]
    unknown = sum(any(word[0] == UNK for word in text) for text in read)
    nothing = sum([UNK] in text for text in read)
    rows.append((f"seen {least} times", len(vocabularies.source), f"{unknown / len(test):.1%}",
                 f"{nothing / len(test):.1%}"))
figures.table(rows, ["pieces kept", "vocabulary", "problems with an unknown word", "nothing of it known"])
vocabularies = Vocabularies.of(train)
source, target = vocabularies.source, vocabularies.target
strange = {word[0]: word for problem in test for word in problem.words if word[0] not in source.index}
strange = sorted(strange.values(), key=lambda word: word[0].isascii())[:3]
for word, ids in zip(strange, source.encode_words(strange)):
    print(f"  {word[0]} is read as {' '.join(source.tokens[place] for place in ids)}")
print(textwrap.fill(f"{len(target)} tokens to write: {' '.join(target.tokens)}", 78, initial_indent="  ",
                    subsequent_indent="    "))
print(f"  they can write {sum(map(vocabularies.can_write, train))} of {len(train)} training equations, "
      f"{sum(map(vocabularies.can_write, test))} of {len(test)} in test")

# %% [markdown]
r"""
The last figure is a ceiling: no training gets a solver to write more of the recorded equations. Constants that hardly
any equation uses are left out, for nobody could learn when to use them.

## What a name hides

`N0 - N1` or `N1 - N0`? The words are the same with 12 and 3 as with 3 and 12, and the names do not tell which is
larger. So a number has two pieces beside its name: its kind (whole, decimal, percent, fraction) and its rank among the
problem's numbers, 0 the smallest. How much is that worth? Guess two shares, among subtractions of one number from
another: the first number of the two comes first in the text; the first is the larger.
"""

# %% 3.6 Kind and rank
figures.heading("3.6 What a subtraction takes from what")
in_order, larger, total = 0, 0, 0
for problem in train:
    for sign, left, right in zip(problem.equation, problem.equation[1:], problem.equation[2:]):
        if sign == "-" and is_name(left) and is_name(right):
            left, right = int(left[1:]), int(right[1:])
            in_order += left < right
            larger += bool(problem.numbers[left] > problem.numbers[right])
            total += 1
print(f"  of {total} subtractions, {in_order / total:.1%} are in text order, {larger / total:.1%} larger - smaller")
example = next(problem for problem in test if len(problem.numbers) == 3 and len(problem.text) < 150)
for label, line in (("text", example.text),
                    ("read as", " ".join("".join(word) if is_name(word[0]) else word[0] for word in example.words)),
                    ("write", with_names(example)), ("or mirrored", " ".join(mirror(example.equation))),
                    ("means", f"{prefix_to_infix(example.equation)}, that is {example.answer}")):
    print(textwrap.fill(f"{label}: {line}", 78 if line.isascii() else 50, initial_indent="  ",
                        subsequent_indent="    "))

# %% [markdown]
r"""
Rank is told, not imposed: the model learns when to follow it. (A division is less orderly: on Math23k a single one is
larger by smaller in four of five problems.) It is computed from the problem alone, so it leaks nothing.

The line "or mirrored" is the same equation with both operands of every operator swapped: what one would read from the
right. It obeys the same grammar, and a decoder that has learnt to write both, told by its first token which is wanted,
has two opinions on every problem. Lesson 05 lets each judge what the other has written.

## Exercises

1. By hand: the prefix forms of `2 * (3 + 4) - 5`, `24 / 4 / 2` and `2 ^ 3 ^ 2`, and the infix form of `- a - b c`. How
   many operands does `+ * a b` still want? Check with `infix_to_prefix(lex(...))` and `prefix_to_infix`;
   `pytest tests/test_tokenizer.py -k infix_to_prefix`
2. Write `mask_numbers`: names in reading order, and what the table of 3.2 shows.
   `pytest tests/test_tokenizer.py -k "numbers"`
3. Write `infix_to_prefix` for all signs and brackets, in one pass: a - b - c, 2 ^ 3 ^ 2, -2 ^ 2, and errors that say
   what is missing and where. `pytest tests/test_tokenizer.py -k "infix or shunting or broken or limits"`
4. Find the mistake. With this fold, which equations still have the right value, and which share of the training set
   is that? Guess, then count, with the values kept from before the change: recorded answers are read by this fold too.

       left, right = join_order(stack.pop(), stack.pop())    # def join_order(a, b): return b, a

   `pytest tests/test_tokenizer.py -k fold_meets_left_and_right`
5. Open: number words on ASDiv-A. Which words name a number and are not read: "half", "double", "pair", "dozen",
   "third"? Read them, at least one, and count: how many training equations gain a number, how many texts gain one
   that no equation wants, and what becomes of "new in test"?
"""
