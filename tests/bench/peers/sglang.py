"""SGLang's two clients, the one in Rust and the one in Python, out of its wheel without the engine around them."""

import json
import zipfile

from peers import Peer, Run
from peers.environment import HERE

PIN = "sglang==0.5.23"
# What the Python client really imports of the package.
PARTS = ("sglang/benchmark/", "sglang/srt/environ.py", "sglang/srt/utils/network.py", "sglang/srt/rust_extensions/_bench")
# In place of modules that would pull in the engine, and torch with it; the one constant is the one that is used.
INSTEAD = {
    "__init__.py": "",
    "srt/__init__.py": "",
    "srt/utils/__init__.py": "",
    "srt/disaggregation/__init__.py": "",
    "srt/disaggregation/utils.py": 'FAKE_BOOTSTRAP_HOST = "2.2.2.2"\n',
}


def unpack(environments):
    """The folder with the parts of the wheel; made once."""
    folder = environments.root / PIN.replace("==", "-")
    done = folder / "done"
    if not done.is_file():
        wheel = environments.fetch(PIN, folder)
        with zipfile.ZipFile(wheel) as file:
            file.extractall(folder, [name for name in file.namelist() if name.startswith(PARTS)])
        for name, text in INSTEAD.items():
            path = folder / "sglang" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        wheel.unlink()
        done.touch()
    return folder


class Sglang(Peer):
    """What both have in common: options and result."""

    def __init__(self, environments):
        super().__init__()
        self.version = PIN.split("==")[1]
        self.folder = unpack(environments)

    def options(self, load, tokenizer, result):
        """The command line; a ratio of 1 means fixed lengths."""
        return [
            "--backend", "vllm", "--base-url", load.url, "--model", load.model, "--tokenizer", tokenizer,
            "--dataset-name", "random-ids", "--random-input-len", load.input_len, "--random-output-len", load.output_len,
            "--random-range-ratio", "1", "--num-prompts", load.requests, "--max-concurrency", load.concurrency,
            "--output-file", result, "--disable-tqdm",
        ]

    def read(self, file):
        """One line of JSON per run."""
        said = json.loads(file.read_text().splitlines()[-1])
        return {
            "completed": said["completed"],
            "ttft_p50_ms": said["median_ttft_ms"],
            "ttft_p99_ms": said["p99_ttft_ms"],
            "itl_p50_ms": said["median_itl_ms"],
            "itl_p99_ms": said["p99_itl_ms"],
            "output_tps": said["output_throughput"],
        }


class SglRust(Sglang):
    """`sglang.benchmark.serving --rust-client`, the extension alone."""

    name = "sgl-rust"

    def __init__(self, environments):
        super().__init__(environments)
        self.python = environments.python
        self.library = next((self.folder / "sglang/srt/rust_extensions").glob("_bench*.so"))

    def run(self, load, folder):
        """Through a few lines of Python, as SGLang does it too."""
        result = folder / "result.jsonl"
        argv = [self.python, "-P", HERE / "sgl_rust_main.py", self.library]
        return Run([*argv, *self.options(load, load.model / "tokenizer.json", result)], result)


class SglPython(Sglang):
    """`sglang.benchmark.serving`."""

    name = "sgl-py"

    def __init__(self, environments):
        super().__init__(environments)
        self.python = environments.need("clients")

    def run(self, load, folder):
        """As a module."""
        result = folder / "result.jsonl"
        argv = [self.python, "-m", "sglang.benchmark.serving", *self.options(load, load.model, result)]
        return Run(argv, result, {"PYTHONPATH": str(self.folder), "HF_HUB_OFFLINE": "1"})
