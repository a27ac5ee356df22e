"""Slow, plain versions of what tinyprune computes: loops, one head and one problem at a time.

They share no code with the library. From a model they take the weights alone. Letters as in
tinyprune: B batch, N heads, T queries or target tokens, S keys or source tokens, K head width,
D model width, V vocabulary.
"""
import cmath
import math
import operator
import re
from fractions import Fraction
from itertools import product

import torch

BOS = 2


# attention

def causal_mask(queries, start=0):
    keys = torch.arange(start + queries)
    return torch.stack([keys <= query for query in keys[start:]])


def padding_mask(lengths, size):
    rows = [torch.arange(size) < length for length in lengths]
    return torch.stack(rows)[:, None, None]  # (B, 1, 1, size)


def rotate(x, start=0):
    """Each pair (2i, 2i+1) is a complex number, and a rotation a multiplication.

    x (B, N, T, K), the first token at position `start` -> (B, N, T, K)
    """
    T, K = x.shape[-2:]
    pairs = torch.complex(x[..., 0::2], x[..., 1::2])  # (B, N, T, K/2)
    result = torch.zeros_like(x)
    for t, i in product(range(T), range(K // 2)):
        angle = (start + t) * 10000 ** (-2 * i / K)
        turned = pairs[..., t, i] * cmath.exp(1j * angle)  # (B, N)
        result[..., t, 2 * i] = turned.real
        result[..., t, 2 * i + 1] = turned.imag
    return result


def attention(query, key, value, mask=None):
    """query (B, N, T, K), key and value (B, N, S, K) -> z (B, N, T, K), probabilities (B, N, T, S)

    A query's weights are computed over the keys that it may see; the others are left out.
    """
    B, N, T, K = query.shape
    S = key.shape[2]
    mask = torch.tensor(True) if mask is None else mask
    seen = mask.expand(B, N, T, S)
    probabilities = torch.zeros(B, N, T, S, dtype=query.dtype)
    for b, n, t in product(range(B), range(N), range(T)):
        keys = seen[b, n, t]
        weights = (key[b, n, keys] @ query[b, n, t] / K ** 0.5).exp()
        probabilities[b, n, t, keys] = weights / weights.sum()
    z = probabilities @ value
    return z, probabilities


def multi_head(a, x, source=None, mask=None, gate=None, start=0, turned=("query", "key")):
    """The weights of the MultiHeadAttention `a`, applied head by head.

    -> output (B, T, D), probabilities (B, N, T, S)
    """
    K = a.head_width
    N = len(a.heads)
    source = x if source is None else source
    gate = torch.ones(N) if gate is None else gate
    output = a.output.bias
    of_heads = []
    for position in range(N):
        rows = slice(position * K, (position + 1) * K)
        parts = []
        for name, words in (("query", x), ("key", source), ("value", source)):
            linear = getattr(a, name)
            part = words @ linear.weight[rows].T + linear.bias[rows]  # (B, T or S, K)
            part = part[:, None]  # (B, 1, T or S, K)
            parts.append(rotate(part, start) if a.rotary and name in turned else part)
        z, probabilities = attention(*parts, mask)
        z = gate[..., position, None, None] * z[:, 0]  # (B, T, K)
        output = output + z @ a.output.weight[:, rows].T
        of_heads.append(probabilities)
    return output, torch.cat(of_heads, dim=1)


# the model, one problem at a time: no padding, so no padding mask

def mix_neighbours(x, weight, real):
    """x (B, S, D), weight (3, D), real (B, S, 1) -> (B, S, D)"""
    B, S, _ = x.shape
    result = torch.zeros_like(x)
    for b, s, step in product(range(B), range(S), (-1, 0, 1)):
        if 0 <= s + step < S and real[b, s + step, 0]:
            result[b, s] += weight[1 + step] * x[b, s + step]
    return result


def layer_norm(norm, x):
    centred = x - x.mean(dim=-1, keepdim=True)
    variance = (centred ** 2).mean(dim=-1, keepdim=True)
    return centred / (variance + 1e-5).sqrt() * norm.weight + norm.bias


def feedforward(layer, x):
    first, _, second = layer.feedforward
    hidden = (layer_norm(layer.feedforward_norm, x) @ first.weight.T + first.bias).clamp(min=0)
    return hidden @ second.weight.T + second.bias


def logits(model, source, target, gates=None, attentions=None):
    """source: a list of subwords a word, target: ids -> (T, V)

    attentions: a dict that is filled with the probabilities (N, T, S) of each (kind, layer)
    """
    gates = gates or {}
    attentions = {} if attentions is None else attentions
    scale = model.config.embedding_scale

    def attend(name, a, norm, x, **more):
        output, probabilities = multi_head(a, layer_norm(norm, x), gate=gates.get(name), **more)
        attentions[name] = probabilities[0]
        return x + output

    words = [model.source_embedding.weight[subwords].sum(dim=0) for subwords in source]
    x = scale * torch.stack(words)[None]  # (1, S, D)
    for i, layer in enumerate(model.encoder):
        x = x + mix_neighbours(x, scale * layer.neighbours, torch.ones(1, len(source), 1))
        x = attend(("encoder", i), layer.attention, layer.attention_norm, x)
        x = x + feedforward(layer, x)
    memory = layer_norm(model.encoder_norm, x)
    x = scale * model.target_embedding.weight[[BOS, *target[:-1]]][None]  # (1, T, D)
    for i, layer in enumerate(model.decoder):
        causal = causal_mask(len(target))
        x = attend(("decoder", i), layer.attention, layer.attention_norm, x, mask=causal)
        x = attend(("cross", i), layer.cross, layer.cross_norm, x, source=memory)
        x = x + feedforward(layer, x)
    x = layer_norm(model.decoder_norm, x)
    return (x @ model.classifier.weight.T + model.classifier.bias)[0]


def problem_loss(model, source, target, gates=None):
    """The mean of -log p(right token) over one problem's target."""
    probabilities = logits(model, source, target, gates).softmax(dim=-1)
    return -sum(row[token].log() for row, token in zip(probabilities, target)) / len(target)


# scores

def entropy_share(row):
    return sum(-p * math.log(p) for p in row if p > 0) / math.log(len(row))


def entropy_shares(row_lists):
    """[[p of each key that the query may see]] -> entropy / log n of each query with a choice"""
    return [entropy_share(row) for row in row_lists if len(row) > 1]


def norm_qkvo(query, key, value, output, K):
    """query, key, value (N*K, D), output (D, N*K) -> (N,)"""
    squares = [0.0] * (len(query) // K)
    for matrix in (query, key, value, output.T):
        for row, entries in enumerate(matrix.tolist()):  # N*K rows, K of them a head's
            squares[row // K] += sum(x * x for x in entries)
    return torch.tensor(squares, dtype=torch.double).sqrt()


def norm_ov(query, key, value, output, K):
    heads = range(0, len(value), K)
    products = [output[:, h:h + K] @ value[h:h + K] for h in heads]
    return torch.stack([(matrix ** 2).sum().sqrt() for matrix in products])


# distillation

def softmax(row, temperature=1.0):
    weights = [math.exp(x / temperature) for x in row]
    return [weight / sum(weights) for weight in weights]


def kl(p, q):
    return sum(a * math.log(a / b) for a, b in zip(p, q) if a > 0)


def kd_loss(student, teacher, real, temperature):
    """logits (B, T, V), real (B, T) -> a number"""
    pairs = zip(student[real].tolist(), teacher[real].tolist())
    losses = [kl(softmax(t, temperature), softmax(s, temperature)) for s, t in pairs]
    return temperature ** 2 * torch.tensor(losses, dtype=torch.double).mean()


def attention_kl(student, teacher, real):
    """probabilities (B, N, T, S), real (B, T) -> a number"""
    every_row = product(*map(range, student.shape[:3]))
    rows = [(b, n, t) for b, n, t in every_row if real[b, t]]
    losses = [kl(teacher[row].tolist(), student[row].tolist()) for row in rows]
    return torch.tensor(losses, dtype=torch.double).mean()


# equations: recursive descent over the characters, Python's Fractions

OPERATIONS = {"+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv,
              "^": lambda base, exponent: base ** int(exponent)}
SIGNS = {"×": "*", "÷": "/", "：": "/", ":": "/", "−": "-", "–": "-"}
CLOSING = {"(": r"\)", "[": r"\]", "{": r"\}"}
DENOMINATOR = r"0*[1-9]\d*"
FRACTION = rf"\(\s*(?:\d+|\(\d+\))\s*/\s*(?:{DENOMINATOR}|\({DENOMINATOR}\))\s*\)"
MIXED = rf"\d+(?:\s*{FRACTION}|(?:\s*又\s*|\s+)\d+/{DENOMINATOR}(?![\d/]))"
DECIMAL = r"(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.\d*)?|\.\d+"
LITERAL = rf"-?(?:{MIXED}|\d+/\d+|[\d.,，]+\s*[%万亿]?)"
UNITS = {"%": Fraction(1, 100), "万": 10**4, "亿": 10**8}


class Refused(Exception):
    pass


def value_of(function, *arguments, refusal):
    try:
        return function(*arguments)
    except refusal:
        return None


def exact_operation(sign, left, right):
    if sign == "/" and right == 0:
        raise Refused
    if sign == "^" and (right.denominator != 1 or abs(right) > 64 or left == 0 and right <= 0):
        raise Refused
    return OPERATIONS[sign](left, right)


def plain_text(text):
    """Full-width characters and other signs become ASCII, "**" becomes "^"; "x=" goes."""
    half_width = (SIGNS.get(c) or chr(ord(c) - 0xFEE0 * ("！" <= c <= "～")) for c in text)
    plain = "".join(half_width)
    plain = re.sub(r"\A\s*[xX]\s*=|(?<!\A)=\s*[xX]\s*\Z", "", plain, count=1)
    return plain.replace("**", "^").rstrip()


def scanner(text):
    """-> take(pattern), which cuts what fits the pattern off the front of the text, else None"""
    def take(pattern):
        nonlocal text
        match = re.match(rf"\s*({pattern})", text, re.ASCII)
        if match:
            text = text[match.end():]
        return match and match[1]

    return take


def exact_text(text):
    """The value of an infix equation, a Fraction. Raises Refused."""
    take = scanner(plain_text(text))

    def chain(*levels):  # operators that group from the left, the weakest first
        if not levels:
            return signed()
        value = chain(*levels[1:])
        while sign := take(levels[0]):
            value = exact_operation(sign, value, chain(*levels[1:]))
        return value

    def signed():
        if sign := take("[+-]"):
            return exact_operation(sign, 0, signed())
        value = atom()
        return exact_operation("^", value, signed()) if take(r"\^") else value

    def atom():
        if bracket := take(r"[\[({]"):
            value = chain("[+-]", "[*/]")
            if not take(CLOSING[bracket]):
                raise Refused
            return value / 100 if take("%") else value
        if mixed := take(MIXED):
            whole, numerator, denominator = map(int, re.findall(r"\d+", mixed))
            value = whole + Fraction(numerator, denominator)
            return value / 100 if take("%") else value
        number = take(DECIMAL)
        if not number:
            raise Refused
        return Fraction(number.replace(",", "")) * UNITS.get(take("[%万亿]"), 1)

    value = chain("[+-]", "[*/]")
    if take(r"\S"):
        raise Refused
    return value


def exact_prefix(tokens, numbers):
    """The value of a prefix equation, a Fraction; numbers[i] is that of Ni. Raises Refused."""
    rest = iter(tokens)

    def read():
        token = next(rest, "")  # after the end: no operand
        if token in OPERATIONS:
            left = read()
            return exact_operation(token, left, read())
        name = re.fullmatch(r"N(0|[1-9]\d*)", token, re.ASCII)
        if name and int(name[1]) < len(numbers):
            return numbers[int(name[1])]
        # Brackets belong to a literal fraction or a mixed number only.
        if "(" in token or re.fullmatch(LITERAL, token, re.ASCII):
            return exact_text(token)
        raise Refused

    value = read()
    if list(rest):
        raise Refused
    return value
