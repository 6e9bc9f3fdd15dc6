#!/usr/bin/env python3
"""--packed-cache on the real binary: the same results, errors that say why, never another file lost."""

import os
import pathlib
import resource
import signal
import subprocess
import tempfile
import unittest

from command_line import DEMO, FIXTURES, TIMEOUT, WORKER, CommandLineTest, worker
from worker import Worker, tokens

MODELS = ((DEMO, "f32"), (FIXTURES / "llama-bf16", "bf16"),
          (FIXTURES.parent / "quants/llama-quantize.gguf", "auto"),
          (FIXTURES / "mixtral.gguf", "auto"), (FIXTURES / "deepseek-v3-fp8", "bf16"))


class PackedCacheTest(CommandLineTest):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.cache = self.folder / "w.packed"

    def left(self):
        return sorted(path.name for path in self.folder.iterdir())

    def logged(self, *args, env=None):
        """Standard output, and the log lines about packed weights."""
        code, out, err = worker("-v", *args, env=env)
        self.assertEqual(code, 0, err.decode())
        return out, [line for line in err.decode().splitlines() if "packed weights" in line]

    def test_the_second_start_maps_and_computes_the_same(self):
        for model, dtype in MODELS:
            with self.subTest(model=model):
                self.cache.unlink(missing_ok=True)
                args = ("logits", "--model", model, "--dtype", dtype, "--tokens", "5,6,7,8", "--all")
                expected = self.ok(*args)
                for word in ("wrote", "mapped", "mapped"):
                    out, log = self.logged(*args, "--packed-cache", self.cache)
                    self.assertEqual(out, expected)
                    self.assertEqual(len(log), 1, log)
                    self.assertIn(f"packed weights: {word} {self.cache}", log[0])
        self.assertEqual(self.left(), ["w.packed"])

    def test_every_command_that_runs_a_model_takes_it(self):
        text = "Once upon a time, there was a little girl named Lily. " * 8
        for args in (("run", "--prompt", "Once", "--max-tokens", "3", "--temperature", "0"),
                     ("logits", "--tokens", "1,2"),
                     ("bench", "-p", "4", "-n", "2", "-b", "1", "--repetitions", "1"),
                     ("perplexity", "--context", "32", "--text", text)):
            with self.subTest(command=args[0]):
                self.cache.unlink(missing_ok=True)
                for word in ("wrote", "mapped"):
                    _, log = self.logged(args[0], "--model", DEMO, *args[1:], "--packed-cache",
                                         self.cache)
                    self.assertEqual(len(log), 1, log)
                    self.assertIn(word, log[0])

    def test_another_dtype_or_instruction_set_writes_it_anew_and_says_so(self):
        args = ("logits", "--model", DEMO, "--tokens", "5,6,7", "--packed-cache", self.cache)
        self.ok(*args)
        for extra, env, said in (((), {"LLM_ISA": "ref"}, "instruction_set: expected ref, found"),
                                 (("--dtype", "bf16"), {"LLM_ISA": "ref"},
                                  "dtype: expected bf16, found f32")):
            out, log = self.logged(*args, *extra, env=env)
            self.assertEqual(out, self.ok(*args[:5], *extra, env=env))
            self.assertEqual(len(log), 2, log)
            self.assertIn(said, log[0])
            self.assertIn("wrote", log[1])

    def test_an_existing_directory_holds_a_file_for_each(self):
        args = ("logits", "--model", DEMO, "--tokens", "5", "--packed-cache", self.folder)
        for extra in ((), ("--dtype", "bf16"), ()):
            self.ok(*args, *extra, env={"LLM_ISA": "ref"})
        self.assertEqual(self.left(), ["demo-bf16-ref.packed", "demo-f32-ref.packed"])

    def test_what_cannot_be_written_is_an_error(self):
        args = ("logits", "--model", DEMO, "--tokens", "5", "--packed-cache")
        absent = self.folder / "absent" / "w"
        self.assertIn(f"packed weights: {absent}: cannot create: No such file or directory",
                      self.fails(1, *args, absent))
        self.assertIn("not a regular file", self.fails(1, *args, "/dev/null"))
        self.assertIn("must not be empty", self.fails(2, *args, ""))
        other = self.folder / "letter.txt"
        other.write_text("Dear reader")
        self.assertIn("letter.txt: expected a file of packed weights or none, found another file",
                      self.fails(1, *args, other))
        self.assertEqual(other.read_text(), "Dear reader")

    def test_a_full_disk_is_an_error_that_leaves_nothing(self):
        def allow_little():
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
        done = subprocess.run([WORKER, "logits", "--model", DEMO, "--tokens", "5", "--packed-cache",
                               self.cache], capture_output=True, text=True, timeout=TIMEOUT,
                              preexec_fn=allow_little)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn(f"packed weights: {self.cache}: cannot write", done.stderr)
        self.assertEqual(self.left(), [])

    def test_commands_that_load_nothing_refuse_it(self):
        for args in (("inspect", DEMO), ("verify", DEMO, DEMO), ("tokenize", "--model", DEMO)):
            self.assertIn("--packed-cache", self.fails(2, *args, "--packed-cache", self.cache))


class ServeTest(unittest.TestCase):
    JOB = {"prompt": "Once upon a time", "max_tokens": 12, "temperature": 0}

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def replies(self, *flags):
        """Texts in two precisions, and the log."""
        with Worker(WORKER, DEMO, "--kv-cache", "4MiB", *flags,
                    environment={**os.environ, "LLM_ISA": "ref"}) as worker:
            found = [tokens(worker.infer(**self.JOB, dtype=dtype)) for dtype in ("f32", "bf16")]
        return found, "".join(worker.log)

    def test_a_file_is_that_of_the_first_precision(self):
        cache = self.folder / "w"
        expected, _ = self.replies()
        for word in ("wrote", "mapped"):
            found, log = self.replies("--packed-cache", cache)
            self.assertEqual(found, expected)
            self.assertEqual(log.count("packed weights"), 1, log)
            self.assertIn(f"packed weights: {word} {cache}", log)

    def test_in_a_directory_each_precision_has_a_file(self):
        expected, _ = self.replies()
        for word in ("wrote", "mapped"):
            found, log = self.replies("--packed-cache", self.folder)
            self.assertEqual(found, expected)
            for dtype in ("f32", "bf16"):
                self.assertIn(f"packed weights: {word} {self.folder}/demo-{dtype}-ref.packed", log)


if __name__ == "__main__":
    unittest.main()
