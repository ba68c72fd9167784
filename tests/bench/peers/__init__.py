"""Other load generators and ours behind one call: a load goes in, figures come out. Knows no target.

    watch = Watch(scratch)
    figures = measure(SglRust(environments), load, watch)
"""

from dataclasses import dataclass, field
from pathlib import Path

from measure import BenchError
from peers.watch import Watch

__all__ = ["Figures", "Load", "Peer", "Run", "Watch", "measure"]


@dataclass(frozen=True)
class Load:
    """What a client has to do: all requests at once up to `concurrency`, fixed lengths in tokens, `/v1/completions`."""

    url: str
    # Folder with the tokenizer that prompts are made by.
    model: Path
    input_len: int
    output_len: int
    requests: int
    concurrency: int


@dataclass(frozen=True)
class Run:
    """How a peer is started, and the file that its result is in afterwards."""

    argv: list
    result: Path
    env: dict = field(default_factory=dict)
    # Exit codes that leave a result.
    ends: tuple = (0,)


@dataclass(frozen=True)
class Figures:
    """What a client said and what it cost. Milliseconds; `None` where it could not be had."""

    peer: str
    version: str
    # As the client reports them.
    completed: int
    ttft_p50_ms: float
    ttft_p99_ms: float
    itl_p50_ms: float
    itl_p99_ms: float
    # What the client calls a percentile of ITL: of all gaps, or of the means of requests, which hide stalls.
    itl_of: str
    output_tps: float
    # Why the client itself calls its figures worthless, if it does.
    objection: str | None
    # As it was watched from outside: CPU of all its processes, the largest sum of their memory in MB (10^6 bytes), and
    # seconds from its start to when the server had its first request for tokens.
    # The first request may be one to warm up, so `beside_s` says how much of the run was not the load that was measured.
    wall_s: float
    beside_s: float
    cpu_s: float
    rss_mb: float
    first_request_s: float | None
    # CPU microseconds and tokens per second between a tenth and nine tenths of all tokens: no start, no ramps.
    us_per_token: float | None
    steady_tps: float | None
    # The server's own account, if it keeps one (`/truth`).
    truth: dict | None


class Peer:
    """A load generator. Subclasses say how it is had, started and read."""

    name = ""
    itl_of = "gaps"

    def __init__(self):
        self.version = ""

    def run(self, load, folder):
        """How to start it; `folder` is empty and its own."""
        raise NotImplementedError

    def read(self, file):
        """Its own figures out of its result file: the fields of `Figures` that the client reports."""
        raise NotImplementedError


def measure(peer, load, watch, patience=600):
    """One run of a client against the server of `load`, which serves nobody else; `patience` in seconds."""
    folder = watch.folder(peer.name)
    run = peer.run(load, folder)
    cost = watch.run(run, load.url, folder, patience)
    try:
        said = {"objection": None} | peer.read(run.result)
    except (OSError, ValueError, KeyError, IndexError, TypeError) as error:
        raise BenchError(f"`{peer.name}` left no result that can be read: {error!r}; see {folder}/output.log") from error
    if said["completed"] < load.requests:
        raise BenchError(f"`{peer.name}` completed {said['completed']} of {load.requests}; see {folder}/output.log")
    beside = cost["wall_s"] - load.requests * load.output_len / said["output_tps"]
    return Figures(peer=peer.name, version=peer.version, itl_of=peer.itl_of, beside_s=beside, **said, **cost)
