"""The worker of the form `python`: loads one source, calls its entry over memory of its own, tells. It decides nothing.

It speaks the protocol of `src/worker/message.rs` over the socket that is its standard input; `src/worker/python.rs` starts it
and gives it its settings. Every tensor lives in a buffer of its own between two guards; each call brings the judge's bytes in
and takes everything back, inputs and margins too, so that the judge sees every write. What the candidate could patch is bound
here before the candidate is loaded; what it could still reach in this process, only the judge's own looks at memory and
clock answer for.
"""

import array
import ctypes
import gc
import importlib
import json
import linecache
import mmap
import os
import platform
import resource
import socket
import struct
import sys
import time
import types

MESSAGE = struct.Struct("=QQ8Q256s")
NOTHING = (1 << 64) - 1
PAGE = mmap.PAGESIZE
# Bytes in front of and behind each tensor's pages.
GUARD = 16 * PAGE
NO_MEMORY = -12
# What outputs hold before a probe, and how many cycles of the device it holds its stream up: about a tenth of a second.
POISON = 0xA5
HELD = 200_000_000
CLOCK = time.perf_counter_ns


class Refused(Exception):
    """Ends a request with a reply of this kind."""

    def __init__(self, kind, text, words=()):
        super().__init__(text)
        self.kind, self.text, self.words = kind, text, words


class Mode:
    """Control of floating point, through the C library: the words of `src/worker/mode.rs`."""

    def __init__(self):
        library = ctypes.CDLL("libm.so.6")
        self.get, self.set = library.fegetenv, library.fesetenv
        self.set.argtypes = [ctypes.c_void_p]
        self.buffer = ctypes.create_string_buffer(64)
        self.x86 = platform.machine() == "x86_64"

    def restore(self):
        # FE_DFL_ENV of the GNU C library.
        self.set(ctypes.c_void_p(-1))

    def read(self):
        self.get(self.buffer)
        if self.x86:
            return struct.unpack_from("=I", self.buffer, 28)[0] & ~0x3F, struct.unpack_from("=H", self.buffer, 0)[0]
        return struct.unpack_from("=I", self.buffer, 0)[0], 0


class Numpy:
    """Buffers and views of numpy, on the CPU."""

    # Names by code and bits of DLPack; those with a dot are in another module.
    TYPES = {
        (0, 8): "int8", (0, 32): "int32", (0, 64): "int64", (1, 8): "uint8", (2, 16): "float16", (2, 32): "float32",
        (2, 64): "float64", (6, 8): "bool", (4, 16): "ml_dtypes.bfloat16", (10, 8): "ml_dtypes.float8_e4m3fn",
        (12, 8): "ml_dtypes.float8_e5m2",
    }

    def __init__(self, _settings):
        self.np = importlib.import_module("numpy")
        self.stream = None

    def whole(self, memory):
        return self.np.frombuffer(memory, dtype=self.np.uint8)

    def bytes_of(self, pattern, count):
        return self.np.frombuffer((pattern * (count // len(pattern) + 1))[:count], dtype=self.np.uint8)

    def room(self, count):
        raw = self.np.empty(count + PAGE, dtype=self.np.uint8)
        skip = -raw.ctypes.data % PAGE
        return raw[skip:skip + count]

    def copy(self, to, source):
        to[...] = source

    def same(self, one, two):
        return bool((one == two).all())

    def first_difference(self, one, two):
        return int((one != two).argmax())

    def dtype(self, code):
        name = self.TYPES[code]
        if "." in name:
            module, name = name.split(".")
            return self.np.dtype(getattr(importlib.import_module(module), name))
        return self.np.dtype(name)

    def view(self, raw, at, tensor):
        dtype = self.dtype(tuple(tensor["dtype"]))
        steps = [step * dtype.itemsize for step in tensor["strides"]]
        if 0 in tensor["shape"]:
            return self.np.empty(tensor["shape"], dtype)
        return self.np.ndarray(tensor["shape"], dtype, raw, at, steps)

    def finish(self):
        pass


class Torch:
    """Buffers and views of torch, on the CPU or on the first device that is visible."""

    TYPES = {
        (0, 8): "int8", (0, 32): "int32", (0, 64): "int64", (1, 8): "uint8", (2, 16): "float16", (2, 32): "float32",
        (2, 64): "float64", (6, 8): "bool", (4, 16): "bfloat16", (10, 8): "float8_e4m3fn", (12, 8): "float8_e5m2",
    }

    def __init__(self, settings):
        self.torch = torch = importlib.import_module("torch")
        torch.set_num_threads(1)
        torch.set_grad_enabled(False)
        self.equal, self.empty, self.from_bytes, self.as_strided = (
            torch.equal, torch.empty, torch.frombuffer, torch.as_strided,
        )
        self.to, self.fill = torch.Tensor.copy_, torch.Tensor.view
        self.device, self.stream = "cpu", None
        if settings["device"] == "cuda":
            if not torch.cuda.is_available():
                raise Refused("unsupported", "torch of this interpreter sees no CUDA device")
            self.device = "cuda:0"
            self.event, self.set_stream, self.synchronize = (
                torch.cuda.Event, torch.cuda.set_stream, torch.cuda.synchronize,
            )
            # Streams of torch's pool never wait for the default stream.
            self.own = torch.cuda.Stream(self.device)
            self.set_stream(self.own)
            self.stream = self.own.cuda_stream

    def whole(self, memory):
        return self.from_bytes(memory, dtype=self.torch.uint8)

    def bytes_of(self, pattern, count):
        pattern = bytearray((pattern * (count // len(pattern) + 1))[:count])
        return self.from_bytes(pattern, dtype=self.torch.uint8).to(self.device)

    def room(self, count):
        raw = self.empty(count + PAGE, dtype=self.torch.uint8, device=self.device)
        skip = -raw.data_ptr() % PAGE
        return raw[skip:skip + count]

    def copy(self, to, source):
        self.to(to, source)

    def same(self, one, two):
        return self.equal(one, two)

    def first_difference(self, one, two):
        return int((one != two).to(self.torch.uint8).argmax())

    def dtype(self, code):
        name = self.TYPES[code]
        found = getattr(self.torch, name, None)
        if found is None:
            raise Refused("load_failed", f"torch {self.torch.__version__} has no {name}; take a newer one")
        return found

    def view(self, raw, at, tensor):
        dtype = self.dtype(tuple(tensor["dtype"]))
        if 0 in tensor["shape"]:
            return self.empty(tensor["shape"], dtype=dtype, device=self.device)
        size = tensor["dtype"][1] // 8
        typed = raw[at % size:]
        typed = self.fill(typed[:len(typed) // size * size], dtype)
        return self.as_strided(typed, tensor["shape"], tensor["strides"], typed.storage_offset() + at // size)

    def finish(self):
        if self.stream is not None:
            self.synchronize()
            self.set_stream(self.own)

    def about(self):
        """`About` of `src/worker/called.rs`; what a kernel takes is not known before it is compiled."""
        seen = self.torch.cuda.get_device_properties(0)
        uuid = str(getattr(seen, "uuid", ""))
        version = getattr(self.torch._C, "_cuda_getDriverVersion", lambda: 0)()
        return {
            "name": seen.name,
            "uuid": uuid if uuid.startswith("GPU-") or not uuid else f"GPU-{uuid}",
            "driver": driver(),
            "cuda": f"{version // 1000}.{version % 1000 // 10}" if version else self.torch.version.cuda or "",
            "capability": [seen.major, seen.minor],
            "l2_bytes": getattr(seen, "L2_cache_size", 0),
            "multiprocessors": seen.multi_processor_count,
            "registers": 0, "local_bytes": 0, "shared_bytes": 0,
            "max_threads": getattr(seen, "max_threads_per_block", 1024),
        }


def driver():
    try:
        with open("/proc/driver/nvidia/version", encoding="ascii") as file:
            words = file.readline().split()
    except OSError:
        return ""
    return next((word for word in words if word[0].isdigit() and word.count(".") in (1, 2)), "")


class Slot:
    """Pages of a tensor between guards, in a buffer that nothing else lies in."""

    def __init__(self, arrays, plan, arena, pattern):
        length = plan["len"]
        self.raw = arrays.room(GUARD + length + GUARD)
        self.pages = self.raw[GUARD:GUARD + length]
        self.file = arena[plan["file"]:plan["file"] + length]
        self.guards = (self.raw[:GUARD], self.raw[GUARD + length:])
        for guard in self.guards:
            arrays.copy(guard, pattern)


class Mapped:
    """What a plan says, in memory of this process."""

    def __init__(self, arrays, file, plan_len):
        self.arrays = arrays
        # The mapping outlives the descriptor.
        self.memory = mmap.mmap(file, os.fstat(file).st_size)
        self.plan = plan = json.loads(self.memory[:plan_len])
        arena = arrays.whole(self.memory)
        self.pattern = arrays.bytes_of(os.urandom(16), GUARD)
        self.slots = [Slot(arrays, slot, arena, self.pattern) for slot in plan["slots"]]
        self.scalars = [struct.unpack("=d", struct.pack("=Q", bits))[0] for bits in plan["scalars"]]
        snapshot = plan["snapshot"]
        self.snapshot = arena[snapshot["file"]:snapshot["file"] + snapshot["len"]]
        self.kept = arrays.room(snapshot["len"])
        self.calls = [self.views(placed) for placed in plan["sets"]]
        self.order = []
        arrays.finish()

    def views(self, placed):
        """Inputs and outputs of a set."""
        inputs, outputs = [], []
        for tensor, place in zip(self.plan["tensors"], placed):
            try:
                view = self.arrays.view(self.slots[place["slot"]].raw, GUARD + place["offset"], tensor)
            except ImportError as error:
                raise Refused(
                    "load_failed",
                    f"numpy has no such type by itself ({error}): install ml_dtypes, or use `array: torch`",
                ) from error
            (outputs if tensor["output"] else inputs).append(view)
        return inputs, outputs

    def used(self, sets):
        return [self.slots[at] for at in sorted({place["slot"] for one in sets for place in self.plan["sets"][one]})]

    def bring(self, sets):
        for slot in self.used(sets):
            self.arrays.copy(slot.pages, slot.file)
        self.arrays.finish()

    def take(self, sets):
        for slot in self.used(sets):
            self.arrays.copy(slot.file, slot.pages)
        self.arrays.finish()

    def tensor(self, one, tensor):
        """The pages of a tensor, from its first byte."""
        place = self.plan["sets"][one][tensor]
        return self.slots[place["slot"]].pages[place["offset"]:place["offset"] + place["span"]]

    def beyond(self):
        """The first slot with a guard that was written to, and the byte's place from the start of its pages."""
        for at, slot in enumerate(self.slots):
            for guard, start in zip(slot.guards, (-GUARD, len(slot.pages))):
                if not self.arrays.same(guard, self.pattern):
                    found = start + self.arrays.first_difference(guard, self.pattern)
                    self.arrays.copy(guard, self.pattern)
                    return at, found
        return None

    def schedule(self, count):
        first = self.plan["schedule"]["file"]
        sets = array.array("H", self.memory[first:first + 2 * count])
        if any(one >= len(self.calls) for one in sets):
            raise Refused("system", "no such set")
        return sets.tolist()


class Child:
    """Answers requests."""

    def __init__(self, settings, judge):
        self.settings, self.judge, self.kinds = settings, judge, settings["kinds"]
        self.mode, self.mapped, self.entry, self.arrays = Mode(), None, None, None
        self.file, self.spare = settings["file"], None

    def load(self):
        """Gives the bytes of address space that are in use when only the arrays' library is there."""
        try:
            self.arrays = {"numpy": Numpy, "torch": Torch}[self.settings["array"]](self.settings)
        except ImportError as error:
            raise Refused("load_failed", f"the interpreter cannot import it: {error}") from error
        with os.fdopen(self.settings["source"], "rb") as source:
            text = source.read()
        own = int(open("/proc/self/statm", encoding="ascii").read().split()[0]) * PAGE
        if self.settings["memory"] != NOTHING:
            hard = resource.getrlimit(resource.RLIMIT_AS)[1]
            most = own + self.settings["memory"]
            most = most if hard == resource.RLIM_INFINITY else min(most, hard)
            resource.setrlimit(resource.RLIMIT_AS, (most, hard))
        module = types.ModuleType("candidate")
        module.__file__ = self.file
        sys.modules["candidate"] = module
        # Who compiles a function from its source, as Triton does, finds it here.
        lines = text.decode(errors="replace").splitlines(keepends=True)
        linecache.cache[self.file] = (len(text), None, lines, self.file)
        try:
            exec(compile(text, self.file, "exec", dont_inherit=True), module.__dict__)
        except SystemExit as end:
            leave(end)
        except BaseException as error:
            raise Refused("load_failed", self.told(error)[1]) from error
        symbol = self.settings["symbol"]
        self.entry = module.__dict__.get(symbol)
        if not callable(self.entry):
            raise Refused("symbol_missing", symbol)
        # A device's own address space counts for nothing, and the reply tells of the device.
        return ([own], None) if self.arrays.stream is None else ([], self.arrays.about())

    def map(self, words, files):
        self.mapped = None
        gc.collect()
        if not files:
            raise Refused("system", "no memory came")
        self.mapped = Mapped(self.arrays, files[0], words[0])
        gc.freeze()
        return [0]

    def there(self):
        if self.mapped is None:
            raise Refused("system", "nothing is mapped")
        return self.mapped

    def told(self, error):
        """Return code and text of what was raised."""
        code = NO_MEMORY if isinstance(error, MemoryError) or "can't allocate memory" in str(error) else 1
        if self.arrays.stream is not None and ("CUDA error" in str(error) or "[CUDA]" in str(error)):
            # Nothing on the device can be believed after that.
            illegal = "illegal memory access" in str(error)
            raise Refused("launch", "CUDA_ERROR_ILLEGAL_ADDRESS" if illegal else str(error).partition("\n")[0])
        line, trace = "", error.__traceback__
        while trace is not None:
            if trace.tb_frame.f_code.co_filename == self.file:
                line = f" (line {trace.tb_lineno})"
            trace = trace.tb_next
        if isinstance(error, SyntaxError) and error.filename == self.file:
            line = f" (line {error.lineno})"
        return code, f"{type(error).__name__}: {error}{line}"

    def returned(self, value):
        """Return code and text of what came back."""
        if value is None:
            return 0, ""
        if isinstance(value, int) and -(1 << 31) <= value < 1 << 31:
            return int(value), ""
        return 1, f"it returned a `{type(value).__name__}`: outputs are written in place, and nothing is returned"

    def call(self, words):
        mapped, one = self.there(), words[0]
        if one >= len(mapped.calls):
            raise Refused("system", "no such set")
        mapped.bring([one])
        inputs, outputs = mapped.calls[one]
        arguments = inputs[:], outputs[:], mapped.scalars[:], self.arrays.stream
        self.mode.restore()
        before = self.mode.read()
        start = CLOCK()
        try:
            code, text = self.returned(self.entry(*arguments))
            self.arrays.finish()
        except SystemExit as end:
            leave(end)
        except BaseException as error:
            code, text = self.told(error)
        ns = CLOCK() - start
        after = self.mode.read()
        self.mode.restore()
        mapped.take([one])
        self.within(mapped)
        return [code & 0xFFFFFFFF, ns, *before, *after], text

    def within(self, mapped):
        """Nothing was written beyond the pages of any tensor."""
        beyond = mapped.beyond()
        if beyond is not None:
            raise Refused("guard", "", guard_words(mapped, *beyond))

    def block(self, words):
        """In three requests, so that the judge's clock brackets the calls and nothing else: bring, run, take."""
        count, watched, tensor, *_, part = words
        mapped = self.there()
        if part == 1:
            if watched != NOTHING and (watched >= count or tensor >= len(mapped.plan["tensors"])):
                raise Refused("system", "no such call or tensor")
            mapped.order = mapped.schedule(count)
            mapped.bring(mapped.order)
            self.mode.restore()
            gc.collect()
            gc.disable()
            return [], ""
        if part == 2:
            run = self.run if self.arrays.stream is None else self.run_on_device
            return run(mapped, watched, tensor, words[3])
        gc.enable()
        self.mode.restore()
        mapped.take(mapped.order)
        self.within(mapped)
        if watched != NOTHING:
            span = mapped.plan["sets"][mapped.order[watched]][tensor]["span"]
            self.arrays.copy(mapped.snapshot[:span], mapped.kept[:span])
            self.arrays.finish()
        return [], ""

    def run(self, mapped, watched, tensor, _flush):
        entry, scalars, stream, returned = self.entry, mapped.scalars, self.arrays.stream, self.returned
        calls, copy = [mapped.calls[one] for one in mapped.order], self.arrays.copy
        kept = source = None
        if watched != NOTHING:
            source = mapped.tensor(mapped.order[watched], tensor)
            kept = mapped.kept[:len(source)]
        ns = copied = code = at = 0
        text = ""
        start = CLOCK()
        try:
            for at, (inputs, outputs) in enumerate(calls):
                value = entry(inputs[:], outputs[:], scalars[:], stream)
                if at == watched:
                    ns += CLOCK() - start
                    start = CLOCK()
                    copy(kept, source)
                    copied = CLOCK() - start
                    start = CLOCK()
                if value is not None:
                    code, text = returned(value)
                    if code != 0:
                        break
            ns += CLOCK() - start
        except SystemExit as end:
            leave(end)
        except BaseException as error:
            code, text = self.told(error)
        mode = self.mode.read()
        return [ns, copied, at if code else NOTHING, code & 0xFFFFFFFF, *mode, ns], text

    def run_on_device(self, mapped, watched, tensor, flush):
        arrays, entry, scalars = self.arrays, self.entry, mapped.scalars
        spans, code, at, text = [], 0, 0, ""
        event = lambda: arrays.event(enable_timing=True)
        copied = None
        start = CLOCK()
        try:
            begin = event()
            begin.record(arrays.own)
            for at, one in enumerate(mapped.order):
                inputs, outputs = mapped.calls[one]
                if flush:
                    end = event()
                    end.record(arrays.own)
                    if at:
                        spans.append((begin, end))
                    self.overwrite()
                    begin = event()
                    begin.record(arrays.own)
                value = entry(inputs[:], outputs[:], scalars[:], arrays.stream)
                if at == watched:
                    source = mapped.tensor(one, tensor)
                    first, last = event(), event()
                    first.record(arrays.own)
                    arrays.copy(mapped.kept[:len(source)], source)
                    last.record(arrays.own)
                    spans.append((begin, first))
                    begin, copied = last, (first, last)
                if value is not None:
                    code, text = self.returned(value)
                    if code != 0:
                        break
            end = event()
            end.record(arrays.own)
            spans.append((begin, end))
            arrays.finish()
        except SystemExit as end:
            leave(end)
        except BaseException as error:
            code, text = self.told(error)
            arrays.finish()
        wall = CLOCK() - start
        elapsed = lambda pair: int(pair[0].elapsed_time(pair[1]) * 1e6)
        ns = sum(elapsed(pair) for pair in spans) if not code else 0
        mode = self.mode.read()
        return [ns, elapsed(copied) if copied and not code else 0, at if code else NOTHING, code & 0xFFFFFFFF, *mode, wall], text

    def overwrite(self):
        """Fills the second-level cache of the device with something else."""
        if self.spare is None:
            torch = self.arrays.torch
            level = getattr(torch.cuda.get_device_properties(0), "L2_cache_size", 0)
            free, _ = torch.cuda.mem_get_info()
            self.spare = self.arrays.room(min(max(4 * level, 256 << 20), free // 4))
        self.spare.zero_()

    def probe(self, one):
        """`Probed` of `src/worker/called.rs`, as far as torch tells it: limits of the device it does not."""
        mapped, arrays = self.there(), self.arrays
        if arrays.stream is None or one >= len(mapped.calls):
            raise Refused("system", "no such set, or no device")
        torch, (inputs, outputs) = arrays.torch, mapped.calls[one]
        mapped.bring([one])
        tensors = enumerate(mapped.plan["tensors"])
        written = [mapped.tensor(one, at) for at, tensor in tensors if tensor["output"]]

        def call():
            code, text = self.returned(self.entry(inputs[:], outputs[:], mapped.scalars[:], arrays.stream))
            if code != 0:
                raise RuntimeError(text or f"it returned {code}")

        def poison():
            for one in written:
                one.fill_(POISON)
            arrays.finish()

        try:
            call()
            arrays.finish()
            right = [one.clone() for one in written]
            reserved = torch.cuda.memory_stats().get("reserved_bytes.all.allocated", 0)
            call()
            arrays.finish()
            allocated = torch.cuda.memory_stats().get("reserved_bytes.all.allocated", 0) - reserved
            poison()
            # Whatever the call enqueues on its stream waits behind this.
            torch.cuda._sleep(HELD)
            held = arrays.event()
            held.record(arrays.own)
            call()
            waited, escaped = held.query(), False
            if not waited:
                time.sleep(0.02)
                with torch.cuda.stream(torch.cuda.Stream(arrays.device)):
                    seen = [one.cpu() for one in written]
                escaped = not held.query() and any(bool((one != POISON).any()) for one in seen)
            arrays.finish()
            capture = self.capture(torch, call, poison, written, right)
        except SystemExit as end:
            leave(end)
        except BaseException as error:
            raise Refused("launch", self.told(error)[1]) from error
        mapped.take([one])
        self.within(mapped)
        return {
            "escaped": escaped, "waited": waited, "capture": capture, "allocated": max(allocated, 0), "changed": [],
        }

    def capture(self, torch, call, poison, written, right):
        """Why a call does not replay from a graph; nothing if it does."""
        graph = torch.cuda.CUDAGraph()
        try:
            with torch.cuda.graph(graph, stream=self.arrays.own):
                call()
        except RuntimeError as error:
            self.arrays.finish()
            return str(error).partition("\n")[0]
        poison()
        graph.replay()
        self.arrays.finish()
        return None if all(map(torch.equal, written, right)) else "differs"

    def answer(self, nonce, kind, words, files):
        try:
            if kind == self.kinds["map"]:
                words, text = self.map(words, files), ""
            elif kind == self.kinds["call"]:
                words, text = self.call(words)
            elif kind == self.kinds["block"]:
                words, text = self.block(words)
            elif kind == self.kinds["probe"]:
                self.reply(nonce, "done", [], "", self.probe(words[0]))
                return
            else:
                raise Refused("system", "unknown request")
            self.reply(nonce, "done", words, text)
        except Refused as refused:
            self.reply(nonce, refused.kind, refused.words, refused.text)
        except MemoryError:
            self.reply(nonce, "system", [-NO_MEMORY], "memory ran out")
        finally:
            for file in files:
                os.close(file)

    def reply(self, nonce, kind, words, text, more=None):
        words = [word & NOTHING for word in words][:8]
        text = text.encode(errors="replace")[:256]
        message = MESSAGE.pack(nonce, self.kinds[kind], *words, *[0] * (8 - len(words)), text)
        if more is None:
            self.judge.sendall(message)
            return
        # What is too long for a message comes in memory of its own.
        file = os.memfd_create("more")
        try:
            os.write(file, json.dumps(more).encode())
            socket.send_fds(self.judge, [message], [file])
        finally:
            os.close(file)

    def serve(self):
        while True:
            message, files, _, _ = socket.recv_fds(self.judge, MESSAGE.size + 1, 2)
            if len(message) != MESSAGE.size:
                return
            nonce, kind, *words, _text = MESSAGE.unpack(message)
            self.answer(nonce, kind, words, files)


def guard_words(mapped, slot, offset):
    """Set, tensor, bytes from the tensor's first byte, and whether it lies in front of it."""
    for one, placed in enumerate(mapped.plan["sets"]):
        # Of two tensors in the same pages the last is the output.
        for tensor in reversed(range(len(placed))):
            if placed[tensor]["slot"] == slot:
                offset -= placed[tensor]["offset"]
                return [one, tensor, offset, offset < 0]
    return [0, 0, offset, offset < 0]


def leave(end):
    """The candidate ends the process: so be it."""
    code = end.code if isinstance(end.code, int) else int(end.code is not None)
    os._exit(code & 0xFF)


def main():
    settings = json.loads(sys.argv[1])
    sys.argv[:] = [""]
    # Out of the way of whoever counts descriptors from 0; standard input becomes what standard output is, /dev/null.
    judge = socket.socket(fileno=os.dup(0))
    os.dup2(1, 0)
    child = Child(settings, judge)
    nonce = int(settings["nonce"])
    try:
        words, about = child.load()
    except Refused as refused:
        child.reply(nonce, refused.kind, refused.words, refused.text)
        return
    child.reply(nonce, "done", words, "", about)
    child.serve()


main()
# Not by falling off the end: what the candidate left to be run at the exit is nothing that anybody asked for.
os._exit(0)
