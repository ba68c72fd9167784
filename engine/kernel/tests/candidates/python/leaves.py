"""Ends the process."""

import sys

import numpy as np


def kv_entry(inputs, outputs, scalars, stream):
    (a, b), (y,) = inputs, outputs
    np.add(a, b, out=y)
    sys.exit(0)
