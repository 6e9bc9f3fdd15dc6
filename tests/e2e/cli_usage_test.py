#!/usr/bin/env python3
"""Usage, exit codes and error lines of every command: the real binary."""

import subprocess
import unittest

from command_line import DEMO, TIMEOUT, WORKER, CommandLineTest


class UsageTest(CommandLineTest):
    COMMANDS = ("run", "serve", "logits", "tokenize", "inspect", "bench",
                "perplexity", "verify", "synth", "quantize", "api", "info")

    def test_help_everywhere(self):
        overview = self.ok("--help").decode()
        for command in self.COMMANDS:
            self.assertIn(command, overview)
            self.assertIn("--help", self.ok(command, "--help").decode())

    def test_version(self):
        self.assertRegex(self.ok("--version").decode(), r"^\d+\.\d+\.\d+\n$")

    def test_bad_usage_is_exit_code_2(self):
        for args in ([], ["frobnicate"], ["run"], ["run", "--model", DEMO, "--frobnicate"],
                     ["run", "--model", DEMO, "--max-tokens", "many"],
                     ["run", "--model", DEMO, "--max-tokens", "0"],
                     ["logits", "--model", DEMO], ["logits", "--model", DEMO, "--tokens", "1,x"],
                     ["logits", "--model", DEMO, "--tokens", "1", "--step", "--chunk", "2"],
                     ["inspect"], ["synth", "--arch", "llama"]):
            with self.subTest(args=args):
                self.fails(2, *args)

    def test_sampling_values_out_of_range_name_value_and_bound(self):
        for option, value, message in (
                ("--temperature", "2.5", "temperature must be at most 2.0 (got 2.5)"),
                ("--temperature", "-1", "temperature must be at least 0.0 (got -1)"),
                ("--top-p", "1.5", "top_p must be at most 1.0 (got 1.5)"),
                ("--top-k", "-3", "top_k must be at least 0 (got -3)"),
                ("--repetition-penalty", "0", "repetition_penalty must be greater than 0.0 (got 0)")):
            with self.subTest(option=option, value=value):
                line = self.fails(2, "run", "--model", DEMO, "--prompt", "x", option, value)
                self.assertEqual(line, "error: " + message)

    def test_errors_are_exit_code_1(self):
        self.assertIn("/nonexistent", self.fails(1, "run", "--model", "/nonexistent",
                                                 "--prompt", "x"))
        self.assertIn("Unsupported dtype: q7", self.fails(1, "run", "--model", DEMO, "--prompt",
                                                          "x", "--dtype", "q7"))
        self.assertIn("device gpu", self.fails(1, "run", "--model", DEMO, "--prompt", "x",
                                               "--device", "gpu"))
        self.assertIn("context", self.fails(1, "run", "--model", DEMO, "--prompt", "x",
                                            "--context", "99999999"))
        self.assertIn("2048", self.fails(1, "logits", "--model", DEMO, "--tokens", "1,2048"))

    def test_output_that_cannot_be_written_is_an_error(self):
        with open("/dev/full", "wb") as full:
            done = subprocess.run([WORKER, "info"], stdout=full, stderr=subprocess.PIPE,
                                  timeout=TIMEOUT)
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"error: ", done.stderr)


if __name__ == "__main__":
    unittest.main()
