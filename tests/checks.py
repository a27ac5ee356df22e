"""`check` compares a student's result with the reference and, on a difference, names the mistake.

Each known mistake comes with the result that it would give. It is named only when the student's
numbers are exactly those, so that a message is evidence and never a guess.
"""
import torch


def same(a, b):
    """Equal in shape and, for floating point, to five digits."""
    if isinstance(a, torch.Tensor) and isinstance(b, torch.Tensor):
        if a.shape != b.shape:
            return False
        return torch.allclose(a.double(), b.double(), rtol=1e-5, atol=1e-6, equal_nan=True)
    if isinstance(a, float) or isinstance(b, float):
        return abs(a - b) <= 1e-6 + 1e-5 * abs(b)
    return a == b


def check(got, expected, what, mistakes=None):
    """Fails with `what`, both results, and the mistake that gives exactly the student's.

    mistakes: sentence -> the wrong result itself, or a function of no arguments that computes it.
    Two are never named: None, which no mistake gives, and NaN alone, which too many mistakes give.
    """
    if isinstance(expected, torch.Tensor):
        assert isinstance(got, torch.Tensor), \
            f"{what}: expected a tensor, got {type(got).__name__}"
    if same(got, expected):
        return
    for sentence, wrong in (mistakes or {}).items():
        wrong = wrong() if callable(wrong) else wrong
        nothing = wrong is None or isinstance(wrong, torch.Tensor) and wrong.isnan().all()
        if not nothing and same(got, wrong):
            raise AssertionError(f"{what}: {sentence} "
                                 "(your result is exactly what that mistake gives)")
    if not isinstance(expected, torch.Tensor):
        raise AssertionError(f"{what}: expected {expected!r}, got {got!r}; "
                             "no known mistake gives this")
    assert got.shape == expected.shape, \
        f"{what}: expected the shape {tuple(expected.shape)}, got {tuple(got.shape)}"
    nan = got.isnan().sum().item() if got.is_floating_point() else 0
    assert not nan, f"{what}: {nan} of {got.numel()} values are NaN; " \
        "a row with every key masked, 0 * inf, 0 / log 1?"
    distance = (got.double() - expected.double()).abs()
    too_far = distance > 1e-6 + 1e-5 * expected.double().abs()
    first = tuple(too_far.nonzero()[0].tolist())
    raise AssertionError(f"{what}: first differs at {first}: expected {expected[first].item():.6g},"
                         f" got {got[first].item():.6g}; no known mistake gives these numbers")
