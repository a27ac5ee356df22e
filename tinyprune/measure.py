"""What a model costs: parameters, floating-point operations (FLOPs), and time.

FLOPs count 2 for a multiply-add of a matrix product. Biases, norms, softmax, rotation and the
neighbour mix are left out, as torch.utils.flop_counter does.
"""
import statistics
import time
from functools import partial

import torch

from tinyprune.transformer import shift_right


def parameters(model, embeddings=True):
    """The number of trained numbers, with or without the two embedding tables."""
    return sum(parameter.numel() for name, parameter in model.named_parameters()
               if embeddings or "_embedding" not in name)


def head_parameters(model):
    """The number of trained numbers that belong to heads: all of the attentions' but b_O."""
    return sum(parameter.numel()
               for attention in model.attention_layers().values()
               for name, parameter in attention.named_parameters() if name != "output.bias")


def attention_flops(attention, queries, keys, new_keys=None):
    """FLOPs of one problem's attention: `queries` tokens attend to `keys` tokens.

    new_keys: those of the keys that are not cached yet, by default all
    """
    D, inner = attention.output.weight.shape  # inner = N*K
    new_keys = keys if new_keys is None else new_keys
    projected = 2 * queries + 2 * new_keys  # W_Q and W_O for queries, W_K and W_V for keys
    return 2 * D * inner * projected + 2 * 2 * inner * queries * keys  # ... + Q K^T, and P V


def feedforward_flops(feedforward, tokens):
    return 2 * tokens * sum(layer.weight.numel() for layer in (feedforward[0], feedforward[2]))


def flops_by_attention(model, source_length, target_length):
    """FLOPs of each attention over one problem: {(kind, layer): number}

    The heads of an attention cost the same each.
    """
    def cost(kind, attention):
        if kind == "encoder":
            return attention_flops(attention, source_length, source_length)
        if kind == "cross":  # the source is read once
            return attention_flops(attention, target_length, source_length)
        return sum(attention_flops(attention, 1, step, 1) for step in range(1, target_length + 1))

    return {name: cost(name[0], layer) for name, layer in model.attention_layers().items()}


def flops(model, source_length, target_length):
    """FLOPs of one problem without padding: one encoder pass, then cached greedy decoding."""
    total = sum(flops_by_attention(model, source_length, target_length).values())
    total += sum(feedforward_flops(layer.feedforward, source_length) for layer in model.encoder)
    total += sum(feedforward_flops(layer.feedforward, target_length) for layer in model.decoder)
    return total + target_length * 2 * model.classifier.weight.numel()


def problem_lengths(problems):
    """(words, equation tokens) of each problem that has an equation."""
    return [(len(problem.words), len(problem.equation)) for problem in problems if problem.equation]


def mean_flops(model, lengths):
    """The mean of flops over problems; lengths: as problem_lengths gives them"""
    return sum(flops(model, *pair) for pair in lengths) / len(lengths)


def costs_of(model, problems):
    """What a model costs, as a row of a result file says it; FLOPs: the mean of these problems."""
    return dict(heads=len(model.heads()), heads_kept=model.heads_kept(),
                parameters=parameters(model),
                parameters_without_embeddings=parameters(model, embeddings=False),
                flops=mean_flops(model, problem_lengths(problems)))


@torch.no_grad()
def forced_decoding(model, batch):
    """One encoder pass, then cached decoding of the batch's recorded equations.

    Two models take the same number of steps, whatever each would write itself.
    """
    memory, mask = model.encode(batch.source, batch.lengths)
    cache = {}
    for token in shift_right(batch.target).split(1, dim=1):  # (B, 1)
        model.decode(token, memory, mask, cache=cache)


def seconds_of(function):
    """How long one call takes, with the work that it leaves to a GPU."""
    on_gpu = torch.cuda.is_available()
    if on_gpu:
        torch.cuda.synchronize()
    start = time.perf_counter()
    function()
    if on_gpu:
        torch.cuda.synchronize()
    return time.perf_counter() - start


def interleaved(functions, rounds=9):
    """Median seconds of a call of each function, in turn, so that a busy machine slows all alike.

    functions: {name: function of no arguments} -> {name: median over rounds}
    """
    seconds = {name: [] for name in functions}
    for _ in range(rounds + 1):
        for name, function in functions.items():
            seconds[name].append(seconds_of(function))
    # The first round warms up.
    return {name: statistics.median(values[1:]) for name, values in seconds.items()}


def latencies(models, batches, rounds=9):
    """Seconds per problem of each model.

    models: {name: model} in eval mode; batches: [Batch] -> {name: as interleaved measures them}
    """
    def decode_all(model):
        for batch in batches:
            forced_decoding(model, batch)

    problems = sum(len(batch.source) for batch in batches)
    seconds = interleaved({name: partial(decode_all, model) for name, model in models.items()},
                          rounds)
    return {name: took / problems for name, took in seconds.items()}

