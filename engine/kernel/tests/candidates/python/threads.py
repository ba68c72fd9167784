"""Works in another thread."""

import threading

import numpy as np


def kv_entry(inputs, outputs, scalars, stream):
    (a, b), (y,) = inputs, outputs
    np.add(a, b, out=y)
    threading.Thread(target=np.add, args=(a, b, y)).start()
