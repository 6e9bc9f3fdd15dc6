#!/usr/bin/env python3
"""Prints "PASSED FAILED SKIPPED" of a JUnit report that ctest wrote.

    tools/count_ctest.py REPORT.xml
"""

import sys
import xml.etree.ElementTree

NOT_RUN = ("skipped", "disabled", "notrun")


def main():
    passed = failed = skipped = 0
    for case in xml.etree.ElementTree.parse(sys.argv[1]).getroot().iter("testcase"):
        status = case.get("status")
        if status == "run":
            passed += 1
        elif status in NOT_RUN:
            skipped += 1
        else:
            failed += 1
    print(passed, failed, skipped)
    return 0


if __name__ == "__main__":
    sys.exit(main())
