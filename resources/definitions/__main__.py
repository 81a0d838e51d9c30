"""`python -m resources.definitions PACKAGE.tgz`: compile the official package into the cache."""

from __future__ import annotations

import sys
from pathlib import Path

from resources.definitions import cache_file, save
from resources.definitions.compiler import compile_package
from resources.definitions.structures import save_structures
from resources.definitions.vocabulary import save_vocabulary


def main(source: str) -> None:
    """Compile `source` and say where the result lies."""
    package = compile_package(Path(source))
    save(package, cache_file())
    save_vocabulary(Path(source))
    save_structures(Path(source))
    print(
        f"{package.name} {package.version}: {len(package.types)} types, {len(package.search)} search parameters"
    )


if __name__ == "__main__":
    main(sys.argv[1])
