#!/usr/bin/env python3
"""The jobs API of the real worker with the bundled model. LLM_WORKER names the binary."""

import math
import os
import pathlib
import re
import signal
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from worker import Worker, text, tokens  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = os.environ.get("LLM_WORKER", str(ROOT / "build/llm-worker"))
MODEL = str(ROOT / "models/demo")
CAT = {"prompt": "The cat sat on the mat. The cat", "max_tokens": 50, "repetition_penalty": 1.3}


class JobsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.worker = Worker(BINARY, MODEL, "--max-sequences", "4").__enter__()
        status, cls.model = cls.worker.get("/v1/model")
        assert status == 200, cls.model

    @classmethod
    def tearDownClass(cls):
        cls.worker.__exit__()

    def check_order(self, events):
        """started, token*, metrics in between, one end or error, [DONE]."""
        kinds = [event if isinstance(event, str) else event["type"] for event in events]
        self.assertEqual(kinds[0], "started")
        self.assertEqual(kinds[-1], "[DONE]")
        self.assertIn(kinds[-2], ("end", "error"))
        self.assertLessEqual(set(kinds[1:-2]), {"token", "metrics"})
        self.assertEqual([t["i"] for t in tokens(events)], list(range(len(tokens(events)))))
        return events[0], events[-2]

    # --- the requests that clients send ---

    def test_infer_with_repetition_penalty(self):
        started, end = self.check_order(self.worker.infer(**CAT))
        self.assertEqual(started["effective"]["repetition_penalty"], 1.3)
        self.assertEqual(started["effective"]["max_tokens"], 50)
        self.assertIsInstance(started["effective"]["seed"], int)
        self.assertEqual(end["type"], "end")
        self.assertIn(end["stop_reason"], ("MAX_TOKENS", "EOS"))
        self.assertLessEqual(end["tokens_out"], 50)
        self.assertGreater(end["prompt_tokens"], 3)

    def test_the_deprecated_route_takes_a_flat_body(self):
        status, reply = self.worker.post("/v1/inference", {
            "prompt": "Once upon a time", "max_tokens": 5, "temperature": 0.7, "hive_id": "h",
            "worker_id": "w", "device": "cpu:0", "stream": True, "model": self.model["model"]})
        self.assertEqual(status, 200, reply)
        self.assertRegex(reply["job_id"], r"^job-[0-9a-f-]{36}$")
        self.assertEqual(reply["sse_url"], f"/v1/jobs/{reply['job_id']}/stream")
        started, end = self.check_order(self.worker.stream(reply["job_id"]))
        self.assertEqual(started["ignored"], [])
        self.assertLessEqual(end["tokens_out"], 5)

    def test_started_and_end_say_what_happened(self):
        events = self.worker.infer(prompt="The cat", max_tokens=3, temperature=0, colour="red")
        started, end = self.check_order(events)
        self.assertEqual(started["ignored"], ["colour"])
        self.assertEqual(started["dtype"], self.model["dtype"])
        self.assertEqual(started["model"], self.model["model"])
        self.assertRegex(started["started_at"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z$")
        self.assertEqual(end["tokens_out"], len(tokens(events)))
        for name in ("decode_time_ms", "prefill_time_ms"):
            self.assertGreaterEqual(end[name], 0)

    # --- the same request gives the same text ---

    def test_a_job_can_be_streamed_again_and_from_the_middle(self):
        job = self.worker.submit(**CAT)
        first = self.worker.stream(job)
        self.assertEqual(self.worker.stream(job), first)
        late = self.worker.stream(job, "?from=2")
        self.assertEqual(tokens(late), tokens(first)[2:])
        status, whole = self.worker.get(f"/v1/jobs/{job}")
        self.assertEqual(status, 200)
        self.assertEqual(whole["text"], text(first))
        self.assertEqual(whole["state"], "done")

    def test_a_seed_repeats_the_text_alone_and_beside_others(self):
        wanted = {"prompt": "Once upon a time", "max_tokens": 30, "temperature": 1.0, "seed": 11}
        alone = text(self.worker.infer(**wanted))
        crowd = [self.worker.submit(prompt="The dog", max_tokens=30, seed=n) for n in range(3)]
        beside = text(self.worker.infer(**wanted))
        for job in crowd:
            self.worker.stream(job)
        self.assertEqual(beside, alone)
        texts = {text(self.worker.infer(**{**wanted, "seed": n})) for n in range(5)}
        self.assertGreater(len(texts), 1, "different seeds give different texts")

    def test_the_reported_seed_repeats_a_random_run(self):
        first = self.worker.infer(prompt="One day", max_tokens=20)
        again = self.worker.infer(prompt="One day", max_tokens=20,
                                  seed=first[0]["effective"]["seed"])
        self.assertEqual(text(again), text(first))

    def test_prompt_as_ids_is_the_prompt_as_text(self):
        _, reply = self.worker.post("/tokenize", {"content": "The cat", "add_special": True})
        as_text = self.worker.infer(prompt="The cat", max_tokens=10, temperature=0)
        as_ids = self.worker.infer(prompt=reply["tokens"], max_tokens=10, temperature=0)
        self.assertEqual(text(as_ids), text(as_text))
        self.assertEqual(as_text[-2]["prompt_tokens"], len(reply["tokens"]))

    # --- sampling, seen through the tokens and their log-probabilities ---

    def greedy(self, **fields):
        return tokens(self.worker.infer(temperature=0, logprobs=20, max_tokens=40, **fields))

    def test_greedy_takes_the_likeliest_token(self):
        for token in self.greedy(prompt="Once upon a time"):
            top = token["logprobs"]["top"]
            self.assertEqual(token["logprobs"]["id"], top[0]["id"])
            self.assertEqual(len(top), 20)
            self.assertEqual(top, sorted(top, key=lambda t: -t["logprob"]))
            self.assertLessEqual(sum(math.exp(t["logprob"]) for t in top), 1.0001)

    def test_top_k_one_is_greedy_at_any_temperature(self):
        greedy = [t["logprobs"]["id"] for t in self.greedy(prompt="The cat")]
        drawn = tokens(self.worker.infer(prompt="The cat", temperature=2.0, top_k=1, seed=3,
                                         logprobs=1, max_tokens=40))
        self.assertEqual([t["logprobs"]["id"] for t in drawn], greedy)

    def test_repetition_penalty_changes_the_choice_as_defined(self):
        """A penalty p divides positive logits of seen tokens and multiplies negative ones. The log
        probabilities are of the raw logits, which they give up to one constant per step; so for two
        unseen tokens the likelier must win, and a seen token may only win if it led before."""
        prompt = "Once upon a time"
        _, reply = self.worker.post("/tokenize", {"content": prompt, "add_special": True})
        seen = set(reply["tokens"])
        off = self.greedy(prompt=prompt)
        on = self.greedy(prompt=prompt, repetition_penalty=2.0, repeat_last_n=0)
        self.assertEqual(off, self.greedy(prompt=prompt, repetition_penalty=1.0))
        overruled = 0
        for token in on:
            chosen = token["logprobs"]["id"]
            top = token["logprobs"]["top"]
            if chosen in seen:
                self.assertEqual(chosen, next(t["id"] for t in top if t["id"] in seen),
                                 "among seen tokens the order stays")
            unseen = [t["id"] for t in top if t["id"] not in seen]
            if chosen not in seen and unseen:
                self.assertEqual(chosen, unseen[0], "the likeliest unseen token")
            overruled += chosen != top[0]["id"]
            seen.add(chosen)
        self.assertGreater(overruled, 0, "2.0 changes at least one choice in forty tokens")

    def test_logit_bias_bans_and_forces(self):
        first = self.greedy(prompt="The cat")[0]["logprobs"]["id"]
        banned = self.greedy(prompt="The cat", logit_bias={str(first): -100})
        self.assertNotIn(first, [t["logprobs"]["id"] for t in banned])
        forced = self.worker.infer(prompt="The cat", temperature=0, max_tokens=3, logprobs=1,
                                   logit_bias={str(first): 100})
        self.assertEqual({t["logprobs"]["id"] for t in tokens(forced)}, {first})

    # --- how a generation ends ---

    def test_an_end_token_ends_the_text_and_is_not_printed(self):
        self.assertTrue(self.model["eos_tokens"], "the test model names an end token")
        for end_token in self.model["eos_tokens"]:
            events = self.worker.infer(prompt="The cat", temperature=0, max_tokens=20,
                                       logit_bias={str(end_token): 100})
            self.assertEqual(events[-2]["stop_reason"], "EOS")
            self.assertEqual(text(events), "")

    def test_a_stop_text_ends_the_generation_before_it(self):
        whole = text(self.worker.infer(prompt="Once upon a time", temperature=0, max_tokens=40))
        words = re.findall(r"\w{3,}", whole)
        stop = words[len(words) // 2]
        events = self.worker.infer(prompt="Once upon a time", temperature=0, max_tokens=40,
                                   stop=["never there", stop])
        self.assertEqual(events[-2]["stop_reason"], "STOP_SEQUENCE")
        self.assertEqual(events[-2]["stop_sequence_matched"], stop)
        self.assertEqual(text(events), whole[:whole.index(stop)])

    def test_max_tokens_ends_it(self):
        events = self.worker.infer(prompt="Once upon a time", temperature=0, max_tokens=4)
        self.assertEqual(events[-2]["stop_reason"], "MAX_TOKENS")
        self.assertEqual(len(tokens(events)), 4)

    # --- cancellation ---

    def long_job(self):
        bans = {str(token): -100 for token in self.model["eos_tokens"]}
        return self.worker.submit(prompt="Once upon a time", logit_bias=bans)

    def wait_for_state(self, job, *states):
        deadline = time.time() + 20
        while time.time() < deadline:
            state = self.worker.get(f"/v1/jobs/{job}")[1]["state"]
            if state in states:
                return state
            time.sleep(0.01)
        return self.worker.get(f"/v1/jobs/{job}")[1]["state"]

    def test_delete_cancels(self):
        jobs = [self.long_job() for _ in range(8)]  # more than run at once: the last one waits
        status, reply = self.worker.request("DELETE", f"/v1/jobs/{jobs[-1]}")
        self.assertEqual((status, reply), (200, {"job_id": jobs[-1], "status": "cancelled"}))
        started, error = self.check_order(self.worker.stream(jobs[-1]))
        self.assertEqual(error["code"], "CANCELLED")
        for job in jobs[:-1]:
            self.assertEqual(self.worker.request("DELETE", f"/v1/jobs/{job}")[0], 200)
        self.assertEqual(self.worker.request("DELETE", "/v1/jobs/job-none")[0], 404)

    def test_a_client_that_leaves_cancels_its_job(self):
        job = self.long_job()
        connection, reply = self.worker.open_stream(job)
        self.assertTrue(reply.readline().startswith(b"data: "))
        reply.close()
        connection.close()
        # A small model may have filled its context before the departure could be seen.
        self.assertIn(self.wait_for_state(job, "cancelled", "done"), ("cancelled", "done"))

    # --- refusals ---

    def test_bad_fields_are_named_all_at_once(self):
        status, reply = self.worker.post("/v1/jobs", {
            "operation": "infer", "prompt": "p", "temperature": 2.5, "max_tokens": 0})
        self.assertEqual(status, 400)
        errors = {error["field"]: error for error in reply["errors"]}
        self.assertEqual(errors["temperature"], {
            "field": "temperature", "constraint": "range(0.0..=2.0)", "value": 2.5,
            "message": "temperature must be at most 2.0 (got 2.5)"})
        self.assertEqual(errors["max_tokens"]["constraint"], "range(1..=2048)")

    def test_refused_bodies(self):
        job = {"operation": "infer", "prompt": "p"}
        for fields in ({"prompt": ""}, {"prompt": "x" * 32769}, {"operation": "embed"},
                       {"repetition_penalty": 0}, {"repetition_penalty": 2.01}, {"top_p": 1.5},
                       {"top_k": -1}, {"stop": ["a"] * 5}, {"logprobs": 21}, {"seed": -1},
                       {"logit_bias": {str(self.model["vocab_size"]): 1}},
                       {"prompt": [self.model["vocab_size"]]}, {"prompt": None}):
            self.assertEqual(self.worker.post("/v1/jobs", {**job, **fields})[0], 400, fields)
        status, reply = self.worker.post("/v1/jobs", {**job, "dtype": "int3"})
        self.assertEqual((status, reply["errors"][0]["message"]), (400, "Unsupported dtype: int3"))
        self.assertEqual(self.worker.post("/v1/jobs", {**job, "model": "other"})[0], 404)
        self.assertEqual(self.worker.post("/v1/jobs", {**job, "dtype": self.model["dtype"]})[0], 200)
        self.assertEqual(self.worker.post("/v1/jobs", "{", None)[0], 400)
        self.assertEqual(self.worker.post("/v1/jobs", "{}", {"Content-Type": "text/plain"})[0], 415)

    def test_a_prompt_that_fills_the_context_is_refused_with_both_counts(self):
        context = self.model["max_context_length"]
        if context > 32768:
            self.skipTest("the context is longer than the longest prompt")
        token = self.worker.post("/tokenize", {"content": "a"})[1]["tokens"][-1]
        status, reply = self.worker.post(
            "/v1/jobs", {"operation": "infer", "prompt": [token] * context})
        self.assertEqual(status, 400)
        self.assertEqual(reply["errors"][0]["field"], "prompt")
        self.assertGreaterEqual(reply["errors"][0]["message"].count(str(context)), 2)

    def test_max_tokens_is_clipped_to_the_context(self):
        context = self.model["max_context_length"]
        if context > 2000:
            self.skipTest("the context is longer than the limit of max_tokens")
        events = self.worker.infer(prompt="The cat", max_tokens=2048, temperature=0,
                                   logit_bias={str(t): -100 for t in self.model["eos_tokens"]})
        room = context - events[-2]["prompt_tokens"]
        self.assertEqual(events[0]["effective"]["max_tokens"], room)
        self.assertEqual(events[-2]["tokens_out"], room)

    def test_detokenize_undoes_tokenize(self):
        for content in ("Hello world", "The cat sat."):
            ids = self.worker.post("/tokenize", {"content": content})[1]["tokens"]
            self.assertEqual(self.worker.post("/detokenize", {"tokens": ids})[1],
                             {"content": content})


class ProcessTest(unittest.TestCase):
    def test_sigterm_lets_the_running_job_finish(self):
        with Worker(BINARY, MODEL) as worker:
            job = worker.submit(prompt="Once upon a time", max_tokens=60)
            connection, reply = worker.open_stream(job)
            reply.readline()
            worker.process.send_signal(signal.SIGTERM)
            rest = reply.read().decode()
            connection.close()
            self.assertIn('"type":"end"', rest)
            self.assertTrue(rest.endswith("data: [DONE]\n\n"))
            self.assertEqual(worker.process.wait(timeout=60), 0)

    def test_a_port_in_use_is_one_clear_line(self):
        with Worker(BINARY, MODEL) as worker:
            second = subprocess.run([BINARY, "serve", "--model", MODEL, "--port", str(worker.port)],
                                    capture_output=True, text=True, timeout=60)
        self.assertEqual(second.returncode, 1)
        self.assertRegex(second.stderr, rf"error: port {worker.port} .* already in use")

    def test_a_missing_model_ends_the_process_with_an_error(self):
        failed = subprocess.run([BINARY, "serve", "--model", "/nowhere", "--port", "0"],
                                capture_output=True, text=True, timeout=60)
        self.assertEqual(failed.returncode, 1)
        self.assertIn("/nowhere", failed.stderr)

    def test_contradictions_are_bad_usage(self):
        keyed = {**os.environ, "LLORCH_API_TOKEN": "k"}
        for flags, environment in ((["--backend", "cuda"], None), (["--host", "0.0.0.0"], None),
                                   (["--local-mode", "--api-key", "k"], None),
                                   (["--local-mode"], keyed),
                                   (["--hive-url", "https://hive"], None),
                                   (["--device", "cuda:0"], None)):
            failed = subprocess.run([BINARY, "serve", "--model", MODEL, *flags], text=True,
                                    capture_output=True, timeout=60, env=environment)
            self.assertEqual(failed.returncode, 2, (flags, failed.stderr))

    def test_a_key_from_the_environment_is_asked_for(self):
        keyed = {**os.environ, "LLORCH_API_TOKEN": "secret-key"}
        with Worker(BINARY, MODEL, environment=keyed) as worker:
            self.assertEqual(worker.get("/v1/jobs")[0], 401)
            status, _ = worker.request("GET", "/v1/jobs",
                                       headers={"Authorization": "Bearer secret-key"})
            self.assertEqual(status, 200)
            self.assertNotIn("secret-key", "".join(worker.log))


if __name__ == "__main__":
    unittest.main()
