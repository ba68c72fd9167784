"""Our own client, `assay bench`."""

import json

from engines import ask
from measure import BenchError
from peers import Peer, Run

# Its exit code for a measurement that it does not vouch for.
INVALID = 25


class Assay(Peer):
    """The binary under test."""

    name = "assay"

    def __init__(self, binary):
        super().__init__()
        self.binary = binary
        if not binary.is_file():
            raise BenchError(f"there is no {binary}; `cargo build --release` makes it, `--assay FILE` names another")
        self.version = ask([binary, "--version"]).split()[-1]

    def run(self, load, folder):
        """With the tokenizer, so that it makes prompts as the peers do."""
        argv = [
            self.binary, "bench", "--url", load.url, "--num-prompts", load.requests, "--input-len", load.input_len,
            "--output-len", load.output_len, "--range-ratio", "1", "--concurrency", load.concurrency,
            "--tokenizer", load.model, "--out", folder,
        ]
        return Run(argv, folder / "row.jsonl", ends=(0, INVALID))

    def read(self, file):
        """Its row; the percentiles are over all gaps."""
        row = json.loads(file.read_text().splitlines()[-1])
        said = row["metrics"]
        return {
            "objection": "; ".join(row["validity"].get("reasons", ())) or None,
            "completed": int(said["completed"]),
            "ttft_p50_ms": said["p50_ttft_ms"],
            "ttft_p99_ms": said["p99_ttft_ms"],
            "itl_p50_ms": said["p50_inter_chunk_ms"],
            "itl_p99_ms": said["p99_inter_chunk_ms"],
            "output_tps": said["output_token_throughput"],
        }
