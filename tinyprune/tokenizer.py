"""Equations as tokens: infix text <-> infix tokens <-> prefix tokens.

Prefix order writes an operator before its two operands: a - b is `- a b`. It needs no brackets,
and one can tell where it ends. Tokens are operators, brackets, numbers' names (N0, N1, …) and
literals such as "3.14". Infix to prefix is Dijkstra's shunting-yard algorithm (1961).
"""
import re

from tinyprune.quantities import (
    FRACTION,
    MAX_CHARACTERS,
    MIXED,
    NUMBER,
    EquationError,
    plain_literal,
    read_number,
)

MAX_TOKENS = 1000
MAX_BRACKETS = 64  # open at the same time

OPERATORS = ["+", "-", "*", "/", "^"]
NEGATE = "negate"  # the minus of -3, while it waits for its operand
PRECEDENCE = {"+": 1, "-": 1, "*": 2, "/": 2, NEGATE: 3, "^": 4}
BRACKETS = {"(": ")", "[": "]", "{": "}"}
CLOSING = set(BRACKETS.values())

# Unicode's NFKC would read 3² as 32. Here one character becomes one, so that the positions in
# messages stay right.
PLAIN_SIGNS = {0xFF01 + i: 0x21 + i for i in range(94)} | str.maketrans("×÷：:−–", "*///--")
BRACKETED_FRACTION = re.compile(FRACTION)
TOKEN = re.compile(rf"\*\*|[-+*/^()\[\]{{}}]|{MIXED}|{NUMBER}|\s+")
X_EQUALS = re.compile(r"\A\s*[xX]\s*=|=\s*[xX]\s*$")


def lex(text, fractions=frozenset()):
    """The tokens of an equation's text: "x=2*(1+20%)" -> 2 * ( 1 + 20% ).

    A mixed number, 5(3/4), is one token; so is the percent sign after a bracket, (2/5)%.
    fractions: the values of the fractions in the problem's text. With 3/8 among them, "(3/8)" is
               that number, one token; otherwise it is a division of two numbers.
    Raises EquationError (too long, unknown token). infix_to_prefix checks whether the tokens make
    an equation.
    """
    if len(text) > MAX_CHARACTERS:
        raise EquationError("too long", f"{len(text)} characters, at most {MAX_CHARACTERS} are "
                                        "read")
    text = text.translate(PLAIN_SIGNS)
    text = X_EQUALS.sub(lambda match: " " * len(match[0]), text, count=1)
    tokens = []
    position = 0
    while position < len(text):
        match = fractions and BRACKETED_FRACTION.match(text, position)
        if not match or read_number(match[0]) not in fractions:
            match = TOKEN.match(text, position)
        if match:
            position = match.end()
            token = plain_literal(match[0])
            if token:
                tokens.append("^" if token == "**" else token)
        elif text[position] == "%" and tokens and tokens[-1][-1] in CLOSING:
            position += 1
            tokens.append("%")
        else:
            character = text[position]
            why = "follows no number" if character == "%" else "is neither a number nor a sign"
            raise EquationError("unknown token", f"{character!r} at character {position + 1} {why}")
    return tokens


def check_length(tokens):
    """Raises EquationError (empty, too long)."""
    if not tokens:
        raise EquationError("empty", "the equation is empty: a number is missing")
    if len(tokens) > MAX_TOKENS:
        raise EquationError("too long", f"{len(tokens)} tokens, at most {MAX_TOKENS} are read")


def infix_to_prefix(tokens):
    """The prefix form of an infix equation: N0 - N1 * N2 -> - N0 * N1 N2.

    Tokens that are no operators or brackets are operands. + - * / group from the left, ^ from the
    right and before all others. A minus without a left operand becomes `- 0 x`, so that every
    operator has two operands, and -2^2 is -(2^2); a plus without one is dropped. The % after a
    bracket divides what stands in it by 100. There is no implicit product.
    Raises EquationError (empty, too long, too deep, unbalanced, missing operator, missing operand).
    At the end the message says "after the +" where a number is missing, and "the ( at token 1"
    where a bracket is; _check_turn knows all other cases.
    """
    check_length(tokens)
    ### BEGIN SOLUTION
    waiting = []  # operators and opening brackets that are not finished
    operands = []  # prefix lists that are finished
    opened = []  # (opening bracket, its position)
    operand_is_next = True
    for position, token in enumerate(tokens, 1):
        _check_turn(token, position, operand_is_next, opened)
        if token in BRACKETS:
            waiting.append(token)
            opened.append((token, position))
        elif token in CLOSING:
            opened.pop()
            while waiting[-1] not in BRACKETS:
                _apply_last(waiting, operands)
            waiting.pop()
        elif token == "%":
            operands.append(["/", *operands.pop(), "100"])
        elif token not in OPERATORS:
            operands.append([token])
            operand_is_next = False
        elif operand_is_next:  # a sign: + says nothing
            waiting.extend([NEGATE] if token == "-" else [])
        else:
            while waiting and _goes_first(waiting[-1], token):
                _apply_last(waiting, operands)
            waiting.append(token)
            operand_is_next = True
    if operand_is_next:
        raise EquationError("missing operand", f"a number is missing after the {tokens[-1]} at the "
                                               "end")
    if opened:
        bracket, position = opened[-1]
        raise EquationError("unbalanced", f"the {bracket} at token {position} is never closed")
    while waiting:
        _apply_last(waiting, operands)
    return operands[0]
    ### END SOLUTION


def _check_turn(token, position, operand_is_next, opened):
    """Raises EquationError where this token must not follow what came before.

    position: of the token, from 1; opened: [(bracket, its position)], those not closed yet
    """
    if token in CLOSING and not opened:
        raise EquationError("unbalanced", f"the {token} at token {position} closes nothing: "
                                          "a bracket is missing")
    if operand_is_next and (token in CLOSING or token in ["*", "/", "^", "%"]):
        raise EquationError("missing operand", f"a number is missing before the {token} at token "
                                               f"{position}")
    if not operand_is_next and token not in [*OPERATORS, *CLOSING, "%"]:
        raise EquationError("missing operator", f"an operator is missing before {token} at token "
                                                f"{position}")
    if token in CLOSING and BRACKETS[opened[-1][0]] != token:
        bracket, opened_at = opened[-1]
        raise EquationError("unbalanced", f"the {bracket} at token {opened_at} is closed by the "
                                          f"{token} at token {position}: a {BRACKETS[bracket]} is "
                                          "missing")
    if token in BRACKETS and len(opened) == MAX_BRACKETS:
        raise EquationError("too deep", f"more than {MAX_BRACKETS} brackets are open at token "
                                        f"{position}")


def _goes_first(waiting, token):
    """Whether a waiting operator is applied before the operator `token` that follows it."""
    return waiting not in BRACKETS and token != "^" and PRECEDENCE[waiting] >= PRECEDENCE[token]


def _apply_last(waiting, operands):
    """Takes the last waiting operator and its operands, prefix lists, and puts one list back."""
    operator = waiting.pop()
    right = operands.pop()
    if operator == NEGATE:
        operands.append(["-", "0", *right])
    else:
        operands.append([operator, *operands.pop(), *right])


def fold_prefix(prefix, leaf, join):
    """Computes something over the tree of a prefix equation, from the leaves up.

    An operand becomes leaf(token), an operation join(operator, left, right). Read from the right,
    both operands are on the stack when their operator comes, the left one on top.
    Raises EquationError (empty, too long, missing operand, missing operator) and what leaf and
    join raise. The first error from the right counts: N0 + N1 lacks an operand.
    """
    check_length(prefix)
    ### BEGIN SOLUTION
    stack = []
    for position in reversed(range(len(prefix))):
        token = prefix[position]
        if token not in OPERATORS:
            stack.append(leaf(token))
            continue
        if len(stack) < 2:
            raise EquationError("missing operand", f"the {token} at token {position + 1} needs two "
                                                   f"operands, only {len(stack)} follow")
        left = stack.pop()
        right = stack.pop()
        stack.append(join(token, left, right))
    if len(stack) > 1:
        raise EquationError("missing operator", f"{len(stack)} operands stand side by side: "
                                                "an operator is missing at token 1")
    return stack[0]
    ### END SOLUTION


def prefix_to_infix(prefix):
    """The infix text with the fewest brackets that keep the tree: - N0 - N1 N2 -> "N0 - (N1 - N2)".

    Raises EquationError as fold_prefix does.
    """
    ### BEGIN SOLUTION
    def leaf(token):
        return token, max(PRECEDENCE.values()) + 1  # an operand never needs brackets

    def join(operator, left, right):
        right_associative = operator == "^"
        left_text = _bracketed(*left, operator, on_equal=right_associative)
        right_text = _bracketed(*right, operator, on_equal=not right_associative)
        return f"{left_text} {operator} {right_text}", PRECEDENCE[operator]

    return fold_prefix(prefix, leaf, join)[0]
    ### END SOLUTION


def _bracketed(text, precedence, operator, on_equal):
    """An operand of `operator`, in brackets if it needs them.

    precedence: of the operand's own operator; a single number's is higher than all. It needs
    brackets if that is lower than `operator`'s, with on_equal also if the two are equal.
    """
    needed = precedence < PRECEDENCE[operator] or (precedence == PRECEDENCE[operator] and on_equal)
    return f"({text})" if needed else text


def name_numbers(prefix, literals):
    """The prefix equation with its numbers replaced by the names of the text's numbers.

    literals: as mask_numbers returns them
    The equation is read from the left. A number takes the first occurrence of its value that the
    equation has not used yet; if all are used, the first. One that the text does not have stays a
    constant. So does every number in the right operand of a ^, and a 0 right after a -, which is
    that of a unary minus.
    prefix must be well-formed. Raises EquationError (not a number) for an operand that is none.
    """
    ### BEGIN SOLUTION
    values = [read_number(literal) for literal in literals]
    used = set()
    in_exponent = [False]  # for each operand still to come, the next one last
    named = []
    for position, token in enumerate(prefix):
        exponent = in_exponent.pop()
        if token in OPERATORS:
            in_exponent += [exponent or token == "^", exponent]
            named.append(token)
            continue
        value = read_number(token)
        equal = [index for index, other in enumerate(values) if other == value]
        of_unary_minus = token == "0" and prefix[position - 1] == "-"
        if exponent or of_unary_minus or not equal:
            named.append(token)
            continue
        index = next((index for index in equal if index not in used), equal[0])
        named.append(f"N{index}")
        used.add(index)
    return named
    ### END SOLUTION


def mirror(prefix):
    """Swaps the two operands of every operator: - N0 * N1 N2 -> - * N2 N1 N0.

    Operands are swapped at every level, and the operator still comes first. Written as infix text,
    the result is the equation from right to left. mirror(mirror(p)) is p. Mirror an equation back
    before you compute its value. Raises EquationError as fold_prefix does.
    """
    ### BEGIN SOLUTION
    def join(operator, left, right):
        return [operator, *right, *left]

    return fold_prefix(prefix, lambda token: [token], join)
    ### END SOLUTION
