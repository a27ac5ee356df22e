# %% [markdown]
r"""
# 03 Equations: how many different things must a solver be able to write?

A model that answers "12 - 3 = 9" must know arithmetic. A model that writes only the equation need
not: the computer does the arithmetic. But every problem has its own numbers, and so every problem
has its own equation. How can a model learn from examples when hardly two of them are alike?

This lesson makes the equations alike. Numbers get names, brackets disappear, and the equations that
remain are few enough to count. You need to know nothing but Python, and the lesson uses no torch.
Lessons 01 and 02 can wait. It takes about 30 minutes to read, seconds to run, and four hours for
the exercises. It runs on the sample that comes with the project. With `--data asdiv-a` or
`--data math23k` it shows the same on published problems (`python data/download.py` gets them).

A set of problems has three parts, its *splits*. The model learns from the training problems. We
choose settings on the validation problems. We ask the test problems at the end, once. ASDiv-A has
five *folds* instead: each of them is the test split once, and the other four are for training.

Several sections ask for a guess. Write yours down before you run the cell.
"""

# %% 3.1 Every problem has its own equation
import math
import re
import textwrap
from collections import Counter

from tinyprune import UNK, cli, figures
from tinyprune.data import load
from tinyprune.quantities import (
    IDIOM,
    TENS,
    UNITS,
    is_name,
    mask_numbers,
    name_index,
    read_number,
)
from tinyprune.tokenizer import OPERATORS, infix_to_prefix, lex, mirror, prefix_to_infix
from tinyprune.vocabulary import Vocabularies
from tinyprune.words import is_chinese

args = cli.options()
splits = load(args.data, args.fold)
train = [problem for problem in splits.train if problem.equation]
test = [problem for problem in splits.test if problem.equation]
figures.heading(f"3.1 {args.data}: how many of {len(train)} training equations are different?")


def with_numbers(problem):
    """The equation's tokens with the text's numbers: 12 and 3 where with_names has N0 and N1."""
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
               f"03_reach_{args.data}", title=f"How far frequent equations reach, {args.data}")
for equation, count in equations.most_common(3):  # of the second row: numbers named
    print(f"  {count:5} times {prefix_to_infix(equation.split())}")

# %% [markdown]
r"""
With their numbers, nearly all training equations are different, and most test equations are new (at
least three of four on every set): there is nothing to learn from. With names, a few equations cover
a large share of the problems. The others form a tail, short in our own sample and long in the
published sets.

The last column is a warning. A solver that can only *choose* among equations from training can
write none of the new ones. It can answer those problems only by luck. Our solver writes token by
token, so it can write an equation that it has never seen.

## Names for numbers

The easy case comes first: whole numbers get the names N0, N1, … in reading order. A number that
occurs twice gets two names, because it may mean two things. The function below needs three lines.
But people write numbers in many ways. The table has a row for each rule of the library, the package
`tinyprune`: an example, the numbers that our three lines find in it, and those that the library
finds. `train` and `test` count the texts that the rule reaches. (又 is "and", 商 is "quotient", 第
4 天 is "day 4", 10万 元 is "100,000 yuan".) Before you run it, guess: in which rows do our three
lines find the right numbers?
"""

# %% 3.2 Naming numbers: the easy case, and the rest
figures.heading("3.2 Whole numbers are easy; what about the rest?")


def name_whole_numbers(text):
    """-> the text with names, and the literals: literals[i] is what Ni stands for"""
    literals = re.findall(r"\d+", text)
    names = (f"N{index}" for index in range(len(literals)))
    return re.sub(r"\d+", lambda match: next(names), text), literals


def count_texts(pattern, part):
    return sum(bool(re.search(pattern, problem.text)) for problem in part)


print("  12 pens, 12 boys -> " + name_whole_numbers("12 pens, 12 boys")[0])
DIVISION = r"(?<![(/] )(?<!\S)(\d[\d.]*) / (\d[\d.]*)(?!\S)(?! [)/])"  # not in brackets
NAME = r"\b(?:[A-Z]+|[a-z]+)(\d+)"
ORDINAL = r"\b(\d+)(?:st|nd|rd|th)\b"
DIGIT = "[一二两三四五六七八九十百]"
UNREAD = (r"\b(?:half|twice|double|dozen|pairs?|third|quarter)\b"
          f"|一半|{DIGIT}[折成倍]|{DIGIT}分之{DIGIT}")
RULES = [("percent sign", r"\d ?%", "20% of 5 %"),
         ("point", r"\.\d", "0.5 of .5"),
         ("comma", r"\d[,，]\d{3}", "1,250 or 1，250"),
         ("fraction", r"\( \d+ / \d+ \)|\d/\d", "( 3 / 8 ) or 3/8"),
         ("mixed number", r"\d \( \d+ / \d+ \)|\d(?: | ?又 ?)\d+/\d", "5又3/4 or 5 3/4"),
         ("currency or unit", r"\$ ?\d|\d(?!st|nd|rd|th)[a-z]", "8m for $5"),
         ("number word", rf"\b(?:{'|'.join(UNITS + TENS)})\b", "forty-two men"),
         ("large number word", r"\b(?:hundred|thousand|million)\b", "two hundred and six"),
         ("sign", r"(?<!\S)-\d", "-3 degrees for 2-4 men"),
         ("not in a name", NAME, "an MP3 player"),
         ("not an ordinal", ORDINAL, "the 3rd day"),
         ("not an idiom's one", IDIOM, "one pen in each one"),
         ("division", DIVISION, "4 / 5 的 商"),
         ("ordinal with 第", r"第 ?\d", "第 4 天"),
         ("unit 万 or 亿", r"\d ?[万亿]", "10万 元"),
         ("word not read", UNREAD, "half of a dozen")]
rows = []
for rule, pattern, example in RULES:
    _, easy = name_whole_numbers(example)
    _, literals = mask_numbers(example.split(), english=not is_chinese(example))
    rows.append((rule, count_texts(pattern, train), count_texts(pattern, test),
                 "  ".join(easy) or "-", "  ".join(literals) or "-", example))
figures.table(rows, ["rule", "train", "test", "easy", "library", "example"])
agree = 0
for problem in train:
    _, literals = name_whole_numbers(problem.text)
    numbers = [read_number(literal) for literal in literals]
    if numbers == problem.numbers:
        agree += 1
print(f"  the easy way finds exactly the right numbers in {agree} of {len(train)} "
      "training problems")

# %% [markdown]
r"""
A mixed number, `5 3/4`, is one number. A minus is a sign if it touches its number and no number
stands before it: not in 3-4 or 3 -4. `3 / 4` is a fraction in an English text, and a division in a
Chinese one. A number that does not count anything gets no name such as N0: a number inside a word
(MP3), an English ordinal (3rd), the "one" of "each one". 万 means ten thousand, but in a text the
library reads it as a unit, like kg. Equations and answers follow the same rules, except that 10万
is 100000 there. In an equation `3 / 4` and `3:4` are divisions.

Our three lines find what the library finds for the unit, the division, 第 and 万, and nowhere else.
(In the last row both find nothing, and both miss a number.) Many counts of the sample are 0,
because it is written in a few of these ways only. Of the 21,160 training texts of Math23k, 5,874
have a fraction, 3,679 a point and 2,732 a percent sign. Of the 980 of ASDiv-A (fold 0 left out),
289 have a number word. Neither set has signs or large number words: those rules are for the
problems that you type.

Another library may choose differently. Who is right? We ask the recorded equations: how often do
they use such a number? (A number counts as used if the equation has any equal number. So the counts
are upper limits.) Guess which numbers are used. The sample has none of them: the text below the
table gives the counts of the published sets.
"""

# %% 3.3 Is it a number? The recorded equations answer
figures.heading("3.3 Which of these numbers do the recorded equations use, in all splits?")


def as_written(match):
    return [str(read_number(number)) for number in match.groups()]


def one(match):
    return ["1"]


def quotient(match):
    return ["/ " + " ".join(as_written(match))]


# what the text has, its pattern, the values of a match, whether the library reads it so
READINGS = [("the 1 of 'each one', 'one of'", IDIOM, one, "no"),
            ("the 1 of any 'one'", r"(?<!-)\bone\b", one, "the others"),
            ("the 3 of 3rd", ORDINAL, as_written, "no"),
            ("the 3 of MP3", NAME, as_written, "no"),
            ("the 4 after 第", r"第 ?(\d+)", as_written, "yes"),
            ("10 in 10万", r"(\d[\d.]*) ?[万亿]", as_written, "yes"),
            ("100000 in 10万", r"(\d[\d.]* ?[万亿])", as_written, "no"),
            ("4 and 5 in 4 / 5", DIVISION, as_written, "yes"),
            ("the quotient 4 / 5", DIVISION, quotient, "no")]
rows = []
for number, pattern, values_of, is_read in READINGS:
    cases = 0
    used = 0
    for problem in train + splits.valid + test:
        for match in re.finditer(pattern, problem.text):
            cases += 1
            equation = f" {with_numbers(problem)} "
            if all(f" {value} " in equation for value in values_of(match)):
                used += 1
    rows.append((number, cases, used, is_read))
figures.table(rows, ["number", "in texts", "used by the equation", "library reads it"])

# %% [markdown]
r"""
On ASDiv-A no equation uses the 14 idioms, the 5 ordinals or the 2 names, and on Math23k none uses
the 7 names. Equations use 123 of the 156 numbers after 第. Of the 534 numbers before 万 or 亿, they
use 527 as they stand, and none times ten thousand. Both numbers of `4 / 5` are used in 213 of 216
cases, but only in 114 is the first divided by the second: "7 / 1750 的 商" is 1750 / 7. The
doubtful case is "one". On ASDiv-A 31 of them stand outside idioms, and one equation uses its 1, for
"one more". The library reads them all the same: an unused number costs a name, but an equation that
lacks its number cannot be written.

The library does not read the words of the last rule: half, twice, dozen, 八折, 两倍, 一半,
百分之四十五. The solver (`python -m tinyprune`) does not read them either, but it says so. Exercise
5 is about them.

The numbers of the equation then get the names of the numbers in the text. Each number gets the name
of the first equal number that the equation has not used yet. If all are used, it gets the first
one's name again. A number that the text does not have stays a constant: for example 3.14, or the 1
of "1 - 20%".

## Operators before operands

A reader of `2 + 3 * 4` needs a rule: `*` has a higher *precedence* than `+`, so the product is
computed first. The usual way to write, with the operator between its two operands, is called
*infix*. If we write every operator *before* its two operands, no rule is needed. This is called
*prefix* order: `+ 2 * 3 4`.

The translation is short if only + and * occur. The operator with the lowest precedence is applied
last, so it comes first in prefix order. We cut the equation at this operator and translate both
sides in the same way.

For - there is one more choice: at which of several equal operators do we cut? Guess the value of
`10 - 4 - 3` if we cut at the first one. (The answer stands below the table.)
"""

# %% 3.4 Infix to prefix
figures.heading("3.4 Cut at the operator of lowest precedence: the last one, or the first?")


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
the first one, the equation means 10 - (4 - 3), which is 9 and not 3. In the last row the precedence
is upside down, `(2 + 3) * 4`. Neither mistake crashes, and both results are equations. Only their
values show the mistake. (Powers group from the right: 2^3^2 is 2^(3^2). The library also handles
brackets, powers and the minus of -3, in one pass with two stacks: Dijkstra's shunting-yard
algorithm.)

## Where do the brackets go?

Brackets say which operands belong together. In prefix order the operator's position says it:
`* + a b c` is (a + b) * c, and `+ a * b c` is a + b * c. The function below reads a prefix equation
from left to right, and that is enough to draw its tree.

A prefix equation also says when it is complete. An operand that is still missing is an *open slot*.
At first there is one open slot. An operator fills one slot and opens two. A number fills one slot
and opens none. When no slot is open, the equation is complete.
"""

# %% 3.5 Trees, and brackets that vanish
figures.heading("3.5 Brackets vanish, and the end is known")


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

Guess two shares of the test problems: those with an unknown word, and those with a word of which no
subword is known. For each set it keeps the subwords that occur at least `min_count` times; the
library takes 2 for Math23k and 1 for ASDiv-A. (English words have one subword only: their
beginnings and endings did not help.)
"""

# %% 3.6 The words it reads, the tokens it writes
figures.heading("3.6 The words it reads, the tokens it writes")
rows = []
for min_count in (1, 2, 5):  # how often a subword must occur to be kept
    source = Vocabularies.of(train, min_count).source
    unknown = 0
    nothing_known = 0
    for problem in test:
        text = source.encode_words(problem.words)
        if any(word[0] == UNK for word in text):  # a word is its ids, its own one first
            unknown += 1
        if [UNK] in text:
            nothing_known += 1
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
Of Math23k's test problems 30.1% have an unknown word (`min_count` 2), but only 0.9% one of which
nothing is known: the characters help. On ASDiv-A (1) 58.8% have an unknown word, and its one
subword is itself. There only the word dropout of lesson 05 shows the model unknown words.

The four special tokens are no part of an equation. `<pad>` fills short rows, and `<unk>` stands for
an unknown word. The decoder reads `<bos>` first, or `<mirror>` if it must write the equation
mirrored (section 3.7). So this is the answer to the question of the title: the sample's equations
are made of 12 different tokens, Math23k's of 23.

The last figure is a ceiling: no training lets a solver write more of the recorded equations. A
target token is there only if a training equation uses it. A token that no equation uses would keep
its random weights, and could still be written. Constants that hardly any equation uses are left out
too, because nobody could learn when to use them.

## Names hide the values

Is the equation `N0 - N1` or `N1 - N0`? The words are the same with 12 and 3 as with 3 and 12, and
the names do not say which number is larger. So a number has two subwords beside its name. One is
its kind: whole, decimal, percent or fraction. The other is its rank among the problem's numbers,
where 0 is the smallest. How much is the rank worth? Consider the subtractions of one number from
another, and guess two shares. How often does the first operand come first in the text? How often is
the first operand the larger one?
"""

# %% 3.7 Kind and rank
figures.heading("3.7 Which number is subtracted from which?")
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
short = [problem for problem in three_numbers if len(problem.text) < 150]
example = min(short, key=lambda problem: not problem.text.isascii())  # an English one, if any
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
rank is computed from the problem alone, so it needs nothing that a solver does not have.

The line "or mirrored" shows the same equation with both operands of every operator swapped: written
as infix, it is the equation from right to left, brackets included. It obeys the same grammar. A
decoder can learn to write both forms, and the first token that it reads says which one to write. It
then has two opinions on every problem. In lesson 05 each direction scores the equations that the
other one has written. Swap the operands back before you compute a value: in a mirrored `- a b`, a
is subtracted from b.

## Exercises

Lesson 01 says, before its exercises, what "write" means.

1. (★, 10 minutes) By hand: write the prefix forms of `2 * (3 + 4) - 5`, `24 / 4 / 2` and
   `2 ^ 3 ^ 2`, and the infix form of `- a - b c`. How many slots are still open after `+ * a b`?
   Check with `infix_to_prefix(lex(...))` and `prefix_to_infix`.
2. (★★, 60 minutes) Delete the body of `mask_numbers` (`tinyprune/quantities.py`; it has no marker
   lines) and write it: names in reading order, and all that the table of 3.2 shows. The patterns
   and helpers above it stay, and you may use them.
   `pytest tests/test_quantities.py -k "numbers or english or words"`
3. (★★★, 60 minutes) Write `infix_to_prefix` (`tinyprune/tokenizer.py`) for all operators and
   brackets, in one pass: a - b - c, 2 ^ 3 ^ 2, -2 ^ 2 (a sign has no left operand: `-2` is
   `- 0 2`), and N0 %, which is `/ N0 100`. `_check_turn` is given, and finds most errors. A bracket
   that is never closed and a number that is missing at the end are left to you.
   `pytest tests/test_tokenizer.py -k "infix or shunting or broken or limits"`
4. (★★, 20 minutes) Find the mistake. In `fold_prefix` (`tinyprune/tokenizer.py`) somebody exchanges
   two names. Do it, too:

       right = stack.pop()
       left = stack.pop()

   Which equations still have the right value, and which share of the training set is that? Guess,
   then count: compare `evaluate_prefix(problem.equation, problem.numbers)` with `problem.answer`.
   (`problem.answer` comes from the file, so your change does not alter it.)
   `pytest tests/test_tokenizer.py -k fold_meets_left_and_right`
5. (★★★, 90 minutes) Open: words that name a number, but are not read. On ASDiv-A: "half", "twice",
   "dozen", "pair", "third". On Math23k: 八折 (80%), 两倍 (2 times), 一半 (1/2), 百分之四十五 (45%).
   Read at least one of them, and count. How many training equations gain a number? How many texts
   gain a number that no equation needs? How does "new in test" change?
"""
