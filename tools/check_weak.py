#!/usr/bin/env python3
"""Fails when an object compiled for a larger instruction set defines a weak or unique symbol.

The linker keeps one copy of a weak symbol (an inline function of a header, a template). If that
copy is the one compiled for AVX-512, the whole program crashes on processors without it. Kernels
therefore keep everything in anonymous namespaces and call nothing inline from elsewhere.

usage: check_weak.py BUILD_DIRECTORY
"""

import pathlib
import subprocess
import sys

# nm's letters: weak (V, v, W, w) and unique global (u). Undefined ones (w, v) are references.
LEAKING = set("VWu")


def leaking_symbols(path):
    listing = subprocess.run(
        ["nm", "--defined-only", "--demangle", str(path)], check=True, capture_output=True, text=True
    ).stdout
    for line in listing.splitlines():
        fields = line.split(maxsplit=2)
        # DW.ref.*: a pointer to the exception handler, data that is the same in every object.
        if len(fields) == 3 and fields[1] in LEAKING and not fields[2].startswith("DW.ref."):
            yield fields[2]


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    pattern = "src/kernels/CMakeFiles/llm_kernels_*.dir/**/*.o"
    objects = sorted(
        path
        for path in pathlib.Path(sys.argv[1]).glob(pattern)
        if "llm_kernels_baseline.dir" not in path.parts
    )
    if not objects:
        sys.exit(f"check_weak: no kernel objects below {sys.argv[1]}")
    failures = [f"{path}: {name}" for path in objects for name in leaking_symbols(path)]
    for failure in failures:
        print(f"check_weak: weak symbol in {failure}", file=sys.stderr)
    if failures:
        sys.exit(1)
    print(f"check_weak: {len(objects)} objects, no weak symbols")


if __name__ == "__main__":
    main()
