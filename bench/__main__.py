"""`python -m bench [NAME …]`: run what is named, or all short ones; docs/performance.md says how to read them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ALL = ("flush", "micro_codec_validate", "micro_fhirpath", "share", "peers", "open_loop")
LONG = ("growth", "bulk", "terminology")
"""Measurements of minutes to a quarter of an hour each, run where they are named."""


def main(names: list[str]) -> int:
    """Run each measurement in a process of its own and return how many failed."""
    failed = 0
    for name in names or ALL:
        if not (HERE / f"{name}.py").exists():
            print(f"There is no measurement called {name}; there are: {', '.join(ALL + LONG)}")
            return 2
        print(f"\n=== {name}", flush=True)
        failed += (
            subprocess.run([sys.executable, "-m", f"bench.{name}"], cwd=HERE.parent, check=False).returncode
            != 0
        )
    return failed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
