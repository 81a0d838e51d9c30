"""Look for secrets in what is checked in, and for known vulnerabilities in what is depended on; part of `make lint`.

Secrets: `secrets.json` has a row for each kind, and a row with its reason for each file that may hold one.
Dependencies: pip-audit on the lock; what it cannot look up (no network, a mirror without the data) is said, not hidden.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[1]
TIMEOUT_S = 300


class Finding(NamedTuple):
    """Where a secret seems to be; the secret itself is not repeated."""

    file: str
    line: int
    kind: str


def secrets(text: str, file: str, patterns: list[tuple[str, re.Pattern[str]]]) -> Iterator[Finding]:
    """Yield what looks like a secret in a text."""
    for number, line in enumerate(text.splitlines(), 1):
        for kind, pattern in patterns:
            if pattern.search(line):
                yield Finding(file, number, kind)


def rules() -> tuple[list[tuple[str, re.Pattern[str]]], set[tuple[str, str]]]:
    """Return the patterns by kind, and the (file, kind) that are allowed."""
    table: dict[str, Any] = json.loads(Path(__file__).with_name("secrets.json").read_text())
    patterns = [(row["kind"], re.compile(row["pattern"])) for row in table["patterns"]]
    return patterns, {(row["file"], row["kind"]) for row in table["allowed"] if row["reason"]}


def tracked() -> list[str]:
    """Return the names of all files that are or would be checked in."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=TIMEOUT_S)
    return done.stdout.splitlines()


def scan() -> list[Finding]:
    """Return the secrets in all files that are checked in."""
    patterns, allowed = rules()
    found = []
    for name in tracked():
        path = ROOT / name
        if not path.is_file() or name == "scripts/secrets.json":
            continue
        text = path.read_bytes().decode("utf-8", "replace")
        found += [one for one in secrets(text, name, patterns) if (one.file, one.kind) not in allowed]
    return found


def vulnerable() -> tuple[list[str], int, int]:
    """Return (known vulnerabilities, packages looked up, packages that could not be)."""
    command = [
        sys.executable, "-m", "pip_audit", "--disable-pip", "--require-hashes", "--format=json",
        "--progress-spinner=off", "--timeout=10", "-r", str(ROOT / "requirements.lock"),
    ]  # fmt: skip
    try:
        done = subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=TIMEOUT_S
        )
        told: dict[str, Any] = json.loads(done.stdout)
    except (subprocess.TimeoutExpired, ValueError):
        return [], 0, -1
    packages = told.get("dependencies", [])
    known = [
        f"{one['name']} {one['version']}: {flaw['id']}" for one in packages for flaw in one.get("vulns", ())
    ]
    skipped = sum("skip_reason" in one for one in packages)
    return known, len(packages) - skipped, skipped


def main() -> int:
    """Return 1 where something was found."""
    found = scan()
    for one in found:
        print(f"{one.file}:{one.line}: this looks like a {one.kind}", file=sys.stderr)
    known, looked_up, skipped = vulnerable()
    for text in known:
        print(text, file=sys.stderr)
    if skipped:
        number = "all" if skipped < 0 or not looked_up else str(skipped)
        print(f"Vulnerabilities: {number} packages could not be looked up here.")
    return int(bool(found or known))


if __name__ == "__main__":
    sys.exit(main())
