#!/usr/bin/env python3
"""`tokenize`, in both directions."""

import unittest

from command_line import DEMO, ROOT, CommandLineTest


class TokenizeTest(CommandLineTest):
    TEXTS = ("Hello, world!", "", " ", "\n", " two  spaces ", "line\nline\n", "wörld 你好 😀",
             "tab\there", "'s 't 123456 a1b2", "<|eot_id|> is text here")

    def test_round_trip_is_exact_byte_for_byte(self):
        for text in self.TEXTS:
            with self.subTest(text=text):
                ids = self.ok("tokenize", "--model", DEMO, stdin=text.encode())
                self.assertEqual(self.ok("tokenize", "--model", DEMO, "--decode", stdin=ids),
                                 text.encode())
                self.assertEqual(self.ok("tokenize", "--model", DEMO, "--text", text), ids)

    def test_no_special_adds_no_begin_token(self):
        with_bos = self.json("tokenize", "--model", DEMO, "--text", "Hello")
        without = self.json("tokenize", "--model", DEMO, "--text", "Hello", "--no-special")
        self.assertEqual(with_bos, [2043] + without)

    def test_decode_of_the_added_tokens(self):
        ids = b"[2043, 39]"
        self.assertEqual(self.ok("tokenize", "--model", DEMO, "--decode", stdin=ids),
                         self.ok("tokenize", "--model", DEMO, "--decode", stdin=b"[39]"))
        self.assertIn(b"<|begin_of_text|>", self.ok("tokenize", "--model", DEMO, "--decode",
                                                    "--no-special", stdin=ids))

    def test_bad_ids_are_errors(self):
        for ids in (b"", b"[1,", b'{"a":1}', b'["1"]', b"[-1]", b"[1.5]", b"[99999999]",
                    b"[99999999999999999999]"):
            with self.subTest(ids=ids):
                self.fails(1, "tokenize", "--model", DEMO, "--decode", stdin=ids)

    def test_needs_no_weights(self):
        directory = ROOT / "tests/fixtures/tokenizers/llama3"
        self.assertFalse((directory / "model.safetensors").exists())
        self.assertGreater(len(self.json("tokenize", "--model", directory, "--text", "Hello")), 1)


if __name__ == "__main__":
    unittest.main()
