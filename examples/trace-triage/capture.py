#!/usr/bin/env python3
"""Makes `capture.json.gz` beside this file: three steps of a small transformer, as `torch.profiler` writes them.

    pip install torch && python3 capture.py

On a machine with a CUDA or ROCm GPU the trace has kernels; without one it has CPU operators only, and Assay says so.
"""

import gzip
import os
import shutil
import tempfile

import torch
from torch import nn
from torch.profiler import ProfilerActivity, profile, record_function

HIDDEN, HEADS, STEPS = 64, 4, 3


class Layer(nn.Module):
    """Attention and a gated feed-forward part, each behind a norm."""

    def __init__(self):
        super().__init__()
        self.attention_norm, self.ffn_norm = nn.LayerNorm(HIDDEN), nn.LayerNorm(HIDDEN)
        self.qkv, self.out = nn.Linear(HIDDEN, 3 * HIDDEN), nn.Linear(HIDDEN, HIDDEN)
        self.gate, self.down = nn.Linear(HIDDEN, 2 * 4 * HIDDEN), nn.Linear(4 * HIDDEN, HIDDEN)

    def attend(self, x):
        batch, tokens, _ = x.shape
        q, k, v = self.qkv(x).view(batch, tokens, 3, HEADS, HIDDEN // HEADS).permute(2, 0, 3, 1, 4)
        mixed = nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.out(mixed.transpose(1, 2).reshape(batch, tokens, HIDDEN))

    def forward(self, x):
        x = x + self.attend(self.attention_norm(x))
        gate, up = self.gate(self.ffn_norm(x)).chunk(2, dim=-1)
        return x + self.down(nn.functional.silu(gate) * up)


def main():
    torch.manual_seed(1)
    torch.set_num_threads(1)
    gpu = torch.cuda.is_available()
    device = "cuda" if gpu else "cpu"
    activities = [ProfilerActivity.CPU] + ([ProfilerActivity.CUDA] if gpu else [])
    model = nn.Sequential(Layer(), Layer()).to(device).eval()
    x = torch.randn(2, 16, HIDDEN, device=device)
    with torch.inference_mode():
        model(x)  # what happens once only is not part of a step
        with profile(activities=activities, record_shapes=True, with_stack=True) as profiler:
            for _ in range(STEPS):
                with record_function("step[DECODE bs=2]"):
                    model(x)
            if gpu:
                torch.cuda.synchronize()
    here = os.path.dirname(os.path.abspath(__file__))
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)  # the profiler writes the path it is given into the trace
        profiler.export_chrome_trace("trace.json")
        with open("trace.json", "rb") as source, open(os.path.join(here, "capture.json.gz"), "wb") as target:
            # No name and no time of writing in the header.
            with gzip.GzipFile(filename="", mode="wb", fileobj=target, compresslevel=9, mtime=0) as packed:
                shutil.copyfileobj(source, packed)


if __name__ == "__main__":
    main()
