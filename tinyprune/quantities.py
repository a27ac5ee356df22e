"""The numbers of a text: found, named N0, N1, ... in reading order, and read exactly.

With names, a model can learn "N0 / (1 - N1)" where each problem has numbers of its own. A number
as it is written is a *literal*: "3/8", "20%", "1,250", "5(3/4)". Its value is a sympy Rational.
Lesson 03 counts how many published problems each rule reaches.
"""
import functools
import re
from decimal import Context, Decimal

from sympy import Rational

MAX_CHARACTERS = 1000  # of a literal, an equation or an answer
EXACT = Context(prec=2 * MAX_CHARACTERS)  # digits: all that a number in words can have

PLAIN_CHARACTERS = str.maketrans("０１２３４５６７８９％／－−", "0123456789%/--")
PLAIN_CHARACTERS |= {ord("½"): " 1/2", ord("¼"): " 1/4", ord("¾"): " 3/4", ord("⅓"): " 1/3",
                     ord("⅔"): " 2/3"}

# A denominator of 0 makes no number, so that every literal has a value.
NOT_ZERO = "0*[1-9][0-9]*"
# 3/8 in brackets, or ((7)/(15)); without brackets, and no part of 1/2/3; 5(3/4), 5又3/4 or 5 3/4
FRACTION = rf"\(\s*(?:[0-9]+|\([0-9]+\))\s*/\s*(?:{NOT_ZERO}|\({NOT_ZERO}\))\s*\)"
QUOTIENT = rf"(?<![0-9/])[0-9]+/{NOT_ZERO}(?![0-9/]|\.[0-9])"
MIXED = rf"[0-9]+\s*{FRACTION}|(?<![0-9/.])[0-9]+(?:\s*又\s*|\s+){QUOTIENT}"
WHOLE = r"(?:[0-9]{1,3}(?:[,，][0-9]{3})+(?![0-9])|[0-9]+)"
DECIMAL = rf"(?:{WHOLE}(?:\.[0-9]+)?|(?<![\w.])\.[0-9]+)"
TEXT_LITERAL = rf"{MIXED}|{FRACTION}|{QUOTIENT}|{DECIMAL}(?:\s*%)?"
# Equations and answers have no full stops, so a point may end a number. In a text, 10万 counts in
# units of 万: of Math23k's equations 527 use the 10, and none the 100000.
POWERS = {"%": -2, "万": 4, "亿": 8}  # of ten
NUMBER = rf"{WHOLE}\.(?![0-9])|{DECIMAL}(?:\s*[%万亿])?"
LITERAL = re.compile(f"-?(?:{MIXED}|{FRACTION}|{QUOTIENT}|{NUMBER})")

UNITS = ("zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
         "fifteen sixteen seventeen eighteen nineteen").split()
TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
CARDINALS = {word: value for value, word in enumerate(UNITS)}
CARDINALS |= {word: 10 * tens for tens, word in enumerate(TENS, 2)}
CARDINALS |= {"a": 1, "and": 0}
LARGE = {"thousand": 10**3, "million": 10**6, "billion": 10**9}

# twenty-one; two hundred and six; 3.5 thousand; two million, three thousand; and so on
UNDER_100 = rf"(?:(?:{'|'.join(TENS)})(?:[- ](?:{'|'.join(UNITS[1:10])}))?|{'|'.join(UNITS)})\b"
HUNDREDS = rf"(?:a|{DECIMAL}|{UNDER_100})[- ]hundred\b(?:[- ](?:and )?{UNDER_100})?"
COUNT = rf"(?:a|{DECIMAL}|{HUNDREDS}|{UNDER_100})"
THOUSANDS = rf"{COUNT}[- ]thousand\b"
MILLIONS = rf"{COUNT}[- ]million\b(?:(?: ?,)? {THOUSANDS})?"
BILLIONS = rf"{COUNT}[- ]billion\b(?:(?: ?,)? (?:{MILLIONS}|{THOUSANDS}))?"
CARDINAL = (rf"\b(?:(?:{BILLIONS}|{MILLIONS}|{THOUSANDS})"
            rf"(?:(?: ?,)? {HUNDREDS}| (?:and )?{UNDER_100})?|{HUNDREDS}|{UNDER_100})")
SPACED_FRACTION = rf"(?<!/ )(?:[0-9]+ )?(?<![0-9/.])[0-9]+ / {NOT_ZERO}(?!\.[0-9]| ?[0-9/])"

# What looks like a number and counts nothing: MP3, and in English 3rd, and the one of "each one".
NAME = r"\b(?:[A-Z]+|[a-z]+)[0-9][A-Za-z0-9]*(?![A-Za-z0-9]|\.[0-9])"
IDIOM = (r"\b(?:each|every|no|this|that|which|the|any|another) one\b"
         rf"(?! (?:hundred|{'|'.join(LARGE)})\b)|\bone (?:of|day|another|by one)\b")
NOT_COUNTED = rf"{NAME}|\b[0-9]+(?:st|nd|rd|th)\b|{IDIOM}"

# A minus is a sign where it touches its number and nothing stands before it: not in 3-4, 3 -4.
SIGN = r"(?:(?<![^\s(])(?<![0-9)）%] )-(?=[0-9.]))?"
CHINESE_NUMBERS = re.compile(f"(?P<word>{NAME})|{SIGN}(?:{TEXT_LITERAL})")
ENGLISH_NUMBERS = re.compile(f"(?P<word>{NOT_COUNTED})|(?P<cardinal>{CARDINAL})"
                             f"|{SIGN}(?:{SPACED_FRACTION}|{TEXT_LITERAL})")


class EquationError(ValueError):
    """A number or an equation that cannot be read or has no value. The message says what and where.

    reason: one of unbalanced, empty, unknown token, missing operator, missing operand,
    division by zero, too long, too deep, exponent, undefined, too large, not a number
    """

    def __init__(self, reason, sentence):
        super().__init__(sentence)
        self.reason = reason


def plain(text):
    """A text with full-width digits and signs as ASCII ones: ５０．５％ -> 50.5%.

    A full-width point is a decimal's only between two digits. Elsewhere it ends a sentence, as in
    half of Math23k's problems, and stays.
    """
    return re.sub(r"(?<=[0-9])．(?=[0-9])", ".", text.translate(PLAIN_CHARACTERS))


def is_name(token):
    """Whether a word of a masked text, or an equation's token, is a number's name: N0, N1, …"""
    short = len(token) <= MAX_CHARACTERS  # Python reads no number of thousands of digits
    return short and token[:1] == "N" and token.isascii() and token[1:].isdecimal()


def name_index(name):
    """The i of the name Ni: where its number stands in the problem's list of numbers."""
    return int(name[1:])


def plain_literal(written):
    """One form for every number: "1 1/2" and "1又1/2" -> 1(1/2), "5 %" -> 5%, ".5" -> 0.5."""
    literal = written.replace("，", ",")
    if "/" in written:
        literal = re.sub(r"\s*/\s*", "/", literal)
        literal = re.sub(r"(?<=[0-9])(?:\s*又\s*|\s+)([0-9]+/[0-9]+)", r"(\1)", literal)
    literal = "".join(literal.split())
    return re.sub(r"^(-?)\.", r"\g<1>0.", literal) if "." in literal else literal


@functools.lru_cache(maxsize=10_000)  # a data set writes the same numbers again and again
def read_number(literal):
    """The exact value, a Rational, of a literal.

    "12", "3.5", "-3", "20%", "1,250", "3/8", "(3/8)", the mixed numbers "5(3/4)" and "5 3/4", and
    "10万", which is 100000.
    Raises EquationError (not a number, too long).
    """
    if len(literal) > MAX_CHARACTERS:
        raise EquationError("too long", f"a number of {len(literal)} characters, at most "
                                        f"{MAX_CHARACTERS} are read")
    if not LITERAL.fullmatch(literal):
        raise EquationError("not a number", f"{literal!r} is not a number")
    one_form = plain_literal(literal)
    if "/" in one_form:
        *whole, numerator, denominator = map(int, re.findall("[0-9]+", one_form))
        value = sum(whole, Rational(numerator, denominator))
    else:
        whole, _, decimals = one_form.strip("-%万亿").replace(",", "").partition(".")
        value = Rational(int(whole + decimals), 10 ** len(decimals))
        if one_form[-1] in POWERS:
            value *= Rational(10) ** POWERS[one_form[-1]]
    return -value if one_form.startswith("-") else value


def read_cardinal(words):
    """The value of a number in English words: "five thousand, six hundred and two", "3 million"."""
    total = 0
    part = Rational(0)  # what stands before the next "thousand"
    for word in re.findall(r"[a-z]+|[0-9.][0-9.,]*", words.lower()):
        if word in LARGE:
            total += part * LARGE[word]
            part = Rational(0)
        elif word == "hundred":
            part *= 100
        else:
            part += CARDINALS[word] if word in CARDINALS else read_number(word)
    return total + part


def mask_numbers(words, english=False):
    """Replaces each number of a text by its name.

    -> the words, and the literals, each in its one form: literals[i] is what Ni stands for

    A fraction may be spread over words (`( 3 / 8 )`). A number that touches a unit or a currency's
    sign becomes a word of its own (`8m`, `$5`). With `english`, number words ("two hundred and
    six") are numbers too, `3 / 4` is a fraction (in Math23k it is a division), and neither an
    ordinal nor the one of "each one" is a number.
    Raises EquationError (too long) for a number without end.
    """
    literals = []

    def name(match):
        if match["word"]:
            return match[0].lower()  # a text's own N0 is not one of our names
        literal = plain_literal(match[0])
        if english and match["cardinal"]:
            value = read_cardinal(match[0])
            literal = format(EXACT.divide(Decimal(value.p), value.q), "f")  # 3.5 thousand -> 3500
        literals.append(literal)
        return f" N{len(literals) - 1} "

    text = plain(" ".join(words))
    if english:  # a pattern that ignores case would find the "six" of "ſix"
        text = text.lower()
    pattern = ENGLISH_NUMBERS if english else CHINESE_NUMBERS
    return pattern.sub(name, text).split(), literals
