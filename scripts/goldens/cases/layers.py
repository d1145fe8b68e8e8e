"""Convolutions, pools, dropout, attention and recurrent layers."""

import itertools

import torch
from torch.nn import functional as F

from .case import Case, booleans, draw, floats

CONV = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}
CONV_TRANSPOSE = {1: F.conv_transpose1d, 2: F.conv_transpose2d, 3: F.conv_transpose3d}
MAX_POOL = {1: F.max_pool1d, 2: F.max_pool2d, 3: F.max_pool3d}
AVERAGE_POOL = {1: F.avg_pool1d, 2: F.avg_pool2d, 3: F.avg_pool3d}


def padded(x, begins, ends, value=0):
    sides = [side for pair in zip(reversed(begins), reversed(ends)) for side in pair]
    return F.pad(x, sides, value=value)


def margins(sizes, kernel, strides, dilations, *, pads=None, auto_pad="NOTSET"):
    """What goes before and after each spatial axis."""
    rank = len(kernel)
    if not auto_pad.startswith("SAME"):
        return (pads or [0] * 2 * rank)[:rank], (pads or [0] * 2 * rank)[rank:]
    totals = [
        max(0, (-(-size // s) - 1) * s + (k - 1) * d + 1 - size)
        for size, k, s, d in zip(sizes, kernel, strides, dilations)
    ]
    less, more = [t // 2 for t in totals], [t - t // 2 for t in totals]
    return (less, more) if auto_pad == "SAME_UPPER" else (more, less)


def conv(x, w, b=None, *, opset, strides=None, dilations=None, group=1, **padding):
    rank = w.dim() - 2
    strides, dilations = strides or [1] * rank, dilations or [1] * rank
    begins, ends = margins(x.shape[2:], w.shape[2:], strides, dilations, **padding)
    return CONV[rank](padded(x, begins, ends), w, b, strides, 0, dilations, group)


def conv_transpose(x, w, b=None, *, opset, **how):
    rank = w.dim() - 2
    strides, dilations = how.get("strides", [1] * rank), how.get("dilations", [1] * rank)
    added, pads = how.get("output_padding", [0] * rank), how.get("pads", [0] * 2 * rank)
    whole = CONV_TRANSPOSE[rank](x, w, None, strides, 0, 0, how.get("group", 1), dilations)
    begins, ends = pads[:rank], pads[rank:]
    wanted = how.get("output_shape")
    if how.get("auto_pad", "NOTSET").startswith("SAME"):
        wanted = [size * s for size, s in zip(x.shape[2:], strides)]
    if wanted:
        totals = [a + n - m for a, n, m in zip(added, whole.shape[2:], wanted)]
        less, more = [t // 2 for t in totals], [t - t // 2 for t in totals]
        is_upper = how.get("auto_pad") == "SAME_UPPER"
        begins, ends = (less, more) if is_upper else (more, less)
    y = padded(whole, [-n for n in begins], [a - n for a, n in zip(added, ends)])
    return y if b is None else y + b.reshape(-1, *[1] * rank)


def settings(kernel, strides, dilations):
    ones = [1] * len(kernel)
    return strides or ones, dilations or ones


def max_pool(x, *, opset, kernel_shape, strides=None, dilations=None, ceil_mode=0, **padding):
    strides, dilations = settings(kernel_shape, strides, dilations)
    begins, ends = margins(x.shape[2:], kernel_shape, strides, dilations, **padding)
    inside = padded(x, begins, ends, float("-inf"))
    return MAX_POOL[len(kernel_shape)](
        inside, kernel_shape, strides, 0, dilations, ceil_mode=bool(ceil_mode)
    )


def average_pool(x, *, opset, kernel_shape, count_include_pad=0, ceil_mode=0, **how):
    """PyTorch's own pool where it has these attributes, else sums of windows over their sizes."""
    strides, dilations = settings(kernel_shape, how.get("strides"), how.get("dilations"))
    padding = {name: how[name] for name in ("pads", "auto_pad") if name in how}
    begins, ends = margins(x.shape[2:], kernel_shape, strides, dilations, **padding)
    rank = len(kernel_shape)
    if begins == ends and max(dilations) == 1:
        return AVERAGE_POOL[rank](
            x, kernel_shape, strides, begins, bool(ceil_mode), bool(count_include_pad)
        )
    window = torch.ones([1, 1, *kernel_shape], dtype=x.dtype)
    images = x.reshape(-1, 1, *x.shape[2:])

    def sums(values):
        return CONV[rank](values, window, None, strides, 0, dilations)

    counts = padded(torch.ones_like(images), begins, ends, float(count_include_pad))
    means = sums(padded(images, begins, ends)) / sums(counts)
    return means.reshape(*x.shape[:2], *means.shape[2:])


def dropout(x, ratio=None, training=None, *, opset):
    """Where both leave out something they leave out different elements: only ratio 0 compares."""
    is_training = training is not None and bool(training)
    y = F.dropout(x, 0.5 if ratio is None else ratio.item(), is_training)
    return (y, None) if is_training else y


def attention(q, k, v, mask=None, *, opset, q_num_heads=0, kv_num_heads=0, is_causal=0, scale=None):
    def heads(x, count):
        return x.unflatten(2, (count, -1)).transpose(1, 2)

    if q_num_heads:
        q, k, v = heads(q, q_num_heads), heads(k, kv_num_heads), heads(v, kv_num_heads)
    if is_causal and mask is not None:
        later = torch.ones(q.shape[-2], k.shape[-2], dtype=torch.bool).triu(1)
        mask, is_causal = mask.masked_fill(later, float("-inf")), 0
    y = F.scaled_dot_product_attention(
        q, k, v, mask, 0.0, bool(is_causal), scale=scale, enable_gqa=True
    )
    return y.transpose(1, 2).flatten(2) if q_num_heads else y


GATES = {"LSTM": [0, 2, 3, 1], "GRU": [1, 0, 2], "RNN": [0]}


def torch_order(values, gates, units):
    """ONNX orders the gates iofc and zrh, PyTorch ifgo and rzn."""
    return torch.cat([values[gate * units : (gate + 1) * units] for gate in gates])


def gru_resetting_state(x, w, r, wb, rb, h):
    """GRU with linear_before_reset 0, which torch.gru has not; gates rzn."""
    states = []
    for step in x:
        of_input = (step @ w.T + wb).chunk(3, -1)
        weights, biases = r.chunk(3), rb.chunk(3)
        reset = torch.sigmoid(of_input[0] + h @ weights[0].T + biases[0])
        update = torch.sigmoid(of_input[1] + h @ weights[1].T + biases[1])
        new = torch.tanh(of_input[2] + (reset * h) @ weights[2].T + biases[2])
        h = (1 - update) * new + update * h
        states.append(h)
    return torch.stack(states), h


def rnn_with_sigmoid(x, w, r, wb, rb, h):
    states = []
    for step in x:
        h = torch.sigmoid(F.linear(step, w, wb) + F.linear(h, r, rb))
        states.append(h)
    return torch.stack(states), h


def one_direction(kind, x, parts, *, resets_product, activation):
    """x [T, B, I] -> states [T, B, H], last state [B, H], and the last cell of an LSTM."""
    *weights, h, c = parts
    names = {"Tanh": torch.rnn_tanh, "Relu": torch.rnn_relu}
    if kind == "LSTM":
        states, h, c = torch.lstm(x, (h[None], c[None]), weights, True, 1, 0.0, True, False, False)
        return states, h[0], c[0]
    if kind == "GRU" and not resets_product:
        return gru_resetting_state(x, *weights, h)
    if kind == "RNN" and activation == "Sigmoid":
        return rnn_with_sigmoid(x, *weights, h)
    layer = torch.gru if kind == "GRU" else names[activation]
    states, h = layer(x, h[None], weights, True, 1, 0.0, True, False, False)
    return states, h[0]


def recurrent(kind):
    """X, W, R, B, lengths, initial_h, initial_c -> Y [T, D, B, H], Y_h [D, B, H], and Y_c."""

    def run(x, w, r, b=None, _=None, h0=None, c0=None, *, opset, hidden_size, **how):
        count, found = w.shape[0], []
        zeros = torch.zeros(count, x.shape[1], hidden_size, dtype=x.dtype)
        biases = torch.zeros(count, 2 * w.shape[1], dtype=x.dtype) if b is None else b
        for at in range(count):
            turned = how.get("direction") == "reverse" or at == 1
            ordered = [
                torch_order(values, GATES[kind], hidden_size)
                for values in [w[at], r[at], *biases[at].chunk(2)]
            ]
            first, cell = (zeros if state is None else state for state in (h0, c0))
            states, *last = one_direction(
                kind,
                x.flip(0) if turned else x,
                [*ordered, first[at], cell[at]],
                resets_product=how.get("linear_before_reset", 0) == 1,
                activation=how.get("activations", ["Tanh"] * 2)[at],
            )
            found.append([states.flip(0) if turned else states, *last])
        outputs = [torch.stack(own, 1 if i == 0 else 0) for i, own in enumerate(zip(*found))]
        return tuple(outputs)

    return run


FUNCTIONS = {
    "Conv": conv,
    "ConvTranspose": conv_transpose,
    "MaxPool": max_pool,
    "AveragePool": average_pool,
    "GlobalAveragePool": lambda x, *, opset: x.mean(list(range(2, x.dim())), keepdim=True),
    "GlobalMaxPool": lambda x, *, opset: x.amax(list(range(2, x.dim())), keepdim=True),
    "Dropout": dropout,
    "Attention": attention,
    **{kind: recurrent(kind) for kind in GATES},
}

DOUBLE = {"MaxPool", "Dropout"}


def case(name, *operands, opsets=None, **attributes):
    return Case(name, list(operands), attributes, opsets, name not in DOUBLE)


def convolutions():
    for x, w, bias, how in [
        ([2, 2, 7], [3, 2, 3], 1, {}),
        ([2, 2, 7], [3, 2, 1], 1, {}),
        ([2, 2, 8], [3, 2, 3], 0, {"strides": [2], "pads": [1, 0]}),
        ([2, 2, 5, 4], [3, 2, 3, 2], 1, {}),
        ([1, 2, 4, 5], [3, 2, 3, 3], 1, {"pads": [1, 1, 1, 1]}),
        ([1, 2, 4, 5], [3, 2, 2, 3], 1, {"pads": [2, 0, 1, 2], "dilations": [2, 2]}),
        ([1, 2, 6, 9], [3, 2, 2, 2], 1, {"strides": [3, 4]}),
        ([1, 4, 5, 4], [6, 2, 3, 3], 1, {"group": 2, "strides": [2, 2], "pads": [1, 1, 1, 1]}),
        ([1, 4, 4, 5], [4, 1, 3, 3], 1, {"group": 4, "pads": [1, 1, 1, 1]}),
        ([1, 2, 5, 6], [3, 2, 2, 4], 0, {"auto_pad": "SAME_UPPER"}),
        ([1, 2, 5, 6], [3, 2, 2, 4], 0, {"auto_pad": "SAME_LOWER"}),
        ([1, 2, 5, 6], [3, 2, 2, 3], 0, {"auto_pad": "SAME_UPPER", "strides": [2, 2]}),
        ([1, 2, 5, 6], [3, 2, 2, 3], 0, {"auto_pad": "VALID", "strides": [1, 2]}),
        ([1, 2, 3, 4, 3], [3, 2, 2, 3, 2], 1, {"pads": [0, 0, 1, 0, 0, 1]}),
        ([1, 2, 4, 5, 4], [2, 1, 2, 3, 2], 1, {"group": 2, "strides": [2, 2, 2]}),
    ]:
        yield case("Conv", draw(*x), draw(*w), *[draw(w[0])] * bias, **how)
    for x, w, bias, how in [
        ([2, 2, 4], [2, 3, 3], 3, {}),
        ([2, 2, 4], [2, 3, 3], 0, {"strides": [2], "pads": [1, 0]}),
        (
            [2, 2, 3, 2],
            [2, 3, 3, 3],
            3,
            {"strides": [2, 2], "pads": [1, 1, 1, 1], "output_padding": [1, 1]},
        ),
        ([2, 4, 3, 2], [4, 2, 2, 3], 4, {"group": 2}),
        ([1, 4, 3, 3], [4, 1, 2, 3], 2, {"group": 2, "strides": [2, 2], "dilations": [2, 2]}),
        ([2, 2, 3, 2], [2, 3, 3, 5], 3, {"auto_pad": "SAME_UPPER", "strides": [2, 2]}),
        ([2, 2, 3, 2], [2, 3, 3, 4], 3, {"output_shape": [5, 6], "strides": [2, 2]}),
        ([1, 2, 2, 3, 2], [2, 3, 2, 2, 3], 3, {"strides": [2, 2, 2]}),
    ]:
        yield case("ConvTranspose", draw(*x), draw(*w), *[draw(bias)] * (bias > 0), **how)


def pools():
    windows = [
        ([2, 2, 7], {"kernel_shape": [2], "strides": [2]}),
        ([2, 2, 4, 6], {"kernel_shape": [2, 2], "strides": [2, 2]}),
        ([1, 2, 6, 5], {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]}),
        ([1, 2, 4, 5], {"kernel_shape": [2, 3]}),
        ([1, 2, 6, 5], {"kernel_shape": [3, 2], "strides": [2, 2], "ceil_mode": 1}),
        ([1, 2, 6, 5], {"kernel_shape": [3, 2], "strides": [2, 2], "pads": [0, 1, 1, 1]}),
        (
            [1, 2, 5, 6],
            {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1], "ceil_mode": 1},
        ),
        ([1, 2, 5, 5], {"kernel_shape": [2, 3], "strides": [2, 2], "auto_pad": "SAME_UPPER"}),
        ([1, 2, 4, 5], {"kernel_shape": [2, 2], "auto_pad": "SAME_LOWER"}),
        ([1, 1, 4, 3, 5], {"kernel_shape": [2, 2, 3], "strides": [2, 1, 2]}),
    ]
    dilated = ([1, 2, 7, 5], {"kernel_shape": [3, 2], "dilations": [2, 2]})
    for shape, how in [*windows, dilated]:
        yield case("MaxPool", draw(*shape), **how)
    # In float32 windows side by side have a gradient of their own.
    for shape, how in windows[:2]:
        yield Case("MaxPool", [draw(*shape)], how, None, True)
    at_edges = {"pads", "auto_pad", "ceil_mode"}
    for shape, how in windows:
        yield case("AveragePool", draw(*shape), **how)
        if at_edges & set(how):
            yield case("AveragePool", draw(*shape), count_include_pad=1, **how)
    yield case("AveragePool", draw(*dilated[0]), opsets=[19, 26], **dilated[1])
    for name in ["GlobalAveragePool", "GlobalMaxPool"]:
        for shape in [[2, 3, 5], [2, 3, 2, 4], [1, 2, 2, 3, 2]]:
            yield case(name, draw(*shape))


def attentions():
    yield case("Dropout", draw(3, 4))
    yield case("Dropout", draw(3, 4), floats([0.75], []), booleans([0], []))
    yield case("Dropout", draw(3, 4), floats([0.0], []), booleans([1], []))
    four = [draw(2, 2, 3, 3)] * 3
    for how in [{}, {"scale": 2.0}, {"is_causal": 1}]:
        yield case("Attention", *four, **how)
    crossed = [draw(2, 2, 3, 3), draw(2, 2, 4, 3), draw(2, 2, 4, 2)]
    yield case("Attention", *crossed)
    yield case("Attention", *crossed, is_causal=1)
    for mask in [[3, 4], [1, 1, 3, 4], [2, 1, 3, 4], [2, 3, 4]]:
        yield case("Attention", *crossed, draw(*mask))
    yield case("Attention", *crossed, draw(3, 4), is_causal=1)
    seen = booleans([index % 3 != 1 for index in range(12)], [3, 4])
    yield case("Attention", *crossed, seen)
    yield case("Attention", draw(1, 6, 2, 3), draw(1, 2, 4, 3), draw(1, 2, 4, 2))
    flat = [draw(2, 2, 8), draw(2, 3, 4), draw(2, 3, 6)]
    yield case("Attention", *flat, q_num_heads=4, kv_num_heads=2)


def layer(kind, *, given="Bhc", time=3, **how):
    directions = 2 if how.get("direction") == "bidirectional" else 1
    units, batch, features = 3, 2, 2
    rows = len(GATES[kind]) * units
    state = draw(directions, batch, units)
    operands = [
        draw(time, batch, features),
        draw(directions, rows, features),
        draw(directions, rows, units),
        draw(directions, 2 * rows) if "B" in given else None,
        None,
        state if "h" in given else None,
        state if "c" in given and kind == "LSTM" else None,
    ]
    while operands[-1] is None:
        operands.pop()
    return case(kind, *operands, hidden_size=units, **how)


def recurrences():
    directions = ["forward", "reverse", "bidirectional"]
    for kind, direction in itertools.product(GATES, directions):
        before = {"linear_before_reset": 1} if kind == "GRU" else {}
        yield layer(kind, direction=direction, **before)
    for kind in GATES:
        yield layer(kind, given="")
        yield layer(kind, given="Bhc", time=1)
    yield layer("GRU", direction="bidirectional")
    yield layer("RNN", direction="bidirectional", activations=["Relu", "Relu"])
    yield layer("RNN", direction="bidirectional", activations=["Tanh", "Sigmoid"])


CASES = [*convolutions(), *pools(), *attentions(), *recurrences()]
