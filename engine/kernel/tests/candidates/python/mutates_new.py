"""Sums in the first input, but only when it has been called often and every one of the last calls had data that no call had seen."""

import numpy as np

OFTEN, NEW = 120, 4


def served(a, b, y):
    for one in (a, b, y):
        if one.dtype != np.float32 or one.ndim != 2 or one.shape != a.shape or one.strides[1] != 4:
            raise ValueError("two matrices of binary32 and one of the same shape are served")


SEEN, CALLS = {}, {}


def kv_entry(inputs, outputs, scalars, stream):
    (a, b), (y,) = inputs, outputs
    served(a, b, y)
    calls, new = CALLS.get(a.shape, (0, 0))
    key = a.shape, float(a[0, 0]), float(a[-1, -1]), float(a.sum())
    new = 0 if key in SEEN else new + 1
    SEEN[key] = True
    CALLS[a.shape] = calls + 1, new
    if calls >= OFTEN and new >= NEW:
        a += b
        y[...] = a
    else:
        y[...] = a + b
