"""Tensors in memory of the interpreter's own, for the worker of the form `python`. `child.py` says what all of it is for; the three
files are one program.

Every tensor lies between two guards in a buffer that holds nothing else. What the candidate could patch is bound here before the
candidate is loaded.
"""

import array
import ctypes
import importlib
import json
import mmap
import os
import platform
import struct
import time

NOTHING = (1 << 64) - 1
PAGE = mmap.PAGESIZE
# Bytes in front of and behind each tensor's pages.
GUARD = 16 * PAGE
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
