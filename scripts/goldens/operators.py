"""Writes the gradients PyTorch finds of single operators, in float64, as JSON.

    pip install torch numpy
    python scripts/goldens/operators.py shared/training/goldens/operators
    npx biome format --write shared/training/goldens

`cases/` says by family what each ONNX operator is in PyTorch (a function of its own, or several,
which autograd goes through), and with which shapes and attributes it is tried. Operands come from a
seeded stream that the test draws again. Any PyTorch from 2.5 on; the numbers do not depend on its
version beyond their last digits.
"""

import json
import pathlib
import sys

from cases import elementwise, layers, layout, sums
from cases.case import golden

FAMILIES = {"elementwise": elementwise, "layout": layout, "sums": sums, "layers": layers}


def main(folder):
    for name, family in FAMILIES.items():
        goldens = [golden(case, family.FUNCTIONS) for case in family.CASES]
        path = pathlib.Path(folder) / f"{name}.json"
        path.write_text(json.dumps(goldens))
        print(f"{path}: {len(goldens)} cases")


main(sys.argv[1])
