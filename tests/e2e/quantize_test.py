#!/usr/bin/env python3
"""`quantize` as people use it: files that the other commands read, clear errors, nothing left behind."""

import json
import os
import pathlib
import resource
import signal
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
WORKER = os.environ.get("LLM_WORKER", str(ROOT / "build/llm-worker"))
DEMO = ROOT / "models/demo"
FIXTURES = ROOT / "tests/fixtures/models"
TIMEOUT = 300
TEXT = "Once upon a time, there was a little boat. It's 12345 miles\n\n to the café!"
TYPES = ("f32", "f16", "bf16", "q8_0", "q4_0", "q4_1", "q5_0", "q5_1", "q4_k_s", "q4_k_m", "q5_k_s",
         "q5_k_m", "q6_k", "iq4_nl")


def worker(*args, **kwargs):
    return subprocess.run([WORKER, *map(str, args)], capture_output=True, timeout=TIMEOUT, text=True,
                          **kwargs)


class QuantizeTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.out = self.folder / "out.gguf"

    def ok(self, *args, **kwargs):
        done = worker(*args, **kwargs)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done

    def json_of(self, *args):
        return json.loads(self.ok(*args).stdout)

    def json(self, *args):
        return self.json_of(*args, "--json")

    def fails(self, code, *args, **kwargs):
        """The last line of a failure; there is no output file and nothing on stdout."""
        done = worker(*args, **kwargs)
        self.assertEqual(done.returncode, code, done.stderr)
        self.assertEqual(done.stdout, "")
        lines = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
        self.assertEqual(lines, done.stderr.splitlines()[-1:])
        return lines[0]

    def left(self):
        return sorted(path.name for path in self.folder.iterdir())

    def test_every_type_of_the_demo_model_still_tells_stories(self):
        exact = None
        for name in TYPES:
            with self.subTest(type=name):
                self.ok("quantize", DEMO, self.out, "--type", name, "--force")
                measured = self.json("perplexity", "--model", self.out, "--file",
                                     ROOT / "models/demo/README.md", "--context", 128)
                exact = exact or measured["perplexity"]
                # English prose that is not a story: far from what it knows, but nearly the same
                # distance in every type.
                self.assertLess(measured["perplexity"], exact * (1.01 if "q" not in name else 1.25))

    def test_a_file_of_f32_computes_what_the_directory_does(self):
        self.ok("quantize", DEMO, self.out, "--type", "f32")
        found = self.json("verify", DEMO, self.out, "--tolerance", "1e-6")
        self.assertEqual(found["tokenised_differently"], 0)
        self.assertEqual(found["agreement"], 1)
        ids = self.ok("tokenize", "--model", DEMO, "--text", TEXT).stdout
        self.assertEqual(self.ok("tokenize", "--model", self.out, "--text", TEXT).stdout, ids)
        here = self.json("run", "--model", DEMO, "--prompt", "The cat", "--temperature", 0,
                         "--max-tokens", 30)
        there = self.json("run", "--model", self.out, "--prompt", "The cat", "--temperature", 0,
                          "--max-tokens", 30)
        self.assertEqual((there["text"], there["stop_reason"]), (here["text"], here["stop_reason"]))

    def test_the_summary_counts_what_is_in_the_file(self):
        report = self.json("quantize", DEMO, self.out, "--type", "Q4_K_M")
        self.assertEqual(report["type"], "q4_k_m")
        self.assertEqual(report["output_bytes"], self.out.stat().st_size)
        found = self.json("inspect", self.out)
        by_type = {}
        for tensor in found["tensors"]:
            entry = by_type.setdefault(tensor["dtype"], {"tensors": 0, "bytes": 0})
            entry["tensors"] += 1
            entry["bytes"] += tensor["bytes"]
        self.assertEqual(report["tensors"], by_type)
        self.assertEqual(report["tensor_bytes"], sum(t["bytes"] for t in by_type.values()))
        self.assertAlmostEqual(report["bits_per_weight"],
                               8 * report["tensor_bytes"] / report["elements"])
        # Rows of 192 are too short for blocks of 256.
        self.assertGreater(report["fallbacks"], 0)
        self.assertGreater(by_type["q5_0"]["tensors"], 0)

    def test_progress_is_on_stderr_and_a_summary_on_stdout(self):
        done = self.ok("quantize", DEMO, self.out, "--type", "q8_0")
        tensors = self.json("inspect", self.out)["tensors"]
        lines = done.stderr.splitlines()
        self.assertEqual(len(lines), len(tensors))
        self.assertIn(f"{len(tensors)}/{len(tensors)}] ", lines[-1])
        self.assertIn("bf16 -> q8_0", done.stderr)
        self.assertIn("bits per weight", done.stdout)

    def test_usage_errors(self):
        line = self.fails(2, "quantize", DEMO, self.out, "--type", "q3_7")
        for name in TYPES:
            self.assertIn(name, line)
        self.fails(2, "quantize", DEMO, self.out)
        self.fails(2, "quantize", DEMO, "--type", "q8_0")
        self.assertEqual(self.left(), [])

    def test_an_output_that_exists_is_kept_unless_forced(self):
        self.out.write_text("precious")
        line = self.fails(1, "quantize", DEMO, self.out, "--type", "q8_0")
        self.assertEqual(line, f"error: {self.out}: exists already; --force overwrites it")
        self.assertEqual(self.out.read_text(), "precious")
        self.ok("quantize", DEMO, self.out, "--type", "q8_0", "--force")

    def test_input_errors(self):
        self.assertIn("/nonexistent", self.fails(1, "quantize", "/nonexistent", self.out, "--type", "q8_0"))
        broken = self.folder / "broken.gguf"
        broken.write_bytes((FIXTURES / "llama-gqa.gguf").read_bytes()[:5000])
        self.assertIn("broken.gguf", self.fails(1, "quantize", broken, self.out, "--type", "q8_0"))
        self.assertIn("sliding window of layer 0",
                      self.fails(1, "quantize", FIXTURES / "qwen2-window", self.out, "--type", "q8_0"))
        self.assertIn("query_pre_attn_scalar",
                      self.fails(1, "quantize", FIXTURES / "gemma2", self.out, "--type", "q8_0"))
        self.assertEqual(self.left(), ["broken.gguf"])

    def test_quantised_weights_are_not_quantised_again_unasked(self):
        eight = self.folder / "eight.gguf"
        self.ok("quantize", DEMO, eight, "--type", "q8_0")
        line = self.fails(1, "quantize", eight, self.out, "--type", "q4_0")
        self.assertIn("--allow-requantize", line)
        self.assertEqual(self.left(), ["eight.gguf"])
        self.ok("quantize", eight, self.out, "--type", "q4_0", "--allow-requantize")

    def test_what_is_lost_is_said(self):
        done = self.ok("quantize", FIXTURES / "mistral-window", self.out, "--type", "f32")
        self.assertIn("warning: sliding window of 8: llama.cpp ignores it", done.stderr)
        report = self.json("quantize", FIXTURES / "mistral-window", self.out, "--type", "f32", "--force")
        self.assertEqual(len(report["warnings"]), 2)  # it has no tokenizer either

    def test_a_model_without_tokenizer_takes_ids(self):
        self.ok("quantize", FIXTURES / "llama-mha", self.out, "--type", "f32")
        there = self.json_of("logits", "--model", self.out, "--tokens", "1,2,3")
        here = self.json_of("logits", "--model", FIXTURES / "llama-mha", "--tokens", "1,2,3")
        self.assertEqual(there["logits"], here["logits"])

    def test_a_disk_that_is_full_leaves_nothing(self):
        def allow_little():
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
        line = self.fails(1, "quantize", DEMO, self.out, "--type", "f32", preexec_fn=allow_little)
        self.assertIn("cannot write", line)
        self.assertEqual(self.left(), [])

    def test_ctrl_c_leaves_nothing(self):
        big = self.folder / "big.gguf"
        self.ok("synth", "--arch", "llama", "--shape", "smollm-135m", "--dtype", "q8_0", "--format",
                "gguf", "--out", big)
        process = subprocess.Popen(
            [WORKER, "quantize", big, self.out, "--type", "q4_k", "--allow-requantize", "--threads",
             "1"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.assertIn("/", process.stderr.readline())
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=TIMEOUT)
        self.assertEqual(process.returncode, 130, err)
        self.assertEqual(out, "")
        self.assertEqual(err.splitlines()[-1], "error: interrupted")
        self.assertEqual(self.left(), ["big.gguf"])


if __name__ == "__main__":
    unittest.main()
