"""guidellm, by its own command."""

import json

from peers import Peer, Run

PIN = "guidellm==0.8.1"


class GuideLlm(Peer):
    """`guidellm run`, as many streams as the concurrency."""

    name = "guidellm"
    # Its percentiles are over the means of requests.
    itl_of = "means of requests"

    def __init__(self, environments):
        super().__init__()
        self.version = PIN.split("==")[1]
        self.python = environments.need("clients")

    def run(self, load, folder):
        """Its settings come as lists of `key=value`."""
        result = folder / "result.json"
        argv = [
            self.python.parent / "guidellm", "run",
            "--backend", f"kind=openai_http,target={load.url},model={load.model},request_format=/v1/completions",
            "--profile", f"kind=concurrent,streams={load.concurrency}",
            "--constraint", f"kind=max_requests,count={load.requests}",
            "--tokenizer", f"kind=hf_auto,model={load.model}",
            "--data", f"kind=synthetic_text,prompt_tokens={load.input_len},output_tokens={load.output_len}",
            "--output", f"kind=json,path={result}", "--disable-console",
        ]
        return Run(argv, result, {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"})

    def read(self, file):
        """Distributions of the requests that succeeded."""
        metrics = json.loads(file.read_text())["benchmarks"][0]["metrics"]

        def percentile(name, which):
            return metrics[name]["successful"]["percentiles"][which]

        return {
            "completed": metrics["request_totals"]["successful"],
            "ttft_p50_ms": percentile("time_to_first_token_ms", "p50"),
            "ttft_p99_ms": percentile("time_to_first_token_ms", "p99"),
            "itl_p50_ms": percentile("inter_token_latency_ms", "p50"),
            "itl_p99_ms": percentile("inter_token_latency_ms", "p99"),
            "output_tps": metrics["output_tokens_per_second"]["successful"]["mean"],
        }
