"""What can be told of a Python kernel without running it. Reads the source from standard input, prints JSON. Must not import it.

Python hides more than this can see; it finds what honest kernels never hold and common tricks need: the system, the clock,
other modules' names, memory beyond a tensor, work at import, errors that are swallowed. Everything else is left to the gates
that look at values, memory and time.
"""

import ast
import json
import sys

MODULES = {
    "torch", "torch.nn", "torch.nn.functional", "torch.cuda", "torch.linalg", "torch.special", "torch.fft",
    "triton", "triton.language", "triton.language.math", "triton.language.extra", "triton.language.extra.libdevice",
    "triton.language.extra.cuda", "triton.language.extra.cuda.libdevice",
    "numpy", "numpy.linalg", "numpy.fft", "numpy.lib", "numpy.lib.stride_tricks", "numpy.random",
    "math", "functools", "typing", "dataclasses", "__future__",
}
IMPORTS = {"torch", "torch.nn", "torch.nn.functional", "triton", "triton.language", "numpy", "math", "functools", "typing",
           "dataclasses", "__future__"}

# Names of a module that are allowed; of modules that are not listed, all but what is refused below.
ONLY = {
    "triton": {"jit", "autotune", "heuristics", "Config", "cdiv", "next_power_of_2", "language", "constexpr"},
    "torch.cuda": {"is_available", "get_device_properties", "get_device_capability", "get_device_name", "current_device",
                   "current_stream", "device", "device_count"},
    "functools": {"partial", "wraps", "reduce", "cache", "lru_cache", "cached_property"},
    "dataclasses": {"dataclass", "field", "replace", "fields", "asdict", "astuple"},
    "numpy.lib": {"stride_tricks"},
}
# What reaches files, code, processes or settings of the library.
REFUSED = {
    "torch": {
        "load", "save", "hub", "utils", "ops", "classes", "jit", "compile", "multiprocessing", "distributed", "library",
        "package", "serialization", "storage", "fx", "export", "profiler", "monitor", "futures", "testing", "overrides",
        "backends", "from_file", "use_deterministic_algorithms", "accelerator", "cpu", "xpu", "mps", "mtia", "autograd",
        "Stream", "Event", "UntypedStorage", "TypedStorage", "random", "compiler", "func", "functional", "masked", "onnx",
        "optim", "ao", "quantization", "distributions", "version", "torch_version", "return_types",
    },
    "numpy": {
        "load", "save", "savez", "savez_compressed", "savetxt", "loadtxt", "genfromtxt", "fromfile", "memmap", "fromregex",
        "ctypeslib", "core", "f2py", "distutils", "testing", "seterr", "seterrcall", "setbufsize", "set_printoptions",
        "set_string_function", "rec", "char", "compat", "matrixlib", "ma", "polynomial", "typing", "version", "emath",
    },
    "torch.nn": {"modules", "parallel", "utils", "init", "parameter", "qat", "quantized", "quantizable", "attention"},
    "triton.language": {"device_print", "static_print", "core", "standard", "semantic"},
}
ASSEMBLY = {"inline_asm_elementwise", "globaltimer", "smid"}
# Libraries and modules of the system that other modules happen to hold as names.
HELD = (sys.stdlib_module_names | {"torch", "numpy", "np", "triton", "tl"}) - {
    "array", "copy", "math", "cmath", "numbers", "operator", "random", "select", "signal", "string", "trace", "typing",
}
# Builtin names that reach out of a kernel.
BUILTINS = {
    "exec": "runs code from text", "eval": "runs code from text", "compile": "makes code from text", "open": "opens a file",
    "__import__": "imports by name", "globals": "reaches every global name", "locals": "reaches every local name",
    "vars": "reaches every name of an object", "print": "prints",
    "breakpoint": "starts a debugger", "exit": "ends the process", "quit": "ends the process", "help": "opens a pager",
}
# Attributes that lead from an object to the interpreter, to a file, or to memory that is not the tensor's own.
ATTRIBUTES = {
    "f_back": "frames", "f_globals": "frames", "f_locals": "frames", "f_builtins": "frames", "gi_frame": "frames",
    "cr_frame": "frames", "ag_frame": "frames", "tb_frame": "frames", "tb_next": "frames", "func_globals": "frames",
    "co_code": "code", "co_consts": "code", "mro": "classes", "ctypes": "addresses", "tofile": "files", "dump": "files",
    "dumps": "files", "untyped_storage": "the memory around a tensor", "storage": "the memory around a tensor",
    "set_": "the memory around a tensor", "base": "the memory around a tensor",
    "share_memory_": "memory of other processes", "record_stream": "streams", "wait_stream": "streams",
}
# Calls that may stand outside of functions: they make constants.
CONSTANT_CALLS = {
    "triton.language.constexpr", "triton.constexpr", "triton.Config", "numpy.dtype", "numpy.float16", "numpy.float32",
    "numpy.float64", "numpy.int32", "numpy.int64", "typing.TypeVar", "range", "float", "int", "tuple", "frozenset",
}
DECORATORS = {
    "triton.jit", "triton.autotune", "triton.heuristics", "functools.wraps", "functools.cache", "functools.lru_cache",
    "functools.cached_property", "dataclasses.dataclass", "torch.no_grad", "torch.inference_mode", "staticmethod",
    "classmethod", "property", "typing.overload", "typing.final",
}
# Names that must stay what they are, since their use outside of functions is allowed.
FIXED = {name for name in CONSTANT_CALLS | DECORATORS if "." not in name} | {"getattr", "setattr", "delattr", "memoryview"}
DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


def is_dunder(name):
    return name.startswith("__") and name.endswith("__")


class Scan(ast.NodeVisitor):
    """Collects findings in the order of their lines."""

    def __init__(self, text, allowed, symbol):
        self.lines = text.splitlines()
        self.allowed, self.symbol = IMPORTS | allowed, symbol
        # What a name of the source stands for, as a path from a module.
        self.names = {}
        self.found = []

    def find(self, code, node, what):
        line = getattr(node, "lineno", 1)
        source = self.lines[line - 1].strip() if line <= len(self.lines) else ""
        finding = {"code": code, "line": line, "what": what, "text": source[:200]}
        if finding not in self.found:
            self.found.append(finding)

    # Names and paths

    def path(self, node):
        """The path that an expression names, if it begins with something imported or builtin."""
        if isinstance(node, ast.Name):
            return self.names.get(node.id, node.id)
        if isinstance(node, ast.Attribute):
            before = self.path(node.value)
            return before and f"{before}.{node.attr}"
        return None

    def is_imported(self, node):
        while isinstance(node, (ast.Attribute, ast.Subscript)):
            node = node.value
        return isinstance(node, ast.Name) and node.id in self.names

    def refuse_path(self, node, path):
        module, _, name = path.rpartition(".")
        root = path.split(".")[0]
        if root not in {one.split(".")[0] for one in self.allowed} or not module:
            return
        if name in ASSEMBLY and root == "triton":
            self.find("FORBIDDEN_INSTRUCTION", node, f"`{path}` is assembly or reads a clock")
        elif name.startswith("_") and not is_dunder(name):
            self.find("FORBIDDEN_IMPORT", node, f"`{path}` is an inner part of its library")
        elif name in HELD:
            self.find("FORBIDDEN_IMPORT", node, f"`{path}` is another module")
        elif module in ONLY and name not in ONLY[module] and path not in self.allowed:
            self.find("FORBIDDEN_IMPORT", node, f"the task does not allow `{path}`")
        elif (name in REFUSED.get(module, ()) or name.startswith("set_")) and module in MODULES \
                and path not in self.allowed:
            self.find("FORBIDDEN_IMPORT", node, f"the task does not allow `{path}`")

    def visit_Import(self, node):
        for alias in node.names:
            if alias.name not in self.allowed:
                self.find("FORBIDDEN_IMPORT", node, f"the task does not allow `import {alias.name}`")
            bound = alias.asname or alias.name.split(".")[0]
            self.bind(node, bound)
            self.names[bound] = alias.name if alias.asname else bound

    def visit_ImportFrom(self, node):
        module = node.module or ""
        if node.level or (module not in self.allowed and module not in MODULES):
            self.find("FORBIDDEN_IMPORT", node, f"the task does not allow `from {'.' * node.level}{module} import`")
            return
        for alias in node.names:
            if alias.name == "*":
                self.find("FORBIDDEN_IMPORT", node, f"`from {module} import *` hides what it takes")
                continue
            path = f"{module}.{alias.name}"
            self.bind(node, alias.asname or alias.name)
            self.names[alias.asname or alias.name] = path
            self.refuse_path(node, path)

    def bind(self, node, name):
        if is_dunder(name) or name in BUILTINS or name in FIXED:
            self.find("FORBIDDEN_INSTRUCTION", node, f"it gives `{name}` another meaning")

    def visit_Name(self, node):
        if isinstance(node.ctx, ast.Load):
            if node.id in BUILTINS and node.id not in self.names:
                self.find("FORBIDDEN_IMPORT", node, f"`{node.id}` {BUILTINS[node.id]}")
            elif is_dunder(node.id):
                self.find("FORBIDDEN_IMPORT", node, f"`{node.id}` belongs to the interpreter")
            elif self.names.get(node.id) in MODULES:
                self.find("FORBIDDEN_INSTRUCTION", node, f"it hands the module `{node.id}` on, so that its use cannot be told")
            elif node.id in ("getattr", "setattr", "delattr", "memoryview"):
                self.find("FORBIDDEN_INSTRUCTION", node, f"it hands `{node.id}` on, so that its use cannot be told")
        else:
            self.bind(node, node.id)
            # The name is another thing from here on; what it was is looked at under the old name as well.
            if node.id in self.names:
                self.find("FORBIDDEN_INSTRUCTION", node, f"it gives the imported `{node.id}` another meaning")

    def visit_Attribute(self, node):
        name = node.attr
        if not isinstance(node.ctx, ast.Load) and self.is_imported(node):
            self.find("FORBIDDEN_INSTRUCTION", node, f"it changes `{self.path(node) or name}`, which belongs to a library")
        if is_dunder(name) and name not in ("__init__", "__name__"):
            self.find("FORBIDDEN_INSTRUCTION", node, f"`{name}` reaches into the interpreter")
        elif name in ATTRIBUTES and not (name in ("storage", "base") and self.is_self(node.value)):
            self.find("FORBIDDEN_INSTRUCTION", node, f"`.{name}` reaches {ATTRIBUTES[name]}")
        path = self.path(node)
        if path and self.is_imported(node):
            self.refuse_path(node, path)
        # A module as the base of an attribute is its proper use; everything below the first name is looked at here.
        value = node.value
        if not (isinstance(value, ast.Name) and self.is_imported(value)):
            self.visit(value)

    def visit_ExceptHandler(self, node):
        if node.name:
            self.bind(node, node.name)
        self.generic_visit(node)

    @staticmethod
    def is_self(node):
        return isinstance(node, ast.Name) and node.id == "self"

    def visit_Subscript(self, node):
        if not isinstance(node.ctx, ast.Load) and self.is_imported(node):
            self.find("FORBIDDEN_INSTRUCTION", node, "it changes what belongs to a library")
        self.generic_visit(node)

    def visit_Call(self, node):
        function = node.func
        name = function.id if isinstance(function, ast.Name) else None
        if name in ("setattr", "delattr"):
            self.find("FORBIDDEN_INSTRUCTION", node, f"`{name}` changes what cannot be told")
        elif name == "getattr":
            self.getattr(node)
        elif name == "memoryview":
            self.find("FORBIDDEN_INSTRUCTION", node, "`memoryview` reaches memory")
        else:
            self.visit(function)
        for part in [*node.args, *node.keywords]:
            self.visit(part)

    def getattr(self, node):
        name = node.args[1] if len(node.args) > 1 else None
        if not (isinstance(name, ast.Constant) and isinstance(name.value, str)):
            self.find("FORBIDDEN_INSTRUCTION", node, "`getattr` of a name that cannot be told")
            return
        attribute = ast.Attribute(value=node.args[0], attr=name.value, ctx=ast.Load())
        ast.copy_location(attribute, node)
        if name.value.startswith("_"):
            self.find("FORBIDDEN_INSTRUCTION", node, f"`getattr` of `{name.value}` reaches inside")
        self.visit_Attribute(attribute)
        # As the first argument a module is not handed on.
        node.args = node.args[2:]

    def visit_MatchClass(self, node):
        for name in node.kwd_attrs:
            if name.startswith("_") or name in ATTRIBUTES:
                self.find("FORBIDDEN_INSTRUCTION", node, f"a pattern reaches `{name}`")
        self.generic_visit(node)

    def visit_Global(self, node):
        for name in node.names:
            self.bind(node, name)

    visit_Nonlocal = visit_Global

    def visit_FunctionDef(self, node):
        self.bind(node, node.name if node.name != "__init__" else "init")
        if node.name in self.names:
            self.find("FORBIDDEN_INSTRUCTION", node, f"it gives the imported `{node.name}` another meaning")
        self.generic_visit(node)

    visit_AsyncFunctionDef = visit_FunctionDef
    visit_ClassDef = visit_FunctionDef

    def visit_arg(self, node):
        # A parameter hides what its name was; calls through it are looked at by what is handed over.
        if node.arg in self.names or node.arg in BUILTINS:
            self.find("FORBIDDEN_INSTRUCTION", node, f"a parameter gives `{node.arg}` another meaning")
        self.generic_visit(node)

    # Errors that are swallowed

    def visit_Try(self, node):
        for handler in node.handlers:
            if not self.hands_on(handler.body):
                self.find("FORBIDDEN_INSTRUCTION", handler,
                          "a handler swallows an error: let it end with `raise` or with the return of a code other than 0")
        for inner in ast.walk(ast.Module(body=node.finalbody, type_ignores=[])):
            if isinstance(inner, (ast.Return, ast.Break, ast.Continue)):
                self.find("FORBIDDEN_INSTRUCTION", inner, "leaving `finally` swallows an error")
        self.generic_visit(node)

    visit_TryStar = visit_Try

    def hands_on(self, body):
        last = body[-1]
        if isinstance(last, ast.If) and last.orelse:
            return self.hands_on(last.body) and self.hands_on(last.orelse)
        if isinstance(last, ast.Raise):
            return True
        value = last.value if isinstance(last, ast.Return) else None
        if isinstance(value, ast.UnaryOp) and isinstance(value.op, ast.USub):
            value = value.operand
        return isinstance(value, ast.Constant) and type(value.value) is int and value.value != 0

    # Work at import

    def module(self, tree):
        self.body(tree.body, "when it is loaded")
        self.visit(tree)
        if not any(isinstance(one, (ast.FunctionDef, ast.Assign)) and self.symbol in names_of(one) for one in tree.body):
            self.find("ABI_SYMBOL_MISSING", tree, f"it defines no function `{self.symbol}`")

    def body(self, body, when):
        for statement in body:
            if isinstance(statement, (ast.Import, ast.ImportFrom, ast.Pass)):
                # Names must be known before decorators are looked at.
                if isinstance(statement, ast.Import):
                    for alias in statement.names:
                        bound = alias.asname or alias.name.split(".")[0]
                        self.names.setdefault(bound, alias.name if alias.asname else bound)
                elif isinstance(statement, ast.ImportFrom):
                    for alias in statement.names:
                        self.names.setdefault(alias.asname or alias.name, f"{statement.module or ''}.{alias.name}")
            elif isinstance(statement, DEFINITIONS):
                self.definition(statement, when)
            elif isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
                pass
            elif isinstance(statement, (ast.Assign, ast.AnnAssign)):
                self.constant(statement, when)
            else:
                self.find("FORBIDDEN_CONSTRUCTOR", statement, f"it runs code {when}; keep to imports, constants and definitions")

    def definition(self, node, when):
        for decorator in node.decorator_list:
            function = decorator.func if isinstance(decorator, ast.Call) else decorator
            path = self.path(function)
            if path not in DECORATORS:
                self.find("FORBIDDEN_CONSTRUCTOR", decorator, f"the decorator `{ast.unparse(function)}` runs code {when}")
            if isinstance(decorator, ast.Call):
                for part in [*decorator.args, *[keyword.value for keyword in decorator.keywords]]:
                    self.constant(part, when)
        if isinstance(node, ast.ClassDef):
            for keyword in node.keywords:
                self.find("FORBIDDEN_CONSTRUCTOR", node, f"`{keyword.arg}` of a class runs code {when}")
            for base in node.bases:
                self.constant(base, when)
            self.body(node.body, when)
            return
        arguments = node.args
        for part in [*arguments.defaults, *arguments.kw_defaults]:
            if part is not None:
                self.constant(part, when)
        annotated = [one.annotation for one in ast.walk(arguments) if isinstance(one, ast.arg)] + [node.returns]
        for part in annotated:
            if part is not None:
                self.constant(part, when)

    def constant(self, node, when):
        """An expression that runs outside of functions may call nothing but what makes constants."""
        waiting = [node]
        while waiting:
            one = waiting.pop()
            if isinstance(one, FUNCTIONS):
                continue
            if isinstance(one, ast.Call) and self.path(one.func) not in CONSTANT_CALLS \
                    and not (self.path(one.func) or "").startswith("math."):
                self.find("FORBIDDEN_CONSTRUCTOR", one, f"it calls `{ast.unparse(one.func)[:60]}` {when}")
            if isinstance(one, (ast.Await, ast.Yield, ast.YieldFrom)):
                self.find("FORBIDDEN_CONSTRUCTOR", one, f"it runs code {when}")
            waiting.extend(ast.iter_child_nodes(one))


def names_of(statement):
    if isinstance(statement, ast.FunctionDef):
        return [statement.name]
    return [target.id for target in statement.targets if isinstance(target, ast.Name)]


def main():
    settings = json.loads(sys.argv[1])
    source = sys.stdin.buffer.read()
    try:
        tree = ast.parse(source, settings["file"])
        text = source.decode()
    except SyntaxError as error:
        syntax = {"line": error.lineno or 1, "what": str(error.msg), "text": (error.text or "").strip()[:200]}
        print(json.dumps({"syntax": syntax, "findings": []}))
        return
    except (ValueError, UnicodeDecodeError, RecursionError, MemoryError) as error:
        syntax = {"line": 1, "what": f"it cannot be read: {error}", "text": ""}
        print(json.dumps({"syntax": syntax, "findings": []}))
        return
    scan = Scan(text, set(settings["allow"]), settings["symbol"])
    try:
        scan.module(tree)
    except RecursionError:
        print(json.dumps({"syntax": {"line": 1, "what": "its expressions are nested too deeply", "text": ""}, "findings": []}))
        return
    scan.found.sort(key=lambda finding: finding["line"])
    print(json.dumps({"syntax": None, "findings": scan.found[:50]}))


main()
