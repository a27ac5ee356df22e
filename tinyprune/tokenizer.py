"""Texts and equations as tokens.

The numbers of a problem are named N0, N1, ... in reading order, so that the model learns "N0 / (1 - N1)" and not
"400 / (1 - 3/8)". An equation becomes its prefix form, `- a b` for a - b: it needs no brackets, and one can tell where
it ends. In between stand lists of tokens: operators, brackets, number names and number literals such as "3.14".
Infix to prefix is Dijkstra's shunting-yard algorithm (1961).
"""
import re
from collections import Counter

from sympy import Integer, Rational

from tinyprune import PAD, UNK

MOST_CHARACTERS = 1000
MOST_TOKENS = 1000
MOST_LEVELS = 64

NEGATE = "negate"  # the minus of -3, while it waits for its operand
BINDS = {"+": 1, "-": 1, "*": 2, "/": 2, NEGATE: 3, "^": 4}
OPERATORS = ["+", "-", "*", "/", "^"]
CLOSES = {"(": ")", "[": "]", "{": "}"}
CLOSING = set(CLOSES.values())

# Not Unicode's NFKC, which would read 3² as 32. One character becomes one, so that places in messages stay right.
PLAIN_SIGNS = {0xFF01 + i: 0x21 + i for i in range(94)} | str.maketrans("×÷−–", "*/--")
PLAIN_DIGITS = str.maketrans("０１２３４５６７８９％", "0123456789%")

# A denominator of 0 makes no number, so that every literal has a value.
NOT_ZERO = "0*[1-9][0-9]*"
FRACTION = rf"\(\s*(?:[0-9]+|\([0-9]+\))\s*/\s*(?:{NOT_ZERO}|\({NOT_ZERO}\))\s*\)"
MIXED = rf"[0-9]+\s*{FRACTION}"
DECIMAL = r"(?:[0-9]{1,3}(?:,[0-9]{3})+(?![0-9])|[0-9]+)(?:\.[0-9]+)?%?"
QUOTIENT = rf"(?<![0-9/])[0-9]+/{NOT_ZERO}(?![0-9/])"
LITERAL = re.compile(f"{MIXED}|{FRACTION}|{QUOTIENT}|{DECIMAL}")
BRACKETED = re.compile(FRACTION)
TOKEN = re.compile(rf"\*\*|[-+*/^()\[\]{{}}]|{MIXED}|{DECIMAL}|\s+")
X_LEFT, X_RIGHT = re.compile(r"\s*[xX]\s*="), re.compile(r"=\s*[xX]\s*$")

UNITS = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen " \
        "seventeen eighteen nineteen".split()
TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
CARDINALS = {word: i for i, word in enumerate(UNITS)} | {word: 20 + 10 * i for i, word in enumerate(TENS)}
COMPOUND = f"(?:{'|'.join(TENS)})-(?:{'|'.join(UNITS[1:10])})"
ENGLISH = re.compile(rf"{LITERAL.pattern}|\b(?:{COMPOUND}|{'|'.join(CARDINALS)})\b", re.IGNORECASE)

SPECIAL = ["<pad>", "<unk>", "<bos>", "<mirror>"]


class EquationError(ValueError):
    """Something is wrong with an equation: `reason` is the kind, one of those below, the message says what and where.

    unbalanced, empty, unknown token, missing operator, missing operand, division by zero, too long, too deep,
    exponent, undefined, too large, not a number
    """

    def __init__(self, reason, sentence):
        super().__init__(sentence)
        self.reason = reason


def read_number(literal):
    """The exact value, a Rational, of "12", "3.5", "20%", "1,250", "3/8", "(3/8)" or the mixed number "5(3/4)".

    Raises EquationError (not a number, too long).
    """
    if len(literal) > MOST_CHARACTERS:
        raise EquationError("too long", f"a number of {len(literal)} characters, at most {MOST_CHARACTERS} are read")
    if literal.isascii() and literal.isdigit():  # by far the most, and three times as fast
        return Integer(literal)
    if not LITERAL.fullmatch(literal):
        raise EquationError("not a number", f"{literal!r} is not a number")
    if "/" in literal:
        *whole, above, below = map(int, re.findall("[0-9]+", literal))
        return sum(whole, Rational(above, below))
    whole, _, decimals = literal.replace(",", "").rstrip("%").partition(".")
    return Rational(int(whole + decimals), 10 ** len(decimals) * (100 if literal.endswith("%") else 1))


def number_word(word):
    """The digits of an English cardinal up to ninety-nine: "Forty-two" -> "42"; None for any other word."""
    tens, hyphen, unit = word.lower().partition("-")
    if hyphen and not (tens in TENS and unit in UNITS[1:10]) or tens not in CARDINALS:
        return None
    return str(CARDINALS[tens] + (CARDINALS[unit] if hyphen else 0))


def mask_numbers(words, english=False):
    """The words with each number replaced by its own name, and the literals: literals[i] is what Ni stands for.

    A fraction may be spread over words (`( 3 / 8 )`); a number glued to a unit or a sign becomes a word of its own
    (`8m`, `$5`). With `english`, number words ("seven", "forty-two") are numbers too.
    """
    literals = []

    def name(match):
        literals.append(number_word(match[0]) or re.sub(r"\s", "", match[0]))
        return f" N{len(literals) - 1} "

    text = " ".join(words).translate(PLAIN_DIGITS)
    return (ENGLISH if english else LITERAL).sub(name, text).split(), literals


def lex(text, fractions=frozenset()):
    """The tokens of an equation's text: "x=2*(1+20%)" -> 2 * ( 1 + 20% ). A mixed number, 5(3/4), is one token.

    fractions: the values of the fractions in the problem's text. With 3/8 among them "(3/8)" is that number, one token;
               otherwise it is a division of two numbers.
    Raises EquationError (too long, unknown token); whether the tokens make an equation is infix_to_prefix's question.
    """
    if len(text) > MOST_CHARACTERS:
        raise EquationError("too long", f"{len(text)} characters, at most {MOST_CHARACTERS} are read")
    text = text.translate(PLAIN_SIGNS)
    left, right = X_LEFT.match(text), X_RIGHT.search(text)
    place, end = (left.end(), len(text)) if left else (0, right.start() if right else len(text))
    tokens = []
    while place < end:
        match = fractions and BRACKETED.match(text, place, end)
        if not match or read_number(match[0]) not in fractions:
            match = TOKEN.match(text, place, end)
        if not match:
            why = "follows no number" if text[place] == "%" else "is neither a number nor a sign"
            raise EquationError("unknown token", f"{text[place]!r} at character {place + 1} {why}")
        place, token = match.end(), "".join(match[0].split())  # a mixed number may hold blanks; blanks alone are none
        if token:
            tokens.append("^" if token == "**" else token)
    return tokens


def infix_to_prefix(tokens):
    """The prefix form of an infix equation: N0 - N1 * N2 -> - N0 * N1 N2. Tokens that are no signs are operands.

    + - * / group from the left, ^ from the right and before all others; a minus without a left operand becomes
    `- 0 x`, so that every operator has two operands, and -2^2 is -(2^2). There is no implicit product.
    Raises EquationError (empty, too long, too deep, unbalanced, missing operator, missing operand).
    """
    if not tokens:
        raise EquationError("empty", "the equation is empty: a number is missing")
    if len(tokens) > MOST_TOKENS:
        raise EquationError("too long", f"{len(tokens)} tokens, at most {MOST_TOKENS} are read")
    waiting, operands, opened = [], [], []  # operators and opening brackets; prefix lists; opening brackets with places

    def apply_last_operator():
        operator, right = waiting.pop(), operands.pop()
        operands.append(["-", "0", *right] if operator == NEGATE else [operator, *operands.pop(), *right])

    operand_is_next = True
    for place, token in enumerate(tokens, 1):
        if token in CLOSING and not opened:
            raise EquationError("unbalanced", f"the {token} at token {place} closes nothing: a bracket is missing")
        if operand_is_next and (token in CLOSING or token in ["*", "/", "^"]):
            raise EquationError("missing operand", f"a number is missing before the {token} at token {place}")
        if not operand_is_next and token not in OPERATORS and token not in CLOSING:
            raise EquationError("missing operator", f"an operator is missing before {token} at token {place}")
        if token in CLOSES:
            waiting.append(token)
            opened.append((token, place))
            if len(opened) > MOST_LEVELS:
                raise EquationError("too deep", f"more than {MOST_LEVELS} brackets are open at token {place}")
        elif token in CLOSING:
            bracket, opening_place = opened.pop()
            if CLOSES[bracket] != token:
                raise EquationError("unbalanced", f"the {bracket} at token {opening_place} is closed by the {token} at "
                                                  f"token {place}: a {CLOSES[bracket]} is missing")
            while waiting[-1] not in CLOSES:
                apply_last_operator()
            waiting.pop()
        elif operand_is_next and token in ["+", "-"]:
            waiting.extend([NEGATE] if token == "-" else [])
        elif token in OPERATORS:
            while waiting and waiting[-1] not in CLOSES and BINDS[waiting[-1]] >= BINDS[token] and token != "^":
                apply_last_operator()
            waiting.append(token)
            operand_is_next = True
        else:
            operands.append([token])
            operand_is_next = False
    if operand_is_next:
        raise EquationError("missing operand", f"a number is missing after the {tokens[-1]} at the end")
    if opened:
        raise EquationError("unbalanced", f"the {opened[-1][0]} at token {opened[-1][1]} is never closed")
    while waiting:
        apply_last_operator()
    return operands[0]


def fold_prefix(prefix, leaf, join):
    """What the tree comes to when an operand counts as leaf(token), an operation as join(operator, left, right).

    Read from the right, both operands are on the stack when their operator comes, the left one on top.
    Raises EquationError (empty, too long, missing operand, missing operator) and what leaf and join raise.
    """
    if not prefix:
        raise EquationError("empty", "the equation is empty: a number is missing")
    if len(prefix) > MOST_TOKENS:
        raise EquationError("too long", f"{len(prefix)} tokens, at most {MOST_TOKENS} are read")
    stack = []
    for place in reversed(range(len(prefix))):
        token = prefix[place]
        if token not in OPERATORS:
            stack.append(leaf(token))
            continue
        if len(stack) < 2:
            raise EquationError("missing operand", f"the {token} at token {place + 1} needs two operands, "
                                                   f"only {len(stack)} follow")
        left, right = stack.pop(), stack.pop()
        stack.append(join(token, left, right))
    if len(stack) > 1:
        raise EquationError("missing operator", f"{len(stack)} operands stand side by side: an operator is missing "
                                                "at token 1")
    return stack[0]


def prefix_to_infix(prefix):
    """The infix text with the least brackets that keep the tree: - N0 - N1 N2 -> "N0 - (N1 - N2)".

    Raises EquationError as fold_prefix does.
    """
    def join(operator, left, right):
        def side(part, other_way):
            text, binds = part
            return f"({text})" if binds < BINDS[operator] or binds == BINDS[operator] and other_way else text

        power = operator == "^"
        return f"{side(left, power)} {operator} {side(right, not power)}", BINDS[operator]

    return fold_prefix(prefix, lambda token: (token, 5), join)[0]


def name_numbers(prefix, literals):
    """The prefix equation with its numbers replaced by names of the text's numbers, literals as of mask_numbers.

    A number takes the first occurrence of its value that the equation has not used yet; if all are used, the first.
    One that the text doesn't have stays a constant, and so do exponents and the 0 of a unary minus.
    prefix must be well-formed. Raises EquationError (not a number) for an operand that is none.
    """
    values = [read_number(literal) for literal in literals]
    free = list(range(len(values)))
    in_exponent = [False]  # for each operand still to come, the next one last
    named = []
    for i, token in enumerate(prefix):
        exponent = in_exponent.pop()
        if token in OPERATORS:
            in_exponent += [exponent or token == "^", exponent]
            named.append(token)
            continue
        value = read_number(token)
        equal = [n for n in free if values[n] == value] or [n for n in range(len(values)) if values[n] == value]
        if exponent or not equal or token == "0" and prefix[i - 1] == "-":
            named.append(token)
        else:
            named.append(f"N{equal[0]}")
            free = [n for n in free if n != equal[0]]
    return named


def mirror(prefix):
    """The equation with both operands of every operator swapped: - N0 * N1 N2 -> - * N2 N1 N0, and back.

    It is what one reads from the right: a second way to write the same equation in the same grammar. Raises as
    fold_prefix does.
    """
    return fold_prefix(prefix, lambda token: [token], lambda operator, left, right: [operator, *right, *left])


def pieces(word):
    """A word and the parts that it shares with others: a Chinese word's first four characters. 苹果 -> 苹果 ·苹 ·果

    An English word is one piece: the ways it begins and ends cost more on ASDiv-A's validation problems than they gave.
    """
    return [word] if word.isascii() else [word, *(f"·{character}" for character in word[:4])]


class Vocabulary:
    """Tokens and their ids; <pad>, <unk>, <bos> and <mirror> come first. `Vocabulary(v.tokens)` gives v again."""

    def __init__(self, tokens):
        self.tokens = SPECIAL + [token for token in tokens if token not in SPECIAL]
        self.index = {token: i for i, token in enumerate(self.tokens)}

    @classmethod
    def of(cls, token_lists, least=1):
        """The tokens that occur at least `least` times, the most frequent first, equals by alphabet."""
        counts = Counter(token for tokens in token_lists for token in tokens)
        kept = [token for token, count in counts.items() if count >= least]
        return cls(sorted(kept, key=lambda token: (-counts[token], token)))

    def __len__(self):
        return len(self.tokens)

    def encode(self, tokens):
        return [self.index.get(token, UNK) for token in tokens]

    def encode_words(self, words):
        """Words, each a list of its pieces -> lists of ids. An unknown word is UNK and those pieces that are known."""
        return [[self.index.get(word, UNK), *(self.index[piece] for piece in parts if piece in self.index)]
                for word, *parts in words]

    def decode(self, ids):
        """The tokens of the ids, without padding."""
        return [self.tokens[i] for i in ids if i != PAD]
