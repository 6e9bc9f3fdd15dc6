#!/usr/bin/env python3
"""What the real worker does when clients vanish, stall or come in too great numbers, when its cache is
too small, its model file is cut, or it is told to stop: others notice nothing and nothing is left behind.
Faults of the engine itself: tests/engine/failure_test.cpp; limits that take minutes to be reached:
tests/server/limits_test.cpp."""

import concurrent.futures
import contextlib
import json
import os
import pathlib
import random
import shutil
import signal
import subprocess
import tempfile
import unittest

from raw_client import (FIN, RESET, RawStream, cancelled, connect, is_idle, metrics, read_to_end,
                        read_until, request_bytes, wait_for, wait_until_idle)
from worker import Worker, tokens

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = os.environ.get("LLM_WORKER", str(ROOT / "build/llm-worker"))
DEMO = ROOT / "models/demo"
PLAIN = {k: v for k, v in os.environ.items() if k not in ("LLM_ISA", "LLORCH_API_TOKEN")}
# The plain loops make the demo model slow enough to be caught at work.
SLOW = {**PLAIN, "LLM_ISA": "ref"}
EOS = json.loads((DEMO / "generation_config.json").read_text())["eos_token_id"]
KNOWN = {"prompt": "Once upon a time", "max_tokens": 30, "temperature": 1.0, "seed": 7, "logprobs": 2}


def prompt_ids(length, seed):
    """A prompt that has nothing in common with those of other seeds."""
    return random.Random(seed).choices(range(10, 2000), k=length)


def endless(**fields):
    return {"max_tokens": 900, "seed": 1, "logit_bias": {str(token): -100 for token in EOS}, **fields}


def in_parallel(function, arguments):
    with concurrent.futures.ThreadPoolExecutor(len(arguments)) as pool:
        return list(pool.map(function, arguments))


class VanishingClientsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        # One place for running jobs, so that a second one waits; small steps, so that a long prompt
        # takes many; and a cache that is soon used as a whole, so that memory can be compared.
        cls.worker = cls.enterClassContext(
            Worker(BINARY, str(DEMO), "--max-sequences", "1", "--max-batch-rows", "32", "--kv-cache",
                   "3MiB", "--job-ttl", "0", environment=SLOW))
        cls.known = tokens(cls.worker.infer(**KNOWN))

    def open(self, api, prompt_length=8, seed=0):
        return RawStream(self.worker, api, prompt_ids(prompt_length, seed), EOS)

    def each_client(self):
        for api in ("jobs", "openai"):
            for how in (RESET, FIN):
                with self.subTest(api=api, how=how):
                    wait_until_idle(self.worker)
                    self.before = metrics(self.worker)
                    yield api, how

    def check_cancelled(self, count=1):
        """So many requests were cancelled, and none is left."""
        was = self.before['requests_total{outcome="cancelled"}']
        wait_for(lambda: cancelled(self.worker) == was + count, f"{count} cancelled")
        wait_until_idle(self.worker)
        self.assertEqual(cancelled(self.worker), was + count)

    def check_nothing_is_left(self):
        self.assertEqual(tokens(self.worker.infer(**KNOWN)), self.known)
        wait_until_idle(self.worker)

    def test_while_its_job_waits(self):
        for api, how in self.each_client():
            running = self.worker.submit(prompt=prompt_ids(8, 1), **endless())
            wait_for(lambda: metrics(self.worker)["running_sequences"] == 1, "the first runs")
            started = metrics(self.worker)["prompt_tokens_total"]
            client = self.open(api)
            wait_for(lambda: metrics(self.worker)["queue_depth"] == 1, "the second waits")
            client.vanish(how)
            wait_for(lambda: metrics(self.worker)["queue_depth"] == 0, "the waiting one has gone")
            self.assertEqual(metrics(self.worker)["running_sequences"], 1, "the other one stays")
            self.assertEqual(metrics(self.worker)["prompt_tokens_total"], started, "never started")
            self.worker.request("DELETE", f"/v1/jobs/{running}")
            self.check_cancelled(2)
        self.check_nothing_is_left()

    def test_while_its_prompt_is_processed(self):
        for number, (api, how) in enumerate(self.each_client()):
            client = self.open(api, 1000, seed=100 + number)
            wait_for(lambda: metrics(self.worker)["computed_tokens_total"] >
                     self.before["computed_tokens_total"], "the first step of the prompt")
            self.assertGreater(metrics(self.worker)["kv_pages_used"], 0)
            client.vanish(how)
            self.check_cancelled()
            now = metrics(self.worker)
            self.assertEqual(now["generated_tokens_total"], self.before["generated_tokens_total"])
            self.assertLess(now["computed_tokens_total"],
                            self.before["computed_tokens_total"] + 1000, "stopped half-way")
        self.check_nothing_is_left()

    def test_while_tokens_come(self):
        for api, how in self.each_client():
            client = self.open(api)
            client.read_first_token()
            client.vanish(how)
            self.check_cancelled()
            self.assertLess(metrics(self.worker)["generated_tokens_total"],
                            self.before["generated_tokens_total"] + 900)
        self.check_nothing_is_left()

    def test_many_of_them_leave_no_memory_behind(self):
        def come_and_go(number):
            client = self.open(("jobs", "openai")[number % 2], seed=number)
            if number % 3 == 0:  # the others wait, or have begun
                client.read_first_token()
            client.vanish((RESET, FIN)[number // 2 % 2])

        def resident():
            return metrics(self.worker)["resident_memory_bytes"]

        in_parallel(come_and_go, range(10))
        wait_until_idle(self.worker)
        self.check_nothing_is_left()
        baseline, self.before = resident(), metrics(self.worker)
        for wave in range(5):
            in_parallel(come_and_go, range(10 * wave, 10 * wave + 10))
        self.check_cancelled(50)
        wait_for(lambda: resident() < baseline + (8 << 20), f"no more than {baseline} resident")
        self.check_nothing_is_left()


class BusyWorkerTest(unittest.TestCase):
    def test_a_reader_that_takes_nothing_holds_nobody_up(self):
        with Worker(BINARY, str(DEMO), environment=PLAIN) as worker:
            alone = [tokens(worker.infer(**{**KNOWN, "seed": seed})) for seed in range(4)]
            with connect(worker, receive_buffer=2048) as stalled:
                stalled.sendall(request_bytes("POST", "/v1/completions", {
                    "prompt": "The cat", "n": 8, "max_tokens": 300, "logprobs": 20, "stream": True,
                    "ignore_eos": True}, "Connection: close"))
                mine = stalled.getsockname()[1]
                wait_for(lambda: metrics(worker)["generated_tokens_total"] > 1000, "much to be read")
                beside = in_parallel(
                    lambda seed: tokens(worker.infer(**{**KNOWN, "seed": seed})), range(4))
                self.assertEqual(beside, alone)
                self.assertEqual(worker.get("/health")[0], 200)
                wait_until_idle(worker)
                self.assertGreater(self.unsent(worker.port, mine), 0, "it did hold its stream up")
                # What was kept for it is whole.
                reply = read_to_end(stalled)
            self.assertEqual(reply.count(b'"finish_reason":"length"'), 8)
            self.assertIn(b"data: [DONE]", reply)

    @staticmethod
    def unsent(local_port, remote_port):
        """Bytes that the kernel holds and the peer does not take."""
        with open("/proc/net/tcp", encoding="ascii") as table:
            for line in list(table)[1:]:
                _, local, remote, _, queues, *_ = line.split()
                ports = [int(address.split(":")[1], 16) for address in (local, remote)]
                if ports == [local_port, remote_port]:
                    return int(queues.split(":")[0], 16)
        return 0

    @staticmethod
    def takes_requests(worker):
        try:
            return worker.get("/health")[0] == 200
        except ConnectionError:  # turned away, and closed before the request was sent
            return False

    def test_connections_that_stay_half_open(self):
        with contextlib.ExitStack() as stack:
            worker = stack.enter_context(
                Worker(BINARY, str(DEMO), "--max-connections", "40", environment=PLAIN))
            job = request_bytes("POST", "/v1/jobs", {"operation": "infer", "prompt": "a"})
            halves = [b"", b"POST /v1", b"GET /health HTTP/1.1\r\nHost: t\r\n", job[:-5]] * 8
            open_ones = []
            for half in halves:
                open_ones.append(stack.enter_context(connect(worker)))
                open_ones[-1].sendall(half)
            self.assertEqual(worker.get("/health")[0], 200)
            self.assertEqual(len(tokens(worker.infer(prompt="The cat", max_tokens=5))), 5)

            # Up to the limit: those beyond are told so at once.
            open_ones += [stack.enter_context(connect(worker)) for _ in range(20)]
            reply = read_to_end(open_ones[-1])
            self.assertTrue(reply.startswith(b"HTTP/1.1 503 "), reply)
            self.assertIn(b"\r\nRetry-After: ", reply)
            self.assertIn(b'"TOO_MANY_CONNECTIONS"', reply)

            # The half requests are still there, and whole as soon as the rest comes.
            open_ones[len(halves) - 1].sendall(job[-5:])
            reply = read_until(open_ones[len(halves) - 1], b"}")
            self.assertTrue(reply.startswith(b"HTTP/1.1 200 "), reply)
            for connection in open_ones:
                connection.close()
            wait_for(lambda: self.takes_requests(worker), "places are free again")
            wait_until_idle(worker)

    def test_a_full_queue_refuses_the_surplus_and_serves_the_rest(self):
        with Worker(BINARY, str(DEMO), "--max-sequences", "2", "--max-queue", "3",
                    environment=SLOW) as worker:
            body = {"prompt": prompt_ids(8, 1), "max_tokens": 100}
            accepted, refused = [], []
            for seed in range(12):
                with connect(worker) as connection:
                    connection.sendall(request_bytes("POST", "/v1/jobs", {
                        **endless(**body), "seed": seed, "operation": "infer"},
                        "Connection: close"))
                    head, _, text = read_to_end(connection).decode().partition("\r\n\r\n")
                (accepted if head.startswith("HTTP/1.1 200 ") else refused).append((head, text))
            self.assertEqual(worker.post("/v1/completions", body)[1]["error"]["code"], "queue_full")
            self.assertFalse(any(job["state"] == "done" for job in worker.get("/v1/jobs")[1]["jobs"]),
                             "or the numbers below are others")
            self.assertEqual((len(accepted), len(refused)), (5, 7))
            for head, text in refused:
                self.assertTrue(head.startswith("HTTP/1.1 429 "), head)
                self.assertRegex(head, r"\r\nRetry-After: [1-9]\d*(\r\n|$)")
                self.assertEqual(json.loads(text)["error"]["code"], "QUEUE_FULL")
            for _, text in accepted:
                events = worker.stream(json.loads(text)["job_id"])
                self.assertEqual((events[-2]["type"], len(tokens(events))), ("end", 100))
            self.assertEqual(metrics(worker)['requests_total{outcome="refused"}'], 8)
            wait_until_idle(worker)

    def test_a_cache_too_small_for_all_changes_no_token(self):
        # Twenty pages of 32 positions; each request needs up to fifteen.
        with Worker(BINARY, str(DEMO), "--context", "512", "--kv-cache", str(20 * 81920),
                    environment=PLAIN) as worker:
            self.assertEqual(metrics(worker)["kv_pages_total"], 20)
            requests = [endless(prompt=prompt_ids(40, seed), seed=seed, max_tokens=420, logprobs=1)
                        for seed in range(6)]
            alone = [tokens(worker.infer(**request)) for request in requests]
            self.assertEqual({len(events) for events in alone}, {420})
            self.assertEqual(metrics(worker)["preemptions_total"], 0)
            jobs = in_parallel(lambda request: worker.submit(**request), requests)
            together = [tokens(worker.stream(job)) for job in jobs]
            self.assertEqual(together, alone)
            self.assertGreater(metrics(worker)["preemptions_total"], 0)
            wait_until_idle(worker)


class StoppingTest(unittest.TestCase):
    def start_load(self, *flags, max_tokens):
        """A worker with running and waiting jobs, each with a reader, one of them of the OpenAI API."""
        worker = self.enterContext(Worker(BINARY, str(DEMO), "--max-sequences", "2", *flags,
                                          environment=SLOW))
        streams = [RawStream(worker, "openai" if n == 1 else "jobs", prompt_ids(8, n), EOS,
                             max_tokens) for n in range(6)]
        streams[0].read_first_token()
        pool = self.enterContext(concurrent.futures.ThreadPoolExecutor(len(streams)))
        readers = [pool.submit(stream.read_rest) for stream in streams]
        wait_for(lambda: metrics(worker)["queue_depth"] > 0, "some wait")
        worker.process.send_signal(signal.SIGTERM)
        return worker, streams, readers

    @staticmethod
    def refusal(worker):
        """The answer to a new job, once it is 503."""
        with connect(worker) as connection:
            connection.sendall(request_bytes("POST", "/v1/jobs", {
                "operation": "infer", "prompt": "a", "max_tokens": 1}, "Connection: close"))
            reply = read_to_end(connection)
        return reply if reply.startswith(b"HTTP/1.1 503 ") else None

    def test_no_accepted_job_is_lost(self):
        worker, streams, readers = self.start_load("--drain-timeout", "300", max_tokens=100)
        reply = wait_for(lambda: self.refusal(worker), "new jobs are refused")
        self.assertIn(b"\r\nRetry-After: ", reply)
        self.assertIn(b'"SHUTTING_DOWN"', reply)
        self.assertEqual(worker.get("/v1/ready")[0], 503)
        self.assertFalse(all(reader.done() for reader in readers), "refused while others run")
        for stream, reader in zip(streams, readers):
            data = reader.result()
            self.assertIn(RawStream.ENDS[stream.api], data)
            self.assertIn(b"data: [DONE]", data)
            if stream.api == "jobs":
                self.assertEqual(stream.count_tokens(), 100)
        self.assertEqual(worker.process.wait(timeout=60), 0)

    def test_what_does_not_finish_in_time_ends_with_an_error(self):
        worker, streams, readers = self.start_load("--drain-timeout", "0", max_tokens=900)
        for stream, reader in zip(streams, readers):
            data = reader.result()
            self.assertNotIn(RawStream.ENDS[stream.api], data)
            if stream.api == "jobs":
                self.assertIn(b'"code":"CANCELLED"', data)
                self.assertIn(b'"type":"started"', data)
                self.assertIn(b"data: [DONE]", data)
            else:
                self.assertIn(b'data: {"error":', data)
                self.assertNotIn(b"[DONE]", data, "it would look like success")
        self.assertEqual(worker.process.wait(timeout=60), 0)


class ModelFileTest(unittest.TestCase):
    def setUp(self):
        self.model = os.path.join(self.enterContext(tempfile.TemporaryDirectory()), "model")
        shutil.copytree(DEMO, self.model)
        self.weights = os.path.join(self.model, "model.safetensors")

    def start(self):
        return self.enterContext(Worker(BINARY, self.model, environment=PLAIN))

    def test_a_file_replaced_under_its_name_has_no_effect(self):
        worker = self.start()
        before = {dtype: tokens(worker.infer(**KNOWN, dtype=dtype)) for dtype in ("f32", "f16")}
        other = self.weights + ".new"
        pathlib.Path(other).write_bytes(b"not a model")
        os.replace(other, self.weights)
        for dtype, expected in before.items():
            self.assertEqual(tokens(worker.infer(**KNOWN, dtype=dtype)), expected)
        # One that is loaded only now comes from the file that was opened at the start.
        self.assertEqual(len(tokens(worker.infer(**KNOWN, dtype="bf16"))), len(before["f32"]))

    def test_a_file_cut_under_the_worker_is_an_error_of_what_needs_it(self):
        worker = self.start()
        worker.infer(**KNOWN)
        os.truncate(self.weights, 100_000)  # the header is whole, the weights are not
        events = worker.infer(**KNOWN)
        self.assertEqual((events[-2]["type"], events[-2]["code"]), ("error", "INFERENCE_FAILED"))
        self.assertIn("model.safetensors", events[-2]["message"])
        status, reply = worker.post("/v1/jobs", {"operation": "infer", "dtype": "bf16", **KNOWN})
        self.assertEqual((status, reply["error"]["code"]), (503, "MODEL_FAILED"))
        self.assertIn("model.safetensors", reply["error"]["message"])
        self.assertEqual(worker.get("/health"), (200, {"status": "healthy"}))
        # After some failures in a row the worker says that it is of no use, and stays to say so.
        wait_for(lambda: self.ask(worker) == 503, "the engine gives up")
        status, health = worker.get("/health")
        self.assertEqual((status, health["status"]), (503, "unhealthy"))
        self.assertIn("model.safetensors", health["reason"])
        self.assertTrue(is_idle(worker))
        self.assertIsNone(worker.process.poll())
        worker.process.terminate()
        self.assertEqual(worker.process.wait(timeout=60), 0)

    @staticmethod
    def ask(worker):
        status, reply = worker.post("/v1/jobs", {"operation": "infer", "prompt": "a"})
        if status == 200:
            worker.stream(reply["job_id"])
        return status

    def test_a_file_that_was_cut_before_is_one_clear_line(self):
        gguf = os.path.join(os.path.dirname(self.model), "cut.gguf")
        shutil.copy(ROOT / "tests/fixtures/models/llama-gqa.gguf", gguf)
        for path, file in ((self.model, self.weights), (gguf, gguf)):
            os.truncate(file, os.path.getsize(file) - 1000)
            failed = subprocess.run([BINARY, "serve", "--model", path, "--port", "0"], text=True,
                                    capture_output=True, timeout=60, env=PLAIN)
            self.assertEqual(failed.returncode, 1, failed.stderr)
            [line] = [line for line in failed.stderr.splitlines() if "error" in line]
            self.assertIn(os.path.basename(file), line)


if __name__ == "__main__":
    unittest.main()
