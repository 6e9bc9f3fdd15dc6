#!/usr/bin/env python3
"""How the worker stops: SIGTERM and SIGINT let running jobs finish, for so long as the operator says."""

import os
import pathlib
import signal
import time
import unittest

from worker import Worker

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = os.environ.get("LLM_WORKER", str(ROOT / "build/llm-worker"))
DEMO = str(ROOT / "models/demo")
# Slow enough that jobs are still there when the signal comes.
ENVIRONMENT = {k: v for k, v in os.environ.items() if k != "LLORCH_API_TOKEN"} | {"LLM_ISA": "ref"}
PATIENCE = 120


class DrainTest(unittest.TestCase):
    def serve(self, *flags):
        worker = self.enterContext(
            Worker(BINARY, DEMO, "--max-sequences", "1", *flags, environment=ENVIRONMENT))
        ends = {str(token): -100 for token in worker.get("/v1/model")[1]["eos_tokens"]}
        return worker, {"prompt": "Once upon a time", "logit_bias": ends}

    def exit_code(self, worker):
        return worker.process.wait(timeout=PATIENCE)

    def test_either_signal_lets_the_running_job_finish(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            with self.subTest(signal=number):
                worker, request = self.serve()
                connection, reply = worker.open_stream(worker.submit(**request, max_tokens=60))
                self.assertIn(b"started", reply.readline())
                worker.process.send_signal(number)
                rest = reply.read().decode()
                connection.close()
                self.assertIn('"stop_reason":"MAX_TOKENS"', rest)
                self.assertTrue(rest.endswith("data: [DONE]\n\n"))
                self.assertEqual(self.exit_code(worker), 0)

    def test_meanwhile_it_is_not_ready_and_takes_no_job_until_a_second_signal(self):
        worker, request = self.serve("--drain-timeout", "600")
        jobs = [worker.submit(**request) for _ in range(40)]
        connection, reply = worker.open_stream(jobs[-1])
        worker.process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + PATIENCE
        while worker.get("/v1/ready")[0] != 503:
            self.assertLess(time.monotonic(), deadline)
        self.assertFalse(worker.get("/v1/ready")[1]["ready"])
        self.assertEqual(worker.get("/health")[0], 200)
        status, headers, _ = worker.raw("POST", "/v1/jobs", {"operation": "infer", "prompt": "x"})
        self.assertEqual(status, 503)
        self.assertGreaterEqual(int(headers["Retry-After"]), 1)
        status, answer = worker.post("/v1/completions", {"prompt": "x"})
        self.assertEqual((status, answer["error"]["code"]), (503, "shutting_down"))
        worker.process.send_signal(signal.SIGTERM)
        rest = reply.read().decode()
        connection.close()
        self.assertIn('"code":"CANCELLED"', rest)
        self.assertTrue(rest.endswith("data: [DONE]\n\n"))
        self.assertEqual(self.exit_code(worker), 0)

    def test_what_does_not_finish_in_time_ends_with_cancelled(self):
        worker, request = self.serve("--drain-timeout", "1")
        jobs = [worker.submit(**request) for _ in range(40)]
        connection, reply = worker.open_stream(jobs[-1])
        worker.process.send_signal(signal.SIGTERM)
        rest = reply.read().decode()
        connection.close()
        self.assertIn('"type":"error"', rest)
        self.assertIn('"code":"CANCELLED"', rest)
        self.assertTrue(rest.endswith("data: [DONE]\n\n"))
        self.assertEqual(self.exit_code(worker), 0)


if __name__ == "__main__":
    unittest.main()
