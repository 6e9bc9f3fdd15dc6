#!/usr/bin/env python3
"""--kv-dtype, the type of the KV cache, on the real binary: what it changes and where it is reported."""

import unittest

from command_line import DEMO, FIXTURES, WORKER, CommandLineTest
from worker import Worker, tokens


class CacheTypeTest(CommandLineTest):
    def test_run(self):
        args = ("run", "--model", DEMO, "--prompt", "Once upon a time", "--max-tokens", "40",
                "--temperature", "0", "--json")
        automatic = self.json(*args)
        self.assertEqual(automatic["kv_dtype"], "f32")
        for name in ("f32", "f16", "bf16", "q8_0"):
            named = self.json(*args, "--kv-dtype", name)
            self.assertEqual((named["dtype"], named["kv_dtype"]), ("f32", name))
            self.assertEqual(len(named["tokens"]), len(automatic["tokens"]))
        self.assertEqual(self.json(*args, "--kv-dtype", "auto")["tokens"], automatic["tokens"])
        self.assertEqual(self.json(*args, "--dtype", "bf16")["kv_dtype"], "bf16")

    def test_inspect_plans_its_memory(self):
        for model in (DEMO, FIXTURES / "deepseek-v3"):
            plans = {name: self.json("inspect", model, "--json", "--context", "64",
                                     "--kv-dtype", name)
                     for name in ("auto", "f32", "f16", "bf16", "q8_0")}
            reported = {name: plan["capabilities"]["kv_dtype"] for name, plan in plans.items()}
            self.assertEqual(reported, {"auto": "f32", "f32": "f32", "f16": "f16", "bf16": "bf16",
                                        "q8_0": "q8_0"})
            memory = {name: plan["memory"]["kv_per_token"] for name, plan in plans.items()}
            self.assertEqual(memory["auto"], memory["f32"])
            self.assertEqual(memory["f32"], 2 * memory["f16"])
            self.assertEqual(memory["bf16"], memory["f16"])
            self.assertLess(memory["q8_0"], memory["f16"])
        self.assertIn("KV cache q8_0", self.ok("inspect", DEMO, "--kv-dtype", "q8_0").decode())

    def test_logits_bench_perplexity_and_verify_take_it(self):
        logits = ("logits", "--model", DEMO, "--tokens", "5,6,7,8")
        self.assertEqual(self.ok(*logits), self.ok(*logits, "--kv-dtype", "f32"))
        self.assertNotEqual(self.ok(*logits), self.ok(*logits, "--kv-dtype", "q8_0"))
        bench = self.json("bench", "--model", DEMO, "-p", "4", "-n", "2", "-b", "1", "--json",
                          "--repetitions", "1", "--kv-dtype", "q8_0")
        self.assertEqual((bench["dtype"], bench["kv_dtype"]), ("f32", "q8_0"))
        perplexity = self.json("perplexity", "--model", DEMO, "--context", "32", "--json", "--text",
                               "Once upon a time, there was a little girl named Lily. " * 8,
                               "--kv-dtype", "q8_0")
        self.assertEqual(perplexity["kv_dtype"], "q8_0")
        verify = self.json("verify", DEMO, DEMO, "--kv-dtype-b", "q8_0", "--json")
        self.assertEqual((verify["kv_dtype_a"], verify["kv_dtype_b"]), ("f32", "q8_0"))
        self.assertGreater(verify["max_kl"], 0)
        self.assertLess(verify["mean_kl"], 0.01)

    def test_an_unknown_type_of_the_cache_is_bad_usage_that_names_the_choices(self):
        for args in (["run", "--model", DEMO, "--prompt", "x"], ["serve", "--model", DEMO],
                     ["bench", "--model", DEMO], ["logits", "--model", DEMO, "--tokens", "1"],
                     ["perplexity", "--model", DEMO, "--text", "x"], ["inspect", DEMO]):
            for name in ("q4_0", "F16", "int8", ""):
                with self.subTest(args=args, name=name):
                    line = self.fails(2, *args, "--kv-dtype", name)
                    self.assertIn("--kv-dtype", line)
                    self.assertIn("q8_0", line)
        self.assertIn("--kv-dtype-b", self.fails(2, "verify", DEMO, DEMO, "--kv-dtype-b", "f8"))


class ServeTest(unittest.TestCase):
    JOB = {"prompt": "Once upon a time", "max_tokens": 30, "temperature": 0, "logprobs": 2}
    TEXT = {"prompt": "Once upon a time", "max_tokens": 3, "seed": 1}

    def test_every_dtype_that_jobs_ask_for_has_it(self):
        replies, fingerprints = {}, {}
        for name in ("auto", "q8_0"):
            with Worker(WORKER, DEMO, "--kv-dtype", name, "--kv-cache", "4MiB") as worker:
                model = worker.get("/v1/model")[1]
                self.assertEqual((model["dtype"], model["kv_dtype"]),
                                 ("f32", "f32" if name == "auto" else name))
                for dtype in ("f32", "bf16"):
                    replies[name, dtype] = tokens(worker.infer(**self.JOB, dtype=dtype))
                    status, reply = worker.post("/v1/completions", {**self.TEXT, "dtype": dtype})
                    self.assertEqual(status, 200, reply)
                    fingerprints[name, dtype] = reply["system_fingerprint"]
        self.assertEqual(len(set(fingerprints.values())), 4, "the same one promises the same reply")
        for one, found in replies.items():
            self.assertEqual(len(found), 30)
            for other in replies:
                if one != other:
                    self.assertNotEqual(found, replies[other], (one, other))


if __name__ == "__main__":
    unittest.main()
