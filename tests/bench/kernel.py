#!/usr/bin/env python3
"""How fast and how right `assay kernel judge` is: the acceptance list, honest kernels with fresh seeds, and the baseline
against itself.

Every judgement draws its own seeds, so each is another test. Verdicts are counted, times are those of the whole program from
its start to its end. Refusals are measured twice: with the proof of the baseline, and with the proof that the first one kept.
See `--help`.
"""

import collections
import json
import os
import re
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

# The checkout stays as it is.
sys.dont_write_bytecode = True

import script
import table
from engines import ask
from measure import BenchError, host, spread
from script import Asked

HERE = Path(__file__).resolve().parent
TOP = HERE.parent.parent
LIST = TOP / "engine/kernel/tests/candidates/list.yaml"
TASK = TOP / "examples/kernels/rmsnorm"
# Ends of a judgement that leave one: accepted, refused, not decided.
ENDS = (0, 20, 21, 22, 23, 24, 25)
# A refusal by these gates needs samples of time, or its limit.
SLOW = ("TIMEOUT", "REJECT_SLOWER", "NOISY_DEVICE")
# Seconds: a refusal, an acceptance.
REFUSED, ACCEPTED = 1.0, 10.0


@dataclass(frozen=True)
class Candidate:
    """A line of the acceptance list."""

    name: str
    file: Path
    codes: tuple


def candidates():
    """Those that a source alone can do; the suite `acceptance` builds the others."""
    found = []
    for block in re.split(r"^  - ", LIST.read_text(), flags=re.MULTILINE)[1:]:
        fields = dict(re.findall(r"^\s*(id|file|prebuilt|codes): (.*)$", block, flags=re.MULTILINE))
        if "prebuilt" not in fields:
            codes = tuple(re.findall(r"[A-Z_]+", fields["codes"]))
            found.append(Candidate(fields["id"], (LIST.parent / fields["file"]).resolve(), codes))
    return found


class Script:
    """One pass over everything; `facts` and `rows` are its result."""

    def __init__(self, options):
        self.options, self.rows, self.lines = options, [], []
        options.scratch.mkdir(parents=True, exist_ok=True)
        if not options.assay.is_file():
            raise BenchError(f"there is no {options.assay}; `cargo build --release` makes it, `--assay FILE` names another")
        self.facts = host(options.scratch)
        how = f"task `{TASK.relative_to(TOP)}`, a process for each judgement"
        versions = {"assay": ask([options.assay, "--version"]).split()[-1], "cc": ask(["cc", "-dumpfullversion"]).strip()}
        self.facts |= {"versions": versions, "how": how, "rounds": options.rounds}

    def judge(self, file, quick, fresh=False):
        """Code, seconds, and the whole answer. With `fresh` the baseline is proven first, otherwise what is kept of it counts."""
        argv = [self.options.assay, "kernel", "judge", TASK, "--candidate", file, "--json"]
        argv += ["--quick"] * quick + ["--fresh"] * fresh
        # Nothing that the user's own judgements kept.
        env = os.environ | {"ASSAY_CACHE": str(self.options.scratch / "cache")}
        begun = time.monotonic()
        done = subprocess.run([str(word) for word in argv], capture_output=True, text=True, check=False, env=env)
        seconds = time.monotonic() - begun
        try:
            answer = json.loads(done.stdout)
        except ValueError as error:
            raise BenchError(f"{file.name}: no answer (exit {done.returncode}):\n{done.stderr[-1000:]}") from error
        answer = answer.get("data", answer)
        if not answer or "code" not in answer:
            raise BenchError(f"{file.name}: no judgement (exit {done.returncode}): {done.stdout[:500]}")
        print(f"  {file.name}: {answer['code']} in {seconds:.2f} s", file=sys.stderr, flush=True)
        return answer["code"], seconds, answer

    def row(self, what, target, bound, values, unit):
        """A line of the table; met if the median is at most `bound`."""
        self.rows.append({"what": what, "target": target, "bound": bound, "measured": spread(values), "unit": unit})

    def refusals(self):
        """Every bad candidate."""
        wrong, first, then = [], {}, {}
        told = "Seconds: the first judgement proves the baseline, where it gets so far; the second finds that proof."
        head = ["| candidate | code | first | second |", "|---|---|---|---|"]
        self.lines += ["## The acceptance list", "", told, "", *head]
        for one in self.some([one for one in candidates() if not one.name.startswith("G")]):
            (code, proven, _), (again, at_hand, _) = self.judge(one.file, True, True), self.judge(one.file, True)
            codes = f"`{code}`" if code == again else f"`{code}`, `{again}`"
            self.lines.append(f"| {one.name} | {codes} | {proven:.2f} | {at_hand:.2f} |")
            wrong += [f"{one.name} {found}" for found in (code, again) if found not in one.codes]
            if not {code, again} & set(SLOW):
                first[one.name], then[one.name] = proven, at_hand
        self.lines += ["", f"Not as the list says: {', '.join(wrong) or 'none'}.", ""]
        slowest = max(then, key=then.get)
        self.row(f"the slowest refusal ({slowest}), the proof at hand", f"at most {REFUSED:.0f} s", REFUSED, [then[slowest]], "s")
        slowest = max(first, key=first.get)
        self.row(f"the slowest refusal ({slowest}), the baseline proven first", "none set", None, [first[slowest]], "s")
        self.row("verdicts beside the list", "none", 0, [len(wrong)], "x")

    def honest(self):
        """Honest kernels with fresh seeds: two that are faster, two that are not."""
        by_name = {one.name: one for one in candidates()}
        judged = collections.defaultdict(collections.Counter)
        false_rejects = false_accepts = 0
        for _ in range(self.options.honest):
            for name in ("G1", "G2", "G3", "G4"):
                code, _, _ = self.judge(by_name[name].file, True)
                judged[name][code] += 1
                faster = name in ("G2", "G4")
                slow = name == "G3" and code == "REJECT_SLOWER"
                false_rejects += code not in ("ACCEPT_FASTER", "NO_CHANGE", "INCONCLUSIVE", "NOISY_DEVICE") and not slow
                false_accepts += code == "ACCEPT_FASTER" and not faster
        self.lines += ["## Honest kernels, fresh seeds", "", "| kernel | judged |", "|---|---|"]
        for name, codes in judged.items():
            self.lines.append(f"| {name} | {told(codes)} |")
        self.lines.append("")
        self.row("false rejects of honest kernels", "none", 0, [false_rejects], "x")
        self.row("false accepts of kernels that are not faster", "none", 0, [false_accepts], "x")

    def itself(self):
        """The baseline against itself, and an acceptance, at the task's own number of samples."""
        by_name = {one.name: one for one in candidates()}
        codes, half = collections.Counter(), []
        for _ in range(self.options.rounds):
            code, _, answer = self.judge(by_name["G1"].file, False)
            codes[code] += 1
            aa = answer["judgement"]["row"].get("aa")
            if aa:
                half.append((aa["high"] - aa["low"]) / 2 * 100 if "high" in aa else (aa["hi"] - aa["lo"]) / 2 * 100)
        times = [self.judge(by_name["G2"].file, False)[1] for _ in range(max(1, self.options.rounds // 4))]
        self.lines += ["## The baseline against itself", "", f"{told(codes)}.", ""]
        if half:
            text = f"{statistics.median(half):.2f} % (median), {min(half):.2f} to {max(half):.2f} %"
            self.lines += [f"Half-width of the interval of two runs of the baseline: {text}.", ""]
        undecided = sum(codes[code] for code in ("NO_CHANGE", "INCONCLUSIVE", "NOISY_DEVICE"))
        self.row("A/A: accepted or refused", "none", 0, [sum(codes.values()) - undecided], "x")
        noisy = codes["NOISY_DEVICE"] / max(1, sum(codes.values()))
        self.row("A/A: share of `NOISY_DEVICE`", "at most 0.25x, at a load under 0.2", 0.25, [noisy], "x")
        self.row("an acceptance", f"at most {ACCEPTED:.0f} s", ACCEPTED, times, "s")

    def some(self, all_of_them):
        """A quick pass looks at few."""
        return all_of_them[:: len(all_of_them) // 3] if self.options.quick else all_of_them

    def everything(self):
        """All parts in order."""
        self.refusals()
        self.honest()
        self.itself()
        self.facts["load_at_end"] = round(os.getloadavg()[0], 2)
        return {"facts": self.facts, "rows": self.rows}


def told(codes):
    """Counts of codes."""
    return ", ".join(f"{count} `{code}`" for code, count in codes.most_common())


def page(result, lines, judged):
    """The committed table."""
    head = ["# Judging kernels", "", "Written by `tests/bench/kernel.py`; run it again to replace it.", ""]
    conditions = table.conditions(result["facts"])
    return "\n".join([*head, *conditions, "", "## Targets", "", *table.targets(result["rows"], judged), "", *lines])


def parse(argv):
    """The command line."""
    asked = Asked(__doc__, "KERNEL.md", "bench-kernel", (20, 1), "few of everything, nothing is judged, a minute")
    asked.parser.add_argument("--honest", type=int, help="runs of each honest kernel (default 5, quick 1)")
    options = asked.read(argv)
    options.honest = options.honest or (1 if options.quick else 5)
    return asked.place(options, whole=True)


def main(argv):
    """Everything, as a page."""
    options = parse(argv)

    def measured():
        bench = Script(options)
        result = bench.everything()
        return result, page(result, bench.lines, not options.quick)

    return script.run(options, measured)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
