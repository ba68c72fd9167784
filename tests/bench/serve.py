#!/usr/bin/env python3
"""How true and how cheap `assay bench` measures, side by side with SGLang's, vLLM's and guidellm's load generators.

All load the simulated server, which knows when it wrote which token. What is compared runs in turn, round after round;
every verdict rests on a median. The peers need `workflows/cpu-comparison/setup.sh --vllm`. See `--help`.
"""

import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path

# The checkout stays as it is.
sys.dont_write_bytecode = True

import script
import table
from measure import BenchError, host, spread
from peers import Load, Watch, measure
from peers.environment import Environments
from peers.guidellm import GuideLlm
from peers.own import Assay
from peers.sglang import SglPython, SglRust
from peers.vllm import Vllm
from script import Asked
from vocabulary import widen

HERE = Path(__file__).resolve().parent
TOP = HERE.parent.parent
BASE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "assay/cpu-comparison"
# Folder with the tokenizer, where there is no model.
TOKENIZER = TOP / "engine/loadgen/tests/data"
PEERS = {"sgl-rust": SglRust, "sgl-py": SglPython, "vllm": Vllm, "guidellm": GuideLlm}
# Those that take long to start and whose figures are tens of times off: they run in fewer rounds.
SLOW = ("sgl-py", "vllm", "guidellm")
PROMPT = 32


@dataclass(frozen=True)
class Case:
    """How the server answers and what is asked; times in milliseconds, lengths in tokens."""

    flags: tuple
    ttft: float
    itl: float
    concurrency: int
    requests: int
    output: int
    # Requests and tokens for clients in Python, which need as many seconds for a fifth of the tokens.
    small: tuple | None = None
    # Size of the vocabulary, where it is not that of the model.
    tokens: int | None = None


def paced(ttft, itl, concurrency, requests, output):
    """Tokens at known times."""
    flags = ("--ttft-ms", str(ttft), "--itl-ms", str(itl))
    return Case(flags, ttft, itl, concurrency, requests, output)


# A write of the server costs as much as several tokens of a client: with one token a write, the server is what is measured.
FEW = "flood by single tokens, c=64"
# Shown only: loading such a tokenizer takes longer than the bound on the first request.
WIDE = "paced, c=256, 128,000 tokens"
CASES = {
    "flood, c=64": Case(("--flood", "8"), 0, 0, 64, 1024, 3000, (512, 400)),
    FEW: Case(("--flood",), 0, 0, 64, 1024, 1000, (512, 400)),
    "paced, c=64": paced(50, 10, 64, 192, 192),
    "paced, c=256": paced(50, 10, 256, 768, 128),
    "burst, c=1024": paced(200, 40, 1024, 1024, 96),
    WIDE: replace(paced(50, 10, 256, 768, 128), tokens=128_000),
}
QUICK = {
    "flood, c=64": Case(("--flood", "8"), 0, 0, 8, 16, 50),
    "paced, c=64": paced(20, 5, 8, 16, 20),
}
# What our client takes in at least, in tokens per second, and the largest ratio of a peer's to that.
FLOOD = 400_000
ABSORBED = {"sgl-rust": 1.0, "sgl-py": 0.25, "vllm": 0.25, "guidellm": 0.1}
# Largest ratio of our CPU per token to a peer's.
CHEAPER = {"sgl-rust": 0.6, "vllm": 0.35}


class Simulator:
    """The simulated server of one case, on a free port, ended by its process id."""

    def __init__(self, assay, case, root, tokenizer):
        self.url, self.log = f"http://127.0.0.1:{free_port()}", root / "server.log"
        # Counts prompts by the tokenizer that the clients make them with: some of them check that.
        argv = [assay, "sim-server", "--port", self.url.rsplit(":", 1)[1], "--tokenizer", tokenizer / "tokenizer.json"]
        argv += case.flags
        # A processor of its own, as far as others let it.
        pin = shutil.which("taskset")
        argv = [pin, "-c", str(os.cpu_count() - 1), *argv] if pin and os.cpu_count() > 1 else argv
        with open(self.log, "wb") as out:
            self.child = subprocess.Popen(
                [str(part) for part in argv], stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True
            )

    def __enter__(self):
        port, until = int(self.url.rsplit(":", 1)[1]), time.monotonic() + 10
        while self.child.poll() is None and time.monotonic() < until:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    return self
            time.sleep(0.02)
        self.__exit__()
        raise BenchError(f"the simulated server did not start:\n{self.log.read_text(errors='replace')[-1000:]}")

    def __exit__(self, *_):
        if self.child.poll() is None:
            self.child.send_signal(signal.SIGTERM)
            try:
                self.child.wait(5)
            except subprocess.TimeoutExpired:
                self.child.kill()
                self.child.wait()


def free_port():
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Script:
    """One pass over everything; `facts` and `rows` are its result."""

    def __init__(self, options):
        self.options, self.root = options, options.scratch
        self.root.mkdir(parents=True, exist_ok=True)
        self.facts = host(self.root)
        self.watch = Watch(self.root)
        self.rows, self.missing, self.samples = [], {}, {}
        self.clients, self.model = {"assay": Assay(options.assay)}, TOKENIZER
        try:
            if options.quick:
                raise BenchError("a quick run needs no peer")
            environments = Environments(options.base, self.root / "peers")
            self.model = environments.model
        except BenchError as error:
            self.missing = dict.fromkeys(options.peers, str(error))
        for name in options.peers:
            if name not in self.missing:
                self.add(name, environments)
        versions = {name: client.version for name, client in self.clients.items()}
        how = f"prompts of {PROMPT} tokens, all requests at once up to c, server and client share the machine"
        self.facts |= {"versions": versions, "rounds": options.rounds, "how": how}

    def add(self, name, environments):
        """A peer, or why it is not there."""
        self.say(f"setting up {name}")
        try:
            self.clients[name] = PEERS[name](environments)
        except BenchError as error:
            self.missing[name] = str(error)

    def say(self, text):
        """Progress."""
        print(text, file=sys.stderr, flush=True)

    def case(self, title, case):
        """All clients in turn."""
        self.say(title)
        got = self.samples[title] = {name: [] for name in self.clients}
        model, tokenizer = self.model, TOKENIZER
        if case.tokens:
            model = tokenizer = widen(self.model, self.root / f"vocabulary-{case.tokens}", case.tokens)
        with Simulator(self.options.assay, case, self.root, tokenizer) as server:
            for number in range(self.options.rounds):
                for name, client in self.clients.items():
                    if name in SLOW and number >= self.options.slow_rounds:
                        continue
                    requests, output = (name in SLOW and case.small) or (case.requests, case.output)
                    load = Load(server.url, model, PROMPT, output, requests, case.concurrency)
                    try:
                        figures = measure(client, load, self.watch)
                    except BenchError as error:
                        if name == "assay":
                            raise
                        self.missing[f"{name}, {title}"] = str(error).splitlines()[0]
                        continue
                    got[name].append(figures)
                    self.say(f"  round {number + 1}: {name} {figures.steady_tps or 0:,.0f} tok/s" + noted(figures))
        self.samples[title] = {name: runs for name, runs in got.items() if runs}

    def row(self, what, target, bound, measured, unit):
        """A line of the table; met if the median is at most `bound`."""
        self.rows.append({"what": what, "target": target, "bound": bound, "measured": measured, "unit": unit})

    def ratio(self, title, field, above, below):
        """Median of the ratios within the rounds that both ran in, if there are any."""
        runs = [self.samples[title].get(name, []) for name in (above, below)]
        pairs = [(getattr(a, field), getattr(b, field)) for a, b in zip(*runs, strict=False)]
        return spread([a / b for a, b in pairs]) if pairs and all(a and b for a, b in pairs) else None

    def judge_flood(self, title):
        """What a client can take in."""
        taken = [FLOOD / run.steady_tps for run in self.samples[title]["assay"] if run.steady_tps]
        judged = title != FEW
        if taken:
            self.row(f"{title}: {FLOOD:,} / tokens per second", "at most 1x", 1 if judged else None, spread(taken), "x")
        for peer, bound in ABSORBED.items():
            measured = self.ratio(title, "steady_tps", peer, "assay")
            if measured:
                bound = bound if judged else None
                target = f"at most {bound}x" if judged else "shown"
                self.row(f"{title}: tokens per second, {peer} / assay", target, bound, measured, "x")

    def judge_paced(self, title, case):
        """What it says against what the server knows, and what it costs."""
        runs = self.samples[title]["assay"]
        judged = not case.tokens
        bound = 25 if case.concurrency > 256 else 3
        errors = [abs(run.ttft_p50_ms - run.truth["ttft_ms"]["p50"]) for run in runs]
        self.row(f"{title}: error of the median TTFT", f"at most {bound} ms", bound, spread(errors), "ms")
        errors = [abs(run.itl_p99_ms / run.truth["itl_ms"]["p99"] - 1) for run in runs]
        self.row(f"{title}: error of the 99th percentile of ITL", "at most 0.1x", 0.1, spread(errors), "x")
        memory = spread([run.rss_mb for run in runs])
        self.row(f"{title}: memory", "at most 40 MB", 40 if case.concurrency >= 1024 else None, memory, "MB")
        starts = spread([run.first_request_s * 1000 for run in runs])
        self.row(f"{title}: start to the first request", "at most 100 ms", 100 if judged else None, starts, "ms")
        costs = [run.us_per_token for run in runs if run.us_per_token]
        if costs:
            bound = 12 if case.concurrency == 256 else None
            self.row(f"{title}: CPU per token", "at most 12 µs" if bound else "shown", bound, spread(costs), "µs")
        for peer, bound in CHEAPER.items():
            measured = self.ratio(title, "us_per_token", "assay", peer)
            if measured:
                judged = bound if case.concurrency == 256 else None
                self.row(f"{title}: CPU per token, assay / {peer}", f"at most {bound}x", judged, measured, "x")

    def everything(self):
        """Every case in order."""
        cases = QUICK if self.options.quick else CASES
        for title in self.options.cases or cases:
            self.case(title, cases[title])
            if cases[title].itl:
                self.judge_paced(title, cases[title])
            else:
                self.judge_flood(title)
        # A machine that was busy at the end was busy in between.
        self.facts["load_at_end"] = round(os.getloadavg()[0], 2)
        samples = {
            title: {name: [asdict(run) for run in runs] for name, runs in clients.items()}
            for title, clients in self.samples.items()
        }
        return {"facts": self.facts, "missing": self.missing, "rows": self.rows, "samples": samples}


def noted(figures):
    """What the client objects to, for the progress."""
    return f"; it says: {figures.objection}" if figures.objection else ""


def page(result, judged):
    """The committed table."""
    lines = [
        "# Load generators", "", "Written by `tests/bench/serve.py`; run it again to replace it.", "",
        *table.conditions(result["facts"]), "", "## Targets", "", *table.targets(result["rows"], judged), "",
        "## Side by side", "",
        "Medians of the rounds. TTFT and ITL are p50 / p99 in ms as the client reports them, in brackets what the server",
        "wrote in the same runs; late is the server's own p99 in ms: where it is not small beside ITL, the client starved the",
        "server. Tokens per second and CPU are those between a tenth and nine tenths of all tokens; claimed is what the client",
        "says. Other is the part of the run that is not the load. `*`: percentiles of the means of requests, which hide",
        "stalls. `!`: the client calls its own figures invalid.",
        "",
    ]
    for title, clients in result["samples"].items():
        lines += [f"**{title}**", ""]
        lines += ["| client | TTFT | ITL | late | tok/s | claimed | CPU µs/token | memory MB | other s |", "|---" * 9 + "|"]
        lines += [client_line(name, runs) for name, runs in clients.items()] + [""]
    return "\n".join([*lines, *table.missing(result["missing"]), ""])


def client_line(name, runs):
    """Medians of a client."""

    def median(get, digits=1):
        values = [get(run) for run in runs]
        return "-" if None in values else f"{statistics.median(values):,.{digits}f}"

    def times(metric):
        said = " / ".join(median(lambda run, p=p: run[f"{metric}_{p}_ms"]) for p in ("p50", "p99"))
        true = " / ".join(median(lambda run, p=p: run["truth"][f"{metric}_ms"][p]) for p in ("p50", "p99"))
        return f"{said} ({true})"

    mark = "!" if any(run["objection"] for run in runs) else ""
    star = "" if runs[0]["itl_of"] == "gaps" else "*"
    cells = [
        f"{name}{mark}", times("ttft"), times("itl") + star, median(lambda run: run["truth"]["lateness_ms"]["p99"]),
        median(lambda run: run["steady_tps"], 0), median(lambda run: run["output_tps"], 0),
        median(lambda run: run["us_per_token"]), median(lambda run: run["rss_mb"]), median(lambda run: run["beside_s"]),
    ]
    return "| " + " | ".join(cells) + " |"


def parse(argv):
    """The command line."""
    asked = Asked(__doc__, "SERVE.md", "bench-serve", (5, 2), "small loads, no peer, nothing is judged, some seconds")
    add, all_peers = asked.parser.add_argument, ",".join(PEERS)
    add("--base", type=Path, default=BASE, help="folder of `setup.sh --vllm`")
    add("--peers", default=all_peers, help=f"peers, comma separated; there are {', '.join(PEERS)}")
    add("--slow-rounds", type=int, default=1, help="rounds of clients in Python (default 1)")
    add("--only", help=f"cases, separated by semicolons; there are {'; '.join(CASES)}")
    options = asked.read(argv)
    options.base = options.base.resolve()
    whole = not options.only and options.peers == all_peers
    options.cases = asked.chosen("case", options.only or "", QUICK if options.quick else CASES, sign=";")
    options.peers = asked.chosen("peer", options.peers, PEERS)
    return asked.place(options, whole)


def main(argv):
    """Everything, as a page."""
    options = parse(argv)

    def measured():
        result = Script(options).everything()
        return result, page(result, not options.quick)

    return script.run(options, measured)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
