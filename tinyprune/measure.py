"""What a model costs: parameters, floating-point operations, and time.

FLOPs count 2 for a multiply-add of a matrix product; biases, norms, softmax, rotation and the neighbour mix are left
out, as torch.utils.flop_counter does.
"""
import statistics
import time

import torch

from tinyprune import BOS


def parameters(model, embeddings=True):
    """The number of trained numbers, with or without the two embedding tables."""
    return sum(p.numel() for name, p in model.named_parameters() if embeddings or "_embedding" not in name)


def head_parameters(model):
    """The number of trained numbers that belong to heads: all of the attentions but b_O."""
    return sum(p.numel() for a in model.attentions().values() for name, p in a.named_parameters()
               if name != "output.bias")


def attention_flops(attention, queries, keys, new_keys=None):
    """FLOPs of one problem's attention: `queries` tokens look at `keys`, of which `new_keys` are not cached yet."""
    D, inner = attention.output.out_features, attention.output.in_features
    new_keys = keys if new_keys is None else new_keys
    projections = 2 * D * inner * (2 * queries + 2 * new_keys)  # W_Q and W_O for queries, W_K and W_V for keys
    return projections + 2 * 2 * inner * queries * keys  # Q K^T, and P V


def feedforward_flops(feedforward, tokens):
    return sum(2 * tokens * layer.weight.numel() for layer in feedforward if hasattr(layer, "weight"))


def attentions_flops(model, source_length, target_length):
    """FLOPs of each attention over one problem: {(kind, layer): number}. Its heads cost the same each."""
    S, T = source_length, target_length
    cost = {"encoder": lambda a: attention_flops(a, S, S),
            "decoder": lambda a: sum(attention_flops(a, 1, step, new_keys=1) for step in range(1, T + 1)),
            "cross": lambda a: attention_flops(a, T, S)}  # the source is read once
    return {(kind, layer): cost[kind](attention) for (kind, layer), attention in model.attentions().items()}


def flops(model, source_length, target_length):
    """FLOPs of one problem without padding: one encoder pass, then cached greedy decoding of `target_length` tokens."""
    S, T = source_length, target_length
    total = T * 2 * model.classifier.weight.numel() + sum(attentions_flops(model, S, T).values())
    total += sum(feedforward_flops(layer.feedforward, S) for layer in model.encoder)
    return total + sum(feedforward_flops(layer.feedforward, T) for layer in model.decoder)


def mean_flops(model, lengths):
    """The mean over problems of flops; lengths: [(source length, target length)]."""
    return sum(flops(model, *pair) for pair in lengths) / len(lengths)


@torch.no_grad()
def forced_decoding(model, batch):
    """One encoder pass and cached decoding of as many tokens as the batch's longest recorded equation has, whatever the
    model would say: two models then do the same number of steps."""
    memory, mask = model.encode(batch.source, batch.lengths)
    cache, token = {}, torch.full_like(batch.target[:, :1], BOS)
    for step in range(batch.target.shape[1]):
        model.decode(token, memory, mask, cache=cache)
        token = batch.target[:, step:step + 1]


def latencies(models, batches, rounds=9):
    """Seconds per problem of each model, their runs interleaved so that a busy machine slows all alike.

    models: {name: model} in eval mode; batches: [Batch] -> {name: median over rounds}
    """
    problems = sum(len(batch.source) for batch in batches)
    seconds = {name: [] for name in models}
    for number in range(rounds + 1):
        for name, model in models.items():
            start = time.perf_counter()
            for batch in batches:
                forced_decoding(model, batch)
            if batches[0].source.is_cuda:
                torch.cuda.synchronize()
            if number:  # the first round warms up
                seconds[name].append((time.perf_counter() - start) / problems)
    return {name: statistics.median(values) for name, values in seconds.items()}


def step_time(model, batches, loss):
    """What a training step's time goes to: {"matrix products": share, "optimizer": …, "the rest": …}, summing to 1.

    Measured over the given [Batch] on the CPU's clock, at a learning rate of 0. loss: as in train.train
    """
    optimizer = torch.optim.AdamW(model.train().parameters(), lr=0.0, fused=True)

    def step(batch):
        optimizer.zero_grad()
        loss(model, batch, None).backward()
        optimizer.step()

    step(batches[0])  # the first makes the optimizer's memory
    with torch.autograd.profiler.profile(use_kineto=False) as profile:
        for batch in batches:
            step(batch)
    names = {"aten::mm": "matrix products", "aten::addmm": "matrix products", "aten::bmm": "matrix products",
             "aten::_fused_adamw_": "optimizer"}
    seconds = {"matrix products": 0.0, "optimizer": 0.0, "the rest": 0.0}
    for event in profile.key_averages():
        seconds[names.get(event.key, "the rest")] += event.self_cpu_time_total
    return {name: part / sum(seconds.values()) for name, part in seconds.items()}
