"""The router's promises: it reads a problem's words alone, and what it leaves out is skipped."""
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from builders import heads_of, row_of, tiny_model
from checks import check
from test_scorer import BATCHES
from tinyprune import masking
from tinyprune.rivals import gradient_score
from tinyprune.router import (
    fit_router,
    mean_embedding,
    problem_importance,
    route,
    without_heads,
)

PRUNED = heads_of("encoder 0 1, decoder 1 0, decoder 1 2, cross 0 2")


def logits_of(model, batch=BATCHES[0], **options):
    return model(batch.source, batch.lengths, batch.target, **options)


def test_without_heads_is_the_model_with_their_gates_at_0():
    model = tiny_model()
    gates = masking.gates_for(model, PRUNED)
    expected = logits_of(model, gates=gates)
    with without_heads(model, PRUNED):
        check(logits_of(model), expected, "inside")
        assert len(model.heads()) == 18 - 4


@pytest.mark.parametrize("ends", ["well", "with an error"])
def test_afterwards_the_model_is_as_before(ends):
    model = tiny_model()
    parameters = dict(model.named_parameters())
    shapes = str(model)
    before = logits_of(model)
    try:
        with without_heads(model, PRUNED):
            assert ends == "well", "an error inside"
    except AssertionError:
        pass
    assert torch.equal(logits_of(model), before)
    assert all(parameter is parameters[name] for name, parameter in model.named_parameters())
    assert str(model) == shapes


def test_a_head_that_is_not_there_is_refused_and_nothing_changes():
    model = tiny_model()
    heads = model.heads()
    for wrong, says in (("encoder 0 7", "no Head"), ("cross 1 0, cross 1 1, cross 1 2", "stay")):
        with pytest.raises(ValueError, match=says), without_heads(model, heads_of(wrong)):
            pass
        assert model.heads() == heads


def test_what_is_left_out_is_not_computed():
    model = tiny_model()
    counted = {}
    for name, pruned in (("whole", set()), ("smaller", PRUNED)):
        with without_heads(model, pruned), FlopCounterMode(display=False) as counter:
            logits_of(model, attentions={})  # the explicit path
        counted[name] = counter.get_total_flops()
    with FlopCounterMode(display=False) as counter:
        logits_of(masking.remove_heads(model, PRUNED), attentions={})
    assert counted["smaller"] == counter.get_total_flops() < counted["whole"]


def test_the_mean_embedding_leaves_padding_out():
    model = tiny_model()
    for batch in BATCHES:
        alone = [mean_embedding(model, row_of(batch, row)) for row in range(len(batch.source))]
        check(mean_embedding(model, batch), torch.cat(alone), "each problem alone")
        words = model.source_embedding(batch.source[0])  # (S, D)
        expected = torch.cat([words[:batch.lengths[0]].mean(dim=0), torch.ones(1)])
        check(mean_embedding(model, batch)[0], expected, "the first problem, and 1")


def test_the_mean_importance_is_michels_score():
    model = tiny_model()
    each = torch.cat([problem_importance(model, batch) for batch in BATCHES])
    expected = list(gradient_score(model, BATCHES).values())
    check(each.mean(dim=0), torch.tensor(expected), "mean over problems")


def test_the_router_is_the_ridge_regression():
    model = tiny_model()
    X = torch.cat([mean_embedding(model, batch) for batch in BATCHES]).detach()
    Y = torch.cat([problem_importance(model, batch) for batch in BATCHES])
    router = fit_router(model, BATCHES, decay=0.3)
    check(X.T @ (Y - X @ router), 0.3 * router, "where the penalty's and the error's slopes meet")


def test_each_problem_loses_the_heads_that_the_router_ranks_lowest():
    model = tiny_model()
    router = fit_router(model, BATCHES)
    batch = BATCHES[1]
    chosen = route(router, model, batch, ratio=0.3)
    importance = mean_embedding(model, batch) @ router
    for row, pruned in zip(importance.tolist(), chosen):
        assert pruned == masking.select_heads(dict(zip(model.heads(), row)), 0.3)
    assert route(router, model, batch, ratio=0) == [frozenset()] * 4
