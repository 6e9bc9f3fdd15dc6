#!/usr/bin/env python3
"""The command line as programs and people use it: the real binary, its output and exit codes."""

import json
import os
import pathlib
import signal
import subprocess
import tempfile
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
WORKER = os.environ.get("LLM_WORKER", str(ROOT / "build/llm-worker"))
DEMO = str(ROOT / "models/demo")
FIXTURES = ROOT / "tests/fixtures/models"
TIMEOUT = 300


def worker(*args, stdin=b"", env=None):
    """Runs the binary to its end; returns (exit code, stdout, stderr), all bytes."""
    environment = {k: v for k, v in os.environ.items() if k != "LLM_ISA"}
    environment.update(env or {})
    done = subprocess.run([WORKER, *map(str, args)], input=stdin, capture_output=True,
                          timeout=TIMEOUT, env=environment)
    return done.returncode, done.stdout, done.stderr


class CommandLineTest(unittest.TestCase):
    def ok(self, *args, **kwargs):
        code, out, err = worker(*args, **kwargs)
        self.assertEqual(code, 0, err.decode(errors="replace"))
        return out

    def json(self, *args, **kwargs):
        return json.loads(self.ok(*args, **kwargs))

    def fails(self, expected_code, *args, **kwargs):
        """The message of a failure: exactly one line "error: ..." on stderr, nothing on stdout."""
        code, out, err = worker(*args, **kwargs)
        self.assertEqual(code, expected_code, err.decode(errors="replace"))
        self.assertEqual(out, b"")
        lines = err.decode().splitlines()
        self.assertEqual(len(lines), 1, lines)
        self.assertTrue(lines[0].startswith("error: "), lines[0])
        return lines[0]


class UsageTest(CommandLineTest):
    COMMANDS = ("run", "serve", "logits", "tokenize", "inspect", "bench",
                "perplexity", "verify", "synth", "quantize", "api", "info")

    def test_help_everywhere(self):
        overview = self.ok("--help").decode()
        for command in self.COMMANDS:
            self.assertIn(command, overview)
            self.assertIn("--help", self.ok(command, "--help").decode())

    def test_version(self):
        self.assertRegex(self.ok("--version").decode(), r"^\d+\.\d+\.\d+\n$")

    def test_bad_usage_is_exit_code_2(self):
        for args in ([], ["frobnicate"], ["run"], ["run", "--model", DEMO, "--frobnicate"],
                     ["run", "--model", DEMO, "--max-tokens", "many"],
                     ["run", "--model", DEMO, "--max-tokens", "0"],
                     ["logits", "--model", DEMO], ["logits", "--model", DEMO, "--tokens", "1,x"],
                     ["logits", "--model", DEMO, "--tokens", "1", "--step", "--chunk", "2"],
                     ["inspect"], ["synth", "--arch", "llama"]):
            with self.subTest(args=args):
                self.fails(2, *args)

    def test_sampling_values_out_of_range_name_value_and_bound(self):
        for option, value, message in (
                ("--temperature", "2.5", "temperature must be at most 2.0 (got 2.5)"),
                ("--temperature", "-1", "temperature must be at least 0.0 (got -1)"),
                ("--top-p", "1.5", "top_p must be at most 1.0 (got 1.5)"),
                ("--top-k", "-3", "top_k must be at least 0 (got -3)"),
                ("--repetition-penalty", "0", "repetition_penalty must be greater than 0.0 (got 0)")):
            with self.subTest(option=option, value=value):
                line = self.fails(2, "run", "--model", DEMO, "--prompt", "x", option, value)
                self.assertEqual(line, "error: " + message)

    def test_errors_are_exit_code_1(self):
        self.assertIn("/nonexistent", self.fails(1, "run", "--model", "/nonexistent",
                                                 "--prompt", "x"))
        self.assertIn("Unsupported dtype: q7", self.fails(1, "run", "--model", DEMO, "--prompt",
                                                          "x", "--dtype", "q7"))
        self.assertIn("device gpu", self.fails(1, "run", "--model", DEMO, "--prompt", "x",
                                               "--device", "gpu"))
        self.assertIn("context", self.fails(1, "run", "--model", DEMO, "--prompt", "x",
                                            "--context", "99999999"))
        self.assertIn("2048", self.fails(1, "logits", "--model", DEMO, "--tokens", "1,2048"))

    def test_output_that_cannot_be_written_is_an_error(self):
        with open("/dev/full", "wb") as full:
            done = subprocess.run([WORKER, "info"], stdout=full, stderr=subprocess.PIPE,
                                  timeout=TIMEOUT)
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"error: ", done.stderr)


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


class BenchTest(CommandLineTest):
    def test_rows(self):
        result = self.json("bench", "--model", DEMO, "-p", "16", "-n", "4", "-b", "1,2",
                           "--repetitions", "1", "--json")
        self.assertEqual([row["test"] for row in result["rows"]], ["pp16", "tg4", "tg4 x 2"])
        for row in result["rows"]:
            self.assertGreater(row["tokens_per_s"], 0)
            self.assertGreater(row["gb_per_s"], 0)
            self.assertGreater(row["gflop_per_s"], 0)
        self.assertGreater(result["machine"]["read_gb_per_s"], 0)
        self.assertGreater(result["machine"]["peak_gflop_per_s"], 0)

    def test_too_long_for_the_model(self):
        self.fails(1, "bench", "--model", DEMO, "-p", "100000")


class PerplexityTest(CommandLineTest):
    TEXT = ("Once upon a time, there was a little girl named Lily. She loved to play outside in "
            "the park. One day, she saw a big red ball. ") * 4

    def test_the_same_for_every_number_of_threads(self):
        args = ["perplexity", "--model", DEMO, "--text", self.TEXT, "--context", "32", "--json"]
        one = self.json(*args, "--threads", "1")
        self.assertEqual(one, self.json(*args, "--threads", "2"))
        self.assertEqual(one["window_length"], 32)
        self.assertEqual(one["windows"], one["text_tokens"] // 32)
        self.assertEqual(one["tokens_scored"], one["windows"] * 15)
        self.assertGreater(one["perplexity"], 1)
        self.assertLess(one["perplexity"], 2048)  # better than knowing nothing
        self.assertGreater(one["standard_error"], 0)

    def test_text_from_a_file_and_from_stdin(self):
        args = ["perplexity", "--model", DEMO, "--context", "16"]
        expected = self.ok(*args, "--text", self.TEXT)
        self.assertEqual(self.ok(*args, stdin=self.TEXT.encode()), expected)
        with tempfile.NamedTemporaryFile() as file:
            file.write(self.TEXT.encode())
            file.flush()
            self.assertEqual(self.ok(*args, "--file", file.name), expected)

    def test_errors(self):
        args = ["perplexity", "--model", DEMO]
        self.assertIn("needs 512", self.fails(1, *args, "--text", "Hello"))
        self.assertIn("empty", self.fails(1, *args, "--text", ""))
        self.assertIn("1024", self.fails(1, *args, "--text", "Hello", "--context", "1025"))
        self.assertIn("/nonexistent", self.fails(1, "perplexity", "--model", "/nonexistent",
                                                 "--text", "x"))
        self.assertIn("/nonexistent", self.fails(1, *args, "--file", "/nonexistent"))
        self.fails(2, *args, "--text", "x", "--file", "y")


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
