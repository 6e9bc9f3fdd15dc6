#!/usr/bin/env python3
"""A request may name another dtype than the one the real worker was started with: it gets the very tokens
and log-probabilities of a worker started with that one, if there is memory for it, and else a refusal that
says what is missing."""

import concurrent.futures
import json
import os
import pathlib
import random
import unittest

from raw_client import connect, metrics, read_to_end, request_bytes, wait_for, wait_until_idle
from worker import Worker, tokens

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = os.environ.get("LLM_WORKER", str(ROOT / "build/llm-worker"))
DEMO = str(ROOT / "models/demo")
PLAIN = {k: v for k, v in os.environ.items() if k not in ("LLM_ISA", "LLORCH_API_TOKEN")}
SMALL = ("--max-sequences", "4", "--kv-cache", "4MiB", "--job-ttl", "0")
JOBS = [
    {"prompt": "Once upon a time", "max_tokens": 40, "temperature": 0, "logprobs": 5},
    {"prompt": "The cat sat", "max_tokens": 40, "temperature": 1.0, "seed": 11, "logprobs": 1},
    {"prompt": random.Random(1).choices(range(10, 2000), k=200), "max_tokens": 10, "temperature": 1.5,
     "seed": 5, "repetition_penalty": 1.3, "logprobs": 20},
]
CHAT = {"messages": [{"role": "user", "content": "Tell me a story."}], "max_tokens": 20, "seed": 3,
        "logprobs": True, "top_logprobs": 4}
TEXT = {"prompt": ["Once upon", "The dog"], "max_tokens": 20, "seed": 4, "logprobs": 3, "n": 2}


def loaded(worker):
    return worker.get("/v1/model")[1]["loaded_dtypes"]


def weights(worker):
    return worker.get("/v1/model")[1]["memory"]["weights_bytes"]


def completion_chunks(worker, path, body):
    """Choices and fingerprints of all chunks of a streamed completion."""
    with connect(worker) as connection:
        connection.sendall(request_bytes("POST", path, {**body, "stream": True}, "Connection: close"))
        reply = read_to_end(connection).decode()
    lines = [line[len("data: "):] for line in reply.split("\n") if line.startswith("data: ")]
    assert lines[-1] == "[DONE]", reply[-500:]
    return [(chunk["choices"], chunk["system_fingerprint"]) for chunk in map(json.loads, lines[:-1])]


def by_choice(chunks):
    """What choices run at once say does not depend on which comes first."""
    return sorted(chunks, key=lambda chunk: chunk[0][0]["index"])


class AnotherDtypeTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.workers = {dtype: cls.enterClassContext(
            Worker(BINARY, DEMO, "--dtype", dtype, *SMALL, environment=PLAIN))
            for dtype in ("f32", "bf16")}

    def test_jobs_give_what_a_worker_started_with_it_gives(self):
        f32, bf16 = self.workers["f32"], self.workers["bf16"]
        for job in JOBS:
            expected = tokens(bf16.infer(**job))
            plain = tokens(f32.infer(**job))
            self.assertGreater(len(expected), 0)
            self.assertNotEqual(plain, expected, "or nothing is shown here")
            self.assertEqual(tokens(f32.infer(**job, dtype="bf16")), expected)
            self.assertEqual(tokens(bf16.infer(**job, dtype="f32")), plain)
            self.assertEqual(tokens(f32.infer(**job, dtype="f32")), plain)
        self.assertEqual(loaded(f32), ["f32", "bf16"])
        self.assertEqual(loaded(bf16), ["bf16", "f32"])
        self.assertEqual(f32.get("/v1/model")[1]["dtype"], "f32", "the one without being asked")

    def test_jobs_of_different_dtypes_run_beside_each_other(self):
        wanted = [(job, dtype) for job in JOBS for dtype in ("f32", "bf16")] * 2
        alone = [tokens(self.workers[dtype].infer(**job)) for job, dtype in wanted]
        with concurrent.futures.ThreadPoolExecutor(len(wanted)) as pool:
            beside = list(pool.map(lambda one: tokens(
                self.workers["f32"].infer(**one[0], dtype=one[1])), wanted))
        self.assertEqual(beside, alone)

    def test_started_says_which(self):
        for dtype in ("f32", "f16", "bf16"):
            started = self.workers["f32"].infer(prompt="a", max_tokens=1, dtype=dtype)[0]
            self.assertEqual((started["type"], started["dtype"], started["ignored"]),
                             ("started", dtype, []))
        self.assertEqual(self.workers["f32"].infer(prompt="a", max_tokens=1)[0]["dtype"], "f32")

    def test_the_same_over_the_openai_api(self):
        f32, bf16 = self.workers["f32"], self.workers["bf16"]
        for path, body in (("/v1/chat/completions", CHAT), ("/v1/completions", TEXT)):
            with self.subTest(path=path):
                expected = bf16.post(path, body)[1]
                plain = f32.post(path, body)[1]
                status, reply = f32.post(path, {**body, "dtype": "bf16"})
                self.assertEqual(status, 200, reply)
                self.assertNotEqual(plain["choices"], expected["choices"])
                for member in ("choices", "effective", "ignored", "system_fingerprint"):
                    self.assertEqual(reply[member], expected[member])
                self.assertNotEqual(reply["system_fingerprint"], plain["system_fingerprint"])
                self.assertEqual(
                    by_choice(completion_chunks(f32, path, {**body, "dtype": "bf16"})),
                    by_choice(completion_chunks(bf16, path, body)))

    def test_what_is_not_a_dtype_is_refused_by_name(self):
        for name in ("q9", "F32", "", "float32"):
            status, reply = self.workers["f32"].post(
                "/v1/jobs", {"operation": "infer", "prompt": "a", "dtype": name})
            self.assertEqual(status, 400)
            [error] = reply["errors"]
            self.assertEqual((error["field"], error["message"]), ("dtype", f"Unsupported dtype: {name}"))
            status, reply = self.workers["f32"].post("/v1/completions", {"prompt": "a", "dtype": name})
            self.assertEqual((status, reply["error"]["param"]), (400, "dtype"))
            self.assertEqual(reply["error"]["message"], f"Unsupported dtype: {name}")

    def test_a_gguf_file_has_its_own_type_only(self):
        model = str(ROOT / "tests/fixtures/models/llama-gqa.gguf")
        with Worker(BINARY, model, environment=PLAIN) as worker:
            own = worker.get("/v1/model")[1]["supported_dtypes"]
            others = {"f32", "f16", "bf16"} - set(own)
            self.assertGreaterEqual(len(others), 2)
            for dtype in others:
                status, reply = worker.post(
                    "/v1/jobs", {"operation": "infer", "prompt": [1, 2], "dtype": dtype})
                self.assertEqual(status, 400)
                [error] = reply["errors"]
                self.assertEqual(error["field"], "dtype")
                self.assertEqual(error["message"], f"dtype {dtype} is not supported by this model "
                                                   f"(supported: {', '.join(own)})")
            self.assertEqual(worker.infer(prompt=[1, 2], max_tokens=1, dtype=own[0])[-2]["type"], "end")


class WeightsLimitTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.weights = {}
        for dtype in ("f32", "f16", "bf16"):
            with Worker(BINARY, DEMO, "--dtype", dtype, *SMALL, environment=PLAIN) as worker:
                cls.weights[dtype] = weights(worker)

    def start(self, allowed, environment=None):
        return self.enterContext(Worker(BINARY, DEMO, *SMALL, "--max-weights", str(allowed),
                                        environment=environment or PLAIN))

    def check_refusal(self, worker, available):
        """bf16 is refused with the numbers, in both shapes."""
        numbers = {"loaded_bytes": self.weights["f32"], "required_bytes": self.weights["bf16"],
                   "available_bytes": available}
        status, reply = worker.post("/v1/jobs", {"operation": "infer", "prompt": "a", "dtype": "bf16"})
        self.assertEqual(status, 422, reply)
        [error] = reply.pop("errors")
        self.assertEqual(reply, numbers)
        self.assertEqual((error["field"], error["value"]), ("dtype", "bf16"))
        status, reply = worker.post("/v1/chat/completions", {**CHAT, "dtype": "bf16"})
        self.assertEqual(status, 422, reply)
        error_of_openai = reply["error"]
        self.assertEqual((error_of_openai["param"], error_of_openai["code"]),
                         ("dtype", "dtype_not_resident"))
        for name, number in numbers.items():
            self.assertEqual(error_of_openai[name], number)
        for message in (error["message"], error_of_openai["message"]):
            for number in (numbers["required_bytes"], numbers["available_bytes"]):
                self.assertIn(str(number), message)

    def test_what_does_not_fit_is_refused_with_numbers(self):
        worker = self.start(self.weights["f32"] + self.weights["bf16"] - 1)
        self.check_refusal(worker, self.weights["bf16"] - 1)
        self.assertEqual(loaded(worker), ["f32"])
        self.assertGreater(len(tokens(worker.infer(**JOBS[0]))), 0)
        wait_until_idle(worker)

    def test_the_one_that_nobody_uses_gives_way(self):
        worker = self.start(self.weights["f32"] + max(self.weights["f16"], self.weights["bf16"]))
        expected = {}
        for dtype in ("f16", "bf16"):  # every page and every type has been used once
            expected[dtype] = tokens(worker.infer(**JOBS[2], dtype=dtype))
            wait_until_idle(worker)
            self.assertEqual(loaded(worker), ["f32", dtype])
        self.assertNotEqual(expected["f16"], expected["bf16"])
        before = metrics(worker)["resident_memory_bytes"]
        for _ in range(5):
            for dtype in ("f16", "bf16"):
                self.assertEqual(tokens(worker.infer(**JOBS[2], dtype=dtype)), expected[dtype])
                wait_until_idle(worker)
                self.assertEqual(loaded(worker), ["f32", dtype])
        # Ten times as much as the limit allows has come and gone.
        limit = before + 4 * self.weights["bf16"]
        wait_for(lambda: metrics(worker)["resident_memory_bytes"] < limit, f"at most {limit} resident")

    def test_one_that_is_used_does_not_give_way(self):
        room = max(self.weights["f16"], self.weights["bf16"])
        worker = self.start(self.weights["f32"] + room, {**PLAIN, "LLM_ISA": "ref"})  # slow enough to be caught at work
        eos = worker.get("/v1/model")[1]["eos_tokens"]
        job = worker.submit(prompt="a", max_tokens=1000, dtype="f16",
                            logit_bias={str(token): -100 for token in eos})
        self.check_refusal(worker, room - self.weights["f16"])
        wait_for(lambda: loaded(worker) == ["f32", "f16"], "f16 is loaded")
        self.check_refusal(worker, room - self.weights["f16"])
        worker.request("DELETE", f"/v1/jobs/{job}")
        body = {"operation": "infer", "prompt": "a", "max_tokens": 1, "dtype": "bf16"}
        wait_for(lambda: worker.post("/v1/jobs", body)[0] == 200, "f16 has given way")
        wait_until_idle(worker)
        self.assertEqual(loaded(worker), ["f32", "bf16"])


if __name__ == "__main__":
    unittest.main()
