#!/usr/bin/env python3
"""The OpenAI API of the real worker, driven by the official `openai` package as it is."""

import os
import pathlib
import threading
import time
import unittest

from worker import Worker

try:
    import openai
except ImportError:
    openai = None

ROOT = pathlib.Path(__file__).resolve().parents[2]
WORKER = os.environ.get("LLM_WORKER", str(ROOT / "build/llm-worker"))
DEMO = str(ROOT / "models/demo")
KEY = "sk-test"
ENVIRONMENT = {k: v for k, v in os.environ.items() if k not in ("LLM_ISA", "LLORCH_API_TOKEN")}
HELLO = [{"role": "user", "content": "Tell me a story about a dog named Spot."}]
EMOJI = "🐕"


def client_of(worker, **options):
    options = {"api_key": KEY, "max_retries": 0, "timeout": 120} | options
    return openai.OpenAI(base_url=f"http://127.0.0.1:{worker.port}/v1", **options)


@unittest.skipUnless(openai, "the openai package is not installed")
class OpenAiCase(unittest.TestCase):
    FLAGS = ("--api-key", KEY)

    @classmethod
    def setUpClass(cls):
        cls.worker = cls.enterClassContext(
            Worker(WORKER, DEMO, *cls.FLAGS, environment=ENVIRONMENT))
        cls.client = client_of(cls.worker)
        cls.addClassCleanup(cls.client.close)

    def chat(self, **fields):
        fields = {"model": "demo", "messages": HELLO, "temperature": 0, "max_tokens": 24} | fields
        return self.client.chat.completions.create(**fields)

    def complete(self, **fields):
        fields = {"model": "demo", "prompt": "Once upon a time", "temperature": 0,
                  "max_tokens": 24} | fields
        return self.client.completions.create(**fields)


class ChatTest(OpenAiCase):
    def test_a_whole_answer(self):
        answer = self.chat(seed=3)
        self.assertEqual(answer.object, "chat.completion")
        self.assertTrue(answer.id.startswith("chatcmpl-"))
        self.assertAlmostEqual(answer.created, time.time(), delta=3600)
        self.assertEqual(answer.model, "demo")
        self.assertTrue(answer.system_fingerprint)
        [choice] = answer.choices
        self.assertEqual((choice.index, choice.message.role), (0, "assistant"))
        self.assertGreater(len(choice.message.content), 10)
        self.assertIsNone(choice.message.refusal)
        self.assertIsNone(choice.message.tool_calls)
        usage = answer.usage
        self.assertEqual((choice.finish_reason, usage.completion_tokens), ("length", 24))
        self.assertEqual(usage.total_tokens, usage.prompt_tokens + usage.completion_tokens)
        self.assertGreaterEqual(usage.prompt_tokens_details.cached_tokens, 0)
        self.assertEqual(answer.model_extra["effective"]["seed"], 3)
        self.assertEqual(answer.model_extra["ignored"], [])

    def test_streamed_pieces_are_the_whole_answer(self):
        for fields in ({}, {"temperature": 1.5, "seed": 11, "max_tokens": 200},
                       {"stop": [" was", "."], "max_tokens": 100},
                       {"messages": HELLO + [{"role": "assistant", "content": EMOJI},
                                             {"role": "user", "content": "äöü " + EMOJI}],
                        "temperature": 2.0, "seed": 5, "max_tokens": 300}):
            whole = self.chat(**fields).choices[0]
            chunks = list(self.chat(stream=True, **fields))
            text = "".join(c.choices[0].delta.content or "" for c in chunks)
            self.assertEqual(text, whole.message.content, fields)
            self.assertEqual(chunks[-1].choices[0].finish_reason, whole.finish_reason)

    def test_the_order_of_chunks(self):
        chunks = list(self.chat(stream=True, stream_options={"include_usage": True}))
        self.assertEqual(chunks[0].choices[0].delta.role, "assistant")
        self.assertEqual(chunks[0].choices[0].delta.content, "")
        for chunk in chunks[1:-2]:
            self.assertTrue(chunk.choices[0].delta.content)
            self.assertIsNone(chunk.choices[0].delta.role)
            self.assertIsNone(chunk.choices[0].finish_reason)
        self.assertIn(chunks[-2].choices[0].finish_reason, ("stop", "length"))
        self.assertEqual(chunks[-1].choices, [])
        self.assertEqual(chunks[-1].usage.completion_tokens, 24)
        self.assertEqual([c for c in chunks[:-1] if c.usage], [], "the usage comes once")
        self.assertEqual(len({(c.id, c.created, c.model) for c in chunks}), 1)
        self.assertIn("effective", chunks[0].model_extra)
        self.assertEqual(self.chat().usage.prompt_tokens, chunks[-1].usage.prompt_tokens)

    def test_tokens_arrive_one_by_one(self):
        states = []
        # Later chunks come while the worker still works on them: not all in one piece at the end.
        with self.chat(stream=True, max_tokens=200) as stream:
            for _ in stream:
                states.append(self.worker.get("/v1/ready")[1]["state"])
                if len(states) == 5:
                    break
        self.assertEqual(states, ["busy"] * 5)

    def test_a_seed_repeats_and_choices_differ(self):
        fields = {"n": 3, "temperature": 1.0, "seed": 17}
        first = [c.message.content for c in self.chat(**fields).choices]
        self.assertEqual(first, [c.message.content for c in self.chat(**fields).choices])
        self.assertEqual(len(set(first)), 3)
        alone = self.chat(temperature=1.0, seed=18).choices[0].message.content
        self.assertEqual(alone, first[1], "choice k draws with seed + k")
        streamed = {}
        for chunk in self.chat(stream=True, **fields):
            choice = chunk.choices[0]
            streamed[choice.index] = streamed.get(choice.index, "") + (choice.delta.content or "")
        self.assertEqual([streamed[i] for i in range(3)], first)

    def test_logprobs(self):
        choice = self.chat(logprobs=True, top_logprobs=3, max_tokens=8).choices[0]
        content = choice.logprobs.content
        self.assertEqual(len(content), 8)
        for token in content:
            self.assertLessEqual(token.logprob, 0)
            self.assertEqual(len(token.top_logprobs), 3)
            self.assertEqual(token.token, token.top_logprobs[0].token, "greedy takes the likeliest")
            values = [other.logprob for other in token.top_logprobs]
            self.assertEqual(values, sorted(values, reverse=True))
        joined = b"".join(bytes(token.bytes) for token in content)
        self.assertEqual(joined.decode().strip(), choice.message.content.strip())
        alone = self.chat(logprobs=True, max_tokens=2).choices[0].logprobs.content
        self.assertEqual([token.top_logprobs for token in alone], [[], []])
        # They are those of the raw logits: sampling does not change them.
        hot = self.chat(logprobs=True, max_tokens=1, temperature=2, extra_body={"top_k": 1})
        self.assertAlmostEqual(hot.choices[0].logprobs.content[0].logprob, content[0].logprob)
        chunks = [c.choices[0] for c in self.chat(logprobs=True, max_tokens=8, stream=True)]
        streamed = [t.logprob for c in chunks if c.logprobs for t in c.logprobs.content]
        self.assertEqual(streamed, [t.logprob for t in content])

    def test_sampling_fields_take_effect(self):
        plain = self.chat(max_tokens=60).choices[0].message.content
        banned = self.chat(max_tokens=60, logit_bias={
            str(token): -100 for token in self.worker.post(
                "/tokenize", {"content": plain[:40]}, {"x-api-key": KEY})[1]["tokens"]})
        self.assertNotEqual(banned.choices[0].message.content[:10], plain[:10])
        for fields in ({"presence_penalty": 2.0, "frequency_penalty": 2.0},
                       {"extra_body": {"repetition_penalty": 1.9}},
                       {"extra_body": {"repeat_penalty": 1.9}}):
            self.assertNotEqual(self.chat(max_tokens=60, **fields).choices[0].message.content, plain)
        self.assertEqual(self.chat(max_tokens=60, temperature=1.8, top_p=0.0).choices[0]
                         .message.content, plain)
        half = self.chat(max_tokens=60, stop=plain[20:23]).choices[0]
        self.assertEqual(half.message.content, plain[:plain.index(plain[20:23])])
        self.assertEqual(half.finish_reason, "stop")
        self.assertEqual(self.chat(max_tokens=5, max_completion_tokens=3).usage.completion_tokens, 3)

    def test_nulls_and_unknown_fields(self):
        answer = self.chat(extra_body={"top_p": None, "stop": None, "tools": None, "colour": 1})
        self.assertEqual(answer.model_extra["ignored"], ["colour"])
        with self.assertRaises(openai.BadRequestError) as caught:
            self.chat(extra_body={"colour": 1}, extra_headers={"X-Strict": "1"})
        self.assertEqual(caught.exception.param, "colour")

    def test_roles_and_parts(self):
        parts = [{"role": "developer", "content": "Be brief."},
                 {"role": "user", "content": [{"type": "text", "text": HELLO[0]["content"]}]}]
        text = [{"role": "system", "content": "Be brief."}, HELLO[0]]
        self.assertEqual(self.chat(messages=parts).choices[0].message.content,
                         self.chat(messages=text).choices[0].message.content)
        image = [{"role": "user", "content": [
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}]}]
        with self.assertRaises(openai.BadRequestError) as caught:
            self.chat(messages=image)
        self.assertIn("image", str(caught.exception))

    def test_a_tool_answer_may_follow(self):
        messages = HELLO + [
            {"role": "assistant", "content": None, "tool_calls": []},
            {"role": "user", "content": "And?"}]
        self.assertTrue(self.chat(messages=messages).choices[0].message.content)

    def test_the_second_turn_finds_the_first_in_the_cache(self):
        long = [{"role": "user", "content": "The cat sat on the mat. " * 12}]
        first = self.chat(messages=long)
        again = self.chat(messages=long + [
            {"role": "assistant", "content": first.choices[0].message.content},
            {"role": "user", "content": "And then?"}])
        self.assertGreaterEqual(again.usage.prompt_tokens_details.cached_tokens, 64)


class CompletionsTest(OpenAiCase):
    def test_a_text_is_continued_as_the_jobs_api_does(self):
        answer = self.complete()
        self.assertEqual(answer.object, "text_completion")
        status, job = self.worker.post("/v1/jobs", {
            "operation": "infer", "prompt": "Once upon a time", "temperature": 0,
            "max_tokens": 24}, {"x-api-key": KEY})
        self.assertEqual(status, 200)
        deadline = time.monotonic() + 60
        state = {}
        while state.get("state") != "done" and time.monotonic() < deadline:
            state = self.worker.request("GET", f"/v1/jobs/{job['job_id']}",
                                        headers={"x-api-key": KEY})[1]
        self.assertEqual(answer.choices[0].text, state["text"])
        self.assertEqual(answer.usage.prompt_tokens, state["prompt_tokens"])

    def test_streamed_pieces_are_the_whole_text(self):
        fields = {"temperature": 1.5, "seed": 4, "max_tokens": 200, "echo": True}
        whole = self.complete(**fields).choices[0]
        chunks = list(self.complete(stream=True, **fields))
        self.assertEqual("".join(c.choices[0].text for c in chunks), whole.text)
        self.assertEqual(chunks[-1].choices[0].finish_reason, whole.finish_reason)

    def test_prompts_as_text_ids_and_lists(self):
        texts = ["Once upon a time", "The dog"]
        ids = [self.worker.post("/tokenize", {"content": text, "add_special": True},
                                {"x-api-key": KEY})[1]["tokens"] for text in texts]
        alone = [self.complete(prompt=text).choices[0].text for text in texts]
        for prompt in (texts, ids):
            answer = self.complete(prompt=prompt)
            self.assertEqual([choice.text for choice in answer.choices], alone)
            self.assertEqual(answer.usage.prompt_tokens, sum(map(len, ids)))
        self.assertEqual(self.complete(prompt=ids[1]).choices[0].text, alone[1])
        two = self.complete(prompt=texts, n=2).choices
        self.assertEqual([choice.text for choice in two], [alone[0]] * 2 + [alone[1]] * 2)

    def test_echo_and_logprobs(self):
        answer = self.complete(echo=True, logprobs=2, max_tokens=4).choices[0]
        plain = self.complete(max_tokens=4, logprobs=2).choices[0]
        self.assertEqual(answer.text, "Once upon a time" + plain.text)
        logprobs = answer.logprobs
        self.assertIsNone(logprobs.token_logprobs[0])
        self.assertEqual(logprobs.token_logprobs[-4:], plain.logprobs.token_logprobs)
        self.assertEqual(len(logprobs.tokens), len(logprobs.text_offset))
        self.assertEqual(logprobs.text_offset[-4], len("Once upon a time"))
        for token, value, top in zip(logprobs.tokens[1:], logprobs.token_logprobs[1:],
                                     logprobs.top_logprobs[1:]):
            self.assertIn(len(top), (2, 3))
            self.assertEqual(top[token], value)

    def test_scoring_a_text_makes_no_token(self):
        text = "Once upon a time, there was a little girl"
        scored = self.complete(prompt=text, echo=True, logprobs=0, max_tokens=0)
        self.assertEqual(scored.choices[0].text, text)
        self.assertEqual(scored.usage.completion_tokens, 0)
        values = scored.choices[0].logprobs.token_logprobs
        self.assertEqual(len(values), scored.usage.prompt_tokens)
        other = self.complete(prompt="Time girl upon was there a a once little,", echo=True,
                              logprobs=0, max_tokens=0).choices[0].logprobs.token_logprobs
        self.assertGreater(sum(values[1:]) / len(values), sum(other[1:]) / len(other))

    def test_sixteen_tokens_unless_asked_for_more(self):
        answer = self.complete(max_tokens=openai.omit, extra_body={"ignore_eos": True})
        self.assertEqual(answer.usage.completion_tokens, 16)


class ModelsAndErrorsTest(OpenAiCase):
    FLAGS = ("--api-key", KEY, "--model-ref", "hf:org/demo")

    def chat(self, **fields):
        return super().chat(**{"model": "hf:org/demo"} | fields)

    def test_models(self):
        [model] = self.client.models.list().data
        self.assertEqual((model.id, model.object), ("hf:org/demo", "model"))
        self.assertEqual(self.client.models.retrieve("hf:org/demo").id, "hf:org/demo")
        with self.assertRaises(openai.NotFoundError) as caught:
            self.client.models.retrieve("gpt-4")
        self.assertEqual(caught.exception.code, "model_not_found")

    def test_without_the_prefix(self):
        client = openai.OpenAI(base_url=f"http://127.0.0.1:{self.worker.port}", api_key=KEY)
        self.addCleanup(client.close)
        self.assertEqual(client.models.list().data[0].id, "hf:org/demo")

    def test_embeddings_are_refused(self):
        with self.assertRaises(openai.BadRequestError) as caught:
            self.client.embeddings.create(model="hf:org/demo", input="a")
        self.assertIn("no embeddings", caught.exception.message)

    def test_errors_arrive_as_the_packages_own(self):
        cases = (
            (openai.NotFoundError, {"model": "gpt-4"}, "invalid_request_error", "model_not_found"),
            (openai.BadRequestError, {"temperature": 3}, "invalid_request_error", None),
            (openai.BadRequestError, {"messages": []}, "invalid_request_error", None),
            (openai.BadRequestError, {"response_format": {"type": "json_object"}},
             "invalid_request_error", None),
            (openai.BadRequestError, {"messages": [{"role": "user", "content": "word " * 3000}]},
             "invalid_request_error", "context_length_exceeded"),
        )
        for kind, fields, error_type, code in cases:
            with self.assertRaises(kind) as caught:
                self.chat(**fields)
            self.assertEqual((caught.exception.type, caught.exception.code), (error_type, code))
            self.assertTrue(caught.exception.request_id)
        self.assertGreater(caught.exception.body["n_prompt_tokens"], caught.exception.body["n_ctx"])
        with self.assertRaises(openai.BadRequestError) as caught:
            self.chat(stream=True, temperature=3)
        self.assertEqual(caught.exception.param, "temperature")

    def test_a_wrong_key(self):
        with client_of(self.worker, api_key="sk-wrong") as client:
            with self.assertRaises(openai.AuthenticationError) as caught:
                client.models.list()
        self.assertEqual(caught.exception.code, "invalid_api_key")

    def test_a_stream_that_is_closed_stops_the_work(self):
        stream = self.chat(stream=True, max_tokens=2000, extra_body={"ignore_eos": True})
        next(iter(stream))
        stream.close()
        deadline = time.monotonic() + 30
        while self.worker.get("/v1/ready")[1]["state"] != "idle":
            self.assertLess(time.monotonic(), deadline, "the request still runs")
            time.sleep(0.02)
        self.assertIn('outcome="cancelled"} 1', self.metrics())

    def metrics(self):
        import urllib.request
        request = urllib.request.Request(f"http://127.0.0.1:{self.worker.port}/metrics",
                                         headers={"x-api-key": KEY})
        with urllib.request.urlopen(request, timeout=30) as reply:
            return reply.read().decode()


class RetriesTest(OpenAiCase):
    FLAGS = ("--api-key", KEY, "--max-sequences", "1", "--max-queue", "0")

    def test_a_full_queue_is_tried_again_after_the_time_that_the_worker_says(self):
        stream = self.chat(stream=True, max_tokens=2000, extra_body={"ignore_eos": True})
        next(iter(stream))
        with self.assertRaises(openai.RateLimitError) as caught:
            self.chat()
        self.assertEqual(caught.exception.code, "queue_full")
        self.assertEqual(caught.exception.type, "rate_limit_error")
        self.assertGreaterEqual(int(caught.exception.response.headers["retry-after"]), 1)
        later = threading.Timer(0.3, stream.close)
        later.start()
        with client_of(self.worker, max_retries=10) as patient:
            answer = patient.chat.completions.create(model="demo", messages=HELLO, max_tokens=3)
        later.join()
        self.assertEqual(answer.usage.completion_tokens, 3)

    def test_a_callers_mistake_is_not_tried_again(self):
        before = len(self.worker.log)
        with client_of(self.worker, max_retries=5) as patient:
            with self.assertRaises(openai.BadRequestError):
                patient.chat.completions.create(model="demo", messages=HELLO, temperature=9)
        time.sleep(0.2)
        lines = [line for line in self.worker.log[before:] if "/v1/chat/completions" in line]
        self.assertEqual(len(lines), 1, lines)


if __name__ == "__main__":
    unittest.main()
