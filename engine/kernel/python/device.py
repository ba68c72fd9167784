"""Calls on a device, for the worker of the form `python`: times by events, and what only a device lets a call do. One program with
`memory.py` and `child.py`.
"""

# What outputs hold before a probe, and how many cycles of the device it holds its stream up: about a tenth of a second.
POISON = 0xA5
HELD = 200_000_000


class OnDevice:
    """The part of `Child` that only devices need."""

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
