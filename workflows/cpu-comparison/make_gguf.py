#!/usr/bin/env python3
"""Writes the model of `make_model.py` as GGUF for llama.cpp, without llama.cpp's own converter.

A wrong conversion loads without a complaint and only says something else, so compare its greedy answers with those of
another server (`check_greedy.py`). Needs gguf, numpy and safetensors.
"""

import argparse
import json
import os
import sys
from pathlib import Path

# Names outside of the layers, then those inside of one.
WHOLE = {"model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output"}
INSIDE = {
    "input_layernorm": "attn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "post_attention_layernorm": "ffn_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}


def name(tensor):
    """What llama.cpp calls a tensor."""
    stem = tensor.removesuffix(".weight")
    if stem in WHOLE:
        return f"{WHOLE[stem]}.weight"
    layer, rest = stem.removeprefix("model.layers.").split(".", 1)
    return f"blk.{layer}.{INSIDE[rest]}.weight"


def interleave(weight, heads):
    """Rows of a projection to queries or keys in the order that llama.cpp's rotary embedding takes.

    A head's rows come as all first halves of the rotated pairs and then all second halves; llama.cpp wants pair after pair.
    """
    rows, columns = weight.shape
    return weight.reshape(heads, 2, rows // heads // 2, columns).swapaxes(1, 2).reshape(rows, columns)


def describe(writer, config):
    """The shape of the model."""
    import gguf

    head = config["hidden_size"] // config["num_attention_heads"]
    writer.add_name("tiny")
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_rope_dimension_count(head)
    writer.add_rope_freq_base(config["rope_theta"])
    writer.add_vocab_size(config["vocab_size"])
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)


def vocabulary(writer, config, tokenizer, template):
    """The tokenizer and what stands around a prompt."""
    import gguf

    tokens = sorted(tokenizer["model"]["vocab"], key=tokenizer["model"]["vocab"].get)
    special = {token["content"] for token in tokenizer["added_tokens"]}
    merges = tokenizer["model"]["merges"]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokens)
    kinds = [gguf.TokenType.CONTROL if token in special else gguf.TokenType.NORMAL for token in tokens]
    writer.add_token_types(kinds)
    # Older files hold a merge as one text, newer ones as a pair.
    writer.add_token_merges([merge if isinstance(merge, str) else " ".join(merge) for merge in merges])
    writer.add_bos_token_id(config["bos_token_id"])
    writer.add_eos_token_id(config["eos_token_id"])
    # Otherwise a prompt is a token longer than on the other servers, and every answer differs.
    writer.add_add_bos_token(False)
    writer.add_chat_template(template)


def convert(model, out):
    """The folder `model` as the file `out`."""
    import gguf
    from safetensors.numpy import load_file

    config, tokenizer, words = (
        json.loads((model / file).read_text()) for file in ("config.json", "tokenizer.json", "tokenizer_config.json")
    )
    # Moved when it is whole, so that an interrupted run leaves no half a file.
    fresh = out.with_name(out.name + ".new")
    writer = gguf.GGUFWriter(fresh, "llama")
    describe(writer, config)
    vocabulary(writer, config, tokenizer, words["chat_template"])
    heads = {"q_proj": config["num_attention_heads"], "k_proj": config["num_key_value_heads"]}
    for tensor, weight in load_file(model / "model.safetensors").items():
        part = tensor.split(".")[-2]
        writer.add_tensor(name(tensor), interleave(weight, heads[part]).copy() if part in heads else weight)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    os.replace(fresh, out)


def main(argv):
    """0: the file is there; 2: it is not."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, help="folder that `make_model.py` wrote")
    parser.add_argument("--out", type=Path, help="the file (default `tiny.gguf` in that folder)")
    options = parser.parse_args(argv)
    out = options.out or options.model / "tiny.gguf"
    try:
        convert(options.model, out)
    except (ImportError, OSError, KeyError, ValueError) as error:
        print(f"error: `{options.model}` cannot be converted: {error!r}", file=sys.stderr)
        return 2
    print(f"{out}: {out.stat().st_size:,} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
