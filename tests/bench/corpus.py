"""Manifests and hostile files for the speed of lint. Knows no tool and no target."""

import random

SEED = 20261122
MIB = 1 << 20

HEAD = """apiVersion: assay/v1
kind: Skill
name: {name}
version: 1.{minor}.{patch}
description: {what} and checks what they give. Use it before {target} is changed.
verified: {{against: gcc 12.2, date: {date}, stale_after: 90d}}
"""

WORDS = ("attention", "matmul", "softmax", "gather", "scatter", "conv", "rope", "norm", "quant", "router")
TARGETS = ("a kernel", "a compiler flag", "the memory layout", "a serving setting", "the build")


def skill(number, today):
    """Name and text of one sound skill: 3 to 12 steps, about 3 KB. Equal numbers give equal texts."""
    rng = random.Random(f"{SEED}-{number}")
    word = WORDS[number % len(WORDS)]
    name = f"{word}-check-{number:04d}"
    parts, extra = divmod(rng.randint(3, 12), 3)
    lines = [
        HEAD.format(
            name=name, minor=rng.randint(0, 9), patch=rng.randint(0, 30), date=today,
            what=f"Builds {parts} variants of {word}, times them", target=rng.choice(TARGETS),
        ),
        "inputs:",
        "  source: {type: string, format: path, description: Folder with the variants}",
        "  cc: {type: string, default: cc, description: C compiler}",
        f"  rows: {{type: integer, default: {rng.choice((32, 64, 128))}, minimum: 1, description: Rows of the shape}}",
        f"  tolerance: {{type: number, default: 1.0e-{rng.randint(4, 7)}, exclusiveMinimum: 0, "
        "description: Largest error allowed}",
        "",
        "preflight:",
        "  compiler: {check: command, with: {argv: [\"{{ inputs.cc }}\", --version]}}",
        f"  idle: {{check: load, with: {{max_per_core: 0.{rng.randint(5, 9)}}}, on_fail: warn}}  # busy hosts are noisy",
        "",
        "steps:",
    ]
    for part in range(parts):
        lines += trio(part, rng)
    if extra:
        lines += facts(extra)
    lines += ["gates:"]
    for part in range(parts):
        lines += gate(part)
    lines += ["", "outputs:"]
    for part in range(parts):
        lines.append(f"  ms_{part}: {{type: number, unit: ms, value: steps.bench_{part}.result.ms, description: Variant {part}}}")
    if extra:
        lines.append("  compiler: {type: string, value: steps.about_0.result.text, description: Its version}")
    if extra > 1:
        lines.append("  kernel: {type: string, value: steps.about_1.result.text, description: Its release}")
    return name, "\n".join(lines) + "\n"


def trio(part, rng):
    """Three steps: build, verify, time."""
    flags = ", ".join(rng.sample(["-O2", "-O3", "-march=native", "-funroll-loops", "-flto"], 2))
    source = f"{{{{ inputs.source }}}}/v{part}.c"
    program, rows = f"\"{{{{ steps.build_{part}.files.bin.path }}}}\"", "\"{{ inputs.rows }}\""
    return [
        f"  build_{part}:  # variant {part}",
        "    uses: command",
        f"    with: {{argv: [\"{{{{ inputs.cc }}}}\", {flags}, -o, \"{{{{ run.scratch }}}}/v{part}\", \"{source}\"]}}",
        f"    files: {{bin: \"{{{{ run.scratch }}}}/v{part}\"}}",
        f"    timeout: {rng.randint(1, 5)}m",
        f"  verify_{part}:",
        "    uses: command",
        "    with:",
        f"      argv: [{program}, verify, {rows}]",
        "      parse: {as: json, schema: {type: object, properties: {max_error: {type: number}}}}",
        "    timeout: 2m",
        f"  bench_{part}:",
        "    uses: command",
        f"    needs: [correct_{part}]",
        f"    with: {{argv: [{program}, {rows}], parse: {{as: json, schema: {{type: object, properties: {{ms: {{type: number}}}}}}}}}}",
        "    timeout: 5m",
        "",
    ]


def facts(count):
    """Up to two steps that say what was measured with."""
    asked = ("\"{{ inputs.cc }}\", --version", "uname, -r")
    lines = []
    for at in range(count):
        lines += [
            f"  about_{at}:",
            "    uses: command",
            "    with:",
            f"      argv: [{asked[at]}]",
            "      parse: {as: regex, fields: {text: '(\\S.*)'}, schema: {type: object, properties: {text: {type: string}}}}",
            "    timeout: 10s",
        ]
    return lines + [""]


def gate(part):
    """Correct before fast."""
    return [
        f"  correct_{part}:",
        f"    assert: steps.verify_{part}.result.max_error <= inputs.tolerance",
        "    on_fail: incorrect",
    ]


START = "apiVersion: assay/v1\nkind: Skill\nname: hostile\nversion: 1.0.0\ndescription: x\n"


def filled(size, piece, before="", after=""):
    """Numbered pieces up to `size` bytes."""
    parts, left, number = [before], size - len(before) - len(after), 0
    while left >= len(part := piece(number)):
        parts.append(part)
        left -= len(part)
        number += 1
    return "".join([*parts, after])


def hostile(quick=False):
    """Files of one mebibyte each, or what is left of it in the shape (a sixteenth of all when `quick`): name to bytes."""
    size, share = (MIB // 16, 16) if quick else (MIB, 1)
    shapes = nested(size) | repeated(size, share) | texts(size) | sound(size) | tangled(size, share)
    return {name: text if isinstance(text, bytes) else text.encode() for name, text in shapes.items()}


STEP = "    uses: command\n    timeout: 1m\n"
SHELL = START + f"steps:\n  a:\n{STEP}    with: {{shell: "


def nested(size):
    """Brackets, blocks and aliases inside one another."""
    bomb = "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 31))
    return {
        "deep": "[" * size,
        "unclosed braces": START + "steps: " + "{" * (size - 100),
        "deep mappings": "{a: " * (size // 4),
        "deep blocks": filled(size, lambda n: " " * n + "a:\n"),
        "alias bomb": bomb + filled(size - len(bomb), lambda n: f"k{n}: *a30\n"),
        "alias bomb, 64 KiB": bomb + filled((64 << 10) - len(bomb), lambda n: f"k{n}: *a30\n"),
    }


def repeated(size, share):
    """Thousands of one thing."""
    count = 60_000 // share
    return {
        "wide list": filled(size, lambda _: "1, ", "a: [", "]\n"),
        "many keys": filled(size, lambda n: f"key{n}: {n}\n"),
        "60,000 unknown keys": START + "".join(f"k{n}: {n}\n" for n in range(count)),
        "60,000 duplicate keys": START + "k: 1\n" * count,
        "anchors": filled(size, lambda n: f"k{n}: &a{n} x\n"),
        "comments": filled(size, lambda n: f"# {n}\n"),
        "ignores": filled(size, lambda n: f"# assay: ignore[missing-timeout] reason {n}\n"),
        "documents": "---\na: 1\n" * (size // 9),
        "private keys": "# -----BEGIN RSA PRIVATE KEY-----" * (size // 33),
        "many findings": filled(
            size, lambda n: f"  s{n}: {{uses: comand, needs: [t{n}], with: {{shell: \"pkill -f {{{{ inputs.x }}}}\"}}}}\n",
            START + "steps:\n",
        ),
        "many warnings": filled(
            size, lambda n: f"  s{n}: {{uses: command, with: {{shell: 'sudo pkill -f x; cp a /etc/b; curl x | sh; a &'}}}}\n",
            START + "steps:\n",
        ),
    }


def texts(size):
    """Long texts of all kinds."""
    random_bytes = random.Random(SEED).randbytes(size)
    return {
        "zeros": "\0" * size,
        "random bytes": random_bytes,
        "not UTF-8": START.encode() + b"slug: " + b"\xff\xfe" * (size // 2 - 50),
        "tabs": "\t" * size,
        "tab indents": START + "steps:\n" + "\ta:\n" * (size // 4 - 50),
        "long line": "x" * size,
        "huge scalar": START + "slug: " + "x" * (size - 100) + "\n",
        "escapes": START + "slug: \"" + "\\x41" * (size // 4 - 50) + "\"\n",
        "long shell line": filled(size, lambda n: f"echo {n} && ", SHELL + '"', 'true"}\n'),
        "pipes": filled(size, lambda n: f"a{n} | ", SHELL + '"', 'true"}\n'),
        "nested shell": filled(size, lambda _: "$(", SHELL + '"', '"}\n'),
        "open templates": filled(size, lambda _: "{{ a ", SHELL + "'", "'}\n"),
        "template soup": filled(size, lambda n: f"{{{{ inputs.x{n} | q }}}} {{% if a %}} {{# ", SHELL + "'", "'}\n"),
        "templates": filled(size, lambda _: "{{ run.scratch }} ", SHELL + "'", "'}\n"),
        "brackets in an expression": START + f"steps:\n  a:\n{STEP}    when: " + "(" * (size - 200) + "\n",
    }


def sound(size):
    """Nothing is wrong but that there is so much of it."""
    one = START + f"steps:\n  a:\n{STEP}    with: {{argv: [echo, a]}}\n    expect: {{exit: [0, 1]}}\n"
    server = "{{argv: [srv, '{{{{ self.port }}}}'], ready: {{http: {{path: /health}}}}}}"
    return {
        "sound steps": filled(size, lambda n: f"  s{n}:\n{STEP}    with: {{argv: [echo, a]}}\n", START + "steps:\n"),
        "sound gates": filled(size, lambda n: f"  g{n}: {{assert: steps.a.exit == 0, on_fail: warn}}\n", one + "gates:\n"),
        "sound servers": filled(
            size, lambda n: f"  s{n}:\n    uses: server\n    with: {server.format()}\n", START + "steps:\n"
        ),
        "sound checks": filled(
            size, lambda n: f"  c{n}: {{check: load, with: {{max_per_core: 0.5}}}}\n", one + "preflight:\n"
        ),
    }


def tangled(size, share):
    """Names that lead everywhere and nowhere."""
    count = 10_000 // share
    ring = "".join(
        f"  s{n}: {{uses: command, with: {{argv: [x]}}, timeout: 1m, needs: [s{(n + 1) % count}]}}\n" for n in range(count)
    )
    return {
        "ring of 10,000 steps": START + "steps:\n" + ring,
        "unknown names": filled(
            size, lambda n: f"  step_{n}: {{uses: command, with: {{argv: ['{{{{ steps.stp_{n}.stdout }}}}']}}, needs: [x_{n}]}}\n",
            START + "steps:\n",
        ),
        "long loop": filled(
            size, lambda n: f"{n}, ", START + f"steps:\n  a:\n{STEP}    with: {{argv: [x]}}\n    foreach: {{x: [", "0]}\n"
        ),
        "files of templates": START + f"steps:\n  a:\n{STEP}    with: {{argv: [x]}}\ngates:\n" + "".join(
            f"  g{n}: {{assert: true}}\n" for n in range(3_600 // share)
        ) + "deliver:\n" + "".join(f"  out/{n}.md: {{template: a.j2}}\n" for n in range(3_600 // share)),
    }
