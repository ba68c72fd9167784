"""Folders of a model with a larger vocabulary than the real one, to see what the size of a tokenizer costs."""

import json
import shutil


def widen(model, folder, size):
    """A copy of the model's small files in `folder`, with a byte-pair tokenizer of `size` tokens.

    The tokens that are added are joined of two that exist, in the order of the vocabulary, with their merges behind all
    others: what was one token before still is, so lengths differ little.
    """
    if (folder / "tokenizer.json").is_file():
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    for file in model.glob("*.json"):
        shutil.copy(file, folder)
    tokenizer = json.loads((model / "tokenizer.json").read_text())
    vocab, merges = tokenizer["model"]["vocab"], tokenizer["model"]["merges"]
    # Words begin with a blank, which is written so.
    heads = [token for token in vocab if token.startswith("Ġ") and len(token) > 2]
    tails = [token for token in vocab if token.isascii() and token.isalpha() and len(token) > 1]
    pairs = ((head, tail) for head in heads for tail in tails)
    for head, tail in pairs:
        if len(vocab) >= size:
            break
        if head + tail not in vocab:
            vocab[head + tail] = len(vocab)
            merges.append([head, tail])
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    return folder
