#!/usr/bin/env python3
"""Writes a tiny random Llama in the layout of a Hugging Face model folder. It fetches nothing and needs no torch.

Every run with the same sizes and the same versions writes the same bytes. Two things differ from a model that was
trained, so that a comparison can be judged token by token:

* Greedy decoding never ends an answer early and never picks a token that is no text of its own: the output rows of the
  special tokens and of incomplete UTF-8 are zero, and among 8,192 random logits the largest is far above zero. So an
  answer has the asked length on servers without `ignore_eos` too, and a streamed token is one piece of text.
* The head dimension of the default sizes is 64, which every server accepts.

Needs numpy, safetensors and the committed tokenizer.
"""

import argparse
import hashlib
import json
import os
import shutil
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
TOKENIZER = HERE.parent.parent / "engine/loadgen/tests/data/tokenizer.json"
# The longest sequence, in tokens.
CONTEXT = 4096
BOS, EOS, PAD = 0, 1, 2
# Standard deviation of random weights: three times that of a fresh Llama. With 0.02 attention says so little that a
# conversion with queries and keys in the wrong order gave the same eight greedy tokens; with 0.06 it gives others.
DEVIATION = 0.06
TEMPLATE = (
    "{% for message in messages %}{{ message['role'] }}: {{ message['content'] }}\n{% endfor %}"
    "{% if add_generation_prompt %}assistant: {% endif %}"
)


class ModelError(Exception):
    """There is no model to be had; the text says why."""


def parse(argv):
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, help="folder of the model; one that is there is replaced")
    parser.add_argument("--tokenizer", type=Path, default=TOKENIZER, help="tokenizer.json to serve it with")
    parser.add_argument("--hidden", type=int, default=256, help="width (default 256)")
    parser.add_argument("--layers", type=int, default=4, help="layers (default 4)")
    parser.add_argument("--heads", type=int, default=4, help="heads of attention (default 4)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the weights (default 0)")
    options = parser.parse_args(argv)
    if options.hidden % (2 * options.heads):
        parser.error("`--hidden` has to be an even multiple of `--heads`")
    return options


def pieces(vocabulary):
    """Which token ids are whole UTF-8 text, by id; `vocabulary` is that of a byte-level BPE."""
    # Byte-level tokenizers spell a byte as a character: itself where it is printable, else the next free one above 255.
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    spelled = {chr(byte): byte for byte in printable}
    spelled |= {chr(256 + at): byte for at, byte in enumerate(sorted(set(range(256)) - set(printable)))}
    whole = {}
    for token, number in vocabulary.items():
        try:
            bytes(spelled[letter] for letter in token).decode()
            whole[number] = True
        except (KeyError, UnicodeDecodeError):
            whole[number] = False
    return whole


def tensors(options, allowed):
    """All weights by their name; `allowed` says by token id what may be generated."""
    # Only here, so that `--help` works without the packages.
    import numpy

    random = numpy.random.Generator(numpy.random.PCG64(options.seed))
    hidden, inner, size = options.hidden, 3 * options.hidden, len(allowed)

    def draw(rows, columns):
        return random.standard_normal((rows, columns), dtype=numpy.float32) * numpy.float32(DEVIATION)

    def ones():
        return numpy.ones(hidden, dtype=numpy.float32)

    weights = {"model.embed_tokens.weight": draw(size, hidden)}
    for layer in range(options.layers):
        at = f"model.layers.{layer}."
        weights[f"{at}input_layernorm.weight"] = ones()
        for name in "qkvo":
            weights[f"{at}self_attn.{name}_proj.weight"] = draw(hidden, hidden)
        weights[f"{at}post_attention_layernorm.weight"] = ones()
        weights[f"{at}mlp.gate_proj.weight"] = draw(inner, hidden)
        weights[f"{at}mlp.up_proj.weight"] = draw(inner, hidden)
        weights[f"{at}mlp.down_proj.weight"] = draw(hidden, inner)
    weights["model.norm.weight"] = ones()
    head = draw(size, hidden)
    head[[number for number, may in allowed.items() if not may]] = 0
    weights["lm_head.weight"] = head
    return weights


def config(options, size):
    """The files that describe the model, by name."""
    ends = {"bos_token_id": BOS, "eos_token_id": EOS, "pad_token_id": PAD}
    model = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "vocab_size": size,
        "hidden_size": options.hidden,
        "intermediate_size": 3 * options.hidden,
        "num_hidden_layers": options.layers,
        "num_attention_heads": options.heads,
        "num_key_value_heads": options.heads,
        "head_dim": options.hidden // options.heads,
        "max_position_embeddings": CONTEXT,
        "hidden_act": "silu",
        "rms_norm_eps": 1e-6,
        "rope_theta": 10000.0,
        "attention_bias": False,
        "mlp_bias": False,
        "tie_word_embeddings": False,
        "torch_dtype": "float32",
        **ends,
    }
    tokenizer = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": "<s>",
        "eos_token": "</s>",
        "pad_token": "<pad>",
        "model_max_length": CONTEXT,
        "clean_up_tokenization_spaces": False,
        "chat_template": TEMPLATE,
    }
    return {"config.json": model, "generation_config.json": ends, "tokenizer_config.json": tokenizer}


def write(options):
    """The whole folder, in place of what was there; gives the digest of the weights."""
    from safetensors.numpy import save_file

    try:
        text = options.tokenizer.read_text()
        vocabulary = json.loads(text)["model"]["vocab"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"`{options.tokenizer}` is no tokenizer: {error}") from error
    allowed = pieces(vocabulary)
    allowed |= dict.fromkeys((BOS, EOS, PAD), False)
    if sorted(allowed) != list(range(len(allowed))):
        raise ModelError(f"the token ids of `{options.tokenizer}` have gaps")
    # Written beside and moved, so that an interrupted run leaves no half a model.
    fresh = options.out.with_name(options.out.name + ".new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    for name, content in config(options, len(allowed)).items():
        (fresh / name).write_text(json.dumps(content, indent=2) + "\n")
    (fresh / "tokenizer.json").write_text(text)
    weights = fresh / "model.safetensors"
    save_file(tensors(options, allowed), weights, metadata={"format": "pt"})
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    shutil.rmtree(options.out, ignore_errors=True)
    os.replace(fresh, options.out)
    return digest


def main(argv):
    """0: the model is there; 2: it is not."""
    options = parse(argv)
    try:
        digest = write(options)
    except (ModelError, ImportError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(f"{options.out}: model, sha256 of the weights {digest}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
