#!/usr/bin/env python3
"""An installed llm-worker, used by a program that was built against the installed package alone
(examples/embed). The build folder is the one that the worker under test lies in."""

import os
import pathlib
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
WORKER = pathlib.Path(os.environ.get("LLM_WORKER", str(ROOT / "build/llm-worker")))
DEMO = str(ROOT / "models/demo")
PROMPT = "Once upon a time"
INNER_NAMESPACES = ("core", "quant", "tokenizer", "sampling", "chat", "formats", "kernels", "models",
                    "engine")


def run(*command):
    return subprocess.run([str(part) for part in command], capture_output=True, text=True,
                          timeout=600)


class InstalledPackageTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        scratch = tempfile.TemporaryDirectory()
        cls.addClassCleanup(scratch.cleanup)
        cls.prefix = pathlib.Path(scratch.name, "installed")
        build = pathlib.Path(scratch.name, "build")
        for command in [
            ("cmake", "--install", WORKER.parent, "--prefix", cls.prefix),
            ("cmake", "-S", ROOT / "examples/embed", "-B", build, "-G", "Ninja",
             f"-DCMAKE_PREFIX_PATH={cls.prefix}"),
            ("cmake", "--build", build),
        ]:
            done = run(*command)
            assert done.returncode == 0, done.stdout + done.stderr
        cls.embed = build / "embed"

    def test_the_example_writes_what_the_program_writes(self):
        program = run(self.prefix / "bin/llm-worker", "run", "--model", DEMO, "--prompt", PROMPT,
                      "--dtype", "bf16", "--temperature", "0", "--max-tokens", "200")
        self.assertEqual(program.returncode, 0, program.stderr)
        embedded = run(self.embed, DEMO, PROMPT)
        self.assertEqual(embedded.returncode, 0, embedded.stderr)
        self.assertGreater(len(embedded.stdout), 20)
        self.assertEqual(embedded.stdout, program.stdout + "\n")
        self.assertIn("complete", embedded.stderr)

    def test_the_example_cancels(self):
        done = run(self.embed, DEMO, PROMPT, "5")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(done.stderr, "5 tokens, cancelled\n")

    def test_errors_reach_the_program(self):
        done = run(self.embed, "/nonexistent", PROMPT)
        self.assertEqual(done.returncode, 1)
        self.assertTrue(done.stderr.startswith("error: "), done.stderr)

    def test_only_the_public_interface_is_exported(self):
        library = next((self.prefix / "lib").rglob("libllm-worker.so"))
        listed = run("nm", "-DC", "--defined-only", library)
        self.assertEqual(listed.returncode, 0, listed.stderr)
        symbols = [line.split(maxsplit=2)[2] for line in listed.stdout.splitlines()]
        self.assertTrue(any(s.startswith("llm::load_model(") for s in symbols), symbols)
        # Templates of the standard library for our types stay visible, whatever we ask for.
        inner = [s for s in symbols
                 if s.startswith("llm::") and s.split("::")[1] in INNER_NAMESPACES]
        self.assertEqual(inner, [])


if __name__ == "__main__":
    unittest.main()
