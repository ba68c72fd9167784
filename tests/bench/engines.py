"""The same workloads in each engine's own language, and how each engine is had. Knows no target."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass

from measure import BenchError, Command

# What is installed from PyPI, into an environment that the script makes for itself.
PINS = {
    "ninja": "ninja==1.13.2",
    "hyperqueue": "hyperqueue==0.27.0",
    "snakemake": "snakemake==9.27.1",
    "yamllint": "yamllint==1.38.0",
    "check-jsonschema": "check-jsonschema==0.39.0",
    "ryl": "ryl==0.26.1",
    "holistictraceanalysis": "HolisticTraceAnalysis==0.5.0",
}
ORDER = ("ninja", "make", "hyperqueue", "snakemake")
FLIGHT = 2


@dataclass
class Workload:
    """Steps by number, each with the numbers it needs; all run the same argv."""

    name: str
    needs: list
    argv: list

    def __len__(self):
        return len(self.needs)


def wide(count, argv=("/bin/true",), name="wide"):
    """Steps that need nothing."""
    return Workload(name, [[] for _ in range(count)], list(argv))


def printing(count):
    """Steps that print one line each."""
    return wide(count, ("/bin/echo", "one line"), "printing")


def layered(width, depth, parents):
    """Each step needs `parents` steps of the layer before."""
    needs = [[] for _ in range(width)]
    for layer in range(1, depth):
        for at in range(width):
            needs.append(sorted((layer - 1) * width + (at * 7 + k * 11) % width for k in range(parents)))
    return Workload("layered", needs, ["/bin/true"])


def chain(count):
    """Each step needs the one before."""
    return Workload("chain", [[at - 1] if at else [] for at in range(count)], ["/bin/true"])


class Limit:
    """The C loop."""

    name = "limit"

    def __init__(self, bench):
        self.bench = bench
        self.version = "posix_spawn"

    def command(self, load, flight=FLIGHT, files=False):
        """`files`: one file per step, in the layout of an assay run."""
        folder = self.bench.folder(f"{load.name}-limit")
        steps = folder / "steps"
        fills = (steps,) if files else ()
        argv = [self.bench.limit, "wide", str(len(load)), str(flight), steps if files else "-", "--", *load.argv]
        return Command(argv, folder, fills, fills)


class Assay:
    """The engine under test."""

    name = "assay"

    def __init__(self, bench, binary):
        self.bench, self.binary = bench, binary
        if not binary.is_file():
            raise BenchError(f"there is no {binary}; `cargo build --release` makes it, `--assay FILE` names another")
        self.version = ask([binary, "--version"]).split()[-1]

    def command(self, load):
        """A step per step, not a loop: what ninja and make get."""
        lines = ["steps:"]
        for at, needs in enumerate(load.needs):
            after = f"needs: [{', '.join(f's{need}' for need in needs)}], " if needs else ""
            lines.append(f"  s{at}: {{{after}uses: command, with: {{argv: {json.dumps(load.argv)}}}}}")
        return self.of_text(load.name, "\n".join(lines))

    def loop(self, count, argv):
        """The same as a `foreach`."""
        items = ", ".join(map(str, range(count)))
        step = f"  s:\n    foreach: {{i: [{items}]}}\n    uses: command\n    with: {{argv: {json.dumps(argv)}}}"
        return self.of_text("foreach", f"steps:\n{step}")

    def of_text(self, name, steps):
        """A run of a workflow with these steps."""
        folder = self.bench.folder(f"{name}-assay")
        head = f"apiVersion: assay/v1\nkind: Workflow\nname: {name}\nversion: 1.0.0\ndescription: Speed, {name}\n"
        (folder / "work.yaml").write_text(head + steps + "\n")
        runs = folder / "runs"
        options = ["--runs-dir", runs, "--cpus", str(FLIGHT)]
        return Command([self.binary, "run", folder / "work.yaml", *options], folder, (runs,))

    def resume(self, done):
        """Resumes the one run that `done` has left."""
        runs = [path for path in done.fills[0].iterdir() if (path / "journal.jsonl").is_file()]
        if len(runs) != 1:
            raise BenchError(f"one run was expected, {len(runs)} are there")
        return Command([self.binary, "resume", runs[0], "--runs-dir", done.fills[0]], done.cwd)


class Make:
    """GNU make, targets that are never up to date."""

    name = "make"

    def __init__(self, bench):
        self.bench = bench
        self.program = shutil.which("make")
        if not self.program:
            raise BenchError("`make` is not installed")
        self.version = ask([self.program, "--version"]).split("\n")[0].split()[-1]

    def command(self, load):
        """Every step a phony target."""
        folder = self.bench.folder(f"{load.name}-make")
        targets = " ".join(f"s{at}" for at in range(len(load)))
        rules = [
            f"s{at}: {' '.join(f's{need}' for need in needs)}\n\t@{' '.join(load.argv)}"
            for at, needs in enumerate(load.needs)
        ]
        (folder / "Makefile").write_text(f"all: {targets}\n.PHONY: all {targets}\n" + "\n".join(rules) + "\n")
        return Command([self.program, "-s", f"-j{FLIGHT}", "all"], folder)

    def again(self, count):
        """A rerun with every output there."""
        folder = self.bench.folder("again-make")
        rules = "\n".join(f"o{at}:\n\t@touch o{at}" for at in range(count))
        (folder / "Makefile").write_text(f"all: {' '.join(f'o{at}' for at in range(count))}\n{rules}\n")
        for at in range(count):
            (folder / f"o{at}").touch()
        return Command([self.program, "-s", f"-j{FLIGHT}", "all"], folder)


class Ninja:
    """ninja, outputs that no step makes, so that every build runs all."""

    name = "ninja"

    def __init__(self, bench, venv):
        self.bench = bench
        venv.need("ninja")
        # The wheel's own entry is a Python script; the program it starts lies in the package.
        where = "import ninja, os; print(os.path.join(ninja.BIN_DIR, 'ninja'))"
        self.program = ask([venv.python, "-c", where]).strip()
        self.version = ask([self.program, "--version"]).strip()

    def command(self, load):
        """One rule, one build line per step."""
        folder = self.bench.folder(f"{load.name}-ninja")
        lines = [f"rule t\n  command = {' '.join(load.argv)}"]
        for at, needs in enumerate(load.needs):
            lines.append(f"build s{at}: t {' '.join(f's{need}' for need in needs)}")
        (folder / "build.ninja").write_text("\n".join(lines) + "\n")
        return Command([self.program, f"-j{FLIGHT}"], folder)

    def again(self, count):
        """A rerun after a real first run that made every output."""
        folder = self.bench.folder("again-ninja")
        lines = ["rule t\n  command = touch $out"] + [f"build o{at}: t" for at in range(count)]
        (folder / "build.ninja").write_text("\n".join(lines) + "\n")
        command = Command([self.program, f"-j{FLIGHT}"], folder)
        self.bench.run(command)
        return command


HYPERQUEUE = """
import json, sys
from hyperqueue import Job, LocalCluster
from hyperqueue.cluster import WorkerConfig
load = json.load(open(sys.argv[1]))
with LocalCluster() as cluster:
    cluster.start_worker(WorkerConfig(cores=load["flight"]))
    client, job, tasks = cluster.client(), Job(max_fails=1), []
    for needs in load["needs"]:
        deps = [tasks[need] for need in needs]
        tasks.append(job.program(load["argv"], deps=deps, stdout=None, stderr=None))
    client.wait_for_jobs([client.submit(job)])
"""


class HyperQueue:
    """Server and worker in one process, by its Python interface."""

    name = "hyperqueue"

    def __init__(self, bench, venv):
        self.bench, self.python = bench, venv.python
        self.version = venv.need("hyperqueue")

    def command(self, load):
        """Tasks with dependencies, output dropped."""
        folder = self.bench.folder(f"{load.name}-hyperqueue")
        text = json.dumps({"needs": load.needs, "argv": load.argv, "flight": FLIGHT})
        (folder / "load.json").write_text(text)
        (folder / "run.py").write_text(HYPERQUEUE)
        return Command([self.python, "run.py", "load.json"], folder)


class Snakemake:
    """Rules that touch one output each."""

    name = "snakemake"

    def __init__(self, bench, venv):
        self.bench = bench
        self.version = venv.need("snakemake")
        self.program = venv.python.parent / "snakemake"

    def command(self, load):
        """One rule; what a step needs comes from a table."""
        folder = self.bench.folder(f"{load.name}-snakemake")
        text = (
            f"NEEDS = {load.needs!r}\n"
            f"rule all:\n    input: expand('o/{{at}}', at=range({len(load)}))\n"
            "rule step:\n    input: lambda w: [f'o/{need}' for need in NEEDS[int(w.at)]]\n"
            f"    output: touch('o/{{at}}')\n    shell: {' '.join(load.argv)!r}\n"
        )
        (folder / "Snakefile").write_text(text)
        fills = (folder / "o", folder / ".snakemake")
        return Command([self.program, f"-c{FLIGHT}", "-q", "all"], folder, fills)


class Venv:
    """A Python environment of the script's own with pinned packages."""

    def __init__(self, root):
        self.root = root / "venv"
        self.python = self.root / "bin" / "python"

    def need(self, name):
        """Installs a pinned package if it is not there; gives its version."""
        if not self.python.exists():
            ask([sys.executable, "-m", "venv", self.root])
        wanted = PINS[name].split("==")[1]
        found = f"import importlib.metadata as m; print(m.version('{name}'))"
        there = subprocess.run([self.python, "-c", found], capture_output=True, text=True, check=False)
        if there.stdout.strip() != wanted:
            pip = [self.python, "-m", "pip", "install", "-q", "--disable-pip-version-check", PINS[name]]
            ask(pip, env=dict(os.environ))
        return wanted


def ask(argv, env=None):
    """What a program prints; `BenchError` if it fails."""
    argv = [str(part) for part in argv]
    try:
        done = subprocess.run(argv, capture_output=True, text=True, check=False, env=env, timeout=600)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BenchError(f"`{argv[0]}` cannot be run: {error}") from error
    if done.returncode != 0:
        last = (done.stderr.strip() or done.stdout.strip() or "no message").splitlines()[-1]
        raise BenchError(f"`{' '.join(argv[:4])}` failed: {last}")
    return done.stdout
