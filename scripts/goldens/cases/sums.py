"""Products of matrices, reductions, softmax and normalisation."""

import torch
from torch.nn import functional as F

from .case import Case, draw, floats, int64s


def gemm(a, b, c=None, *, opset, alpha=1.0, beta=1.0, transA=0, transB=0):
    product = alpha * ((a.T if transA else a) @ (b.T if transB else b))
    return product if c is None else product + beta * c


def einsum(*operands, opset, equation):
    return torch.einsum(equation, *operands)


def product(x, dim, keepdim):
    for axis in sorted((axis % x.dim() for axis in dim), reverse=True):
        x = x.prod(axis, keepdim)
    return x


def norm(order):
    return lambda x, dim, keepdim: torch.linalg.vector_norm(x, order, dim, keepdim)


def reduction(function):
    def reduce(x, axes_input=None, *, opset, axes=None, keepdims=1, noop_with_empty_axes=0):
        axes = axes_input.tolist() if axes_input is not None else axes
        if axes is None and noop_with_empty_axes:
            return x.clone()
        return function(x, axes or list(range(x.dim())), bool(keepdims))

    return reduce


REDUCTIONS = {
    "ReduceSum": torch.sum,
    "ReduceMean": torch.mean,
    "ReduceMax": torch.amax,
    "ReduceMin": torch.amin,
    "ReduceProd": product,
    "ReduceL1": norm(1),
    "ReduceL2": norm(2),
    "ReduceSumSquare": lambda x, dim, keepdim: (x * x).sum(dim, keepdim),
    "ReduceLogSum": lambda x, dim, keepdim: x.sum(dim, keepdim).log(),
    "ReduceLogSumExp": torch.logsumexp,
}


def cross_entropy(scores, labels, weights=None, *, opset, **how):
    return F.cross_entropy(scores, labels, weights, **how)


def layer_norm(x, scale, shift=None, *, opset, axis=-1, epsilon=1e-5):
    normal = F.layer_norm(x, x.shape[axis:], eps=epsilon)
    return normal * scale if shift is None else normal * scale + shift


def rms_norm(x, scale, *, opset, axis=-1, epsilon=1e-5):
    return F.rms_norm(x, x.shape[axis:], scale, eps=epsilon)


def group_norm(x, scale, shift, *, opset, num_groups, epsilon=1e-5):
    if opset < 21:
        # One of each per group, not per channel.
        scale, shift = (v.repeat_interleave(x.shape[1] // num_groups) for v in (scale, shift))
    return F.group_norm(x, num_groups, scale, shift, epsilon)


def batch_norm(x, scale, shift, mean, variance, *, opset, epsilon=1e-5, training_mode=0):
    if training_mode:
        return F.batch_norm(x, None, None, scale, shift, True, eps=epsilon), None, None
    return F.batch_norm(x, mean, variance, scale, shift, eps=epsilon)


FUNCTIONS = {
    "MatMul": lambda a, b, *, opset: torch.matmul(a, b),
    "Gemm": gemm,
    "Einsum": einsum,
    **{name: reduction(function) for name, function in REDUCTIONS.items()},
    "Softmax": lambda x, *, opset, axis=-1: F.softmax(x, axis),
    "LogSoftmax": lambda x, *, opset, axis=-1: F.log_softmax(x, axis),
    "SoftmaxCrossEntropyLoss": cross_entropy,
    "LayerNormalization": layer_norm,
    "RMSNormalization": rms_norm,
    "SimplifiedLayerNormalization": rms_norm,
    "InstanceNormalization": lambda x, scale, shift, *, opset, epsilon=1e-5: F.instance_norm(
        x, weight=scale, bias=shift, eps=epsilon
    ),
    "GroupNormalization": group_norm,
    "BatchNormalization": batch_norm,
}

SINGLE = {"InstanceNormalization", "GroupNormalization"}


def case(name, *operands, opsets=None, **attributes):
    return Case(name, list(operands), attributes, opsets, name in SINGLE)


def linear():
    for trans_a in [0, 1]:
        for trans_b in [0, 1]:
            a = draw(4, 3) if trans_a else draw(3, 4)
            b = draw(5, 4) if trans_b else draw(4, 5)
            how = {"transA": trans_a, "transB": trans_b, "alpha": 0.5, "beta": 2.0}
            yield case("Gemm", a, b, draw(5), **how)
    for bias in [[], [1], [1, 5], [3, 1], [3, 5]]:
        yield case("Gemm", draw(3, 4), draw(4, 5), draw(*bias))
    yield case("Gemm", draw(3, 4), draw(4, 5))
    for a, b in [
        ([3, 4], [4, 5]),
        ([2, 3, 4], [2, 4, 5]),
        ([2, 3, 4], [4, 2]),
        ([3, 4], [2, 4, 5]),
        ([2, 1, 3, 4], [3, 4, 2]),
        ([4], [4, 5]),
        ([3, 4], [4]),
        ([4], [2, 4, 5]),
        ([2, 3, 4], [4]),
        ([4], [4]),
    ]:
        yield case("MatMul", draw(*a), draw(*b))
    for equation, *shapes in [
        ("ij,jk->ik", [3, 4], [4, 5]),
        ("ij, jk", [3, 4], [4, 5]),
        ("bij,bjk->bik", [3, 2, 4], [3, 4, 2]),
        ("bhid,bhjd->bhij", [2, 2, 4, 2], [2, 2, 3, 2]),
        ("...ij,...jk->...ik", [3, 2, 4], [3, 4, 5]),
        ("...ij,jk", [3, 2, 4], [4, 5]),
        ("i...,ij->i...j", [3, 2], [3, 4]),
        ("ij->i", [3, 4]),
        ("ij->", [3, 4]),
        ("ij,k->ik", [3, 4], [5]),
        ("i,j->ij", [3], [4]),
        ("bi,bi->b", [3, 4], [3, 4]),
        ("bn,anm,bm->ba", [3, 4], [2, 4, 5], [3, 5]),
        ("ba", [3, 4]),
        ("ij,ij->ij", [3, 4], [3, 1]),
        ("...i,...i->...", [1, 4], [3, 4]),
    ]:
        yield case("Einsum", *[draw(*shape) for shape in shapes], equation=equation)


def reductions():
    variants = [([1], {}), ([-1, 0], {"keepdims": 0}), (None, {}), (None, {"keepdims": 0})]
    ranges = {"ReduceLogSum": (0.25, 1.5), "ReduceProd": (-2.5, 2.5)}
    for name in REDUCTIONS:
        x = draw(2, 3, 4, range=ranges.get(name, (-1.5, 1.5)))
        newer = None if name == "ReduceSum" else [18, 26]
        for axes, how in variants:
            if axes is None:
                yield case(name, x, **how)
            else:
                yield case(name, x, int64s(axes), opsets=newer, **how)
        if name != "ReduceSum":
            yield case(name, x, axes=[0, 2], keepdims=0, opsets=[13, 17])
    for name in ["ReduceSum", "ReduceMean"]:
        yield case(name, draw(2, 3), noop_with_empty_axes=1, opsets=[18, 26])


def probabilities():
    for name in ["Softmax", "LogSoftmax"]:
        yield case(name, draw(2, 3, 4, range=(-2, 2)))
        for axis in [0, 1, -2]:
            yield case(name, draw(2, 3, 4, range=(-2, 2)), axis=axis)
    name, scores = "SoftmaxCrossEntropyLoss", draw(4, 3, range=(-2, 2))
    labels, weights = int64s([2, 0, 1, 2]), floats([0.5, 2.0, 1.0])
    for reduction in ["none", "sum", "mean"]:
        for weighting in [[], [weights]]:
            yield case(name, scores, labels, *weighting, reduction=reduction)
            yield case(name, scores, labels, *weighting, reduction=reduction, ignore_index=2)
    pixels = int64s([2, 0, 1, 2, 1, 1, 0, 2], [2, 4])
    yield case(name, draw(2, 3, 4), pixels, weights, reduction="mean", ignore_index=1)


def normalisation():
    shape = [2, 3, 4]
    layer = {"opsets": [17, 26]}
    yield case("LayerNormalization", draw(*shape), draw(4), **layer)
    yield case("LayerNormalization", draw(*shape), draw(4), draw(4), epsilon=0.125, **layer)
    yield case("LayerNormalization", draw(*shape), draw(3, 4), draw(3, 4), axis=1, **layer)
    yield case("LayerNormalization", draw(*shape), draw(1, 4), draw(3, 1), axis=-2, **layer)
    for name in ["RMSNormalization", "SimplifiedLayerNormalization"]:
        yield case(name, draw(*shape), draw(4))
        yield case(name, draw(*shape), draw(3, 4), axis=1, epsilon=0.125)
    mean, variance = floats([0.25, -0.5, 0.125, 0.75]), floats([0.5, 1.0, 2.0, 0.25])
    for image in [[3, 4, 5], [2, 4, 3, 2]]:
        x, channels = draw(*image), draw(4)
        yield case("InstanceNormalization", x, channels, channels, epsilon=0.125)
        older = {"num_groups": 2, "epsilon": 0.125, "opsets": [18]}
        yield case("GroupNormalization", x, draw(2), draw(2), **older)
        newer = {"num_groups": 2, "epsilon": 0.125, "opsets": [21, 26]}
        yield case("GroupNormalization", x, channels, channels, **newer)
    for image in [[3, 4], [3, 4, 5], [2, 4, 3, 2]]:
        operands = [draw(*image), draw(4), draw(4), mean, variance]
        yield case("BatchNormalization", *operands, epsilon=0.125)
        trained = {"training_mode": 1, "epsilon": 0.125}
        yield Case("BatchNormalization", operands, trained, [14, 26], rows=image[0])


CASES = [*linear(), *reductions(), *probabilities(), *normalisation()]
