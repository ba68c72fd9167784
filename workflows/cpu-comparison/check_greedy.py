#!/usr/bin/env python3
"""Asks several servers for the same greedy tokens, streamed, and says whether they all gave the same.

A gate before a comparison: two servers that disagree on greedy tokens do not serve the same model, not the same prompt
(a token for the beginning of the text too many), or not with the same sampling or precision. Needs only Python.

The default of 64 tokens is not too many: on the tiny model 8 show a wrong conversion, but it takes 20 to show a cache of
keys and values in half precision, and 40 to show a penalty for repetition.

    check_greedy.py --server llama http://127.0.0.1:8201 tiny --body llama '{"repeat_penalty": 1.0}' \\
                    --server transformers http://127.0.0.1:8202 FOLDER/model

Prints JSON: `equal`, and each server's answers with text and token counts (null where a server does not say).
Ends with 0 if all are equal, 1 if not, 2 if a server did not answer.
"""

import argparse
import json
import sys
import urllib.error
import urllib.request

PROMPTS = ["import os", "The shortest path between two nodes of a graph is found by breadth-first search, because"]
# Errors are cut to this many characters.
SHOWN = 300


class ServerError(Exception):
    """A server that gave no answer; the text says what it did."""


def events(answer):
    """The JSON of each event of a stream, up to its end or `[DONE]`, which not every server sends."""
    for line in answer:
        text = line.decode(errors="replace").strip()
        if text == "data: [DONE]":
            return
        if text.startswith("data:"):
            yield json.loads(text.removeprefix("data:"))


def ask(name, url, model, body, prompt, options):
    """One streamed completion."""
    body = {
        "model": model, "prompt": prompt, "max_tokens": options.tokens, "temperature": 0, "stream": True,
        "stream_options": {"include_usage": True}, **body,
    }
    request = urllib.request.Request(
        f"{url.rstrip('/')}/v1/completions", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    pieces, usage, finish = [], {}, None
    try:
        # Servers on this machine are meant: no proxy.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=options.timeout) as answer:
            for event in events(answer):
                if "error" in event:
                    raise ServerError(f"`{name}` reported {str(event['error'])[:SHOWN]}")
                usage = event.get("usage") or usage
                for choice in event.get("choices", ()):
                    pieces += [choice["text"]] if choice.get("text") else []
                    finish = choice.get("finish_reason") or finish
    except urllib.error.HTTPError as error:
        said = error.read(SHOWN).decode(errors="replace")
        raise ServerError(f"`{name}` answered {error.code}: {said}") from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ServerError(f"`{name}` gave no answer that can be read: {error!r}") from error
    return {
        "prompt": prompt,
        "text": "".join(pieces),
        "pieces": len(pieces),
        "finish_reason": finish,
        "prompt_tokens": usage.get("prompt_tokens"),
        "completion_tokens": usage.get("completion_tokens"),
    }


def agree(answers, tokens):
    """Whether the servers' answers to one prompt are the same text, of the asked length and from as many tokens."""
    said = {(answer["text"], answer["finish_reason"]) for answer in answers}
    # A server that does not count is judged by its text alone.
    prompts = {answer["prompt_tokens"] for answer in answers} - {None}
    counts = {answer["completion_tokens"] for answer in answers} - {None, tokens}
    return len(said) == 1 and len(prompts) <= 1 and not counts and bool(answers[0]["text"])


def parse(argv):
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--server", nargs=3, action="append", required=True, metavar=("NAME", "URL", "MODEL"), help="one per server"
    )
    parser.add_argument(
        "--body", nargs=2, action="append", default=[], metavar=("NAME", "JSON"), help="more fields for one server"
    )
    parser.add_argument("--prompt", action="append", help="instead of the two built-in prompts; may come again")
    parser.add_argument("--tokens", type=int, default=64, help="tokens to ask for (default 64)")
    parser.add_argument("--timeout", type=float, default=60, help="seconds without an answer (default 60)")
    options = parser.parse_args(argv)
    options.bodies = {name: {} for name, _, _ in options.server}
    if len(options.bodies) < max(2, len(options.server)):
        parser.error("name two servers at least, each by a name of its own")
    for name, text in options.body:
        if name not in options.bodies:
            parser.error(f"`--body {name}` belongs to no `--server`")
        try:
            options.bodies[name] |= json.loads(text)
        except (ValueError, TypeError) as error:
            parser.error(f"`--body {name}` is not a JSON object: {error}")
    return options


def main(argv):
    """0: all equal; 1: not; 2: a server did not answer."""
    options = parse(argv)
    prompts, answers = options.prompt or PROMPTS, {}
    try:
        for name, url, model in options.server:
            answers[name] = [ask(name, url, model, options.bodies[name], prompt, options) for prompt in prompts]
    except ServerError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    equal = all(agree(each, options.tokens) for each in zip(*answers.values(), strict=True))
    print(json.dumps({"equal": equal, "tokens": options.tokens, "answers": answers}, indent=2, ensure_ascii=False))
    return 0 if equal else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
