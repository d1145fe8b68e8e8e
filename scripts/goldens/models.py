"""Writes small models as PyTorch exports them, with the gradients PyTorch finds in float64.

    pip install torch onnx onnxscript
    python scripts/goldens/models.py shared/training/goldens/models
    npx biome format --write shared/training/goldens

For each model NAME.onnx, and NAME.json with the loss, the inputs, the target and the gradient by
each initialiser that is a parameter. Float32 values, base64 of their little-endian bytes. Written
by PyTorch 2.15; other versions export other graphs for the same gradients.
"""

import base64
import io
import json
import pathlib
import sys
import warnings

import numpy as np
import onnx
import torch
from torch import nn
from torch.nn import functional as F

ROWS = 3
GATES = {nn.LSTM: [0, 3, 1, 2], nn.GRU: [1, 0, 2], nn.RNN: [0]}


class Cnn(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(2, 4, 3, stride=2, padding=1)
        self.second = nn.Conv2d(4, 6, (3, 2), dilation=2, groups=2, padding=(2, 1), bias=False)
        self.third = nn.Conv2d(6, 4, 3, padding=1)
        self.out = nn.Linear(8, 3)

    def forward(self, x):
        x = F.relu(self.second(F.relu(self.first(x))))
        x = F.max_pool2d(F.relu(self.third(x)), 3, stride=2, padding=1)
        return self.out(F.avg_pool2d(x, 2, stride=1).flatten(1))


class Upsampler(nn.Module):
    def __init__(self):
        super().__init__()
        self.down = nn.Conv1d(2, 4, 4, stride=3, padding=1)
        self.up = nn.ConvTranspose1d(4, 2, 4, stride=3, padding=1, output_padding=1, groups=2)
        self.out = nn.Conv1d(2, 2, 3, padding=1)

    def forward(self, x):
        return self.out(torch.tanh(self.up(torch.tanh(self.down(x)))))


class Volumes(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Conv3d(1, 3, (2, 3, 2), padding=(1, 1, 0))
        self.up = nn.ConvTranspose3d(3, 2, 2, stride=(1, 2, 1))
        self.out = nn.Linear(2, 2)

    def forward(self, x):
        x = F.max_pool3d(torch.tanh(self.first(x)), (2, 1, 2))
        return self.out(F.avg_pool3d(self.up(x), 2).amax((2, 3, 4)))


class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        # A bias would have no effect, and a gradient of nothing but rounding.
        self.first = nn.Conv2d(2, 3, 3, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(3)
        self.second = nn.Conv2d(3, 2, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(2)
        self.out = nn.Linear(2, 2)

    def forward(self, x):
        inner = self.norm2(self.second(F.relu(self.norm1(self.first(x)))))
        return self.out(F.adaptive_avg_pool2d(F.relu(inner + x), 1).flatten(1))


class Norms(nn.Module):
    def __init__(self):
        super().__init__()
        self.groups = nn.GroupNorm(2, 4)
        self.instances = nn.InstanceNorm1d(4, affine=True)
        self.roots = nn.RMSNorm(6)
        self.out = nn.Linear(6, 2)

    def forward(self, x):
        return F.log_softmax(self.out(self.roots(self.groups(x) + self.instances(x))), 2)


class Block(nn.Module):
    """A transformer block, its attention written out."""

    def __init__(self):
        super().__init__()
        self.norm1 = nn.LayerNorm(4)
        self.qkv = nn.Linear(4, 12)
        self.mix = nn.Linear(4, 4)
        self.norm2 = nn.LayerNorm(4)
        self.wide = nn.Linear(4, 6)
        self.back = nn.Linear(6, 4)

    def forward(self, x):
        heads = self.qkv(self.norm1(x)).unflatten(-1, (3, 2, 2)).permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(*heads.unbind(0), is_causal=True)
        x = x + self.mix(mixed.transpose(1, 2).flatten(2))
        return (x + self.back(F.gelu(self.wide(self.norm2(x))))).mean(1)


class Encoder(nn.Module):
    """PyTorch's own transformer block."""

    def __init__(self):
        super().__init__()
        self.embed = nn.Linear(3, 4)
        self.block = nn.TransformerEncoderLayer(4, 2, 6, dropout=0.0, batch_first=True)
        self.out = nn.Linear(4, 2)

    def forward(self, x):
        return self.out(self.block(self.embed(x))[:, 0])


class Products(nn.Module):
    def __init__(self):
        super().__init__()
        self.core = nn.Parameter(torch.zeros(2, 3, 4))
        self.scale = nn.Parameter(torch.zeros(2, 4))

    def forward(self, x):
        y = torch.einsum("bti,oij,btj->bto", x, self.core, x @ torch.ones(3, 4).to(x))
        return torch.softmax(torch.einsum("...o,oj->...j", y, self.scale), 1)


class Scales(nn.Module):
    """Parameters of one value among constants of one value."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.zeros(1))
        self.level = nn.Parameter(torch.zeros(()))
        self.qkv = nn.Linear(4, 12)
        self.slope = nn.PReLU()
        self.out = nn.Linear(4, 1)
        self.register_buffer("offset", torch.zeros(1))

    def forward(self, x):
        heads = self.qkv(x * self.scale + self.level - self.offset).unflatten(-1, (3, 2, 2))
        mixed = F.scaled_dot_product_attention(*heads.permute(2, 0, 3, 1, 4).unbind(0))
        x = self.slope(mixed.transpose(1, 2).flatten(2) * 3.5 - 0.5)
        return self.out(x * torch.tensor([2.5])).mean(1)


class Recurrent(nn.Module):
    def __init__(self, kind, directions, layers=1):
        super().__init__()
        self.cells = kind(2, 3, layers, batch_first=True, bidirectional=directions == 2)
        self.out = nn.Linear(3 * directions, 2)

    def forward(self, x):
        return self.out(self.cells(x)[0].mean(1))


def mlp():
    return nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 4), nn.ReLU(), nn.Linear(4, 2))


def fill(model, seed):
    """Values that no two parameters share: exporters merge equal ones."""
    generator = torch.Generator().manual_seed(seed)
    for name, value in list(model.named_parameters()) + list(model.named_buffers()):
        if value.dtype.is_floating_point:
            values = torch.rand(value.shape, generator=generator) * 1.2 - 0.6
            value.data = values.abs() + 0.5 if name.endswith("running_var") else values
    return model


# What the exporter notes of each initialiser.
NOTES = [
    "pkg.torch.export.graph_signature.InputSpec.kind",
    "pkg.onnxscript.optimizer.folded_from",
]


def noted(proto):
    """The value infos of initialisers, with nothing but these notes."""
    names = {tensor.name for tensor in proto.graph.initializer}
    for info in proto.graph.value_info:
        if info.name not in names:
            continue
        kept = onnx.ValueInfoProto(name=info.name, type=info.type)
        kept.metadata_props.extend(note for note in info.metadata_props if note.key in NOTES)
        yield kept


def export(model, x, opset, torchscript=False, notes=False):
    names = {"input_names": ["x"], "output_names": ["y"], "opset_version": opset}
    if torchscript:
        modes = torch.onnx.TrainingMode
        file = io.BytesIO()
        torch.onnx.export(
            model,
            (x,),
            file,
            dynamo=False,
            training=modes.TRAINING if model.training else modes.PRESERVE,
            do_constant_folding=not model.training,
            dynamic_axes={"x": {0: "batch"}, "y": {0: "batch"}},
            **names,
        )
        proto = onnx.load_from_string(file.getvalue())
    else:
        batch = torch.export.Dim("batch")
        program = torch.onnx.export(
            model, (x,), dynamo=True, dynamic_shapes=({0: batch},), verbose=False, **names
        )
        proto = program.model_proto
    infos = list(noted(proto)) if notes else []
    for part in [proto, proto.graph, *proto.graph.node, *proto.graph.input, *proto.graph.output]:
        for field in ["doc_string", "metadata_props"]:
            part.ClearField(field)
    proto.graph.ClearField("value_info")
    proto.graph.value_info.extend(infos)
    for number, node in enumerate(proto.graph.node):
        node.name = f"{node.op_type}_{number}"
    return proto


def layouts(model):
    """How each parameter, or several together, may lie in an ONNX file: (names, arrange)."""
    for name, value in model.named_parameters():
        yield [name], lambda a: a
        if value.ndim == 2:
            yield [name], lambda a: a.T
        if value.ndim == 1:
            yield [name], lambda a: a[None, None]
    for prefix, module in model.named_modules():
        if type(module) not in GATES:
            continue
        order = GATES[type(module)]

        def ordered(a, order=order):
            return np.concatenate([np.split(a, len(order))[gate] for gate in order])

        suffixes = ["", "_reverse"] if module.bidirectional else [""]
        for layer in range(module.num_layers):
            for kind in ["weight_ih", "weight_hh"]:
                names = [f"{prefix}.{kind}_l{layer}{suffix}" for suffix in suffixes]
                yield names, lambda *parts: np.stack([ordered(part) for part in parts])
            biases = [f"bias_{kind}_l{layer}{s}" for s in suffixes for kind in ["ih", "hh"]]
            names = [f"{prefix}.{bias}" for bias in biases]
            yield names, lambda *parts: np.concatenate([ordered(part) for part in parts]).reshape(
                len(parts) // 2, -1
            )


def packed(array):
    array = np.asarray(array)
    kind = "<i8" if array.dtype == np.int64 else "<f4"
    data = base64.b64encode(array.astype(kind).tobytes()).decode()
    return {"shape": list(array.shape), "data": data}


def golden(name, model, shape, loss="mse", *, train=False, folder, **options):
    seed = sum(map(ord, name))
    model = fill(model, seed).train(train)
    x = torch.rand(ROWS, *shape, generator=torch.Generator().manual_seed(seed + 1)) * 2 - 1
    proto = export(model, x[:2], **options)

    model = model.double()
    y = model(x.double())
    generator = torch.Generator().manual_seed(seed + 2)
    if loss == "mse":
        target = torch.rand(y.shape, generator=generator) * 2 - 1
        value = F.mse_loss(y, target.double())
    else:
        target = torch.randint(0, y.shape[1], (ROWS,), generator=generator)
        value = F.cross_entropy(y, target)
    value.backward()

    gradients, missing = {}, {name for name, _ in model.named_parameters()}
    for tensor in proto.graph.initializer:
        found = onnx.numpy_helper.to_array(tensor)
        for names, arrange in layouts(model):
            values = [dict(model.named_parameters())[n] for n in names]
            held = arrange(*[v.detach().numpy().astype(np.float32) for v in values])
            if held.shape == found.shape and np.array_equal(held, found):
                gradients[tensor.name] = packed(arrange(*[v.grad.numpy() for v in values]))
                missing -= set(names)
                break
    assert not missing, f"{name}: {missing} are no initialisers"
    onnx.save(proto, folder / f"{name}.onnx")
    text = {
        "loss": loss,
        "inputs": {"x": packed(x)},
        "target": packed(target),
        "value": value.item(),
        "gradients": gradients,
    }
    (folder / f"{name}.json").write_text(json.dumps(text, indent=1) + "\n")


def main(folder):
    warnings.filterwarnings("ignore")

    def write(*given, **options):
        golden(*given, folder=folder, **options)

    write("mlp", mlp(), [4], opset=18)
    write("cnn", Cnn(), [2, 9, 8], "cross-entropy", opset=20)
    write("cnn-opset13", Cnn(), [2, 9, 8], "cross-entropy", opset=13, torchscript=True)
    write("upsampler", Upsampler(), [2, 10], opset=18)
    write("volumes", Volumes(), [1, 3, 4, 5], opset=18)
    write("residual", Residual(), [2, 4, 5], opset=13, torchscript=True)
    write("residual-batch", Residual(), [2, 4, 5], opset=15, torchscript=True, train=True)
    write("norms", Norms(), [4, 6], opset=23)
    write("block", Block(), [5, 4], opset=23)
    write("block-opset18", Block(), [5, 4], opset=18)
    write("encoder", Encoder(), [5, 3], opset=17, torchscript=True)
    write("products", Products(), [4, 3], opset=18)
    write("scales", Scales(), [5, 4], opset=18, notes=True)
    write("lstm", Recurrent(nn.LSTM, 1), [4, 2], opset=18)
    write("lstm-two-ways", Recurrent(nn.LSTM, 2, 2), [4, 2], opset=14, torchscript=True)
    write("gru", Recurrent(nn.GRU, 1), [4, 2], opset=20)
    write("gru-two-ways", Recurrent(nn.GRU, 2), [4, 2], opset=13, torchscript=True)
    write("rnn", Recurrent(nn.RNN, 1), [4, 2], opset=18)
    write("rnn-two-ways", Recurrent(nn.RNN, 2), [4, 2], opset=17, torchscript=True)


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
