#!/usr/bin/env python3
"""`synth`: models with random weights, in both formats."""

import pathlib
import tempfile
import unittest

from command_line import CommandLineTest


class SynthTest(CommandLineTest):
    def setUp(self):
        self._directory = tempfile.TemporaryDirectory()
        self.addCleanup(self._directory.cleanup)
        self.path = pathlib.Path(self._directory.name)

    def synth(self, name, dtype, form, *options):
        out = self.path / name
        self.ok("synth", "--arch", "llama", "--shape", "llama-tiny", "--dtype", dtype, "--format",
                form, "--out", out, *options)
        return out

    def test_the_two_formats_hold_the_same_model(self):
        models = [self.synth("hf", "f32", "safetensors"), self.synth("m.gguf", "f32", "gguf")]
        for args in (("logits", "--tokens", "256,72,101,108,108,111", "--all"),
                     ("tokenize", "--text", "Hello\n wörld"),
                     ("run", "--prompt", "Hello", "--seed", "3", "--max-tokens", "8")):
            outputs = [self.ok(args[0], "--model", model, *args[1:]) for model in models]
            self.assertEqual(outputs[0], outputs[1], args)

    def test_a_block_type_runs(self):
        model = self.synth("q.gguf", "q4_k", "gguf", "--seed", "9")
        result = self.json("run", "--model", model, "--prompt", "Hello", "--max-tokens", "4",
                           "--json", "--temperature", "0")
        self.assertEqual(result["dtype"], "q4_k")
        self.assertEqual(len(result["tokens"]), 4)
        self.assertEqual(result["prompt_tokens"], 6)  # one per byte, and the begin token

    def test_wrong_options(self):
        common = ("--dtype", "f32", "--out", self.path / "x")
        self.fails(2, "synth", "--arch", "llama", "--shape", "llama-tiny", "--format", "zip",
                   *common)
        line = self.fails(1, "synth", "--arch", "llama", "--shape", "none", "--format", "gguf",
                          *common)
        self.assertIn("tinyllama-1.1b", line)


if __name__ == "__main__":
    unittest.main()
