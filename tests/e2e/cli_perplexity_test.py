#!/usr/bin/env python3
"""`perplexity` of a text."""

import tempfile
import unittest

from command_line import DEMO, CommandLineTest


class PerplexityTest(CommandLineTest):
    TEXT = ("Once upon a time, there was a little girl named Lily. She loved to play outside in "
            "the park. One day, she saw a big red ball. ") * 4

    def test_the_same_for_every_number_of_threads(self):
        args = ["perplexity", "--model", DEMO, "--text", self.TEXT, "--context", "32", "--json"]
        one = self.json(*args, "--threads", "1")
        self.assertEqual(one, self.json(*args, "--threads", "2"))
        self.assertEqual(one["window_length"], 32)
        self.assertEqual(one["windows"], one["text_tokens"] // 32)
        self.assertEqual(one["tokens_scored"], one["windows"] * 15)
        self.assertGreater(one["perplexity"], 1)
        self.assertLess(one["perplexity"], 2048)  # better than knowing nothing
        self.assertGreater(one["standard_error"], 0)

    def test_text_from_a_file_and_from_stdin(self):
        args = ["perplexity", "--model", DEMO, "--context", "16"]
        expected = self.ok(*args, "--text", self.TEXT)
        self.assertEqual(self.ok(*args, stdin=self.TEXT.encode()), expected)
        with tempfile.NamedTemporaryFile() as file:
            file.write(self.TEXT.encode())
            file.flush()
            self.assertEqual(self.ok(*args, "--file", file.name), expected)

    def test_errors(self):
        args = ["perplexity", "--model", DEMO]
        self.assertIn("needs 512", self.fails(1, *args, "--text", "Hello"))
        self.assertIn("empty", self.fails(1, *args, "--text", ""))
        self.assertIn("1024", self.fails(1, *args, "--text", "Hello", "--context", "1025"))
        self.assertIn("/nonexistent", self.fails(1, "perplexity", "--model", "/nonexistent",
                                                 "--text", "x"))
        self.assertIn("/nonexistent", self.fails(1, *args, "--file", "/nonexistent"))
        self.fails(2, *args, "--text", "x", "--file", "y")


if __name__ == "__main__":
    unittest.main()
