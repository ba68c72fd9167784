#!/usr/bin/env python3
"""Speed of `assay trace`, side by side with HolisticTraceAnalysis from PyPI on the same files.

Synthetic traces of an inference server are generated into the scratch folder, the same in every run. What is compared
runs in turn; every verdict rests on a median. See `--help`.
"""

import json
import os
import sys
from pathlib import Path

# The checkout stays as it is.
sys.dont_write_bytecode = True

import script
import table
from engines import Venv, ask
from measure import Bench, BenchError, Command, host, interleaved, ratios, spread, summary
from script import Asked

HERE = Path(__file__).resolve().parent
PEER = "holistictraceanalysis"
# Name, passes of prefill and decode, whether the peer gets it: above a gigabyte it needs more memory than most hosts have.
SIZES = {
    "2 MB": (1, 2, 4, True),
    "104 MB": (4, 14, 48, True),
    "1 GB": (40, 140, 48, True),
    "5 GB": (200, 720, 48, False),
}
QUICK = {"2 MB": SIZES["2 MB"]}
# Wall seconds, CPU seconds and MB of each size.
TARGETS = {"2 MB": (0.05, None, None), "104 MB": (0.6, None, 60), "1 GB": (3.5, 5, 200)}


class Script:
    """One pass over everything; `facts` and `rows` are its result."""

    def __init__(self, options):
        self.options, self.root = options, options.scratch
        self.facts = host(self.root)
        self.bench = Bench(self.root, HERE)
        self.assay = options.assay
        if not self.assay.is_file():
            raise BenchError(f"there is no {self.assay}; `cargo build --release` makes it, `--assay FILE` names another")
        self.rows, self.missing, self.samples = [], {}, {}
        versions = {"assay": ask([self.assay, "--version"]).split()[-1]}
        self.venv, self.python = Venv(self.root), None
        try:
            if options.quick:
                raise BenchError("a quick run fetches nothing")
            self.say(f"setting up {PEER}")
            versions[PEER] = self.venv.need(PEER)
            self.python = self.root / "venv" / "bin" / "python"
        except BenchError as error:
            self.missing[PEER] = str(error)
        self.facts |= {"versions": versions, "rounds": options.rounds, "how": "gzip, the three tables as markdown"}

    def say(self, text):
        """Progress."""
        print(text, file=sys.stderr, flush=True)

    def make(self, name, prefill, decode, layers):
        """A trace, kept from run to run."""
        folder = self.root / "traces"
        folder.mkdir(exist_ok=True)
        file = folder / f"{name.replace(' ', '')}.json.gz"
        if not file.is_file():
            self.say(f"generating {name}")
            counts = ["--prefill", prefill, "--decode", decode, "--layers", layers, "--seed", 3]
            ask([self.assay, "trace", "generate", file, *map(str, counts)])
        answer = json.loads(ask([self.assay, "trace", file, "--json", "--view", "steps"]))
        self.facts.setdefault("traces", {})[name] = answer["data"]["documents"][0]["integrity"]["bytes"]
        return file

    def size(self, name, prefill, decode, layers, peer):
        """All tools on one trace."""
        file = self.make(name, prefill, decode, layers)
        self.say(name)
        commands = {"assay": Command([self.assay, "trace", file], self.root)}
        self.bench.run(commands["assay"])
        peer = peer and self.python is not None
        if peer:
            commands["HTA"] = Command([self.python, HERE / "hta_views.py", file], self.root)
        rounds = self.options.rounds if name != "2 MB" else max(self.options.rounds, 9)
        # A tool that takes minutes is not asked often: its times differ by percents, the ratio by tens.
        slow = peer and name == "1 GB"
        got = self.samples[name] = interleaved(self.bench, commands, min(rounds, 2) if slow else rounds, self.say)
        more = interleaved(self.bench, {"assay": commands["assay"]}, rounds, self.say) if slow else {"assay": []}
        self.judge(name, got["assay"] + more["assay"])
        if peer:
            for what in ("wall", "cpu", "rss_mb"):
                self.row(f"{name}: HTA / assay, {what}", "shown", None, ratios(self.samples[name], "HTA", "assay", what), "x")

    def judge(self, name, samples):
        """Lines of one size."""
        wall, cpu, memory = TARGETS.get(name, (None, None, None))
        for what, bound, values, unit in (
            ("wall", wall, [one.wall for one in samples], "s"),
            ("CPU", cpu, [one.cpu for one in samples], "s"),
            ("memory", memory, [one.rss_mb for one in samples], "MB"),
        ):
            target = f"at most {bound} {unit}" if bound else "shown"
            self.row(f"{name}: {what}", target, bound, spread(values), unit)

    def row(self, what, target, bound, measured, unit):
        """A line of the table; met if the median is at most `bound`."""
        self.rows.append({"what": what, "target": target, "bound": bound, "measured": measured, "unit": unit})

    def growth(self):
        """Time and memory per gigabyte, from the second largest trace to the largest."""
        sizes = [name for name in self.samples if self.facts["traces"][name] > 5e8]
        if len(sizes) < 2:
            return
        small, large = sizes[-2:]
        factor = self.facts["traces"][large] / self.facts["traces"][small]
        wall = spread([one.wall for one in self.samples[large]["assay"]])
        base = spread([one.wall for one in self.samples[small]["assay"]])
        grown = {key: wall[key] / base["median"] / factor for key in wall}
        self.row(f"{small} to {large}: wall per byte", "at most 1.15x", 1.15, grown, "x")

    def everything(self):
        """Every size in order."""
        sizes = QUICK if self.options.quick else SIZES
        for name in self.options.sizes or sizes:
            self.size(name, *SIZES[name])
        self.growth()
        # A machine that was busy at the end was busy in between.
        self.facts["load_at_end"] = round(os.getloadavg()[0], 2)
        return {
            "facts": self.facts,
            "missing": self.missing,
            "rows": self.rows,
            "samples": {title: summary(samples) for title, samples in self.samples.items() if samples},
        }


def parse(argv):
    """The command line."""
    asked = Asked(__doc__, "TRACE.md", "bench-trace", (5, 2), "the smallest, no peer, nothing is judged, some seconds")
    asked.parser.add_argument("--only", help=f"sizes, comma separated; there are {', '.join(SIZES)}")
    options = asked.read(argv)
    options.sizes = asked.chosen("size", options.only or "", SIZES)
    return asked.place(options, whole=not options.only)


def main(argv):
    """Everything, as a page."""
    options = parse(argv)

    def measured():
        result = Script(options).everything()
        sizes = ", ".join(f"{name}: {size:,} bytes" for name, size in result["facts"]["traces"].items())
        words = ["", f"Decompressed sizes: {sizes}. HTA loads a trace and builds seven views (`hta_views.py`)."]
        return result, table.markdown(result, not options.quick, "Speed of trace analysis", "trace.py", words)

    return script.run(options, measured)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
