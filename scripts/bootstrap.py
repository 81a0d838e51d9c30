"""Make `.venv` from `requirements.lock`: every package by hash, only the extras asked for, nothing done twice.

Run through `scripts/bootstrap`; needs Python >= 3.11 with pip (or `uv`), and nothing else installed.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
LOCK = ROOT / "requirements.lock"
PROJECT = ROOT / "pyproject.toml"
STAMP = VENV / "healthbuddy-bootstrap.json"
TOOLS = ROOT / ".cache" / "tools"
BUNDLES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem")


def main(extras: set[str]) -> None:
    """Bring `.venv` up to the lock with `extras`; those installed before stay."""
    (ROOT / ".cache").mkdir(exist_ok=True)
    with (ROOT / ".cache" / "bootstrap.lock").open("w") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        wanted, installed = state(), json.loads(STAMP.read_text()) if STAMP.exists() else {}
        if installed.get("state") == wanted and extras <= set(installed["extras"]):
            return
        extras |= set(installed.get("extras", ()))
        install(extras, anew=installed.get("python") != interpreter())
        STAMP.write_text(json.dumps({"state": wanted, "extras": sorted(extras), "python": interpreter()}))


def interpreter() -> str:
    """Return what a virtual environment is bound to: this Python and this folder."""
    return f"{sys.version} {sys.executable} {ROOT}"


def state() -> str:
    """Return a digest of everything that decides what is in `.venv`."""
    digest = hashlib.sha256(interpreter().encode())
    for path in (LOCK, PROJECT, Path(__file__)):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def install(extras: set[str], *, anew: bool) -> None:
    """Install the locked packages for `extras`, then the project itself (editable)."""
    print(f"Installing packages{' with ' + ', '.join(sorted(extras)) if extras else ''} …", flush=True)
    os.environ.update(network_settings())
    uv = find_uv() or fetch_uv()
    if anew or not (VENV / "bin" / "python").exists():
        run(uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(VENV))
    target = ("--quiet", "--python", str(VENV / "bin" / "python"))
    chosen = [option for extra in sorted(extras) for option in ("--extra", extra)]
    run(uv, "pip", "install", *target, "--require-hashes", "-c", str(LOCK), "-r", str(PROJECT), *chosen)
    run(uv, "pip", "install", *target, "--no-deps", "--build-constraints", str(LOCK), "--editable", str(ROOT))


def run(*command: str) -> None:
    """Run `command`; its failure is ours."""
    if code := subprocess.run(command, cwd=ROOT, check=False).returncode:
        sys.exit(f"bootstrap: `{' '.join(command[:3])} …` failed ({code})")


def find_uv() -> str | None:
    """Return a uv that is at least as new as the locked one: on the PATH, or fetched before."""
    for place in (shutil.which("uv"), str(TOOLS / "bin" / "uv")):
        if place is None or not Path(place).exists():
            continue
        shown = subprocess.run([place, "--version"], capture_output=True, text=True, check=False)
        found = re.match(r"uv (\d+)\.(\d+)\.(\d+)", shown.stdout)
        if found and tuple(map(int, found.groups())) >= locked_uv():
            return place
    return None


def locked_uv() -> tuple[int, ...]:
    """Return the version of uv that the lock names."""
    found = re.search(r"^uv==(\d+)\.(\d+)\.(\d+)", LOCK.read_text(), re.MULTILINE)
    if found is None:
        sys.exit("bootstrap: requirements.lock names no uv")
    return tuple(map(int, found.groups()))


def fetch_uv() -> str:
    """Return the locked uv, fetched by pip into a folder of its own (no venv module needed, nothing global touched)."""
    if subprocess.run(
        [sys.executable, "-m", "pip", "--version"], capture_output=True, check=False
    ).returncode:
        sys.exit("bootstrap: neither uv nor pip was found. Debian/Ubuntu: apt install python3-pip")
    section = re.search(r"^uv==.*?(?=^\S)", LOCK.read_text() + "end\n", re.MULTILINE | re.DOTALL)
    assert section is not None
    shutil.rmtree(TOOLS, ignore_errors=True)
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as wanted:
        wanted.write(section.group())
        wanted.flush()
        quiet = ("--quiet", "--disable-pip-version-check", "--root-user-action=ignore")
        pip = (sys.executable, "-m", "pip", "install", *quiet, "--no-deps", "--only-binary=:all:")
        run(*pip, "--require-hashes", "--target", str(TOOLS), "-r", wanted.name)
    return str(TOOLS / "bin" / "uv")


def network_settings() -> dict[str, str]:
    """Return the environment that makes uv use the registry, mirror and certificates that pip is configured for."""
    shown = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=False
    )
    pairs = (line.partition("=") for line in shown.stdout.splitlines())
    configured = {key.rsplit(".", 1)[-1]: value.strip().strip("'\"") for key, _, value in pairs}
    bundle = configured.get("cert") or next((path for path in BUNDLES if Path(path).exists()), "")
    candidates = {
        "UV_DEFAULT_INDEX": configured.get("index-url", ""),
        "UV_INDEX": configured.get("extra-index-url", ""),
        "UV_INSECURE_HOST": configured.get("trusted-host", ""),
        "SSL_CERT_FILE": bundle,
        "UV_HTTP_TIMEOUT": configured.get("default-timeout", configured.get("timeout", "")),
    }
    replaced = {"UV_DEFAULT_INDEX": "UV_INDEX_URL", "UV_INDEX": "UV_EXTRA_INDEX_URL"}
    return {
        name: value
        for name, value in candidates.items()
        if value and name not in os.environ and replaced.get(name, "") not in os.environ
    }


if __name__ == "__main__":
    main(set(sys.argv[1:]))
