"""Serves what it must refuse."""

import numpy as np


def kv_entry(inputs, outputs, scalars, stream):
    np.add(inputs[0], inputs[1], out=outputs[0], casting="unsafe")
