#!/usr/bin/env python3
"""`inspect`: what a model file holds, also one that cannot run."""

import json
import pathlib
import tempfile
import unittest

from command_line import DEMO, FIXTURES, ROOT, CommandLineTest


class InspectTest(CommandLineTest):
    def test_json(self):
        for path, form in ((FIXTURES / "llama-gqa", "safetensors"),
                           (FIXTURES / "llama-gqa.gguf", "gguf")):
            result = self.json("inspect", path, "--json")
            self.assertEqual(result["format"], form)
            self.assertEqual(result["architecture"], "llama")
            self.assertTrue(result["runnable"])
            self.assertEqual(sum(t["bytes"] for t in result["tensors"]), result["tensor_bytes"])
            memory = result["memory"]
            self.assertEqual(memory["total"],
                             sum(memory[part] for part in ("weights", "kv_cache", "scratch",
                                                           "tables", "tokenizer", "program")))
            self.assertGreater(memory["kv_per_token"], 0)
            self.assertGreater(result["capabilities"]["vocab_size"], 0)

    def test_the_plan_follows_the_options(self):
        f32 = self.json("inspect", DEMO, "--json")
        bf16 = self.json("inspect", DEMO, "--json", "--dtype", "bf16", "--context", "64")
        self.assertEqual(bf16["capabilities"]["dtype"], "bf16")
        self.assertEqual(bf16["capabilities"]["max_context_length"], 64)
        self.assertLess(bf16["memory"]["weights"], f32["memory"]["weights"])
        self.assertEqual(bf16["memory"]["kv_per_token"] * 2, f32["memory"]["kv_per_token"])

    def test_text_names_every_tensor(self):
        text = self.ok("inspect", DEMO).decode()
        for tensor in self.json("inspect", DEMO, "--json")["tensors"]:
            self.assertIn(tensor["name"], text)

    def test_json_describes_each_kind_of_layer(self):
        network = self.json("inspect", FIXTURES / "gemma3", "--json", "--dtype", "bf16")["network"]
        local, whole = network["kinds"]
        self.assertEqual(local["layers"], [[0, 4], [6, 6]])
        self.assertEqual(whole["layers"], [[5, 5]])
        self.assertEqual((local["attention"]["window"], whole["attention"]["window"]), (8, 0))
        self.assertEqual(local["attention"]["rope"]["theta"], 10000)
        self.assertEqual(whole["attention"]["rope"]["scaling"], "linear")
        self.assertEqual(local["attention"]["matrices"]["k"],
                         {"dtype": "bf16", "shape": [8, 32], "bias": False})
        self.assertEqual(list(local["norms"]), sorted(
            ["attention_norm", "ffn_norm", "post_attention_norm", "post_ffn_norm"]))
        self.assertTrue(network["head"]["tied"])
        moe = self.json("inspect", FIXTURES / "deepseek-v3.gguf", "--json")["network"]["kinds"][1]
        self.assertEqual(moe["attention"]["kind"], "latent")
        self.assertEqual(moe["ffn"]["routing"]["groups"], 4)
        self.assertEqual(moe["ffn"]["matrices"]["gate"]["copies"], 12)

    def test_text_describes_each_kind_of_layer(self):
        text = self.ok("inspect", FIXTURES / "gemma3").decode()
        self.assertIn("layers 0-4, 6: x += post_attention_norm(attention(attention_norm(x))); "
                      "x += post_ffn_norm(ffn(ffn_norm(x)))", text)
        self.assertIn("window of 8", text)
        self.assertIn("linear scaling by 8", text)
        text = self.ok("inspect", FIXTURES / "falcon-7b").decode()
        self.assertIn("layers 0-1: x += attention(attention_norm(x)) + ffn(attention_norm(x))", text)

    def test_a_model_that_cannot_run_is_still_described(self):
        with tempfile.TemporaryDirectory() as directory:
            path = pathlib.Path(directory)
            for name in ("config.json", "model.safetensors"):
                (path / name).write_bytes((FIXTURES / "llama-gqa" / name).read_bytes())
            config = json.loads((path / "config.json").read_text())
            config["model_type"] = "unheard_of"
            (path / "config.json").write_text(json.dumps(config))
            result = self.json("inspect", path, "--json")
            self.assertFalse(result["runnable"])
            self.assertIn("unheard_of", result["error"])
            self.assertGreater(len(result["tensors"]), 0)

    def test_no_model_is_an_error(self):
        self.fails(1, "inspect", "/nonexistent")
        self.fails(1, "inspect", ROOT / "LICENSE")


if __name__ == "__main__":
    unittest.main()
