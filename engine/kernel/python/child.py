"""The worker of the form `python`: loads one source, calls its entry over memory of its own, tells. It decides nothing.

It speaks the protocol of `src/worker/message.rs` over the socket that is its standard input; `src/worker/python.rs` starts it, in one
program with `memory.py` and `device.py`, and gives it its settings. Each call brings the judge's bytes in and takes everything back,
inputs and margins too, so that the judge sees every write. What the candidate could still reach in this process, only the judge's
own looks at memory and clock answer for.
"""

import gc
import linecache
import resource
import socket
import sys
import types

MESSAGE = struct.Struct("=QQ8Q256s")
NO_MEMORY = -12


class Child(OnDevice):
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
