"""Python environments of the peers, each on top of the one that `workflows/cpu-comparison/setup.sh` made."""

import hashlib
import subprocess
from pathlib import Path

from engines import ask
from measure import BenchError

HERE = Path(__file__).resolve().parent
# Seconds that an installation may take.
PATIENCE = 1800
SITE = "import sysconfig; print(sysconfig.get_path('purelib'))"


class Environments:
    """Where they lie: `base` is the folder of the setup, `root` that of the peers."""

    def __init__(self, base, root):
        self.base, self.root = base, root
        self.python, self.model = base / "venv/bin/python", base / "model"
        if not self.python.exists() or not self.model.is_dir():
            raise BenchError(f"{base} has no Python environment; `workflows/cpu-comparison/setup.sh` makes it")

    def need(self, name):
        """The interpreter of the environment with what `<name>.txt` pins; installed if that has changed."""
        pins = HERE / f"{name}.txt"
        folder = self.root / name
        python, stamp = folder / "bin/python", folder / "pins"
        digest = hashlib.sha256(pins.read_bytes()).hexdigest()
        if stamp.is_file() and stamp.read_text() == digest:
            return python
        ask([self.python, "-m", "venv", "--clear", folder])
        # What is not found there is looked for in the base.
        site = Path(ask([python, "-c", SITE]).strip())
        (site / "base.pth").write_text(ask([self.python, "-c", SITE]))
        # All are pinned, and what they need is in the list or in the base: nothing is to be resolved.
        install([python, "-m", "pip", "install", "-q", "--no-deps", "--disable-pip-version-check", "-r", pins])
        stamp.write_text(digest)
        return python

    def fetch(self, pin, folder):
        """The wheel of one pinned package, without what it needs."""
        folder.mkdir(parents=True, exist_ok=True)
        install([
            self.python, "-m", "pip", "download", "-q", "--no-deps", "--only-binary", ":all:",
            "--disable-pip-version-check", "-d", folder, pin,
        ])
        name, version = pin.split("==")
        return next(folder.glob(f"{name}-{version}-*.whl"))


def install(argv):
    """Runs pip with the caller's settings."""
    try:
        done = subprocess.run(
            [str(part) for part in argv], capture_output=True, text=True, check=False, timeout=PATIENCE
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BenchError(f"pip cannot be run: {error}") from error
    if done.returncode != 0:
        raise BenchError(f"pip failed:\n{done.stderr.strip()[-1500:]}")
