"""From what was measured to the committed table. Measures nothing."""


def markdown(result, judged, title="Speed", script="run.py", words=()):
    """The whole page; `words` say what the side by side is about."""
    facts = result["facts"]
    return "\n".join(
        [
            f"# {title}",
            "",
            f"Written by `tests/bench/{script}`; run it again to replace it.",
            "",
            *conditions(facts),
            "",
            "## Targets",
            "",
            *targets(result["rows"], judged),
            "",
            *memory(facts),
            "## Side by side",
            "",
            "Medians, with the smallest and largest of all rounds. Memory is that of the largest process of the tree.",
            *words,
            "",
            *side_by_side(result["samples"]),
            *missing(result["missing"]),
            "",
        ]
    )


def conditions(facts):
    """What the numbers depend on."""
    versions = ", ".join(f"{name} {version}" for name, version in facts["versions"].items())
    lines = [
        f"* {facts['date']}, {facts['machine']}, kernel {facts['kernel']}, file system {facts['file_system']}, "
        f"load average {facts['load_at_start']} at the start, {facts['load_at_end']} at the end",
        f"* {versions}; {facts['how']}; {facts['rounds']} rounds, interleaved",
    ]
    if "sync_ms" in facts:
        lines.append(f"* one `fdatasync` after an append of 300 bytes: {number(facts['sync_ms'], 'ms')}")
    return lines


def number(values, unit):
    """Median and range."""
    digits = {"x": 2, "ms": 1, "MB": 1, "s": 2, "µs": 1}[unit]
    median, low, high = (f"{values[key]:.{digits}f}" for key in ("median", "min", "max"))
    unit = unit if unit == "x" else f" {unit}"
    return f"{median}{unit}" if low == high else f"{median}{unit} ({low} to {high})"


def targets(rows, judged):
    """One line per target of the issue."""
    lines = ["| what | target | measured | verdict |", "|---|---|---|---|"]
    for row in rows:
        met = row["bound"] is None or row["measured"]["median"] <= row["bound"]
        verdict = "not judged" if not judged or row["bound"] is None else "met" if met else "**missed**"
        lines.append(f"| {row['what']} | {row['target']} | {number(row['measured'], row['unit'])} | {verdict} |")
    return lines


def memory(facts):
    """The three processes of a wide run."""
    watched = facts.get("memory")
    if not watched:
        return []
    each = ", ".join(f"{high:.1f}" for high in watched["each"])
    return [
        f"Peak memory of engine, supervisor and front in one wide run: {each} MB, {watched['sum']:.1f} MB together; "
        f"{watched['pss']:.1f} MB when pages that they share count once.",
        "",
    ]


def side_by_side(samples):
    """A table per workload."""
    lines = []
    for title, programs in samples.items():
        lines += [f"**{title}**", "", "| program | wall | CPU | memory |", "|---|---|---|---|"]
        for name, cost in programs.items():
            unit, factor = ("ms", 1000) if cost["wall"]["median"] < 0.2 else ("s", 1)
            wall, cpu = ({key: value * factor for key, value in cost[what].items()} for what in ("wall", "cpu"))
            rss = f"{cost['rss_mb']['max']:.1f} MB"
            lines.append(f"| {name} | {number(wall, unit)} | {number(cpu, unit)} | {rss} |")
        lines.append("")
    return lines


def hostile(shapes, peers, patience):
    """A line per hostile file."""
    if not shapes:
        return ""
    lines = [
        "",
        "## Hostile files",
        "",
        "Medians of `assay`, its peak memory, and one run of each peer, which was stopped after "
        f"{patience} s. Peers look for faults of YAML,",
        "or against the schema of manifests; what they say about a file is not compared. `assay` refuses a file with more than 20,000",
        "values, a sound one too, unless `max_values` in `assay-lint.yaml` says otherwise: to judge 150,000 takes 0.25 s and 60 MB.",
        "",
        " | ".join(["| file", "KiB", "assay", "CPU", "memory", *peers]) + " |",
        "|---" * (5 + len(peers)) + "|",
    ]
    for shape in shapes:
        seconds = [f"{wall * 1000:.0f} ms" if wall else f"over {patience} s" for wall in map(shape["peers"].get, peers)]
        times = [number(shape[what], "ms") for what in ("ms", "cpu_ms")]
        cells = [shape["shape"], f"{shape['kib']:,}", *times, f"{shape['rss_mb']:.1f} MB", *seconds]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join([*lines, ""])


def missing(peers):
    """Peers that could not be measured, and why."""
    return [f"* `{name}` was not measured: {why}" for name, why in peers.items()]
