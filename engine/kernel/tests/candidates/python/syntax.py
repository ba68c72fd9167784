"""Does not end its parentheses."""

import numpy as np


def served(a, b, y):
    for one in (a, b, y):
        if one.dtype != np.float32 or one.ndim != 2 or one.shape != a.shape or one.strides[1] != 4:
            raise ValueError("two matrices of binary32 and one of the same shape are served")


def kv_entry(inputs, outputs, scalars, stream):
    np.add(inputs[0], inputs[1], out=outputs[0]
