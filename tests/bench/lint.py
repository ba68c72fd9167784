#!/usr/bin/env python3
"""Speed of `assay lint`, side by side with ryl, yamllint and check-jsonschema from PyPI.

A thousand sound manifests and hostile files of one mebibyte are written into the scratch folder, the same in every run.
What is compared runs in turn, round after round; every verdict rests on a median. See `--help`.
"""

import os
import shutil
import sys
import time
from pathlib import Path

# The checkout stays as it is.
sys.dont_write_bytecode = True

import corpus
import script
import table
from engines import Venv, ask
from measure import Bench, BenchError, Command, host, interleaved, spread, summary
from script import Asked

HERE = Path(__file__).resolve().parent
TOP = HERE.parent.parent
PEERS = ("ryl", "yamllint", "check-jsonschema")
# The peers look for errors only, so that none of them has anything to print.
RULES = "{extends: relaxed, rules: {line-length: disable}}"
# Seconds that a peer gets for a hostile file; then it is stopped.
PATIENCE = 2
# Exit codes of peers on files that are no YAML; what they say there is not compared. The last are those of `timeout`.
ANY_END = (0, 1, 2, 124, 134, 137, 139)
# Milliseconds, seconds and megabytes of the issue.
MS, MB = "ms", "MB"


class Script:
    """One pass over everything; `facts` and `rows` are its result."""

    def __init__(self, options):
        self.options, self.root = options, options.scratch
        self.facts = host(self.root)
        self.bench = Bench(self.root, HERE)
        self.assay = options.assay
        if not self.assay.is_file():
            raise BenchError(f"there is no {self.assay}; `cargo build --release` makes it, `--assay FILE` names another")
        self.rows, self.missing, self.samples, self.shapes = [], {}, {}, []
        versions = {"assay": ask([self.assay, "--version"]).split()[-1]}
        self.venv, self.peers = Venv(self.root), []
        for name in PEERS:
            try:
                versions[name] = self.need(name)
                self.peers.append(name)
            except BenchError as error:
                self.missing[name] = str(error)
        self.count = 40 if options.quick else 1000
        self.facts |= {"versions": versions, "rounds": options.rounds, "how": "`--fail-on never`, output to a file"}
        self.manifests, self.files = self.write_manifests()

    def need(self, name):
        """A peer from PyPI; quick runs do without."""
        if self.options.quick:
            raise BenchError("a quick run fetches nothing")
        self.say(f"setting up {name}")
        return self.venv.need(name)

    def say(self, text):
        """Progress."""
        print(text, file=sys.stderr, flush=True)

    def write_manifests(self):
        """The folder of sound manifests, and their names in it."""
        folder, files, size = self.bench.folder("manifests"), [], 0
        today = time.strftime("%Y-%m-%d", time.gmtime())
        for number in range(self.count):
            name, text = corpus.skill(number, today)
            file = folder / "skills" / name / "skill.yaml"
            file.parent.mkdir(parents=True)
            file.write_text(text)
            files.append(str(file.relative_to(folder)))
            size += len(text)
        self.facts["bytes"] = size
        # The yardstick is worth nothing if the manifests are wrong.
        self.bench.run(Command([self.assay, "lint", "--no-cache", "--fail-on", "note"], folder))
        return folder, files

    def lint(self, *arguments, cwd=None):
        """`assay lint` in the folder of manifests."""
        return Command([self.assay, "lint", "--fail-on", "never", *arguments], cwd or self.manifests)

    def peer(self, name, files, cwd, ends=(0,)):
        """A peer over some files."""
        program = self.root / "venv" / "bin" / name
        argv = {
            "ryl": [program, "check", "--no-cache", "-d", RULES, *files],
            "yamllint": [program, "-d", RULES, *files],
            "check-jsonschema": [program, "--schemafile", TOP / "schemas/manifest.schema.json", *files],
        }[name]
        return Command(argv, cwd, ends=ends)

    def row(self, what, target, bound, measured, unit):
        """A line of the table; met if the median is at most `bound`."""
        self.rows.append({"what": what, "target": target, "bound": bound, "measured": measured, "unit": unit})

    def measure(self, title, commands, rounds=None):
        """Interleaved rounds, kept under `title`; each command ran once before, so that caches are full."""
        self.say(title)
        for command in commands.values() if rounds is None else ():
            self.bench.run(command)
        self.samples[title] = interleaved(self.bench, commands, rounds or self.options.rounds, self.say)
        return self.samples[title]

    def many(self):
        """All manifests."""
        name = f"{self.count:,} manifests"
        commands = {"assay, no cache": self.lint("--no-cache"), "assay, warm cache": self.lint()}
        if "ryl" in self.peers:
            plain = self.peer("ryl", ["."], self.manifests)
            cache = ["--cache-dir", self.root / "ryl-cache", *plain.argv[3:]]
            commands |= {"ryl, no cache": plain, "ryl, warm cache": Command([*plain.argv[:2], *cache], plain.cwd)}
        got = self.measure(name, commands)
        cold, warm = got["assay, no cache"], got["assay, warm cache"]
        self.row(f"{name}, no cache", "at most 0.25 s", 0.25, spread([one.wall for one in cold]), "s")
        self.row(f"{name}, warm cache", "at most 0.05 s", 0.05, spread([one.wall for one in warm]), "s")
        self.row(f"{name}: memory", "at most 50 MB", 50, spread([one.rss_mb for one in cold]), MB)
        slow = {name: self.peer(name, self.files, self.manifests) for name in self.peers if name != "ryl"}
        if slow:
            self.measure(f"{name}, slow peers", {"assay, no cache": commands["assay, no cache"], **slow}, 2)

    def one(self):
        """One file, end to end, and the start of the program alone."""
        file = self.files[3]
        commands = {
            "assay": self.lint("--no-cache", file),
            "assay --version": Command([self.assay, "--version"], self.manifests),
            **{name: self.peer(name, [file], self.manifests) for name in self.peers},
        }
        got = self.measure("one file", commands, None if self.options.quick else max(self.options.rounds, 9))
        self.row("one file, end to end", "at most 10 ms", 10, millis(got["assay"]), MS)

    def hostile(self):
        """Files that nobody means well, and sound ones of the same size."""
        folder, rounds = self.bench.folder("hostile"), min(self.options.rounds, 5)
        for name, content in corpus.hostile(self.options.quick).items():
            file = folder / f"{name.replace(' ', '-').replace(',', '')}.yaml"
            file.write_bytes(content)
            command = self.lint("--no-cache", file.name, cwd=folder)
            runs = interleaved(self.bench, {f"{name}: assay": command}, rounds, self.say)[f"{name}: assay"]
            self.shapes.append({
                "shape": name, "kib": len(content) >> 10, "ms": millis(runs),
                "cpu_ms": spread([one.cpu * 1000 for one in runs]), "rss_mb": max(one.rss_mb for one in runs),
                "peers": {peer: self.patient(peer, file.name, folder) for peer in self.peers},
            })
        count, slowest = len(self.shapes), max(self.shapes, key=lambda shape: shape["ms"]["median"])
        largest = max(self.shapes, key=lambda shape: shape["rss_mb"])
        self.row(f"{count} hostile files, the slowest ({slowest['shape']})", "at most 50 ms", 50, slowest["ms"], MS)
        self.row(f"the same: most memory ({largest['shape']})", "at most 50 MB", 50, spread([largest["rss_mb"]]), MB)

    def patient(self, peer, file, folder):
        """One run of a peer: seconds, or nothing if it had to be stopped."""
        command = self.peer(peer, [file], folder, ANY_END)
        command.argv = [shutil.which("timeout") or "timeout", "-s", "KILL", str(PATIENCE), *command.argv]
        wall = self.bench.run(command).wall
        self.say(f"  {peer} {wall:.3f} s")
        return wall if wall < PATIENCE else None

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
            "shapes": self.shapes,
            "samples": {title: summary(samples) for title, samples in self.samples.items() if samples},
        }


def millis(samples):
    """Wall times in milliseconds."""
    return spread([sample.wall * 1000 for sample in samples])


# A part stands alone, so that one can be measured again while one works on it.
PARTS = {"many": Script.many, "one": Script.one, "hostile": Script.hostile}


def parse(argv):
    """The command line."""
    asked = Asked(__doc__, "LINT.md", "bench-lint", (9, 2), "small sizes, no peers, nothing is judged, some seconds")
    asked.parser.add_argument("--only", help=f"parts to measure, comma separated; there are {', '.join(PARTS)}")
    options = asked.read(argv)
    options.parts = asked.chosen("part", options.only or ",".join(PARTS), PARTS)
    return asked.place(options, whole=not options.only)


def main(argv):
    """Everything, as a page."""
    options = parse(argv)

    def measured():
        bench = Script(options)
        result = bench.everything(options.parts)
        words = [
            "",
            f"The manifests have 3 to 12 steps and {result['facts']['bytes'] / bench.count:,.0f} bytes each on average; no tool",
            "finds an error in them.",
        ]
        text = table.markdown(result, not options.quick, "Speed of lint", "lint.py", words)
        return result, text + table.hostile(result["shapes"], bench.peers, PATIENCE)

    return script.run(options, measured)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
