#!/usr/bin/env python3
"""tools/make_api_doc.py finds tables that are missing or stale."""

import json
import pathlib
import stat
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

import make_api_doc as doc  # noqa: E402

PAGE = "# API\n<!-- table a -->\nold\n<!-- end -->\nbetween\n<!-- table b -->\n<!-- end -->\n"


class FillTest(unittest.TestCase):
    def test_tables_are_replaced_and_the_rest_is_kept(self):
        filled = doc.fill_tables(PAGE, {"a": "| 1 |\n", "b": "| 2 |\n"})
        self.assertEqual(filled, "# API\n<!-- table a -->\n| 1 |\n<!-- end -->\nbetween\n"
                                 "<!-- table b -->\n| 2 |\n<!-- end -->\n")
        self.assertEqual(doc.fill_tables(filled, {"a": "| 1 |\n", "b": "| 2 |\n"}), filled)

    def test_a_table_without_a_place_and_a_place_without_a_table_are_errors(self):
        for tables in ({"a": ""}, {"a": "", "b": "", "c": ""}):
            with self.assertRaises(SystemExit):
                doc.fill_tables(PAGE, tables)


class CheckTest(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.root = pathlib.Path(directory.name)
        (self.root / "docs").mkdir()
        (self.root / "docs/api.md").write_text(PAGE)
        self.worker = self.root / "worker"
        tables = json.dumps({"a": "| 1 |\n", "b": "| 2 |\n"})
        self.worker.write_text(f"#!/bin/sh\nif [ \"$2\" = --tables ]; then printf %s '{tables}'\n"
                               "else printf %s '{}'; fi\n")
        self.worker.chmod(self.worker.stat().st_mode | stat.S_IXUSR)

    def run_tool(self, *flags):
        return subprocess.run([sys.executable, ROOT / "tools/make_api_doc.py", "--worker", self.worker,
                               "--root", self.root, *flags], capture_output=True, text=True)

    def test_what_was_written_is_current_and_what_was_changed_is_not(self):
        self.assertEqual(self.run_tool("--check").returncode, 1)
        self.assertEqual(self.run_tool().returncode, 0)
        self.assertEqual(self.run_tool("--check").returncode, 0)
        for name in ("docs/api.md", "docs/openapi.json"):
            path = self.root / name
            text = path.read_text()
            path.write_text(text.replace("| 1 |", "| 9 |").replace("{}", "[]"))
            checked = self.run_tool("--check")
            self.assertEqual(checked.returncode, 1)
            self.assertIn(name, checked.stdout)
            path.write_text(text)


if __name__ == "__main__":
    unittest.main()
