#!/usr/bin/env python3
"""`bench`: its rows."""

import unittest

from command_line import DEMO, CommandLineTest


class BenchTest(CommandLineTest):
    def test_rows(self):
        result = self.json("bench", "--model", DEMO, "-p", "16", "-n", "4", "-b", "1,2",
                           "--repetitions", "1", "--json")
        self.assertEqual([row["test"] for row in result["rows"]], ["pp16", "tg4", "tg4 x 2"])
        for row in result["rows"]:
            self.assertGreater(row["tokens_per_s"], 0)
            self.assertGreater(row["gb_per_s"], 0)
            self.assertGreater(row["gflop_per_s"], 0)
            self.assertGreater(row["machine"]["read_gb_per_s"], 0)
            self.assertGreater(row["machine"]["peak_gflop_per_s"], 0)

    def test_too_long_for_the_model(self):
        self.fails(1, "bench", "--model", DEMO, "-p", "100000")


if __name__ == "__main__":
    unittest.main()
