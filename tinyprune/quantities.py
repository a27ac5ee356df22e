"""The numbers of a text: found, named N0, N1, ... in reading order, and read exactly.

With names, a model can learn "N0 / (1 - N1)" where each problem has numbers of its own. A number
as it is written is a *literal*: "3/8", "20%", "1,250". Its value is a sympy Rational.
"""
import re

from sympy import Rational

MAX_CHARACTERS = 1000  # of a literal, an equation or an answer

PLAIN_DIGITS = str.maketrans("０１２３４５６７８９％", "0123456789%")

# A denominator of 0 makes no number, so that every literal has a value.
NOT_ZERO = "0*[1-9][0-9]*"
FRACTION = rf"\(\s*(?:[0-9]+|\([0-9]+\))\s*/\s*(?:{NOT_ZERO}|\({NOT_ZERO}\))\s*\)"
MIXED = rf"[0-9]+\s*{FRACTION}"
DECIMAL = r"(?:[0-9]{1,3}(?:,[0-9]{3})+(?![0-9])|[0-9]+)(?:\.[0-9]+)?%?"
QUOTIENT = rf"(?<![0-9/])[0-9]+/{NOT_ZERO}(?![0-9/])"
LITERAL = re.compile(f"{MIXED}|{FRACTION}|{QUOTIENT}|{DECIMAL}")

UNITS = ("zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
         "fifteen sixteen seventeen eighteen nineteen").split()
TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
CARDINALS = {word: value for value, word in enumerate(UNITS)}
for tens, word in enumerate(TENS, 2):
    CARDINALS |= {f"{word}-{unit}": 10 * tens + CARDINALS[unit] for unit in UNITS[1:10]}
    CARDINALS[word] = 10 * tens
NUMBER_WORD = rf"\b(?:{'|'.join(sorted(CARDINALS, reverse=True))})\b"  # "forty-two" before "forty"
ENGLISH = re.compile(f"{LITERAL.pattern}|{NUMBER_WORD}", re.IGNORECASE)


class EquationError(ValueError):
    """A number or an equation that cannot be read or has no value. The message says what and where.

    reason: one of unbalanced, empty, unknown token, missing operator, missing operand,
    division by zero, too long, too deep, exponent, undefined, too large, not a number
    """

    def __init__(self, reason, sentence):
        super().__init__(sentence)
        self.reason = reason


def is_name(token):
    """Whether a word of a masked text, or an equation's token, is a number's name: N0, N1, …"""
    return token[:1] == "N" and token.isascii() and token[1:].isdecimal()


def name_index(name):
    """The i of the name Ni: where its number stands in the problem's list of numbers."""
    return int(name[1:])


def read_number(literal):
    """The exact value, a Rational, of a literal.

    "12", "3.5", "20%", "1,250", "3/8", "(3/8)", and the mixed number "5(3/4)".
    Raises EquationError (not a number, too long).
    """
    if len(literal) > MAX_CHARACTERS:
        raise EquationError("too long", f"a number of {len(literal)} characters, at most "
                                        f"{MAX_CHARACTERS} are read")
    if not LITERAL.fullmatch(literal):
        raise EquationError("not a number", f"{literal!r} is not a number")
    if "/" in literal:
        *whole, numerator, denominator = map(int, re.findall("[0-9]+", literal))
        return sum(whole, Rational(numerator, denominator))
    whole, _, decimals = literal.replace(",", "").rstrip("%").partition(".")
    hundred = 100 if literal.endswith("%") else 1
    return Rational(int(whole + decimals), 10 ** len(decimals) * hundred)


def mask_numbers(words, english=False):
    """Replaces each number of a text by its name.

    -> the words, and the literals: literals[i] is what Ni stands for

    A fraction may be spread over words (`( 3 / 8 )`). A number that touches a unit or a sign
    becomes a word of its own (`8m`, `$5`). With `english`, number words ("seven", "forty-two")
    are numbers too.
    """
    literals = []

    def name(match):
        literal = re.sub(r"\s", "", match[0])
        literals.append(str(CARDINALS.get(literal.lower(), literal)))
        return f" N{len(literals) - 1} "

    text = " ".join(words).translate(PLAIN_DIGITS)
    pattern = ENGLISH if english else LITERAL
    return pattern.sub(name, text).split(), literals
