#!/usr/bin/env python3
"""Trains the tokenizer that the tiny model is served with, from a corpus that never changes.

Nobody has to run this: the result is committed, because token ids decide what a comparison measures. It is here so that
the committed file can be made again and checked (`--check`). Byte-level BPE, 8,192 tokens, of which the ids 0, 1, 2 are
`<s>`, `</s>`, `<pad>`. The corpus is the Python code and the description in two pinned wheels, named by their digests.

Needs `tokenizers` in the version of `requirements.txt`, and pip to fetch the corpus.
"""

import argparse
import hashlib
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
COMMITTED = HERE.parent.parent / "engine/loadgen/tests/data/tokenizer.json"
# Both are pure Python, so every platform gets the same file.
CORPUS = {
    "fastapi==0.165.0": "896f48462042bb4f162147eb8fac7e858753dc1f486765709baf105d70e4fc5b",
    "networkx==3.6.1": "d47fbf302e7d9cbbb9e2555a0d267983d2aa476bac30e90dfbe5669bd57f3762",
}
SPECIAL = ["<s>", "</s>", "<pad>"]
SIZE = 8192


class CorpusError(Exception):
    """The corpus is not the one that it has to be; the text says what to do."""


def wheels(folder):
    """The wheels of the corpus, fetched into `folder` unless they lie there already."""
    for pin, digest in CORPUS.items():
        name, version = pin.split("==")
        file = folder / f"{name}-{version}-py3-none-any.whl"
        if not file.is_file():
            fetch = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", folder, pin]
            if subprocess.run(fetch, check=False).returncode != 0:
                raise CorpusError(f"pip cannot fetch `{pin}`; put `{file.name}` into a folder and name it by `--wheels`")
        if hashlib.sha256(file.read_bytes()).hexdigest() != digest:
            raise CorpusError(f"`{file}` is not the file that the tokenizer was trained from; delete it and try again")
        yield file


def texts(files):
    """Code and prose of the wheels, always in the same order."""
    for file in files:
        with zipfile.ZipFile(file) as wheel:
            for name in sorted(wheel.namelist()):
                if name.endswith((".py", "METADATA")):
                    yield wheel.read(name).decode(errors="replace")


def train(files):
    """The tokenizer as one line of JSON."""
    # Only here, so that `--help` works without the package.
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    # All bytes are in the alphabet, so there is no text that it cannot encode.
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=SIZE, special_tokens=SPECIAL, initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(texts(files), trainer)
    if tokenizer.get_vocab_size() != SIZE:
        raise CorpusError(f"the corpus gave {tokenizer.get_vocab_size()} tokens instead of {SIZE}")
    return tokenizer.to_str(pretty=False) + "\n"


def main(argv):
    """0: written, or the same as the committed one; 1: it is another; 2: no result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=COMMITTED, help="where the tokenizer goes or lies")
    parser.add_argument("--wheels", type=Path, help="folder that holds the corpus (default: fetched for this run)")
    parser.add_argument("--check", action="store_true", help="write nothing, compare with the file at `--out`")
    options = parser.parse_args(argv)
    try:
        with tempfile.TemporaryDirectory() as scratch:
            text = train(list(wheels(options.wheels or Path(scratch))))
    except (CorpusError, ImportError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    if not options.check:
        options.out.write_text(text)
        print(f"{options.out}: {len(text.encode()):,} bytes, sha256 {hashlib.sha256(text.encode()).hexdigest()}")
        return 0
    same = options.out.is_file() and options.out.read_text() == text
    print(f"{options.out} is {'what the corpus gives' if same else 'not what the corpus gives; run without `--check`'}")
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
