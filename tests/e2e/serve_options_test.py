#!/usr/bin/env python3
"""Limits that an operator sets at start, as clients meet them."""

import os
import pathlib
import socket
import time
import unittest

from worker import Worker

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = os.environ.get("LLM_WORKER", str(ROOT / "build/llm-worker"))
DEMO = str(ROOT / "models/demo")
ENVIRONMENT = {k: v for k, v in os.environ.items() if k != "LLORCH_API_TOKEN"}
ORIGIN = "https://ui.example"


class LimitsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.worker = cls.enterClassContext(Worker(
            BINARY, DEMO, "--max-tokens-limit", "5", "--max-prompt-chars", "10",
            "--max-body-bytes", "600", "--cors-origin", ORIGIN, "--job-ttl", "1",
            environment=ENVIRONMENT))

    def job(self, **fields):
        return self.worker.post("/v1/jobs", {"operation": "infer", "prompt": "x", **fields})

    def chat(self, **fields):
        return self.worker.post("/v1/chat/completions",
                                {"messages": [{"role": "user", "content": "x"}], **fields})

    def test_max_tokens_above_the_limit_is_refused_on_both_surfaces(self):
        self.assertEqual(self.job(max_tokens=5)[0], 200)
        status, reply = self.job(max_tokens=6)
        self.assertEqual((status, reply["errors"][0]["constraint"]), (400, "range(1..=5)"))
        self.assertEqual(self.chat(max_tokens=5)[0], 200)
        for name in ("max_tokens", "max_completion_tokens"):
            status, reply = self.chat(**{name: 6})
            self.assertEqual((status, reply["error"]["param"]), (400, name))

    def test_the_limit_holds_where_none_is_asked_for(self):
        self.assertEqual(self.worker.infer(prompt="x")[0]["effective"]["max_tokens"], 5)
        self.assertEqual(self.chat()[1]["effective"]["max_tokens"], 5)

    def test_the_length_of_a_prompt_is_of_jobs_alone(self):
        self.assertEqual(self.job(prompt="ä" * 10)[0], 200)
        status, reply = self.job(prompt="ä" * 11)
        self.assertEqual(status, 400)
        self.assertEqual(reply["errors"], [{
            "field": "prompt", "constraint": "length(1..=10)",
            "message": "prompt must have at most 10 characters (got 11)"}])
        self.assertEqual(self.job(prompt=[1] * 10)[0], 200)
        self.assertEqual(self.job(prompt=[1] * 11)[0], 400)
        status, reply = self.worker.post("/v1/completions", {"prompt": "x" * 100, "max_tokens": 1})
        self.assertEqual(status, 200, reply)

    def test_a_larger_body_is_413(self):
        self.assertEqual(self.worker.post("/tokenize", '{"content":"x"}' + " " * 585)[0], 200)
        status, reply = self.worker.post("/tokenize", '{"content":"x"}' + " " * 586)
        self.assertEqual((status, reply["error"]["code"]), (413, "PAYLOAD_TOO_LARGE"))

    def test_a_page_of_the_origin_may_call(self):
        for origin, allowed in ((ORIGIN, ORIGIN), ("https://other.example", None)):
            status, headers, _ = self.worker.raw("OPTIONS", "/v1/jobs", headers={"Origin": origin})
            self.assertEqual(status, 204)
            self.assertEqual(headers.get("Access-Control-Allow-Origin"), allowed)

    def test_an_ended_job_is_forgotten_after_its_time(self):
        job = self.worker.submit(prompt="x", max_tokens=1)
        self.assertEqual(self.worker.stream(job)[-1], "[DONE]")
        deadline = time.monotonic() + 60
        while self.worker.get(f"/v1/jobs/{job}")[0] != 404:
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.1)


class ConnectionsTest(unittest.TestCase):
    def test_connections_beyond_the_limit_are_told_to_come_back(self):
        with Worker(BINARY, DEMO, "--max-connections", "2", environment=ENVIRONMENT) as worker:
            kept = []
            reply = b""
            # Those of the requests before may need a moment to go. One that is turned away hears so
            # before it has said anything.
            while not reply:
                self.assertLess(len(kept), 10)
                kept.append(socket.create_connection(("127.0.0.1", worker.port), timeout=2))
                try:
                    reply = kept[-1].recv(4096)
                except TimeoutError:
                    pass
            self.assertGreater(len(kept), 2)
            self.assertTrue(reply.startswith(b"HTTP/1.1 503 "), reply)
            self.assertIn(b"Retry-After: 1\r\n", reply)
            self.assertIn(b"TOO_MANY_CONNECTIONS", reply)
            for connection in kept:
                connection.close()


if __name__ == "__main__":
    unittest.main()
