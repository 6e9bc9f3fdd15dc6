#!/usr/bin/env python3
"""Tokens and their text: parts of characters are held back, control tokens are never printed, and the
tokenizer's routes give what llama-server's give."""

import os
import pathlib
import unittest

from worker import Worker, text, tokens

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = os.environ.get("LLM_WORKER", str(ROOT / "build/llm-worker"))
DEMO = str(ROOT / "models/demo")
ENVIRONMENT = {k: v for k, v in os.environ.items() if k != "LLORCH_API_TOKEN"}
PROMPT = "Once upon a time"
HELLO = [{"role": "user", "content": "Hello"}]


class TokenTextCase(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.worker = cls.enterClassContext(Worker(BINARY, DEMO, environment=ENVIRONMENT))

    def ok(self, path, **body):
        status, reply = self.worker.post(path, body)
        self.assertEqual(status, 200, reply)
        return reply

    def tokenize(self, content, **options):
        return self.ok("/tokenize", content=content, **options)["tokens"]

    def events(self, path, **body):
        """JSON of each chunk of a stream that must be valid UTF-8."""
        import json
        status, headers, raw = self.worker.raw("POST", path, body | {"stream": True})
        self.assertEqual((status, headers["Content-Type"]), (200, "text/event-stream"))
        lines = [line for line in raw.decode("utf-8", "strict").split("\n\n") if line]
        self.assertEqual(lines[-1], "data: [DONE]")
        return [json.loads(line.removeprefix("data: ")) for line in lines[:-1]
                if not line.startswith(":")]


class CharactersTest(TokenTextCase):
    """A model that is made to draw the bytes of characters in any order."""

    def setUp(self):
        pieces = self.tokenize("é" + "🐕", with_pieces=True)
        self.bytes = {part["id"]: bytes(part["piece"]) for part in pieces
                      if isinstance(part["piece"], list)}
        self.assertGreaterEqual(len(self.bytes), 2, "the vocabulary has bytes of characters")
        only = {str(token): 100 for token in self.bytes}
        self.fields = {"prompt": PROMPT, "max_tokens": 120, "temperature": 2.0, "logit_bias": only}

    def test_pieces_are_valid_and_together_the_whole_text(self):
        whole_characters = 0
        for seed in range(6):
            events = self.worker.infer(**self.fields, seed=seed, logprobs=1)  # decoded strictly
            raw = b"".join(bytes(token["logprobs"]["bytes"]) for token in tokens(events))
            expected = raw.decode("utf-8", "replace")
            self.assertEqual(text(events), expected)
            self.assertIn("\ufffd", expected, "some bytes are no character")
            self.assertIn("", [token["t"] for token in tokens(events)], "something was held back")
            whole_characters += len(expected.replace("\ufffd", ""))
            status = self.worker.get(f"/v1/jobs/{events[0]['job_id']}")[1]
            self.assertEqual(status["text"], expected)

            whole = self.ok("/v1/completions", **self.fields, seed=seed)["choices"][0]["text"]
            self.assertEqual(whole, expected, "the same on the other surface")
            chunks = self.events("/v1/completions", **self.fields, seed=seed)
            self.assertEqual("".join(c["choices"][0]["text"] for c in chunks), expected)
            for chunk in chunks[:-1]:
                self.assertNotEqual(chunk["choices"][0]["text"], "")
        self.assertGreater(whole_characters, 0, "and some are")

    def test_a_chat_is_streamed_as_it_is_answered(self):
        fields = {**self.fields, "messages": HELLO, "seed": 3}
        del fields["prompt"]
        whole = self.ok("/v1/chat/completions", **fields)["choices"][0]["message"]["content"]
        chunks = self.events("/v1/chat/completions", **fields)
        streamed = "".join(c["choices"][0]["delta"].get("content", "") for c in chunks)
        self.assertEqual(streamed, whole)
        self.assertGreater(len(set(whole)), 2, "replaced bytes and whole characters")


class ControlTokensTest(TokenTextCase):
    def setUp(self):
        [self.control] = self.tokenize("<|start_header_id|>")
        self.fields = {"temperature": 0, "max_tokens": 5, "logit_bias": {str(self.control): 100}}

    def test_a_job_does_not_print_them(self):
        events = self.worker.infer(prompt=PROMPT, logprobs=1, **self.fields)
        self.assertEqual({t["logprobs"]["id"] for t in tokens(events)}, {self.control})
        self.assertEqual((events[-2]["tokens_out"], text(events)), (5, ""))

    def test_nor_does_a_chat_or_a_completion(self):
        answer = self.ok("/v1/chat/completions", messages=HELLO, **self.fields)
        self.assertEqual(answer["usage"]["completion_tokens"], 5)
        self.assertEqual(answer["choices"][0]["message"]["content"], "")
        chunks = self.events("/v1/chat/completions", messages=HELLO, **self.fields)
        self.assertEqual([c["choices"][0]["delta"].get("content") for c in chunks], ["", None])
        answer = self.ok("/v1/completions", prompt=PROMPT, **self.fields)
        self.assertEqual(answer["choices"][0]["text"], "")

    def test_end_tokens_that_are_ignored_are_not_printed_either(self):
        for end in self.worker.get("/v1/model")[1]["eos_tokens"]:
            fields = {**self.fields, "logit_bias": {str(end): 100}, "ignore_eos": True}
            answer = self.ok("/v1/completions", prompt=PROMPT, **fields)
            self.assertEqual(answer["usage"]["completion_tokens"], 5)
            self.assertEqual(answer["choices"][0]["text"], "")


class TokenizerRoutesTest(TokenTextCase):
    TEXTS = ("Hello world", " two  spaces\n", "wörld 你好 🐕", "")

    def test_pieces_are_the_text(self):
        for content in self.TEXTS:
            plain = self.tokenize(content)
            pieces = self.tokenize(content, with_pieces=True)
            self.assertEqual([part["id"] for part in pieces], plain)
            joined = b"".join(part["piece"].encode() if isinstance(part["piece"], str)
                              else bytes(part["piece"]) for part in pieces)
            self.assertEqual(joined.decode(), content)
            self.assertEqual(self.ok("/detokenize", tokens=plain), {"content": content})

    def test_bytes_that_are_no_character_alone_are_lists(self):
        kinds = {type(part["piece"]) for part in self.tokenize("🐕", with_pieces=True)}
        self.assertEqual(kinds, {list})

    def test_special_tokens_are_added_when_asked_for(self):
        plain = self.tokenize("Hello")
        [first, *rest] = self.tokenize("Hello", add_special=True, with_pieces=True)
        self.assertEqual(first["piece"], "<|begin_of_text|>")
        self.assertEqual([part["id"] for part in rest], plain)
        self.assertEqual(self.tokenize("Hello", add_special=False), plain)

    def test_control_tokens_in_the_text_can_be_text(self):
        name = "<|eot_id|>"
        [control] = self.tokenize(name)
        self.assertEqual(self.tokenize(name, parse_special=True), [control])
        spelled = self.tokenize(name, parse_special=False)
        self.assertGreater(len(spelled), 1)
        self.assertNotIn(control, spelled)
        for ids in ([control], spelled):
            self.assertEqual(self.ok("/detokenize", tokens=ids), {"content": name})


class NoTokenizerTest(unittest.TestCase):
    """A model that can be given ids alone: text is the caller's mistake, not the worker's."""

    def test_text_is_refused_by_name_and_ids_are_taken(self):
        model = str(ROOT / "tests/fixtures/models/llama-mha")
        with Worker(BINARY, model, environment=ENVIRONMENT) as worker:
            events = worker.infer(prompt=[1, 2], max_tokens=2)
            self.assertEqual((events[-2]["tokens_out"], text(events)), (2, ""))
            for path, body, field in (
                    ("/v1/jobs", {"operation": "infer", "prompt": "x"}, "prompt"),
                    ("/v1/jobs", {"operation": "infer", "messages": HELLO}, "messages"),
                    ("/tokenize", {"content": "x"}, "content"),
                    ("/detokenize", {"tokens": [1]}, "tokens")):
                status, reply = worker.post(path, body)
                self.assertEqual((status, reply["errors"][0]["field"]), (400, field), reply)
            for path, body, field in (
                    ("/v1/completions", {"prompt": "x"}, "prompt"),
                    ("/v1/completions", {"prompt": [1, 2], "echo": True}, "echo"),
                    ("/v1/chat/completions", {"messages": HELLO}, "messages")):
                status, reply = worker.post(path, body)
                self.assertEqual((status, reply["error"]["param"]), (400, field), reply)


if __name__ == "__main__":
    unittest.main()
