#!/usr/bin/env python3
"""`run`: the continuation of a prompt, as text and as JSON."""

import os
import signal
import subprocess
import time
import unittest

from command_line import DEMO, FIXTURES, TIMEOUT, WORKER, CommandLineTest, worker


class RunTest(CommandLineTest):
    ARGS = ("run", "--model", DEMO, "--prompt", "Once upon a time")

    def test_streams_the_continuation_alone_and_statistics_to_stderr(self):
        code, out, err = worker(*self.ARGS, "--max-tokens", "20", "--temperature", "0")
        self.assertEqual(code, 0)
        self.assertNotIn(b"Once upon a time", out)
        self.assertGreater(len(out), 20)
        self.assertIn(b"tokens/s", err)

    def test_json_holds_the_streamed_text_and_what_was_used(self):
        args = (*self.ARGS, "--max-tokens", "20", "--temperature", "0.9", "--top-k", "50",
                "--seed", "18446744073709551615")
        streamed = self.ok(*args).decode()
        result = self.json(*args, "--json")
        self.assertEqual(result["text"], streamed)
        self.assertEqual(len(result["tokens"]), 20)
        self.assertEqual(result["prompt_tokens"], 5)
        self.assertEqual(result["stop_reason"], "MAX_TOKENS")
        self.assertEqual(result["dtype"], "f32")
        effective = result["effective"]
        self.assertEqual(effective["temperature"], 0.9)
        self.assertEqual(effective["top_k"], 50)
        self.assertEqual(effective["seed"], 18446744073709551615)
        self.assertEqual(effective["max_tokens"], 20)
        self.assertEqual(effective["repeat_last_n"], 128)
        self.assertGreater(result["prefill_tokens_per_s"], 0)
        self.assertGreater(result["decode_tokens_per_s"], 0)

    def test_the_tokens_are_those_of_the_text(self):
        result = self.json(*self.ARGS, "--max-tokens", "15", "--temperature", "0", "--json")
        ids = self.json("tokenize", "--model", DEMO, "--no-special", "--text", result["text"])
        self.assertEqual(ids, result["tokens"])

    def test_the_seed_decides(self):
        def text(*options):
            return self.ok(*self.ARGS, "--max-tokens", "20", *options)
        self.assertEqual(text("--seed", "7"), text("--seed", "7"))
        self.assertNotEqual(text("--seed", "7"), text("--seed", "8"))
        first = self.json(*self.ARGS, "--max-tokens", "20", "--json")
        again = self.json(*self.ARGS, "--max-tokens", "20", "--json",
                          "--seed", first["effective"]["seed"])
        self.assertEqual(first["text"], again["text"])

    def test_threads_do_not_change_the_text(self):
        texts = {self.ok(*self.ARGS, "--max-tokens", "20", "--seed", "7", "--threads", n)
                 for n in (1, 2, 3)}
        self.assertEqual(len(texts), 1)

    def test_the_prompt_may_come_from_stdin(self):
        args = ["run", "--model", DEMO, "--max-tokens", "10", "--temperature", "0"]
        self.assertEqual(self.ok(*args, stdin=b"Once upon a time"),
                         self.ok(*args, "--prompt", "Once upon a time"))

    def test_stop_strings_end_the_text_before_them(self):
        whole = self.json(*self.ARGS, "--max-tokens", "60", "--temperature", "0", "--json")["text"]
        stop = whole[20:26]
        result = self.json(*self.ARGS, "--max-tokens", "60", "--temperature", "0", "--json",
                           "--stop", "never in the text", "--stop", stop)
        self.assertEqual(result["text"], whole[:whole.index(stop)])
        self.assertEqual(result["stop_reason"], "STOP_SEQUENCE")
        self.assertEqual(result["stop_sequence_matched"], stop)

    def test_the_end_token_stops_and_is_not_printed(self):
        result = self.json(*self.ARGS, "--temperature", "0", "--json")
        self.assertEqual(result["stop_reason"], "EOS")
        self.assertNotIn("<|", result["text"])

    def test_max_tokens_is_clipped_to_the_context_and_reported(self):
        result = self.json(*self.ARGS, "--context", "32", "--max-tokens", "1000", "--json")
        self.assertEqual(result["effective"]["max_tokens"], 27)

    def test_dtypes(self):
        for dtype, shown in (("f16", "f16"), ("bf16", "bf16"), ("auto", "bf16")):
            result = self.json(*self.ARGS, "--max-tokens", "2", "--json", "--dtype", dtype)
            self.assertEqual(result["dtype"], shown)

    def test_a_dtype_for_gguf_has_no_effect_and_one_warning(self):
        gguf = FIXTURES / "llama-gqa.gguf"
        plain = self.ok("logits", "--model", gguf, "--tokens", "1,2,3")
        code, out, err = worker("logits", "--model", gguf, "--tokens", "1,2,3", "--dtype", "f16")
        self.assertEqual((code, out), (0, plain))
        self.assertEqual(len(err.decode().splitlines()), 1)
        self.assertIn(b"dtype f16 has no effect", err)

    def test_text_comes_while_it_is_generated_and_ctrl_c_stops(self):
        process = subprocess.Popen(
            [WORKER, *self.ARGS, "--temperature", "0"], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env={**os.environ, "LLM_ISA": "ref"})  # slow enough to be interrupted
        self.addCleanup(process.kill)
        first = process.stdout.read(1)
        self.assertEqual(len(first), 1)
        process.send_signal(signal.SIGINT)
        started = time.monotonic()
        _, err = process.communicate(timeout=TIMEOUT)
        self.assertEqual(process.returncode, 130, err.decode())
        self.assertIn(b"CANCELLED", err)
        self.assertLess(time.monotonic() - started, 30)


if __name__ == "__main__":
    unittest.main()
