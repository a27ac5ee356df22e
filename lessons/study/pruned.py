"""Heads by each criterion: their scores, what the lowest 30% look at, and what these cost alone and
together.
"""
from collections import Counter

import torch

from runs import CHOICES, Run, folds_of, teacher_of
from tinyprune import recipe
from tinyprune.masking import gates_for, select_heads
from tinyprune.quantities import is_name
from tinyprune.rivals import mean_loss
from tinyprune.scorer import score_heads

RATIO = 0.3
PROBLEMS = 256  # for calibration


def pruned(data):
    return [Run("pruned", data, fold, f"{RATIO:.0%}", seed)
            for seed in range(3) for fold in folds_of(data)]


def execute(run):
    """-> {"heads", "scores", "pruned", "on numbers", "loss", "losses"}

    pruned: {way: the positions of its heads among "heads"}; losses: {way: the loss without them}
    """
    splits = run.splits()
    teacher, vocabularies = teacher_of(run, splits, run.seed)
    batches = recipe.calibration_batches(splits.train, vocabularies, PROBLEMS)
    heads = teacher.heads()
    scores = {}
    chosen = {}
    losses = {}
    for way, criterion in CHOICES.items():
        scored = score_heads(teacher, batches, criterion)
        lowest = select_heads(scored, RATIO)
        scores[way] = list(scored.values())
        chosen[way] = [position for position, head in enumerate(heads) if head in lowest]
        losses[way] = mean_loss(teacher, batches, gates_for(teacher, lowest)).item()
    return {"study": run.study, "data": run.data, "fold": run.fold, "seed": run.seed,
            "heads": [list(head) for head in heads], "scores": scores, "pruned": chosen,
            "on numbers": on_numbers(teacher, batches, vocabularies),
            "loss": mean_loss(teacher, batches).item(), "losses": losses}


@torch.no_grad()
def on_numbers(model, batches, vocabularies):
    """The share of its attention that each head of the encoder and of cross-attention gives to the
    numbers of a text.

    -> {kind: [the share of each of its heads, and last that of a head that sees all words alike]}
    """
    words = vocabularies.source.tokens
    names = torch.tensor([id for id, word in enumerate(words) if is_name(word)])
    sums = Counter()
    queries = Counter()
    for batch in batches:
        attentions = {}
        model(batch.source, batch.lengths, batch.target, attentions=attentions)
        real = batch.real_queries()
        mask = real["encoder"][:, None, None]  # (B, 1, 1, S)
        numbers = torch.isin(batch.source[..., 0], names.to(mask.device))[:, None, None]
        for kind in ("encoder", "cross"):
            of_kind = [seen for name, seen in attentions.items() if name[0] == kind]
            even = (mask / mask.sum(dim=-1, keepdim=True)).expand_as(of_kind[0][:, :1])
            shares = torch.cat([*of_kind, even], dim=1) * numbers  # (B, N + 1, T, S)
            counted = real[kind][:, None, :, None]  # (B, 1, T, 1)
            sums[kind] += (shares * counted).sum(dim=(0, 2, 3))
            queries[kind] += counted.sum()
    return {kind: (total / queries[kind]).tolist() for kind, total in sums.items()}
