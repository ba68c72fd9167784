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
    """Shapes of one mebibyte each (a sixteenth of it when `quick`), by name."""
    size = MIB // 16 if quick else MIB
    step = "    uses: command\n    timeout: 1m\n"
    return {
        "deep": "[" * size,
        "wide list": filled(size, lambda _: "1, ", "a: [", "]\n"),
        "many keys": filled(size, lambda n: f"key{n}: {n}\n"),
        "many steps": filled(size, lambda n: f"  s{n}:\n{step}    with: {{argv: [echo, a]}}\n", START + "steps:\n"),
        "many findings": filled(
            size, lambda n: f"  s{n}: {{uses: comand, needs: [t{n}], with: {{shell: \"pkill -f {{{{ inputs.x }}}}\"}}}}\n",
            START + "steps:\n",
        ),
        "long shell line": filled(
            size, lambda n: f"echo {n} && ", START + f"steps:\n  a:\n{step}    with: {{shell: \"", "true\"}\n"
        ),
        "nested shell": filled(size, lambda _: "$(", START + f"steps:\n  a:\n{step}    with: {{shell: \"", "\"}\n"),
        "open templates": filled(size, lambda _: "{{ a ", START + f"steps:\n  a:\n{step}    with: {{shell: '", "'}\n"),
        "alias bomb": "a0: &a0 [x]\n" + "".join(
            f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 31)
        ) + filled(size, lambda n: f"k{n}: *a30\n"),
        "ignores": filled(size, lambda n: f"# assay: ignore[missing-timeout] reason {n}\n"),
        "bytes": "\0" * size,
    }
