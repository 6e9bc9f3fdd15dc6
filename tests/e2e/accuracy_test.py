#!/usr/bin/env python3
"""Quantised files through the fast kernels: perplexity within 0.1 % of that of the exact ones."""

import pathlib
import sys
import tempfile
import unittest

from command_line import ROOT, WORKER, DEMO

sys.path.insert(0, str(ROOT / "bench"))

from compare_accuracy import Comparison, stories  # noqa: E402
from widen_model import widen_model  # noqa: E402

# One of blocks of 32, one of 256 (with q6_k in some matrices): the exact kernels are slow, and a text
# has to be long for differences of single tokens to cancel out. bench/compare_accuracy.py does the rest.
TYPES = ("q8_0", "q4_k_m")
LIMIT = 0.1  # percent


class AccuracyTest(unittest.TestCase):
    def test_every_instruction_set_is_as_good_as_exact_kernels(self):
        with tempfile.TemporaryDirectory() as folder:
            model = pathlib.Path(folder) / "wide"  # rows that K-quants fit
            widen_model(DEMO, model)
            comparison = Comparison(WORKER, model, stories(9), 256, folder)
            sets = comparison.offered()
            self.assertIn("baseline", sets)
            for name in TYPES:
                with self.subTest(type=name):
                    exact, found = comparison.of_type(name, sets)
                    self.assertLess(exact, 2, "the model knows such stories")
                    for isa, difference in found.items():
                        self.assertLess(abs(difference), LIMIT, isa)
            self.assertGreater(comparison.scored, 600)


if __name__ == "__main__":
    unittest.main()
