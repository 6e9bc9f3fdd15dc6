"""Runs the real binary as programs and people do. LLM_WORKER names it."""

import json
import os
import pathlib
import subprocess
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
