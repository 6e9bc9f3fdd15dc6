#!/usr/bin/env python3
"""Checks which folder of the source tree includes which.

Reads every #include line under src/ and include/ and reports each one that the table below does not
allow, as file:line. Exit code 0: none; 1: at least one.

    tools/check_layers.py [ROOT]
"""

import pathlib
import re
import sys

# folder -> folders that it may include beside itself and include/llm. Bottom to top.
ALLOWED = {
    "llm": [],
    "core": [],
    "quant": ["core"],
    "tokenizer": ["core"],
    "sampling": ["core"],
    "chat": ["core"],
    "formats": ["core", "quant"],
    "kernels": ["core", "quant"],
    "models": ["core", "quant", "formats", "kernels"],
    "offline": ["core", "quant", "tokenizer", "formats", "kernels", "models"],
    "engine": ["core", "tokenizer", "sampling", "chat", "formats", "kernels", "models"],
    "server": ["core", "chat", "engine"],
    "cli": ["core", "offline", "engine", "server"],
}

# Libraries that only these folders may use.
LIBRARIES = {
    "boost/": ["server"],
    "CLI/": ["cli"],
    "spdlog/": ["server", "cli"],
    "pcre2": ["tokenizer"],
    "utf8proc": ["tokenizer", "chat"],
}

# The operation tables of kernels/ know nothing of each other, and the rest of the tree knows only
# the table of operations itself.
BACKENDS = ["ref", "cpu", "cuda", "no_cuda"]
BACKEND_CHOOSER = "src/kernels/dispatch.cpp"
KERNELS_INTERFACE = "kernels/kernels.h"

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')


def folder_of(path):
    """"core" for src/core/..., "llm" for include/llm/..., from a path relative to the root."""
    return path.parts[1] if len(path.parts) > 2 else None


def backend_of(include_path):
    """"cpu" for kernels/cpu/..., else None."""
    parts = include_path.split("/")
    return parts[1] if len(parts) > 2 and parts[0] == "kernels" and parts[1] in BACKENDS else None


def check_own(path, target, root):
    """The rule that an #include "target" in the file `path` breaks, or None."""
    folder = folder_of(path)
    target_folder = target.split("/")[0]
    if ".." in target.split("/"):
        return "includes are written from src/ or include/, without '..'"
    if not ((root / "src" / target).is_file() or (root / "include" / target).is_file()):
        return "no such file under src/ or include/"
    if target_folder not in [folder, "llm"] + ALLOWED[folder]:
        allowed = ", ".join(["llm"] + ALLOWED[folder])
        return f"{folder} may include {allowed}, not {target_folder}"
    if target_folder == "kernels":
        if folder != "kernels" and target != KERNELS_INTERFACE:
            return f"{folder} sees {KERNELS_INTERFACE} only"
        backend = backend_of(target)
        own_backend = backend_of("/".join(path.parts[1:]))
        if backend and backend != own_backend and path.as_posix() != BACKEND_CHOOSER:
            return f"kernels/{backend} is known to itself and to {BACKEND_CHOOSER} only"
    return None


def check_system(path, target):
    folder = folder_of(path)
    if folder == "llm" and ("." in target or "/" in target):
        return "include/llm uses the standard library only"
    for prefix, folders in LIBRARIES.items():
        if target.startswith(prefix) and folder not in folders:
            return f"{prefix.rstrip('/')} is for {', '.join(folders)}, not {folder}"
    return None


def check_tree(root):
    """All violations below `root`, as 'file:line: text'."""
    problems = []
    files = sorted(f for top in ("src", "include") for f in (root / top).rglob("*")
                   if f.suffix in (".h", ".cpp", ".inc"))
    for file in files:
        path = file.relative_to(root)
        if folder_of(path) not in ALLOWED:
            problems.append(f"{path}:1: folder is not in the table of tools/check_layers.py")
            continue
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
            match = INCLUDE.match(line)
            if not match:
                continue
            system, target = match.group(1) == "<", match.group(2)
            rule = check_system(path, target) if system else check_own(path, target, root)
            if rule:
                problems.append(f"{path}:{number}: includes {target}: {rule}")
    return problems


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".").resolve()
    problems = check_tree(root)
    for problem in problems:
        print(problem)
    print(f"check_layers: {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
