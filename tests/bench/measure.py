"""Runs one program and says what it cost; facts about the host. Knows no engine and no target."""

import json
import os
import platform
import shutil
import statistics
import subprocess
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path


class BenchError(Exception):
    """A measurement that cannot be had; the text says why."""


@dataclass
class Sample:
    """Cost of one run: seconds, and the peak memory of its largest process in MB (10^6 bytes)."""

    wall: float
    cpu: float
    rss_mb: float


@dataclass
class Command:
    """What to run, where, and which folders it fills: they are emptied before each run, outside of the time."""

    argv: list
    cwd: Path
    fills: tuple = ()
    # Folders to make inside the emptied ones.
    makes: tuple = ()
    # Exit codes that are no failure.
    ends: tuple = (0,)


class Bench:
    """The scratch folder, the compiled limit program and the environment that all engines get."""

    def __init__(self, root, source):
        self.root = root
        root.mkdir(parents=True, exist_ok=True)
        self.limit = root / "limit"
        cc = subprocess.run(["cc", "-O2", "-o", self.limit, source / "limit.c"], capture_output=True, text=True)
        if cc.returncode != 0:
            raise BenchError(f"limit.c does not compile:\n{cc.stderr}")
        home = root / "home"
        home.mkdir(exist_ok=True)
        # A small environment: every engine pays for what it hands on.
        self.env = {
            "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
            "HOME": str(home),
            "LANG": "C.UTF-8",
            "ASSAY_LOCKS": str(root / "locks"),
        }

    def folder(self, name):
        """An empty folder of this name."""
        path = self.root / name
        shutil.rmtree(path, ignore_errors=True)
        path.mkdir(parents=True)
        return path

    def reset(self, command):
        """Empties what the command fills and lets the disk come to rest."""
        for path in command.fills:
            shutil.rmtree(path, ignore_errors=True)
        for path in command.makes:
            Path(path).mkdir(parents=True)
        os.sync()

    def run(self, command):
        """One run; what it prints goes to a file, as in CI."""
        self.reset(command)
        result, log = self.root / "result.json", self.root / "output.log"
        argv = [self.limit, "time", result, "--", *command.argv]
        with open(log, "wb") as out:
            done = subprocess.run(
                argv, cwd=command.cwd, env=self.env, stdin=subprocess.DEVNULL, stdout=out, stderr=out, check=False
            )
        cost = json.loads(result.read_text()) if done.returncode == 0 else {"exit": "none"}
        if cost["exit"] not in command.ends:
            tail = log.read_bytes()[-2000:].decode(errors="replace")
            what = " ".join(map(str, command.argv[:4]))
            raise BenchError(f"`{what} ...` ended with {cost['exit']}:\n{tail}")
        return Sample(cost["wall"], cost["user"] + cost["sys"], cost["maxrss_kb"] * 1024 / 1e6)

    def sync_cost(self, count):
        """Mean seconds of appending 300 bytes and one fdatasync, the price of one journal commit."""
        file = self.root / "sync.bin"
        done = subprocess.run([self.limit, "sync", file, str(count), "300"], capture_output=True, text=True, check=True)
        file.unlink()
        return float(done.stdout)

    def memory(self, command):
        """Peaks of all processes of the program itself, steps excluded: see `MemoryWatch`."""
        self.reset(command)
        with open(self.root / "output.log", "wb") as out:
            child = subprocess.Popen(
                [str(part) for part in command.argv], cwd=command.cwd, env=self.env, stdin=subprocess.DEVNULL,
                stdout=out, stderr=out,
            )
            watch = MemoryWatch(child.pid, os.path.realpath(command.argv[0]))
            watch.start()
            code = child.wait()
            watch.over.set()
            watch.join()
        if code != 0:
            raise BenchError(f"the run whose memory was watched ended with {code}")
        return watch.result()


class MemoryWatch(threading.Thread):
    """Samples VmHWM and Pss of a process and its descendants that run the same program, a hundred times a second."""

    def __init__(self, pid, program):
        super().__init__()
        self.pid, self.program = pid, program
        self.over = threading.Event()
        self.high = {}
        self.pss = 0

    def run(self):
        while not self.over.wait(0.01):
            self.sample()

    def sample(self):
        """Looks once; a process may be gone at any moment."""
        pss, todo = 0, [self.pid]
        while todo:
            pid = todo.pop()
            try:
                if os.readlink(f"/proc/{pid}/exe") != self.program:
                    continue
                self.high[pid] = max(self.high.get(pid, 0), field(f"/proc/{pid}/status", "VmHWM:"))
                pss += field(f"/proc/{pid}/smaps_rollup", "Pss:")
                for task in os.listdir(f"/proc/{pid}/task"):
                    todo.extend(map(int, Path(f"/proc/{pid}/task/{task}/children").read_text().split()))
            except OSError:
                continue
        self.pss = max(self.pss, pss)

    def result(self):
        """In MB; `pss` counts a page that processes share only once."""
        # A forked process keeps the program's name until its exec; the three that live long are the largest.
        high = sorted((kb * 1024 / 1e6 for kb in self.high.values()), reverse=True)[:3]
        return {"largest": max(high, default=0), "sum": sum(high), "pss": self.pss * 1024 / 1e6, "each": high}


def field(path, name):
    """The number after `name` in a file of /proc."""
    for line in Path(path).read_text().splitlines():
        if line.startswith(name):
            return int(line.split()[1])
    return 0


def interleaved(bench, commands, rounds, say):
    """Runs all commands in turn, `rounds` times; gives the samples by name, index = round."""
    samples = {name: [] for name in commands}
    for number in range(rounds):
        for name, command in commands.items():
            samples[name].append(bench.run(command))
        say(f"  round {number + 1}: " + ", ".join(f"{name} {samples[name][-1].wall:.3f} s" for name in commands))
    return samples


def spread(values):
    """Median with smallest and largest."""
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def ratios(samples, above, below, what="wall"):
    """Median of the ratios within each round."""
    pairs = zip(samples[above], samples[below], strict=True)
    return spread([getattr(a, what) / getattr(b, what) for a, b in pairs])


def summary(samples):
    """Medians of each program, for the record."""
    what = ("wall", "cpu", "rss_mb")
    return {
        name: {key: spread([asdict(one)[key] for one in runs]) for key in what} for name, runs in samples.items()
    }


def file_system(root):
    """Type of the file system that `root` lies on: that of the longest mount point above it."""
    mounts = [line.split()[1:3] for line in open("/proc/self/mounts")]
    above = [(point, kind) for point, kind in mounts if root.is_relative_to(point)]
    return max(above, key=lambda mount: len(mount[0]), default=("", "unknown"))[1]


def host(root):
    """The machine in words; no names of hosts or folders."""
    model = next(
        (line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")),
        platform.machine(),
    )
    virtual = any("hypervisor" in line for line in open("/proc/cpuinfo") if line.startswith("flags"))
    return {
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "machine": f"{os.cpu_count()}-core Linux {'VM' if virtual else 'machine'}, {model}",
        "kernel": platform.release(),
        "file_system": file_system(root),
        "load_at_start": round(os.getloadavg()[0], 2),
    }
