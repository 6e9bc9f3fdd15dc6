#!/usr/bin/env python3
"""What an operator sees of the real worker: loading, the model's description, figures, and that all of
it is there while the engine is busy."""

import json
import os
import pathlib
import subprocess
import tempfile
import time
import unittest

from worker import Worker, tokens

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = os.environ.get("LLM_WORKER", str(ROOT / "build/llm-worker"))
DEMO = str(ROOT / "models/demo")
ENVIRONMENT = {k: v for k, v in os.environ.items() if k not in ("LLORCH_API_TOKEN", "LLM_ISA")}
PATIENCE = 120


class LoadingTest(unittest.TestCase):
    def test_the_port_is_open_and_progress_is_told_before_the_model_is_there(self):
        with tempfile.TemporaryDirectory() as folder:
            model = os.path.join(folder, "model")
            subprocess.run([BINARY, "synth", "--arch", "llama", "--shape", "smollm-135m", "--dtype",
                            "bf16", "--format", "safetensors", "--out", model], check=True,
                           capture_output=True)
            # The slowest conversion there is, on one thread.
            worker = Worker(BINARY, model, "--threads", "1", "--context", "64",
                            environment=ENVIRONMENT)
            try:
                self.check(worker)
            finally:
                worker.__exit__()

    def check(self, worker):
        status, ready = worker.get("/v1/ready")
        self.assertEqual((status, ready), (503, {
            "ready": False, "state": "loading", "model_loaded": False,
            "progress_url": "/v1/loading/progress"}))
        self.assertEqual(worker.get("/health"), (200, {"status": "healthy"}))
        status, headers, body = worker.raw("POST", "/v1/jobs", {"operation": "infer", "prompt": "x"})
        self.assertEqual((status, json.loads(body)["error"]["code"]), (503, "MODEL_LOADING"))
        self.assertGreaterEqual(int(headers["Retry-After"]), 1)
        _, headers, raw = worker.raw("GET", ready["progress_url"])
        self.assertEqual(headers["Content-Type"], "text/event-stream")
        *events, done = [line.removeprefix("data: ") for line in raw.decode().split("\n\n") if line]
        self.assertEqual(done, "[DONE]")
        *loading, last = map(json.loads, events)
        self.assertEqual(last, {"stage": "ready"})
        self.assertTrue(loading)
        for event in loading:
            self.assertEqual(set(event), {"stage", "layers_loaded", "layers_total", "bytes_loaded",
                                          "bytes_total"})
            self.assertEqual(event["stage"], "loading")
        for name in ("layers_loaded", "bytes_loaded"):
            seen = [event[name] for event in loading]
            self.assertEqual(seen, sorted(seen), "it only grows")
        self.assertEqual(loading[-1]["layers_total"], 30)
        self.assertGreater(loading[-1]["bytes_loaded"], 0)
        self.assertLessEqual(loading[-1]["bytes_loaded"], loading[-1]["bytes_total"])
        self.assertEqual(worker.get("/v1/ready"),
                         (200, {"ready": True, "state": "idle", "model_loaded": True}))


class ModelTest(unittest.TestCase):
    def describe(self, model, *flags):
        with Worker(BINARY, str(model), *flags, environment=ENVIRONMENT) as worker:
            status, described = worker.get("/v1/model")
        self.assertEqual(status, 200)
        return described

    def test_what_it_says_is_what_the_files_say(self):
        config = json.loads((ROOT / "models/demo/config.json").read_text())
        described = self.describe(DEMO)
        self.assertEqual(described["architecture_family"], "llama")
        self.assertEqual(described["dtype"], "f32")
        self.assertEqual(described["supported_dtypes"], ["f32", "f16", "bf16"])
        self.assertIs(described["is_quantized"], False)
        self.assertEqual(described["max_context_length"], config["max_position_embeddings"])
        self.assertEqual(described["vocab_size"], config["vocab_size"])
        self.assertIn(config["eos_token_id"], described["eos_tokens"])
        self.assertGreater(described["parameters"], 1e6)
        info = json.loads(subprocess.run([BINARY, "info", "--json"], capture_output=True,
                                         env=ENVIRONMENT, check=True).stdout)
        self.assertEqual(described["instruction_set"], info["instruction_sets"]["chosen"])
        memory = described["memory"]
        layers, heads, width = (config[name] for name in (
            "num_hidden_layers", "num_key_value_heads", "head_dim"))
        self.assertEqual(memory["kv_bytes_per_token"], 2 * layers * heads * width * 4)
        for part in ("weights_bytes", "scratch_bytes", "kv_cache_bytes"):
            self.assertGreater(memory[part], 0)

    def test_a_quantised_file_says_so(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "small.gguf")
            subprocess.run([BINARY, "quantize", DEMO, path, "--type", "q8_0"], check=True,
                           capture_output=True)
            described = self.describe(path)
        self.assertIs(described["is_quantized"], True)
        self.assertEqual((described["dtype"], described["supported_dtypes"]), ("q8_0", ["q8_0"]))


class FiguresTest(unittest.TestCase):
    def test_requests_are_counted_and_timed(self):
        with Worker(BINARY, DEMO, environment=ENVIRONMENT) as worker:
            before = worker.metrics()
            for name in ("requests_total{outcome=\"max_tokens\"}", "generated_tokens_total",
                         "time_to_first_token_seconds_count", "decode_bytes_total"):
                self.assertEqual(before["llm_worker_" + name], 0)
            prompt = [5 + n % 300 for n in range(100)]
            first, second = (worker.infer(prompt=prompt, max_tokens=10, temperature=0, logit_bias={
                str(end): -100 for end in worker.get("/v1/model")[1]["eos_tokens"]})
                for _ in range(2))
            self.assertEqual(first[-2]["cached_tokens"], 0)
            self.assertEqual(second[-2]["cached_tokens"], 96, "three full pages of 32")
            self.assertEqual([t["t"] for t in tokens(second)], [t["t"] for t in tokens(first)])
            after = self.settled(worker, 20)

        def figure(name):
            return after["llm_worker_" + name]
        self.assertEqual(figure('requests_total{outcome="max_tokens"}'), 2)
        self.assertEqual(figure("prompt_tokens_total"), 200)
        self.assertEqual(figure("generated_tokens_total"), 20)
        self.assertEqual(figure("prefix_cache_hit_tokens_total"), 96)
        self.assertEqual(figure("time_to_first_token_seconds_count"), 2)
        self.assertEqual(figure("inter_token_seconds_count"), 18)
        self.assertEqual(figure('inter_token_seconds_bucket{le="+Inf"}'), 18)
        self.assertGreater(figure("time_to_first_token_seconds_sum"), 0)
        self.assertGreater(figure("kv_pages_total"), 3)
        self.assertEqual(figure("kv_pages_used"), 0)
        self.assertGreaterEqual(figure("kv_pages_cached"), 3)
        self.assertEqual((figure("queue_depth"), figure("running_sequences")), (0, 0))
        self.assertGreater(figure("resident_memory_bytes"), 1e6)
        weights = 4e6  # at least, of f32
        self.assertGreater(figure("decode_bytes_total"), 10 * weights)
        self.assertGreater(figure("decode_bytes_per_second"), 0)

    def settled(self, worker, generated):
        deadline = time.monotonic() + PATIENCE
        while True:
            figures = worker.metrics()
            if (figures["llm_worker_generated_tokens_total"] >= generated
                    and figures["llm_worker_running_sequences"] == 0):
                return figures
            self.assertLess(time.monotonic(), deadline, figures)
            time.sleep(0.02)


class LogTest(unittest.TestCase):
    def test_every_line_of_a_request_has_its_id(self):
        with Worker(BINARY, DEMO, "--log-format", "json", environment=ENVIRONMENT) as worker:
            mine = {"x-request-id": "find-me"}
            status, headers, body = worker.raw(
                "POST", "/v1/jobs", {"operation": "infer", "prompt": "One", "max_tokens": 2}, mine)
            self.assertEqual((status, headers["x-request-id"]), (200, "find-me"))
            job = json.loads(body)["job_id"]
            worker.raw("GET", f"/v1/jobs/{job}/stream", headers=mine)
            worker.raw("DELETE", f"/v1/jobs/{job}", headers=mine)
        lines = [json.loads(line) for line in worker.log]
        about = [line for line in lines if job in line["message"]]
        self.assertGreaterEqual(len(about), 4, "accepted, ended, streamed, deleted")
        self.assertEqual({line.get("request_id") for line in about}, {"find-me"})


class BusyTest(unittest.TestCase):
    """One step of the engine takes seconds: plain code, one thread, a whole prompt at once."""

    def setUp(self):
        self.worker = self.enterContext(Worker(
            BINARY, DEMO, "--threads", "1", "--max-token-gap-ms", "0", "--max-batch-rows", "1024",
            "--max-sequences", "1", environment=ENVIRONMENT | {"LLM_ISA": "ref"}))
        self.prompt = [5 + n * 7 % 1900 for n in range(500)]

    def status(self, job):
        return self.worker.get(f"/v1/jobs/{job}")[1]

    def test_health_readiness_and_figures_answer_during_a_long_prefill(self):
        job = self.worker.submit(prompt=self.prompt, max_tokens=1)
        waiting = self.worker.submit(prompt="x", max_tokens=1)
        self.assertEqual(self.worker.get("/health"), (200, {"status": "healthy"}))
        self.assertEqual(self.worker.get("/v1/ready")[1]["state"], "busy")
        figures = self.worker.metrics()
        self.assertGreaterEqual(figures["llm_worker_queue_depth"]
                                + figures["llm_worker_running_sequences"], 1)
        self.assertEqual(self.worker.get("/v1/model")[0], 200)
        self.assertEqual(self.status(waiting)["state"], "queued")
        self.assertEqual(self.status(job)["tokens_out"], 0, "all that came before the first token")
        self.assertEqual(self.worker.stream(job)[-1], "[DONE]")

    def test_a_client_that_leaves_during_a_prefill_leaves_nothing_behind(self):
        job = self.worker.submit(prompt=self.prompt, max_tokens=20)
        queued = self.worker.submit(prompt="x", max_tokens=1)
        for which in (queued, job):
            connection, reply = self.worker.open_stream(which)
            reply.close()
            connection.close()
        deadline = time.monotonic() + PATIENCE
        while {self.status(j)["state"] for j in (job, queued)} != {"cancelled"}:
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.02)
        while (self.worker.get("/v1/ready")[1]["state"] != "idle"
               or self.worker.metrics()["llm_worker_kv_pages_used"] > 0):
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.02)
        self.assertEqual([self.status(j)["tokens_out"] for j in (job, queued)], [0, 0])
        self.assertNotIn("started_at", self.status(queued), "it never started")


if __name__ == "__main__":
    unittest.main()
