"""Runs a client with all its processes and says from outside what it cost and how fast the server's tokens went."""

import http.client
import json
import os
import resource
import shutil
import signal
import subprocess
import threading
import time
from urllib.parse import urlsplit

from measure import BenchError

# Seconds between two looks; at the start, until the first request, looks are close together.
APART, CLOSE = 0.05, 0.005
# Seconds between two searches for new processes.
SEARCH = 0.2
PAGE = os.sysconf("SC_PAGE_SIZE")
# Variables that a client gets from the caller; the rest would differ from machine to machine.
KEPT = ("PATH", "LANG", "TMPDIR")


class Watch:
    """A scratch folder in which one client after the other runs."""

    def __init__(self, root):
        self.root = root
        self.home = root / "home"
        self.home.mkdir(parents=True, exist_ok=True)

    def folder(self, name):
        """An empty folder of this name."""
        path = self.root / "runs" / name
        shutil.rmtree(path, ignore_errors=True)
        path.mkdir(parents=True)
        return path

    def run(self, run, url, folder, patience):
        """Runs a client to its end in a session of its own; the fields of `Figures` that are seen from outside."""
        argv = [str(part) for part in run.argv]
        kept = {name: os.environ[name] for name in KEPT if name in os.environ}
        server = Account(url)
        server.reset()
        log, before = folder / "output.log", ended()
        with open(log, "wb") as out:
            begin = time.monotonic()
            child = subprocess.Popen(
                argv, cwd=folder, env=kept | {"HOME": str(self.home)} | run.env,
                stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True,
            )
            watcher = Watcher(child.pid, server, begin)
            watcher.start()
            try:
                code = child.wait(patience)
            except subprocess.TimeoutExpired:
                code = None
            finally:
                wall = time.monotonic() - begin
                watcher.over.set()
                watcher.join()
                sweep(child)
        if code not in run.ends:
            tail = log.read_bytes()[-2000:].decode(errors="replace")
            end = f"was stopped after {patience} s" if code is None else f"ended with {code}"
            raise BenchError(f"`{' '.join(argv[:3])} ...` {end}:\n{tail}")
        cost = watcher.result()
        # What ended between two looks is counted by the kernel, what nobody waited for only by the looks.
        cost["cpu_s"] = max(cost["cpu_s"], ended() - before)
        return {"wall_s": wall, **cost, "truth": server.truth()}


class Account:
    """What the server knows, if it is the simulated one; nothing of it for any other server."""

    def __init__(self, url):
        parts = urlsplit(url)
        self.connection = http.client.HTTPConnection(parts.hostname, parts.port or 80, timeout=5)
        self.keeps = True

    def get(self, path, method="GET"):
        """JSON, or nothing if the server keeps no account."""
        if not self.keeps:
            return None
        for _ in range(2):
            try:
                self.connection.request(method, path)
                answer = self.connection.getresponse()
                body = answer.read()
                self.keeps = answer.status == 200
                return json.loads(body) if self.keeps else None
            except (http.client.HTTPException, OSError):
                # A server may close a connection that was idle: once more on a new one.
                self.connection.close()
            except ValueError:
                self.keeps = False
                return None
        return None

    def reset(self):
        """Forgets what was before."""
        self.get("/truth/reset", "POST")

    def tokens(self):
        """Tokens generated since then."""
        return (self.get("/truth/tokens") or {}).get("tokens")

    def truth(self):
        """The whole account."""
        return self.get("/truth")


class Watcher(threading.Thread):
    """Looks at the processes of a session and at the server's count of tokens until it is told to end."""

    def __init__(self, session, server, begin):
        super().__init__(daemon=True)
        self.session, self.server, self.begin = session, server, begin
        self.over = threading.Event()
        # CPU seconds of each process at the last look: those that ended stay.
        self.cpu, self.alive, self.searched = {}, [session], 0.0
        self.rss, self.first, self.line = 0, None, []

    def run(self):
        while not self.over.is_set():
            self.look()
            self.over.wait(CLOSE if self.first is None and time.monotonic() - self.begin < 1 else APART)
        self.look()

    def look(self):
        """One look."""
        now = time.monotonic()
        if now - self.searched > SEARCH:
            self.alive, self.searched = members(self.session), now
        resident = 0
        for pid in self.alive:
            try:
                # The clock of a process, to the nanosecond, with the threads that have ended (`clock_getcpuclockid`).
                self.cpu[pid] = time.clock_gettime(~pid << 3 | 2)
                with open(f"/proc/{pid}/statm", "rb") as file:
                    resident += int(file.read().split()[1]) * PAGE
            except (OSError, ValueError, IndexError):
                continue
        self.rss = max(self.rss, resident)
        if self.first is None and (self.server.get("/truth") or {}).get("requests"):
            self.first = now - self.begin
        if self.first is not None:
            self.line.append((now, sum(self.cpu.values()), self.server.tokens() or 0))

    def result(self):
        """The fields of `Figures`."""
        cost = {"cpu_s": sum(self.cpu.values()), "rss_mb": self.rss / 1e6, "first_request_s": self.first}
        return cost | {"us_per_token": None, "steady_tps": None} | self.steady()

    def steady(self):
        """What lies between a tenth and nine tenths of the tokens."""
        total = self.line[-1][2] if self.line else 0
        middle = [point for point in self.line if total * 0.1 <= point[2] <= total * 0.9]
        if len(middle) < 3:
            return {}
        seconds, cpu, tokens = (last - first for first, last in zip(middle[0], middle[-1], strict=True))
        return {"us_per_token": cpu / tokens * 1e6, "steady_tps": tokens / seconds} if tokens else {}


def ended():
    """CPU seconds of all children that have ended, with theirs."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def members(session):
    """Processes of a session."""
    found = []
    for entry in os.scandir("/proc"):
        if not entry.name.isdigit():
            continue
        try:
            with open(f"/proc/{entry.name}/stat", "rb") as file:
                # The name in parentheses may hold anything; behind it come state, parent, group, session.
                fields = file.read().rpartition(b")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == session and fields[0] != b"Z":
            found.append(int(entry.name))
    return found


def sweep(child):
    """Ends what is left of a session."""
    for pid in members(child.pid):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    child.wait()
