#!/usr/bin/env python3
"""`logits`: the same bits however they are computed."""

import json
import unittest

from command_line import FIXTURES, CommandLineTest


class LogitsTest(CommandLineTest):
    MODEL = FIXTURES / "llama-gqa"

    def test_shape(self):
        result = self.json("logits", "--model", self.MODEL, "--tokens", "1,2,3")
        self.assertEqual([len(row) for row in result["logits"]], [result["vocab_size"]])
        result = self.json("logits", "--model", self.MODEL, "--tokens", "1,2,3", "--all")
        self.assertEqual([len(row) for row in result["logits"]], [result["vocab_size"]] * 3)

    def test_every_way_of_computing_gives_the_same_bits(self):
        tokens = ",".join(str(3 * i % 60) for i in range(50))
        args = ("logits", "--model", self.MODEL, "--tokens", tokens)
        whole = self.ok(*args, "--all")
        for options in (["--step"], ["--chunk", "7"], ["--chunk", "1000"], ["--threads", "1"],
                        ["--threads", "3"]):
            with self.subTest(options=options):
                self.assertEqual(self.ok(*args, "--all", *options), whole)
        last = json.loads(whole)["logits"][-1]
        self.assertEqual(self.json(*args)["logits"], [last])

    def test_digits_name_the_float_exactly(self):
        def f32(value):
            import struct
            return struct.unpack("f", struct.pack("f", value))[0]
        row = self.json("logits", "--model", self.MODEL, "--tokens", "5")["logits"][0]
        for value in row:
            self.assertEqual(float(f"{f32(value):.9g}"), value)


if __name__ == "__main__":
    unittest.main()
