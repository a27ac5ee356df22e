"""Slow, plain versions of what tinyprune computes: loops over the indices, one head and one problem at a time.

They share no code with the library; from a model they take the weights alone. Letters as in tinyprune:
B batch, N heads, T queries or target tokens, S keys or source tokens, K head width, D model width, V vocabulary.
"""
import cmath
import math
import re
from fractions import Fraction
from itertools import product

import torch

from tinyprune.data import Batch
from tinyprune.transformer import Config, Transformer

BOS = 2


# inputs: doubles from a seed, so that five digits are five digits

def randoms(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.double)


def tiny_model(seed=0, **changes):
    """D 10, N 3, K 4, V 9, every weight, bias and gain random (but the padding's embeddings), in eval mode."""
    settings = dict(source_tokens=11, target_tokens=9, width=10, heads=3, head_width=4, encoder_layers=2,
                    decoder_layers=2, feedforward=7, dropout=0.3)
    model = Transformer(Config(**{**settings, **changes})).double().eval()
    with torch.no_grad():
        for place, (name, parameter) in enumerate(model.named_parameters()):
            middle = 1 if "norm.weight" in name else 0
            parameter.copy_(middle + 0.4 * randoms(*parameter.shape, seed=100 * seed + place))
        model.source_embedding.weight[0] = model.target_embedding.weight[0] = 0
    return model


def tiny_batch(sources=(6, 3), targets=(2, 5), seed=0):
    """A batch of problems of these lengths, its ids random: words of two pieces from 3 to 10, targets from 3 to 8."""
    generator = torch.Generator().manual_seed(seed)
    rows = [[torch.randint(3, top, size, generator=generator) for size in sizes]
            for top, sizes in ((11, [(length, 2) for length in sources]), (9, [(length,) for length in targets]))]
    source, target = (torch.nn.utils.rnn.pad_sequence(r, batch_first=True, padding_value=0) for r in rows)
    return Batch(source, torch.tensor(sources), target, torch.tensor([2] * len(sources)))


def problems_of(batch):
    """The batch's problems without padding: [(source, a list of pieces a word; target ids)]."""
    return [([[i for i in word if i] for word in source if word[0]], [i for i in target if i])
            for source, target in zip(batch.source.tolist(), batch.target.tolist())]


# attention

def causal_mask(queries, start=0):
    return torch.tensor([[key <= start + query for key in range(start + queries)] for query in range(queries)])


def padding_mask(lengths, size):
    return torch.tensor([[[[key < length for key in range(size)]]] for length in lengths])


def rotate(x, start=0):
    """Each pair (2i, 2i+1) is a complex number, and a rotation a multiplication: (B, N, T, K) -> (B, N, T, K)"""
    T, K = x.shape[-2:]
    result = torch.zeros_like(x)
    for t, i in product(range(T), range(K // 2)):
        angle = (start + t) * 10000 ** (-2 * i / K)
        turned = torch.complex(x[..., t, 2 * i], x[..., t, 2 * i + 1]) * cmath.exp(1j * angle)
        result[..., t, 2 * i], result[..., t, 2 * i + 1] = turned.real, turned.imag
    return result


def attention(query, key, value, mask=None):
    """query (B, N, T, K), key and value (B, N, S, K) -> z (B, N, T, K), probabilities (B, N, T, S)"""
    (B, N, T, K), S = query.shape, key.shape[2]
    mask = torch.ones(B, N, T, S, dtype=torch.bool) if mask is None else mask.expand(B, N, T, S)
    z, probabilities = torch.zeros_like(query), torch.zeros(B, N, T, S, dtype=query.dtype)
    for b, n, t in product(range(B), range(N), range(T)):
        keys = [s for s in range(S) if mask[b, n, t, s]]
        weights = [(query[b, n, t] @ key[b, n, s] / K ** 0.5).exp() for s in keys]
        for s, weight in zip(keys, weights):
            probabilities[b, n, t, s] = weight / sum(weights)
            z[b, n, t] += weight / sum(weights) * value[b, n, s]
    return z, probabilities


def multi_head(a, x, source=None, mask=None, gate=None, start=0, turned=("query", "key")):
    """What the weights of the MultiHeadAttention `a` say, head by head: output (B, T, D), probabilities (B, N, T, S)"""
    K, N, B = a.head_width, len(a.heads), len(x)
    gate = torch.ones(B, N, dtype=x.dtype) if gate is None else gate.expand(B, N)
    output, looks = a.output.bias, []
    for place in range(N):
        rows = slice(place * K, (place + 1) * K)
        parts = {"query": x, "key": x if source is None else source, "value": x if source is None else source}
        for part, read in parts.items():
            linear = getattr(a, part)
            parts[part] = (read @ linear.weight[rows].T + linear.bias[rows])[:, None]  # (B, 1, T or S, K)
            if a.rotary and part in turned:
                parts[part] = rotate(parts[part], start)
        z, probabilities = attention(parts["query"], parts["key"], parts["value"], mask)
        output = output + gate[:, place, None, None] * z[:, 0] @ a.output.weight[:, rows].T
        looks.append(probabilities)
    return output, torch.cat(looks, dim=1)


# the model, one problem at a time: no padding, so no padding mask

def mix_neighbours(x, weight, real):
    """x (B, S, D), weight (3, D), real (B, S, 1) -> (B, S, D)"""
    B, S, _ = x.shape
    result = torch.zeros_like(x)
    for b, s in product(range(B), range(S)):
        for row, place in enumerate((s - 1, s, s + 1)):
            if 0 <= place < S and real[b, place, 0]:
                result[b, s] += weight[row] * x[b, place]
    return result


def layer_norm(norm, x):
    centred = x - x.mean(dim=-1, keepdim=True)
    return centred / ((centred ** 2).mean(dim=-1, keepdim=True) + 1e-5).sqrt() * norm.weight + norm.bias


def feedforward(layer, x):
    first, _, second = layer.feedforward
    hidden = (layer_norm(layer.feedforward_norm, x) @ first.weight.T + first.bias).clamp(min=0)
    return hidden @ second.weight.T + second.bias


def logits(model, source, target, gates=None, record=None):
    """Words of pieces and target ids -> (T, V); record, a dict, gets the probabilities (N, T, S) by (kind, layer)."""
    gates, record, scale = gates or {}, {} if record is None else record, model.config.gain

    def attend(name, a, x, **more):
        output, looks = multi_head(a, x, gate=gates.get(name), **more)
        record[name] = looks[0]
        return output

    words = [sum(model.source_embedding.weight[piece] for piece in word) for word in source]
    x = torch.stack(words)[None] * scale  # (1, S, D)
    for number, layer in enumerate(model.encoder):
        x = x + mix_neighbours(x, layer.neighbours * scale, torch.ones(1, len(source), 1))
        x = x + attend(("encoder", number), layer.attention, layer_norm(layer.attention_norm, x))
        x = x + feedforward(layer, x)
    memory = layer_norm(model.encoder_norm, x)
    x = model.target_embedding.weight[[BOS, *target[:-1]]][None] * scale  # (1, T, D)
    for number, layer in enumerate(model.decoder):
        x = x + attend(("decoder", number), layer.attention, layer_norm(layer.attention_norm, x),
                       mask=causal_mask(len(target)))
        x = x + attend(("cross", number), layer.cross, layer_norm(layer.cross_norm, x), source=memory)
        x = x + feedforward(layer, x)
    return (layer_norm(model.decoder_norm, x) @ model.classifier.weight.T + model.classifier.bias)[0]


def problem_loss(model, source, target, gates=None):
    """The mean of -log p(right token) over one problem's target."""
    probabilities = logits(model, source, target, gates).exp()
    return sum(-(row[token] / row.sum()).log() for row, token in zip(probabilities, target)) / len(target)


# scores

def entropy_shares(row_lists):
    """[[p of each key that the query may see]] -> entropy / log n of each query that has a choice."""
    return [sum(-p * math.log(p) for p in row if p > 0) / math.log(len(row)) for row in row_lists if len(row) > 1]


def norm_qkvo(query, key, value, output, K):
    """query, key, value (N*K, D), output (D, N*K) -> (N,)"""
    rows = torch.cat([query, key, value, output.T], dim=1).tolist()  # N*K rows, the head's are K of them
    return torch.tensor([math.sqrt(sum(x * x for row in rows[start:start + K] for x in row))
                         for start in range(0, len(rows), K)], dtype=torch.double)


def norm_ov(query, key, value, output, K):
    heads = range(0, len(value), K)
    return torch.stack([((output[:, h:h + K] @ value[h:h + K]) ** 2).sum().sqrt() for h in heads])


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
    return torch.tensor(temperature ** 2 * sum(losses) / len(losses), dtype=torch.double)


def attention_kl(student, teacher, real):
    """probabilities (B, N, T, S), real (B, T) -> a number"""
    losses = [kl(teacher[b, n, t].tolist(), student[b, n, t].tolist())
              for b, n, t in product(*(range(size) for size in student.shape[:3])) if real[b, t]]
    return torch.tensor(sum(losses) / len(losses), dtype=torch.double)


# equations: recursive descent over the characters, Python's Fractions

class Refused(Exception):
    pass


def value_of(function, *arguments, refusal):
    try:
        return function(*arguments)
    except refusal:
        return None


def exact_operation(operator, left, right):
    if operator == "/" and right == 0 or operator == "^" and (right.denominator != 1 or abs(right) > 64
                                                              or left == 0 and right <= 0):
        raise Refused
    return {"+": lambda: left + right, "-": lambda: left - right, "*": lambda: left * right,
            "/": lambda: left / right, "^": lambda: left ** int(right)}[operator]()


def exact_text(text):
    """The value of an infix equation, a Fraction. Raises Refused."""
    plain = "".join(chr(ord(c) - 0xFEE0) if "！" <= c <= "～" else {"×": "*", "÷": "/", "−": "-", "–": "-"}.get(c, c)
                    for c in text)
    plain = re.sub(r"\A\s*[xX]\s*=|(?<!\A)=\s*[xX]\s*\Z", "", plain, count=1).replace("**", "^")
    rest = [plain]  # what is not read yet

    def take(pattern):
        match = re.match(rf"\s*({pattern})", rest[0], re.ASCII)
        if match:
            rest[0] = rest[0][match.end():]
        return match and match[1]

    def sum_of():
        value = product_of()
        while operator := take("[+-]"):
            value = exact_operation(operator, value, product_of())
        return value

    def product_of():
        value = signed()
        while operator := take("[*/]"):
            value = exact_operation(operator, value, signed())
        return value

    def signed():
        sign = take("[+-]")
        return power() if not sign else signed() if sign == "+" else -signed()

    def power():
        value = atom()
        return exact_operation("^", value, signed()) if take(r"\^") else value

    def atom():
        if bracket := take(r"[\[({]"):
            value = sum_of()
            if not take({"(": r"\)", "[": r"\]", "{": r"\}"}[bracket]):
                raise Refused
            return value
        whole = take(r"\d+(?=\s*\(\s*(?:\d+|\(\d+\))\s*/\s*(?:0*[1-9]\d*|\(0*[1-9]\d*\))\s*\))")
        if whole:  # a mixed number: a whole one, then a fraction in brackets
            return int(whole) + atom()
        number = take(r"(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.\d+)?%?")
        if not number:
            raise Refused
        return Fraction(number.replace(",", "").rstrip("%")) / (100 if number.endswith("%") else 1)

    value = sum_of()
    if rest[0].strip():
        raise Refused
    return value


def exact_prefix(tokens, numbers):
    """The value of a prefix equation, a Fraction, where numbers[i] is that of Ni. Raises Refused."""
    def read_from(place):
        if place >= len(tokens):
            raise Refused
        token = tokens[place]
        if token not in ["+", "-", "*", "/", "^"]:
            if re.fullmatch(r"N\d+", token, re.ASCII):
                if int(token[1:]) >= len(numbers) or token[1:] != str(int(token[1:])):
                    raise Refused
                return numbers[int(token[1:])], place + 1
            if "(" in token:  # a literal fraction or mixed number; brackets elsewhere are no operand
                return exact_text(token), place + 1
            if re.fullmatch(r"\d+/\d+", token, re.ASCII) or re.fullmatch(r"[\d.,]+%?", token, re.ASCII):
                return exact_text(token), place + 1
            raise Refused
        left, place = read_from(place + 1)
        right, place = read_from(place)
        return exact_operation(token, left, right), place

    value, end = read_from(0)
    if end < len(tokens):
        raise Refused
    return value
