"""Shows that a candidate in Python has the fault that the list says: `python.py <candidate> <proof>` prints yes or no. Must not
judge, and knows nothing of the judge."""

import io
import os
import resource
import signal
import sys
import time
import types

import numpy as np

CLOCK = time.perf_counter_ns
ADD, COPYTO = np.add, np.copyto
RANDOM = np.random.default_rng(os.getpid())


def load(path):
    module = types.ModuleType("candidate")
    with open(path, encoding="utf-8") as file:
        exec(compile(file.read(), path, "exec"), module.__dict__)
    return module


def matrix(rows, width, gap=0):
    """A matrix in the middle of a larger buffer."""
    buffer = RANDOM.standard_normal((rows + 40) * (width + gap) + 20000).astype(np.float32)
    start = 8000
    view = np.lib.stride_tricks.as_strided(buffer[start:], (rows, width), (4 * (width + gap), 4))
    return buffer, view


class Call:
    """Inputs, an output full of NaN, and what is right."""

    def __init__(self, rows=64, width=256, gap=0):
        (self.a_all, self.a), (self.b_all, self.b), (self.y_all, self.y) = (matrix(rows, width, gap) for _ in range(3))
        self.y_all[...] = np.nan
        self.before = [self.a_all.copy(), self.b_all.copy()]
        self.right = ADD(self.a, self.b)

    def make(self, entry):
        return entry([self.a, self.b], [self.y], [], None)

    def is_right(self):
        return np.array_equal(self.y, self.right)


def after(entry, **sizes):
    call = Call(**sizes)
    call.make(entry)
    return call


def raised(entry, kind, **sizes):
    try:
        after(entry, **sizes)
    except kind:
        return True
    return False


def wrong(entry):
    call = after(entry)
    return not np.isnan(call.y).any() and not call.is_right()


def unwritten(entry):
    return np.isnan(after(entry).y).any()


def wrong_width(entry):
    return after(entry).is_right() and not after(entry, width=33).is_right()


def wrong_strided(entry):
    return after(entry).is_right() and not after(entry, gap=3).is_right()


def mutates(entry):
    call = after(entry)
    return not all(map(np.array_equal, (call.a_all, call.b_all), call.before))


def mutates_new(entry):
    def changed(call):
        call.make(entry)
        return not all(map(np.array_equal, (call.a_all, call.b_all), call.before))

    same = Call()
    return not any(changed(same) for _ in range(200)) and any(changed(Call()) for _ in range(8))


def stale(entry):
    call = after(entry)
    first = call.is_right()
    call.a += 1
    call.make(entry)
    return first and not np.array_equal(call.y, ADD(call.a, call.b))


def late(entry):
    results = [after(entry).is_right() for _ in range(600)]
    return all(results[:300]) and not any(results[-10:])


def deferred(entry):
    calls, at_once = [Call() for _ in range(400)], []
    for call in calls:
        call.make(entry)
        at_once.append(call.is_right())
    return all(at_once[:30]) and not all(at_once[30:]) and all(call.is_right() for call in calls[:-8])


def swallows_nan(entry):
    call = Call()
    call.a[0, 0] = np.nan
    call.make(entry)
    return not np.isnan(call.y[0, 0]) and np.array_equal(call.y[1:], call.right[1:])


def writes_beyond(entry):
    call = after(entry)
    rest = np.ones(len(call.y_all), bool)
    rest[8000:8000 + call.y.size] = False
    return not np.isnan(call.y_all[rest]).all()


def serves(entry):
    call = Call()
    call.b = call.b.astype(np.float64)
    try:
        return call.make(entry) in (None, 0)
    except (ValueError, TypeError):
        return False


def raises(entry):
    return raised(entry, RuntimeError, rows=7)


def returns(entry):
    return Call().make(entry) is not None


def exits(entry):
    return raised(entry, SystemExit)


def hangs(entry):
    signal.signal(signal.SIGALRM, lambda *_: (_ for _ in ()).throw(TimeoutError()))
    signal.alarm(1)
    found = raised(entry, TimeoutError)
    signal.alarm(0)
    return found


def grows(entry):
    with open("/proc/self/statm", encoding="ascii") as file:
        now = int(file.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (now + (1 << 30), resource.getrlimit(resource.RLIMIT_AS)[1]))
    return raised(entry, MemoryError)


def prints(entry):
    kept, sys.stdout = sys.stdout, io.StringIO()
    after(entry)
    said, sys.stdout = sys.stdout.getvalue(), kept
    return bool(said)


def stops_clock(entry):
    after(entry)
    stopped = time.perf_counter_ns() == 0
    time.perf_counter_ns = CLOCK
    return stopped


def patches(entry):
    after(entry)
    patched = np.copyto is not COPYTO
    np.copyto = COPYTO
    return patched


def slower(entry):
    baseline = load(os.path.join(os.path.dirname(PATH), "baseline.py")).kv_entry

    def best(function):
        call, times = Call(), []
        for _ in range(20):
            start = CLOCK()
            call.make(function)
            times.append(CLOCK() - start)
        return min(times)

    return best(entry) > 2 * best(baseline)


def holds(name):
    return any(isinstance(value, types.ModuleType) and value.__name__ == name for value in vars(MODULE).values())


def reaches_inside(entry):
    return "__subclasses__" in entry.__code__.co_names


def constructs():
    return any(isinstance(value, np.ndarray) for value in vars(MODULE).values())


def main():
    proof = sys.argv[2]
    if proof == "syntax":
        return MODULE is None
    if MODULE is None:
        return False
    entry = vars(MODULE).get("kv_entry")
    if proof == "missing":
        return entry is None
    if proof.startswith("holds:"):
        return holds(proof.partition(":")[2])
    if proof == "constructs":
        return constructs()
    return bool(globals()[proof](entry))


PATH = sys.argv[1]
try:
    MODULE = load(PATH)
except SyntaxError:
    MODULE = None
print("yes" if main() else "no")
