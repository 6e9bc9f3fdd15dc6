#!/usr/bin/env python3
"""LangChain's client of the OpenAI API, as it is, against the real worker."""

import asyncio
import os
import pathlib
import unittest

from worker import Worker

try:
    from langchain_core.messages import AIMessage, HumanMessage, SystemMessage
    from langchain_openai import ChatOpenAI, OpenAI
except ImportError:
    ChatOpenAI = None

ROOT = pathlib.Path(__file__).resolve().parents[2]
WORKER = os.environ.get("LLM_WORKER", str(ROOT / "build/llm-worker"))
DEMO = str(ROOT / "models/demo")
KEY = "sk-test"
ENVIRONMENT = {k: v for k, v in os.environ.items() if k not in ("LLM_ISA", "LLORCH_API_TOKEN")}
TALK = [("system", "You tell stories."), ("human", "Tell me a story about a dog.")]


@unittest.skipUnless(ChatOpenAI, "langchain-openai is not installed")
class LangChainTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.worker = cls.enterClassContext(
            Worker(WORKER, DEMO, "--api-key", KEY, environment=ENVIRONMENT))
        cls.where = {"base_url": f"http://127.0.0.1:{cls.worker.port}/v1", "api_key": KEY,
                     "model": "demo", "temperature": 0, "max_retries": 0, "timeout": 120}

    def chat(self, **options):
        return ChatOpenAI(**self.where | {"max_tokens": 20} | options)

    def test_invoke(self):
        answer = self.chat().invoke(TALK)
        self.assertIsInstance(answer, AIMessage)
        self.assertTrue(answer.content)
        self.assertEqual(answer.response_metadata["finish_reason"], "length")
        self.assertEqual(answer.usage_metadata["output_tokens"], 20)
        self.assertEqual(answer.tool_calls, [])

    def test_stream_is_the_whole_answer(self):
        whole = self.chat().invoke(TALK).content
        pieces = list(self.chat(stream_usage=True).stream(TALK))
        self.assertEqual("".join(piece.content for piece in pieces), whole)
        total = pieces[0]
        for piece in pieces[1:]:
            total += piece
        self.assertEqual(total.usage_metadata["output_tokens"], 20)

    def test_a_conversation_of_message_objects(self):
        answer = self.chat(stop=["."]).invoke([
            SystemMessage("You tell stories."), HumanMessage("Tell me about a dog."),
            AIMessage("The dog was big."), HumanMessage([{"type": "text", "text": "And a cat?"}])])
        self.assertNotIn(".", answer.content)

    def test_batch_and_async_calls_run_beside_each_other(self):
        alone = self.chat().invoke("Hello").content
        self.assertEqual([a.content for a in self.chat().batch(["Hello"] * 4)], [alone] * 4)

        async def ask():
            return await asyncio.gather(*(self.chat().ainvoke("Hello") for _ in range(4)))
        self.assertEqual([a.content for a in asyncio.run(ask())], [alone] * 4)

    def test_logprobs(self):
        answer = self.chat(logprobs=True, top_logprobs=2, max_tokens=3).invoke("Hello")
        self.assertEqual(len(answer.response_metadata["logprobs"]["content"]), 3)

    def test_the_older_client_completes_texts(self):
        model = OpenAI(**self.where | {"max_tokens": 12})
        text = model.invoke("Once upon a time")
        self.assertTrue(text)
        self.assertEqual("".join(model.stream("Once upon a time")), text)
        many = model.generate(["Once upon a time", "The dog"])
        self.assertEqual(many.generations[0][0].text, text)


if __name__ == "__main__":
    unittest.main()
