#!/usr/bin/env python3
"""Speed, side by side: assay, a C posix_spawn loop (the limit), ninja, make, HyperQueue and Snakemake.

Two steps at a time, everything durable. What is compared runs in turn, round after round, and every verdict rests on
the median of the ratios within the rounds: a machine that is slow for a minute is slow for all. See `--help`.
"""

import os
import sys
from pathlib import Path

# The checkout stays as it is.
sys.dont_write_bytecode = True

import engines
import script
import table
from engines import chain, layered, printing, wide
from measure import Bench, BenchError, host, interleaved, ratios, spread, summary
from script import Asked

HERE = Path(__file__).resolve().parent
FULL = {"wide": 10_000, "layers": (100, 100, 10), "chain": 1_000, "bytes": 1 << 30, "ones": 20, "slow": 1_000}
QUICK = {"wide": 200, "layers": (10, 10, 3), "chain": 50, "bytes": 1 << 24, "ones": 3, "slow": 50}


class Script:
    """One pass over everything; `facts` and `rows` are its result."""

    def __init__(self, options):
        self.sizes = QUICK if options.quick else FULL
        self.rounds = options.rounds
        self.root = options.scratch
        self.facts = host(self.root)
        self.bench = Bench(self.root, HERE)
        self.rows, self.missing, self.samples = [], {}, {}
        self.limit = engines.Limit(self.bench)
        self.assay = engines.Assay(self.bench, options.assay)
        venv = engines.Venv(self.root)
        self.peers = {}
        for name, make in {
            "ninja": lambda: engines.Ninja(self.bench, venv),
            "make": lambda: engines.Make(self.bench),
            "hyperqueue": lambda: engines.HyperQueue(self.bench, venv),
            "snakemake": lambda: engines.Snakemake(self.bench, venv),
        }.items():
            self.get(name, make, options.peers)
        every = [self.limit, self.assay, *self.peers.values()]
        self.facts["versions"] = {engine.name: engine.version for engine in every}
        self.facts["rounds"] = self.rounds
        self.facts["how"] = "two steps at a time"
        self.facts["sizes"] = self.sizes

    def get(self, name, make, wanted):
        """A peer, or why it is not there."""
        if name not in wanted:
            self.missing[name] = "not asked for"
            return
        self.say(f"setting up {name}")
        try:
            self.peers[name] = make()
        except BenchError as error:
            self.missing[name] = str(error)
            self.say(f"  {name} is missing: {error}")

    def say(self, text):
        """Progress."""
        print(text, file=sys.stderr, flush=True)

    def row(self, what, target, bound, measured, unit="x"):
        """A line of the table; met if the median is at most `bound`."""
        self.rows.append({"what": what, "target": target, "bound": bound, "measured": measured, "unit": unit})

    def fast_peers(self, load):
        """ninja and make, those that are there."""
        return {name: self.peers[name].command(load) for name in ("ninja", "make") if name in self.peers}

    def measure(self, title, commands, rounds=None):
        """Interleaved rounds, kept under `title`."""
        self.say(title)
        self.samples[title] = interleaved(self.bench, commands, rounds or self.rounds, self.say)
        return self.samples[title]

    def wide_and_layered(self):
        """In the same rounds, as one is held against the other."""
        count, load = self.sizes["wide"], wide(self.sizes["wide"])
        shape = layered(*self.sizes["layers"])
        commands = {
            "limit": self.limit.command(load),
            "assay": self.assay.command(load),
            "layered": self.assay.command(shape),
            "foreach": self.assay.loop(count, load.argv),
            **self.fast_peers(load),
        }
        got = self.measure(f"{count:,} wide, silent", commands)
        name = f"{count:,} wide"
        self.row(f"{name}, durable: wall against the limit", "at most 1.35x", 1.35, ratios(got, "assay", "limit"))
        if "ninja" in got:
            self.row(f"{name}: wall against ninja", "at most 0.6x", 0.6, ratios(got, "assay", "ninja"))
        self.row(f"{name}: CPU against the limit", "at most 1.5x", 1.5, ratios(got, "assay", "limit", "cpu"))
        across, deep, parents = self.sizes["layers"]
        layers = f"layered {across}x{deep}, {parents} parents each: wall against {name}"
        # Quick sizes differ in steps; nothing is judged then.
        self.row(layers, "at most 1.1x", 1.1, ratios(got, "layered", "assay"))
        memory = self.bench.memory(commands["assay"])
        self.facts["memory"] = memory
        for load_name, title in (("assay", name), ("layered", "layered"), ("foreach", f"{name} as a `foreach`")):
            peak = spread([sample.rss_mb for sample in got[load_name]])
            self.row(f"{title}: memory of the largest process", "at most 60 MB", 60, peak, "MB")

    def prints(self):
        """The limit makes the same files in the same layout."""
        load = printing(self.sizes["wide"])
        commands = {
            "limit": self.limit.command(load, files=True),
            "assay": self.assay.command(load),
            **self.fast_peers(load),
        }
        name = f"{len(load):,} wide, a line each"
        got = self.measure(name, commands)
        self.row(f"{name}: wall against the limit with files", "at most 1.35x", 1.35, ratios(got, "assay", "limit"))
        self.row(f"{name}: CPU against it", "at most 1.5x", 1.5, ratios(got, "assay", "limit", "cpu"))

    def chained(self):
        """Each step waits for the sync of the one before."""
        load = chain(self.sizes["chain"])
        commands = {
            "limit": self.limit.command(load, flight=1),
            "assay": self.assay.command(load),
            **self.fast_peers(load),
        }
        syncs = []
        plain = self.bench.run

        def run(command):
            # The sync is measured beside each run of make: the disk has its moods.
            if command is commands.get("make"):
                syncs.append(self.bench.sync_cost(self.sizes["chain"]))
            return plain(command)

        self.bench.run = run
        try:
            got = self.measure(f"chain of {len(load):,}", commands)
        finally:
            self.bench.run = plain
        if "make" in got:
            bounds = [1.3 * make.wall + len(load) * sync for make, sync in zip(got["make"], syncs, strict=True)]
            shares = spread([a.wall / bound for a, bound in zip(got["assay"], bounds, strict=True)])
            target = "1.3 x make + one sync per step = 1"
            self.row(f"chain of {len(load):,}: wall against that bound", target, 1.0, shares)
            self.facts["sync_ms"] = {key: value * 1000 for key, value in spread(syncs).items()}

    def ones(self):
        """One step, warm."""
        load = wide(1, name="one")
        commands = {"limit": self.limit.command(load), "assay": self.assay.command(load), **self.fast_peers(load)}
        self.bench.run(commands["assay"])
        got = self.measure("one step", commands, self.sizes["ones"])
        wall = spread([sample.wall * 1000 for sample in got["assay"]])
        self.row("one step, journal and reports included", "at most 15 ms", 15, wall, "ms")

    def again(self):
        """Resume of a finished run, and what peers do when all is up to date."""
        count = self.sizes["wide"]
        done = self.assay.command(wide(count, name="finished"))
        self.bench.run(done)
        commands = {"assay": self.assay.resume(done)}
        for name in ("ninja", "make"):
            if name in self.peers:
                commands[name] = self.peers[name].again(count)
        got = self.measure(f"again, {count:,} finished", commands, max(self.rounds, 2))
        wall = spread([sample.wall * 1000 for sample in got["assay"]])
        self.row(f"resume of a finished run of {count:,}", "at most 100 ms", 100, wall, "ms")

    def floods(self):
        """A step that prints a lot, against the same program writing into a file."""
        size = self.sizes["bytes"]
        argv = ("/usr/bin/head", "-c", str(size), "/dev/zero")
        load = wide(1, argv, "flood")
        commands = {"raw": self.limit.command(load, files=True), "assay": self.assay.command(load)}
        name = f"{size >> 20:,} MiB of output"
        got = self.measure(name, commands)
        small = self.bench.run(self.assay.command(wide(1, name="small")))
        growth = max(sample.rss_mb for sample in got["assay"]) - small.rss_mb
        self.row(f"{name}: wall against a raw redirect", "at most 1.3x", 1.3, ratios(got, "assay", "raw"))
        # Two runs of one small program differ by about this much without any cause.
        self.row(f"{name}: memory beyond that of one silent step", "none (1 MB)", 1.0, spread([growth]), "MB")
        self.measure(f"{name}, peers", self.fast_peers(load), 1)

    def slow_peers(self):
        """Engines that take minutes for 10,000 steps get fewer, once."""
        load = wide(self.sizes["slow"], name="slow")
        commands = {"limit": self.limit.command(load), "assay": self.assay.command(load), **self.fast_peers(load)}
        for name in ("hyperqueue", "snakemake"):
            if name in self.peers:
                commands[name] = self.peers[name].command(load)
        self.measure(f"{len(load):,} wide, all engines", commands, 1)

    def everything(self, parts):
        """The parts asked for, in their order."""
        for part in parts:
            PARTS[part](self)
        # A machine that was busy at the end was busy in between.
        self.facts["load_at_end"] = round(os.getloadavg()[0], 2)
        return {
            "facts": self.facts,
            "missing": self.missing,
            "rows": self.rows,
            "samples": {title: summary(samples) for title, samples in self.samples.items() if samples},
        }


# A part stands alone, so that one can be measured again while one works on it.
PARTS = {
    "wide": Script.wide_and_layered,
    "printing": Script.prints,
    "chain": Script.chained,
    "one": Script.ones,
    "again": Script.again,
    "flood": Script.floods,
    "engines": Script.slow_peers,
}


def parse(argv):
    """The command line."""
    asked = Asked(__doc__, "RESULTS.md", "bench", (5, 2), "small sizes, nothing is judged, under a minute")
    asked.parser.add_argument("--peers", help="comma separated (default: all; quick: ninja,make)")
    asked.parser.add_argument("--only", help=f"parts to measure, comma separated; there are {', '.join(PARTS)}")
    options = asked.read(argv)
    peers = options.peers or ("ninja,make" if options.quick else ",".join(engines.ORDER))
    options.peers = asked.chosen("peer", peers, engines.ORDER)
    options.parts = asked.chosen("part", options.only or ",".join(PARTS), PARTS)
    return asked.place(options, whole=not options.only)


def main(argv):
    """Everything, as a page."""
    options = parse(argv)

    def measured():
        result = Script(options).everything(options.parts)
        return result, table.markdown(result, judged=not options.quick)

    return script.run(options, measured)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
