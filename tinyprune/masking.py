"""From scores to gates, from gates to a smaller model, and the schedule that closes heads while a student learns.

A closed head has gate 0: nothing of it reaches the output, and it gets no gradient. Masked and removed are the
same function; only removal makes the model smaller and faster.
"""
import copy
import math
from dataclasses import replace

import torch

from tinyprune.transformer import KINDS


def share_out(total, sizes):
    """Splits `total` in proportion to `sizes` into whole numbers, the largest remainders first: [numbers].

    share_out(3, [4, 2, 2]) -> [1, 1, 1]
    """
    shares = [total * size // sum(sizes) for size in sizes]
    by_remainder = sorted(range(len(sizes)), key=lambda place: -(total * sizes[place] % sum(sizes)))
    for place in by_remainder[:total - sum(shares)]:
        shares[place] += 1
    return shares


def lowest(scores, count):
    """The `count` heads with the lowest scores, ties by (layer, index), but one head always stays in each attention.

    scores: {(kind, layer): (N,)} -> [(kind, layer, place)]. Raises ValueError if that many cannot go.
    """
    ranked = sorted((score, name[1], place, name) for name, row in scores.items()
                    for place, score in enumerate(row.tolist()))
    left = {name: len(row) for name, row in scores.items()}
    chosen = []
    for _, _, place, name in ranked:
        if len(chosen) < count and left[name] > 1:
            left[name] -= 1
            chosen.append((*name, place))
    if len(chosen) < count:
        raise ValueError(f"cannot close {count} heads: only {len(chosen)} can go if one stays in every layer")
    return chosen


def heads_to_close(scores, ratio, scope="kind"):
    """Which heads go: round-half-up(ratio * all) of them, shared among the kinds in proportion, lowest scores first.

    scope: "kind" ranks each kind of attention alone, "all" ranks them together
    -> a set of (kind, layer, place)
    """
    heads = sum(len(row) for row in scores.values())
    count = math.floor(round(ratio * heads, 9) + 0.5)  # 0.58 * 25 is 14.499999999999998 in floating point
    if scope == "all":
        return set(lowest(scores, count))
    groups = [{name: row for name, row in scores.items() if name[0] == kind} for kind in KINDS]
    shares = share_out(count, [sum(len(row) for row in group.values()) for group in groups])
    return {head for group, share in zip(groups, shares) for head in lowest(group, share)}


def gates_of(model, closed):
    """Gates (N,) of every attention: 0 for the closed heads {(kind, layer, place)}, 1 for the others."""
    device = model.classifier.weight.device
    return {(kind, layer): torch.tensor([float((kind, layer, place) not in closed)
                                         for place in range(len(attention.heads))], device=device)
            for (kind, layer), attention in model.attentions().items()}


def remove_heads(model, closed):
    """A smaller model without the closed heads {(kind, layer, place)}; the model itself stays as it is."""
    smaller = copy.deepcopy(model)
    for (kind, layer), attention in smaller.attentions().items():
        attention.keep([head for place, head in enumerate(attention.heads) if (kind, layer, place) not in closed])
    smaller.config = replace(model.config, heads_kept=smaller.heads_kept())
    return smaller


def ratio_at(step, start, end, ratio):
    """The share of heads that are closed at `step`: 0 before `start`, rising to `ratio` at `end`, and held.

    Cubic (Zhu & Gupta 2017): fast at first, while much is to spare, and slower towards the end.
    """
    done = 1 if step >= end else 0 if step <= start else (step - start) / (end - start)
    return ratio * (1 - (1 - done) ** 3)


class DynamicPruning:
    """Closes heads while the student trains; train.py calls before_step and after_step.

    Every `every` steps until `end`, all heads are scored with all gates open, the scores are smoothed, and the
    lowest close, as many as the schedule says: a closed head may come back. From `end` on the mask is frozen.

    score: model -> {(kind, layer): (N,)}
    schedule: "dynamic"; "monotone", where no head comes back; "one-shot", all at the first step and never again;
              "none", where nothing closes
    smoothing: the weight of the old scores in the moving average
    """

    def __init__(self, model, score, ratio, end, every, schedule="dynamic", smoothing=0.5):
        self.score, self.ratio, self.end, self.every = score, ratio, end, every
        self.schedule, self.smoothing = schedule, smoothing
        self.settings = [ratio, end, every, schedule, smoothing]  # by which a checkpoint knows its run
        self.scores, self.closed, self.frozen, self.log = {}, set(), {}, []
        self.gates = gates_of(model, self.closed)

    def before_step(self, step, model, optimizer):
        """Scores the heads and moves the gates, if this step is one of the schedule's."""
        last = 0 if self.schedule == "one-shot" else self.end
        if self.schedule == "none" or step > last or (step % self.every and step != last):
            return
        if self.log and self.log[-1]["step"] == step:  # a run that was stopped within this step goes on
            return
        fresh = self.score(model)
        self.scores = {name: self.smoothing * self.scores[name] + (1 - self.smoothing) * row if self.scores else row
                       for name, row in fresh.items()}
        ranked = self.scores
        if self.schedule == "monotone":  # a closed head stays the lowest
            ranked = {name: row.masked_fill(self.gates[name] == 0, -math.inf) for name, row in ranked.items()}
        ratio = self.ratio if self.schedule == "one-shot" else ratio_at(step, 0, self.end, self.ratio)
        before, self.closed = self.closed, heads_to_close(ranked, ratio)
        self.gates = gates_of(model, self.closed)
        self.log.append({"step": step, "ratio": ratio, "closed": sorted(self.closed - before),
                         "returned": sorted(before - self.closed)})
        for head in before - self.closed:
            del self.frozen[head]
        for head in self.closed - before:
            self.frozen[head] = {key: part.clone() for key, part in self._parts(head, model, optimizer).items()}

    @torch.no_grad()
    def after_step(self, model, optimizer):
        """Puts closed heads back as they were when they closed: they get no gradient, but weight decay and momentum
        would still move them, and the head that returns must be the head that left."""
        for head, kept in self.frozen.items():
            for key, part in self._parts(head, model, optimizer).items():
                part.copy_(kept.get(key, torch.tensor(0.0)))  # a moment that did not exist yet was 0

    @staticmethod
    def _parts(head, model, optimizer):
        """The head's weights and their moments in the optimizer, as views that can be written to: {name: tensor}."""
        kind, layer, place = head
        attention = model.attentions()[kind, layer]
        K = attention.head_width
        rows = slice(place * K, (place + 1) * K)
        parts = {}
        for name, parameter in attention.named_parameters():
            if name == "output.bias":
                continue  # it belongs to no head
            moments = optimizer.state.get(parameter, {})
            for key, tensor in {"": parameter.data, **moments}.items():
                if tensor.dim():  # AdamW's step count has none
                    parts[f"{name}.{key}"] = tensor[:, rows] if name == "output.weight" else tensor[rows]
        return parts

    def state(self):
        """What a checkpoint must keep, in plain tensors and lists."""
        return {"scores": list(self.scores.items()), "closed": sorted(self.closed), "log": self.log,
                "frozen": list(self.frozen.items())}

    def restore(self, state, model):
        self.scores, self.closed = dict(state["scores"]), set(state["closed"])
        self.frozen, self.log = dict(state["frozen"]), state["log"]
        self.gates = gates_of(model, self.closed)
