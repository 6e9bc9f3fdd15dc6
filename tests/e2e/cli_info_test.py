#!/usr/bin/env python3
"""`info`, and the instruction sets that can be forced."""

import unittest

from command_line import DEMO, CommandLineTest


class InstructionSetTest(CommandLineTest):
    def test_every_available_set_can_be_forced_and_says_so(self):
        sets = self.json("info", "--json")["instruction_sets"]
        self.assertEqual(sets["chosen"], sets["available"][0])
        for name in sets["available"]:
            forced = self.json("info", "--json", env={"LLM_ISA": name})["instruction_sets"]
            self.assertEqual(forced["chosen"], name)

    def test_info_lists_the_architectures_by_the_names_in_files(self):
        listed = self.json("info", "--json")["architectures"]
        qwen = next(names for names in listed if names["family"] == "qwen3_moe")
        self.assertEqual(qwen, {"family": "qwen3_moe", "model_type": "qwen3_moe",
                                "hf_class": "Qwen3MoeForCausalLM", "gguf_architecture": "qwen3moe"})
        text = self.ok("info").decode()
        for names in listed:
            self.assertIn(names["family"], text)

    def test_an_unknown_set_is_an_error_that_lists_the_known_ones(self):
        for command in (["info"], ["run", "--model", DEMO, "--prompt", "x"],
                        ["logits", "--model", DEMO, "--tokens", "1"], ["inspect", DEMO]):
            line = self.fails(1, *command, env={"LLM_ISA": "avx3"})
            self.assertIn("avx3", line)
            self.assertIn("ref", line)

    def test_greedy_text_is_the_same_with_the_definitions(self):
        args = ["run", "--model", DEMO, "--prompt", "Once upon a time", "--max-tokens", "12",
                "--temperature", "0"]
        self.assertEqual(self.ok(*args), self.ok(*args, env={"LLM_ISA": "ref"}))


if __name__ == "__main__":
    unittest.main()
