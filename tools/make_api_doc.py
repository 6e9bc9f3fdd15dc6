#!/usr/bin/env python3
"""Writes docs/openapi.json, and the tables of docs/api.md, from the tables that the program works from.

    tools/make_api_doc.py [--worker PROGRAM]            # writes both
    tools/make_api_doc.py --check [--worker PROGRAM]    # exit code 1 if one is out of date
"""

import argparse
import json
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
MARK = re.compile(r"(<!-- table (\S+) -->\n).*?(<!-- end -->)", re.DOTALL)


def ask(worker, *arguments):
    return subprocess.run([worker, "api", *arguments], check=True, capture_output=True,
                          text=True).stdout


def fill_tables(page, tables):
    """`page` with each marked table; every table must have its place, and every place its table."""
    places = [match.group(2) for match in MARK.finditer(page)]
    if sorted(places) != sorted(tables):
        raise SystemExit(f"error: docs/api.md has places for the tables {sorted(places)}; the program "
                         f"has {sorted(tables)}")
    return MARK.sub(lambda match: match.group(1) + tables[match.group(2)] + match.group(3), page)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--worker", default=str(ROOT / "build/llm-worker"))
    parser.add_argument("--root", type=pathlib.Path, default=ROOT, help="where docs/ is")
    args = parser.parse_args()
    page = args.root / "docs/api.md"
    wanted = {
        args.root / "docs/openapi.json": ask(args.worker),
        page: fill_tables(page.read_text(encoding="utf-8"),
                          json.loads(ask(args.worker, "--tables"))),
    }
    stale = [path for path, text in wanted.items()
             if not path.exists() or path.read_text(encoding="utf-8") != text]
    for path in stale:
        if args.check:
            print(f"{path.relative_to(args.root)} is out of date: run tools/make_api_doc.py")
        else:
            path.write_text(wanted[path], encoding="utf-8")
    return 1 if args.check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
