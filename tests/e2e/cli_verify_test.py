#!/usr/bin/env python3
"""`verify`: how far two models are from each other."""

import tempfile
import unittest

from command_line import DEMO, FIXTURES, CommandLineTest, worker


class VerifyTest(CommandLineTest):
    MODEL = FIXTURES / "llama-gqa"
    GGUF = FIXTURES / "llama-gqa.gguf"

    def test_a_checkpoint_and_its_gguf_are_equal_to_rounding(self):
        result = self.json("verify", self.MODEL, self.GGUF, "--json", "--tolerance", "1e-5")
        self.assertEqual(result["agreement"], 1)
        self.assertEqual(result["tokenised_differently"], 0)
        self.assertLess(result["max_kl"], 1e-9)
        self.assertGreater(result["positions"], 4 * 32)

    def test_a_model_and_itself_are_identical(self):
        result = self.json("verify", "--prompt", "Hi", "--prompt", "you", self.MODEL, self.MODEL,
                           "--max-tokens", "4", "--json")
        self.assertEqual(result["max_absolute_difference"], 0)
        self.assertEqual(result["max_kl"], 0)

    def test_two_types_differ_a_little(self):
        result = self.json("verify", self.MODEL, self.MODEL, "--dtype-b", "bf16", "--json")
        self.assertEqual((result["dtype_a"], result["dtype_b"]), ("f32", "bf16"))
        self.assertGreater(result["mean_kl"], 0)
        self.assertLess(result["max_kl"], 0.05)
        self.assertGreaterEqual(result["max_kl"], result["mean_kl"])

    def test_text_gives_the_perplexities_that_the_command_gives(self):
        with tempfile.NamedTemporaryFile() as file:
            file.write(b"The quick brown fox jumps over the lazy dog. " * 8)
            file.flush()
            text = ["--file", file.name, "--context", "32", "--json"]
            both = self.json("verify", self.MODEL, self.MODEL, "--dtype-b", "bf16", *text)
            for side, dtype in (("text_a", "f32"), ("text_b", "bf16")):
                alone = self.json("perplexity", "--model", self.MODEL, "--dtype", dtype, *text)
                for key in ("perplexity", "standard_error", "tokens_scored"):
                    self.assertEqual(both[side][key], alone[key])
            self.assertEqual(both["positions"], both["text_a"]["tokens_scored"])

    def test_errors(self):
        self.assertIn("vocabularies", self.fails(1, "verify", DEMO, self.MODEL))
        self.assertIn("/nonexistent", self.fails(1, "verify", DEMO, "/nonexistent"))
        self.assertIn("context", self.fails(1, "verify", self.MODEL, self.GGUF, "--max-tokens",
                                            "5000"))
        self.assertIn("empty", self.fails(1, "verify", self.MODEL, self.GGUF, "--prompt", ""))
        self.fails(2, "verify", self.MODEL)
        code, out, err = worker("verify", self.MODEL, self.MODEL, "--dtype-b", "bf16",
                                "--tolerance", "1e-9")
        self.assertEqual(code, 1)
        self.assertIn(b"KL", out)
        self.assertIn(b"exceeds", err)


if __name__ == "__main__":
    unittest.main()
