"""What every script here asks for on its command line and does with what it measured. Must not measure."""

import argparse
import json
import sys
from pathlib import Path

from measure import BenchError

HERE = Path(__file__).resolve().parent
TARGET = HERE.parent.parent / "target"


class Asked:
    """The options that all scripts have: which binary, where, how often, and where the table goes."""

    def __init__(self, doc, page, scratch, rounds, quick):
        self.page, self.rounds = page, rounds
        self.parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
        add, table = self.parser.add_argument, f"table (default {page} beside the script; of a part or quick: none)"
        add("--assay", type=Path, default=TARGET / "release/assay", help="binary to measure")
        add("--scratch", type=Path, default=TARGET / scratch, help="folder for everything, on the disk to measure")
        add("--rounds", type=int, help=f"rounds (default {rounds[0]}, quick {rounds[1]})")
        add("--quick", action="store_true", help=quick)
        add("--json", action="store_true", help="print everything measured as JSON")
        add("--out", type=Path, help=table)

    def read(self, argv):
        """The options with their paths made whole."""
        options = self.parser.parse_args(argv)
        options.assay, options.scratch = options.assay.resolve(), options.scratch.resolve()
        options.rounds = options.rounds or self.rounds[options.quick]
        return options

    def chosen(self, what, given, known, sign=","):
        """The items of a list, all of which must be known."""
        items = [item.strip() for item in given.split(sign) if item.strip()]
        unknown = sorted(set(items) - set(known))
        if unknown:
            self.parser.error(f"unknown {what} {', '.join(unknown)}; there are {', '.join(known)}")
        return items

    def place(self, options, whole):
        """Where the table goes. Only a whole pass replaces the committed one."""
        options.out = options.out or (HERE / self.page if whole and not options.quick else None)
        return options


def run(options, measured):
    """Measures and writes; 0 whatever the verdicts are, 2 if something could not be measured. `measured` gives everything that was
    measured and its page."""
    try:
        result, text = measured()
    except BenchError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    if options.out:
        options.out.write_text(text)
    print(json.dumps(result, indent=1) if options.json else text)
    return 0
