#!/usr/bin/env python3
"""Checks words and sizes that the compiler does not.

 - src/ outside cli/ and server/ does not print or end the process; nothing in src/ throws.
 - No code outside src/models/arch/ compares with the name of an architecture.
 - Files stay below a length at which they should have been split.

Exit code 0: nothing found; 1: at least one problem (warnings do not count).

    tools/check_words.py [ROOT]
"""

import pathlib
import re
import sys

# Comments, character and string literals (with encoding prefix; raw strings too) of C++.
TOKEN = re.compile(
    r'//[^\n]*|/\*.*?\*/|R"(?P<tag>[^(\s]*)\(.*?\)(?P=tag)"|"(?:\\.|[^"\\\n])*"'
    r"|(?<![0-9a-zA-Z_])'(?:\\.|[^'\\\n])+'", re.DOTALL)

PRINTING = re.compile(r"\bstd::(cout|cerr|clog)\b|\b(printf|fprintf|vprintf|vfprintf|puts|fputs|"
                      r"putchar|perror)\s*\(|\bfmt::print\b")
ENDING = re.compile(r"\b(abort|exit|_exit|_Exit|quick_exit|terminate)\s*\(")
THROWING = re.compile(r"\bthrow\b")
MAY_PRINT = ("src/cli/", "src/server/")
# The one place that reports a programmer error and stops.
CHECK_FILE = "src/core/check.cpp"

# Where the name of an architecture is data: its own file, names that file formats and vocabularies
# give to other things, and the shapes of known models.
ARCHITECTURE_FOLDERS = ("src/models/arch/", "src/tokenizer/", "src/formats/",
                        "src/offline/synth_shapes.cpp")
ARCHITECTURE_FIELD = re.compile(
    r'\.(?:family|model_type|hf_class|gguf_architecture)\s*=\s*"([^"]+)"')

MAX_LINES = 800
WARN_LINES = 500
CODE_SUFFIXES = (".h", ".cpp", ".inc", ".py", ".cmake")


def blank_comments(text, blank_strings):
    """`text` with comments (and the inside of strings) replaced by spaces, line breaks kept."""
    def replace(match):
        token = match.group(0)
        is_comment = token.startswith(("//", "/*"))
        if is_comment or blank_strings:
            return re.sub(r"[^\n]", " ", token)
        return token
    return TOKEN.sub(replace, text)


def architecture_names(root):
    names = set()
    for file in sorted((root / "src/models/arch").glob("*.cpp")):
        names.update(ARCHITECTURE_FIELD.findall(file.read_text(encoding="utf-8")))
    return names


def lines_matching(text, pattern):
    for number, line in enumerate(text.splitlines(), 1):
        match = pattern.search(line)
        if match:
            yield number, match.group(0).strip()


def check_source(path, text, names):
    """Problems of one C++ file of src/ or include/."""
    problems = []
    code = blank_comments(text, blank_strings=True)

    def report(pattern, rule):
        for number, word in lines_matching(code, pattern):
            problems.append(f"{path}:{number}: {word!r}: {rule}")

    if not path.startswith(MAY_PRINT) and path != CHECK_FILE:
        report(PRINTING, "only cli and server print; log through core/log.h")
        report(ENDING, "only cli ends the process; return a Status")
    report(THROWING, "errors are Status values, not exceptions")
    if names and not path.startswith(ARCHITECTURE_FOLDERS):
        literal = re.compile('"(?:' + "|".join(sorted(map(re.escape, names))) + ')"')
        with_strings = blank_comments(text, blank_strings=False)
        for number, word in lines_matching(with_strings, literal):
            problems.append(f"{path}:{number}: {word}: architectures are described in "
                            "src/models/arch/ only")
    return problems


def check_length(path, text):
    """(problem or None, warning or None)"""
    lines = text.count("\n")
    if lines > MAX_LINES:
        return f"{path}: {lines} lines, at most {MAX_LINES}: split it", None
    if lines > WARN_LINES:
        return None, f"{path}: {lines} lines, better below {WARN_LINES}"
    return None, None


def check_tree(root):
    """(problems, warnings) of everything below `root`."""
    problems, warnings = [], []
    names = architecture_names(root)
    if not names:
        problems.append("src/models/arch: no architecture found, so its names cannot be checked")
    for top in ("include", "src", "tests", "tools", "bench"):
        for file in sorted((root / top).rglob("*")):
            if file.suffix not in CODE_SUFFIXES:
                continue
            path = file.relative_to(root).as_posix()
            text = file.read_text(encoding="utf-8")
            if top in ("include", "src") and file.suffix in (".h", ".cpp"):
                problems += check_source(path, text, names)
            # Tables of data (generated, named *_tables.inc) have no length to split at.
            if not path.endswith("_tables.inc"):
                problem, warning = check_length(path, text)
                problems += [problem] if problem else []
                warnings += [warning] if warning else []
    return problems, warnings


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".").resolve()
    problems, warnings = check_tree(root)
    for warning in warnings:
        print(f"warning: {warning}")
    for problem in problems:
        print(problem)
    print(f"check_words: {len(problems)} problems, {len(warnings)} warnings")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
