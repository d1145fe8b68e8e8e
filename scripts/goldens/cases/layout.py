"""Operators that move elements: shapes, joining and cutting, indexing, resizing."""

import torch
from torch.nn import functional as F

from .case import Case, draw, float32s, floats, int32s, int64s


def reshape(x, shape, *, opset):
    return x.reshape([x.shape[i] if size == 0 else size for i, size in enumerate(shape.tolist())])


def flatten(x, *, opset, axis=1):
    return x.reshape(x.shape[:axis].numel(), -1)


def squeeze(x, axes=None, *, opset):
    return x.squeeze() if axes is None else x.squeeze(axes.tolist())


def unsqueeze(x, axes, *, opset):
    rank = x.dim() + len(axes)
    for axis in sorted(axis % rank for axis in axes.tolist()):
        x = x.unsqueeze(axis)
    return x


def transpose(x, *, opset, perm=None):
    return x.permute(perm or list(range(x.dim()))[::-1])


def expand(x, shape, *, opset):
    return torch.broadcast_to(x, torch.broadcast_shapes(x.shape, shape.tolist()))


def tile(x, repeats, *, opset):
    return x.repeat(repeats.tolist())


def depth_to_space(x, *, opset, blocksize, mode="DCR"):
    if mode == "CRD":
        return F.pixel_shuffle(x, blocksize)
    n, c, h, w = x.shape
    blocks = x.reshape(n, blocksize, blocksize, c // blocksize**2, h, w)
    return blocks.permute(0, 3, 4, 1, 5, 2).reshape(n, -1, h * blocksize, w * blocksize)


def space_to_depth(x, *, opset, blocksize):
    n, c, h, w = x.shape
    blocks = x.reshape(n, c, h // blocksize, blocksize, w // blocksize, blocksize)
    return blocks.permute(0, 3, 5, 1, 2, 4).reshape(n, -1, h // blocksize, w // blocksize)


def concat(*parts, opset, axis):
    return torch.cat(parts, axis)


def split(x, sizes=None, *, opset, axis=0, num_outputs=2):
    if sizes is None:
        return torch.split(x, -(-x.shape[axis] // num_outputs), axis)
    first, _, last = torch.split(x, sizes.tolist(), axis)
    return first, None, last


def cut(x, starts, ends, axes=None, steps=None, *, opset):
    axes = range(len(starts)) if axes is None else axes.tolist()
    steps = [1] * len(starts) if steps is None else steps.tolist()
    for start, end, axis, step in zip(starts.tolist(), ends.tolist(), axes, steps):
        places = range(*slice(start, end, step).indices(x.shape[axis]))
        x = x.index_select(axis, torch.tensor(places))
    return x


MODES = {"reflect": "reflect", "edge": "replicate", "wrap": "circular"}


def pad(x, pads, value=None, axes=None, *, opset, mode="constant"):
    axes = list(range(x.dim())) if axes is None else axes.tolist()
    sides = [(0, 0)] * x.dim()
    for at, axis in enumerate(axes):
        sides[axis] = (int(pads[at]), int(pads[at + len(axes)]))
    amounts = [side for pair in reversed(sides) for side in pair]
    if mode != "constant":
        return F.pad(x[None, None], amounts, mode=MODES[mode])[0, 0]
    if value is None:
        return F.pad(x, amounts)
    return torch.where(F.pad(torch.ones_like(x), amounts) > 0, F.pad(x, amounts), value)


def gather(x, indices, *, opset, axis=0):
    flat = indices.reshape(-1).long() % x.shape[axis]
    axis %= x.dim()
    return x.index_select(axis, flat).reshape(
        [*x.shape[:axis], *indices.shape, *x.shape[axis + 1 :]]
    )


def gather_elements(x, indices, *, opset, axis=0):
    return torch.gather(x, axis, indices.long() % x.shape[axis])


def places(indices):
    return tuple(indices.long().unbind(-1))


def gather_nd(x, indices, *, opset, batch_dims=0):
    if batch_dims == 0:
        return x[places(indices)]
    return torch.stack([row[places(own)] for row, own in zip(x, indices)])


def scatter_elements(x, indices, updates, *, opset, axis=0, reduction="none"):
    index = indices.long() % x.shape[axis]
    put = torch.scatter_add if reduction == "add" else torch.scatter
    return put(x, axis, index, updates)


def scatter_nd(x, indices, updates, *, opset, reduction="none"):
    return x.index_put(places(indices), updates, accumulate=reduction == "add")


def top_k(x, k, *, opset, axis=-1, largest=1):
    return torch.topk(x, int(k), axis, bool(largest)).values, None


def cum_sum(x, axis, *, opset, exclusive=0, reverse=0):
    along = [int(axis)]
    turned = x.flip(along) if reverse else x
    sums = turned.cumsum(along[0]) - (turned if exclusive else 0)
    return sums.flip(along) if reverse else sums


def trilu(x, k=None, *, opset, upper=1):
    return (torch.triu if upper else torch.tril)(x, 0 if k is None else int(k))


LINEAR = {3: "linear", 4: "bilinear", 5: "trilinear"}


def resize(x, _, scales=None, sizes=None, *, opset, mode="nearest", **how):
    spatial = x.shape[2:]
    if scales is None:
        target = {"size": sizes.tolist()[2:]}
    else:
        target = {"scale_factor": scales.tolist()[2:]}
    coordinates = how.get("coordinate_transformation_mode", "half_pixel")
    if mode == "nearest":
        kind = "nearest" if coordinates == "asymmetric" else "nearest-exact"
        return F.interpolate(x, **target, mode=kind)
    return F.interpolate(
        x,
        **target,
        mode="bicubic" if mode == "cubic" else LINEAR[2 + len(spatial)],
        align_corners=coordinates == "align_corners",
        antialias=how.get("antialias", 0) == 1,
    )


FUNCTIONS = {
    "Reshape": reshape,
    "Flatten": flatten,
    "Squeeze": squeeze,
    "Unsqueeze": unsqueeze,
    "Transpose": transpose,
    "Expand": expand,
    "Tile": tile,
    "DepthToSpace": depth_to_space,
    "SpaceToDepth": space_to_depth,
    "Concat": concat,
    "Split": split,
    "Slice": cut,
    "Pad": pad,
    "Gather": gather,
    "GatherElements": gather_elements,
    "GatherND": gather_nd,
    "ScatterElements": scatter_elements,
    "ScatterND": scatter_nd,
    "TopK": top_k,
    "CumSum": cum_sum,
    "Trilu": trilu,
    "Resize": resize,
}


def case(name, *operands, opsets=None, **attributes):
    return Case(name, list(operands), attributes, opsets, name == "Resize")


def shapes():
    yield case("Reshape", draw(3, 4), int64s([2, -1]))
    yield case("Reshape", draw(3, 2, 4), int64s([0, 8]))
    yield case("Flatten", draw(3, 2, 2))
    for axis in [0, 2]:
        yield case("Flatten", draw(3, 2, 2), axis=axis)
    yield case("Squeeze", draw(1, 3, 1, 2))
    yield case("Squeeze", draw(1, 3, 1), int64s([-1]))
    yield case("Unsqueeze", draw(3, 2), int64s([0, -1]))
    yield case("Unsqueeze", draw(3, 2), int64s([1]))
    yield case("Transpose", draw(2, 3, 4))
    yield case("Transpose", draw(2, 3, 4), perm=[2, 0, 1])
    yield case("Expand", draw(3, 1), int64s([2, 1, 4]))
    yield case("Expand", draw(3, 4), int64s([1]))
    yield case("Tile", draw(2, 3), int64s([2, 3]))
    yield case("Tile", draw(2, 1, 3), int64s([1, 2, 2]))
    for mode in ["DCR", "CRD"]:
        yield case("DepthToSpace", draw(2, 8, 1, 3), blocksize=2, mode=mode)
    yield case("SpaceToDepth", draw(2, 2, 2, 6), blocksize=2)


def joining():
    yield case("Concat", draw(2, 3), draw(2, 1), draw(2, 4), axis=-1)
    yield case("Concat", draw(1, 3), draw(2, 3), axis=0)
    yield case("Split", draw(2, 6), axis=-1, opsets=[13])
    yield case("Split", draw(2, 7), axis=-1, num_outputs=2, opsets=[18, 26])
    yield case("Split", draw(6, 2), int64s([1, 3, 2]))
    cuts = [
        ([1, 1], [3, 4]),
        ([1], [-1], [1]),
        ([-2], [1000], [-1], [1]),
        ([-1], [-1000], [1], [-1]),
        ([3, 4], [0, 0], [0, 1], [-2, -3]),
        ([0, 0], [4, 5], [0, 1], [2, 2]),
    ]
    for parts in cuts:
        yield case("Slice", draw(4, 5), *[int64s(part) for part in parts])
    yield case("Slice", draw(4, 5), *[int32s(part) for part in cuts[4]])
    for pads in [[1, 0, 0, 2], [-1, 1, 2, -1]]:
        yield case("Pad", draw(4, 3), int64s(pads))
    yield case("Pad", draw(4, 3), int64s([2, 1, 1, 0]), mode="reflect")
    yield case("Pad", draw(4, 3), int64s([0, 2, 2, 1]), mode="edge")
    yield case("Pad", draw(4, 3), int64s([1, 2, 0, 1]), mode="wrap", opsets=[19, 26])
    yield case("Pad", draw(4, 3), int64s([1, 2, 0, 1]), draw())
    yield case("Pad", draw(4, 3), int64s([1, 2]), floats([0.5], []), int64s([1]), opsets=[18, 26])


def indexing():
    yield case("Gather", draw(4, 3), int64s([2, 0, 2]))
    yield case("Gather", draw(4, 3), int32s([3, -1]))
    yield case("Gather", draw(2, 3, 4), int64s([1, 1, 0, 2], [2, 2]), axis=1)
    yield case("Gather", draw(2, 3, 4), int64s([1, 1, 0], [1, 3]), axis=-1)
    yield case("Gather", draw(2, 3, 4), int64s([-1], []), axis=1)
    yield case("GatherElements", draw(3, 4), int64s([2, 0, 2, 1], [1, 4]))
    yield case("GatherElements", draw(2, 3), int32s([2, 2, -1, 0, 1, 1, 0, 0], [2, 4]), axis=1)
    yield case("GatherND", draw(3, 4), int64s([1, 2, 1, 2, 0, 0], [3, 2]))
    yield case("GatherND", draw(3, 4), int64s([2, -1, 2], [3, 1]))
    yield case("GatherND", draw(2, 3, 4), int64s([1, 1, 0, 2, 2, 2], [2, 3, 1]), batch_dims=1)
    for reduction in ["none", "add"]:
        repeated = 2 if reduction == "add" else 0
        how = {"reduction": "add", "opsets": [16, 26]} if reduction == "add" else {}
        rows = int64s([2, 1, repeated, 0], [2, 2])
        yield case("ScatterElements", draw(3, 4), rows, draw(2, 2), **how)
        ends = int32s([3, -4], [1, 2])
        yield case("ScatterElements", draw(3, 4), ends, draw(1, 2), axis=1, **how)
        yield case("ScatterND", draw(4, 3), int64s([2, repeated], [2, 1]), draw(2, 3), **how)
        yield case("ScatterND", draw(4, 3), int64s([0, 1, 3, 2], [2, 2]), draw(2), **how)
    yield case("TopK", draw(4, 5), int64s([2]))
    yield case("TopK", draw(4, 5), int64s([3]), axis=0, largest=0)
    for exclusive in [0, 1]:
        for reverse in [0, 1]:
            axis = int64s([-1], []) if exclusive else int32s([0], [])
            yield case("CumSum", draw(3, 4), axis, exclusive=exclusive, reverse=reverse)
    yield case("Trilu", draw(2, 3, 4))
    yield case("Trilu", draw(2, 3, 4), int64s([-1], []), upper=1)
    yield case("Trilu", draw(2, 3, 4), int64s([1], []), upper=0)


def resizing():
    up, uneven = float32s([1.0, 1.0, 2.0, 1.5]), float32s([1.0, 1.0, 1.25, 1.75])
    for mode, how in [
        ("nearest", {"nearest_mode": "round_prefer_ceil"}),
        ("nearest", {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}),
        ("linear", {}),
        ("linear", {"coordinate_transformation_mode": "align_corners"}),
        ("linear", {"coordinate_transformation_mode": "pytorch_half_pixel"}),
        ("cubic", {}),
        ("cubic", {"coordinate_transformation_mode": "align_corners"}),
    ]:
        yield case("Resize", draw(1, 2, 3, 4), None, up, mode=mode, **how)
        yield case("Resize", draw(2, 1, 4, 3), None, uneven, mode=mode, **how)
        down_and_up = int64s([2, 1, 3, 9])
        yield case("Resize", draw(2, 1, 5, 6), None, None, down_and_up, mode=mode, **how)
    smaller = int64s([1, 2, 3, 4])
    # PyTorch leaves out what lies outside the image.
    new = {"antialias": 1, "exclude_outside": 1, "opsets": [18, 26]}
    yield case("Resize", draw(1, 2, 5, 7), None, None, smaller, mode="linear", **new)
    cubic = {"mode": "cubic", "cubic_coeff_a": -0.5}
    yield case("Resize", draw(1, 2, 5, 7), None, None, smaller, **cubic, **new)
    yield case("Resize", draw(2, 2, 4), None, float32s([1.0, 1.0, 1.5]), mode="linear")
    volume = int64s([1, 1, 3, 2, 6])
    yield case("Resize", draw(1, 1, 2, 3, 4), None, None, volume, mode="linear")


CASES = [*shapes(), *joining(), *indexing(), *resizing()]
