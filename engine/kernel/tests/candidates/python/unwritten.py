"""Leaves the last row out."""

import numpy as np


def served(a, b, y):
    for one in (a, b, y):
        if one.dtype != np.float32 or one.ndim != 2 or one.shape != a.shape or one.strides[1] != 4:
            raise ValueError("two matrices of binary32 and one of the same shape are served")


def kv_entry(inputs, outputs, scalars, stream):
    (a, b), (y,) = inputs, outputs
    served(a, b, y)
    np.add(a[:-1], b[:-1], out=y[:-1])
