"""Dynamic pruning: heads are scored again and again while the student learns, and may come back.

    ratio pruned at step t of a schedule that ends at E:   ratio * (1 - (1 - t/E)^3)

The cubic schedule is Zhu & Gupta's (2017). "Dynamic" is arXiv 2511.17577's word; what it means
exactly is left open there, and is our choice here.
"""
import math
from dataclasses import dataclass, field

import torch

from tinyprune.masking import gates_for, select_heads


def ratio_at(step, start, end, ratio):
    """The share of heads that are pruned at `step`: 0 before `start`, `ratio` from `end` on.

    Cubic in between: fast at first, while much is to spare, and slower towards the end.
    """
    ### BEGIN SOLUTION
    if step >= end:
        return ratio
    done = max(step - start, 0) / max(end - start, 1)
    return ratio * (1 - (1 - done) ** 3)
    ### END SOLUTION


SCHEDULES = ("dynamic", "monotone", "one-shot", "none")


@dataclass
class DynamicPruning:
    """Masks heads while a model trains; train.py calls before_step and after_step.

    Every `every` steps until `end`, all heads are scored with all heads active (the model is called
    without gates), the moving averages of the scores are updated, and the lowest are pruned, as
    many as the schedule says. A pruned head may come back. From `end` on the mask no longer
    changes.
    """
    score: callable = field(repr=False)  # model -> {Head: float}
    ratio: float
    end: int
    every: int
    schedule: str = "dynamic"  # or "monotone", where pruned heads stay lowest and none returns
    #                            unless its kind's share falls; "one-shot", all at the first step
    #                            and never again; "none"
    ema_decay: float = 0.5  # the weight of the old scores in their moving average

    def __post_init__(self):
        if self.schedule not in SCHEDULES:
            raise ValueError(f"there is no schedule {self.schedule!r}: choose one of {SCHEDULES}")
        if self.schedule == "one-shot":
            self.end = 0
        self.scores = {}  # {Head: float}, moving averages
        self.pruned = set()  # of Heads
        self.gates = {}  # of each (kind, layer), (N,); empty while nothing is pruned
        self.saved = {}  # {Head: its weights and moments as they were when it was pruned}
        self.log = []  # an entry for each scoring: the Heads pruned then, and those that returned

    def is_due(self, step):
        """Whether the heads are scored before this step.

        At every multiple of `every` up to `end`, and at `end`; never with the schedule "none".
        """
        ### BEGIN SOLUTION
        if step > self.end or self.schedule == "none":
            return False
        return step % self.every == 0 or step == self.end
        ### END SOLUTION

    def before_step(self, step, model, optimizer):
        """Scores the heads and moves the gates, if this step is one of the schedule's.

        In this order: the average, the ratio (the schedule starts at step 0), the heads to prune,
        the gates (mask), the log, and `saved`. With "monotone" a pruned head ranks lowest; its
        average is updated as all others are. The log gets {"step", "ratio", "pruned": the heads
        that were not pruned before, "returned": those that were}, both sorted lists. `saved` gets
        copies of the head_parts of each newly pruned head, and forgets the returned.
        """
        if not self.is_due(step):
            return
        ### BEGIN SOLUTION
        self.update_average(self.score(model))
        ratio = ratio_at(step, 0, self.end, self.ratio)
        ranked = self.scores
        if self.schedule == "monotone":  # a pruned head stays the lowest
            ranked = ranked | dict.fromkeys(self.pruned, -math.inf)
        before = self.pruned
        self.mask(select_heads(ranked, ratio), model)
        newly_pruned = sorted(self.pruned - before)
        returned = sorted(before - self.pruned)
        self.log.append({"step": step, "ratio": ratio, "pruned": newly_pruned,
                         "returned": returned})
        for head in returned:
            del self.saved[head]
        for head in newly_pruned:
            parts = head_parts(head, model, optimizer)
            self.saved[head] = {name: part.clone() for name, part in parts.items()}
        ### END SOLUTION

    def mask(self, heads, model):
        """Prunes these heads and no others."""
        self.pruned = heads
        fresh = gates_for(model, heads)
        for name, gate in self.gates.items():
            gate.copy_(fresh[name])  # a recorded step (recorded.py) reads these very tensors
        if heads:
            self.gates = self.gates or fresh

    def update_average(self, fresh):
        """Takes fresh scores, {Head: float}, into the moving average.

        It begins with the first ones. `fresh` itself stays as it is.
        """
        ### BEGIN SOLUTION
        old = self.scores or fresh
        self.scores = {head: self.ema_decay * old[head] + (1 - self.ema_decay) * fresh[head]
                       for head in fresh}
        ### END SOLUTION

    @torch.no_grad()
    def after_step(self, model, optimizer):
        """Puts pruned heads back as they were when they were pruned.

        They get no gradient, but weight decay and momentum would still move them, and the head
        that returns must be the head that left. `saved` names all that is put back: a head that
        was pruned before the first step has no moments there.
        """
        ### BEGIN SOLUTION
        for head, kept in self.saved.items():
            parts = head_parts(head, model, optimizer)
            for name, part in kept.items():
                parts[name].copy_(part)
        ### END SOLUTION

    def state(self):
        """What a checkpoint must keep."""
        return {"scores": self.scores, "pruned": self.pruned, "saved": self.saved,
                "log": self.log}

    def restore(self, state, model):
        self.scores = state["scores"]
        self.saved = state["saved"]
        self.log = state["log"]
        self.mask(state["pruned"], model)


def head_parts(head, model, optimizer):
    """A head's weights and their moments in the optimizer, as views to write to: {name: tensor}"""
    attention = model.attention_layers()[head[:2]]
    K = attention.head_width
    position = attention.heads.index(head.index)
    rows = slice(position * K, (position + 1) * K)
    parts = {}
    for name, parameter in attention.named_parameters():
        if name == "output.bias":
            continue  # it belongs to no head
        of_head = (slice(None), rows) if name == "output.weight" else rows
        for key, tensor in {"": parameter.data, **optimizer.state.get(parameter, {})}.items():
            if tensor.dim():  # AdamW's step count has none
                parts[f"{name}.{key}"] = tensor[of_head]
    return parts
