"""RMS norm of rows: each program walks its row in pieces of 256, once for the sum and once for the result."""

import torch
import triton
import triton.language as tl

PIECE = 256


@triton.jit
def rows(x, w, y, x_step, y_step, width, eps, PIECE: tl.constexpr):
    row = tl.program_id(0).to(tl.int64)
    x += row * x_step
    y += row * y_step
    total = tl.zeros([PIECE], dtype=tl.float32)
    for start in range(0, width, PIECE):
        at = start + tl.arange(0, PIECE)
        part = tl.load(x + at, mask=at < width, other=0.0).to(tl.float32)
        total += part * part
    scale = 1.0 / tl.sqrt_rn(tl.sum(total, axis=0) / width + eps)
    for start in range(0, width, PIECE):
        at = start + tl.arange(0, PIECE)
        part = tl.load(x + at, mask=at < width, other=0.0).to(tl.float32)
        weight = tl.load(w + at, mask=at < width, other=0.0).to(tl.float32)
        tl.store(y + at, (part * scale * weight).to(y.dtype.element_ty), mask=at < width)


def served(x, w, y):
    for tensor, rank in ((x, 2), (w, 1), (y, 2)):
        if tensor.dtype != x.dtype or tensor.dim() != rank or tensor.stride(-1) != 1:
            raise ValueError("dense rows of one type are served")
    if x.dtype not in (torch.bfloat16, torch.float16):
        raise ValueError("bfloat16 and binary16 are served")
    if y.shape != x.shape or w.shape[0] != x.shape[1]:
        raise ValueError("one weight for each column, and an output of the input's shape")


def kv_entry(inputs, outputs, scalars, stream):
    (x, w), (y,) = inputs, outputs
    served(x, w, y)
    count, width = x.shape
    rows[(count,)](x, w, y, x.stride(0), y.stride(0), width, scalars[0], PIECE=PIECE)
