#!/usr/bin/env python3
"""Runs unittest files and writes how many cases passed, failed and were skipped.

    tools/run_python_tests.py COUNTS_FILE TEST_FILE...

COUNTS_FILE receives "PASSED FAILED SKIPPED". A file that cannot be imported counts as one failure.
"""

import importlib.util
import pathlib
import sys
import traceback
import unittest


def load(path):
    name = "_".join(path.with_suffix("").parts[-3:])
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    sys.path.insert(0, str(path.parent))
    try:
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(path.parent))
    return unittest.defaultTestLoader.loadTestsFromModule(module)


def main():
    counts_file, *files = map(pathlib.Path, sys.argv[1:])
    passed = failed = skipped = 0
    for file in files:
        print(f"-- {file}", flush=True)
        try:
            suite = load(file.resolve())
        except unittest.SkipTest as reason:
            print(f"skipped: {reason}")
            skipped += 1
            continue
        except Exception:  # whatever a test file does at import is its failure
            traceback.print_exc()
            failed += 1
            continue
        result = unittest.TextTestRunner(verbosity=2, stream=sys.stdout).run(suite)
        bad = len(result.failures) + len(result.errors) + len(result.unexpectedSuccesses)
        failed += bad
        skipped += len(result.skipped)
        passed += max(0, result.testsRun - bad - len(result.skipped))
        if result.testsRun == 0 and not result.skipped:
            print("error: no test in this file")
            failed += 1
    counts_file.write_text(f"{passed} {failed} {skipped}\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
