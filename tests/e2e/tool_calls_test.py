#!/usr/bin/env python3
"""Conversations with tool calls, as clients send them and as a chat template sees them: the real worker
with a template that prints what it is given."""

import json
import os
import pathlib
import tempfile
import unittest

from worker import Worker

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = os.environ.get("LLM_WORKER", str(ROOT / "build/llm-worker"))
DEMO = ROOT / "models/demo"
ENVIRONMENT = {k: v for k, v in os.environ.items() if k != "LLORCH_API_TOKEN"}
TEMPLATE = """{%- for m in messages -%}
[{{ m.role }}:{{ m.content }}
{%- if m.tool_calls is defined %}|
{%- for call in m.tool_calls %}{{ call.function.name }}
{%- for key, value in call.function.arguments.items() %} {{ key }}={{ value }}{% endfor %};
{%- endfor %}
{%- endif %}]
{%- endfor %}
{%- if tools %}tools {{ tools|length }}{% endif %}
{%- if colour %} in {{ colour }}{% endif %}"""
ASK = {"role": "user", "content": "Weather?"}


class ToolCallsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = pathlib.Path(cls.enterClassContext(tempfile.TemporaryDirectory()))
        for file in DEMO.iterdir():
            (folder / file.name).symlink_to(file)
        (folder / "chat_template.jinja").write_text(TEMPLATE)
        cls.worker = cls.enterClassContext(Worker(BINARY, str(folder), environment=ENVIRONMENT))

    def render(self, messages, **fields):
        status, reply = self.worker.post("/apply-template", {"messages": messages, **fields})
        self.assertEqual(status, 200, reply)
        return reply["prompt"]

    def call(self, arguments, **members):
        return {"role": "assistant", "content": None, **members, "tool_calls": [
            {"id": "c1", "type": "function",
             "function": {"name": "weather", "arguments": arguments}}]}

    def test_arguments_are_an_object_for_the_template(self):
        as_text = json.dumps({"city": "Rome", "days": 2})
        answer = {"role": "tool", "tool_call_id": "c1", "content": "Sunny"}
        expected = "[user:Weather?][assistant:|weather city=Rome days=2;][tool:Sunny]"
        for arguments in (as_text, {"city": "Rome", "days": 2}):
            self.assertEqual(self.render([ASK, self.call(arguments), answer]), expected)

    def test_no_calls_are_no_calls(self):
        for calls in ([], None):
            messages = [ASK, {"role": "assistant", "content": "No", "tool_calls": calls}]
            self.assertEqual(self.render(messages), "[user:Weather?][assistant:No]")

    def test_the_same_reaches_a_completion(self):
        messages = [ASK, self.call('{"city":"Rome"}')]
        prompt = self.render(messages)
        ids = self.worker.post("/tokenize", {"content": prompt})[1]["tokens"]
        status, reply = self.worker.post("/v1/chat/completions", {
            "messages": messages, "max_tokens": 8, "temperature": 0})
        self.assertEqual(status, 200, reply)
        self.assertEqual(reply["usage"]["prompt_tokens"], len(ids))
        plain = self.worker.post("/v1/completions", {
            "prompt": ids, "max_tokens": 8, "temperature": 0})[1]
        self.assertEqual(reply["choices"][0]["message"]["content"], plain["choices"][0]["text"])

    def test_every_role_and_kind_of_content(self):
        parts = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
        messages = [{"role": "system", "content": "s"}, {"role": "user", "content": parts},
                    {"role": "assistant", "content": None}, {"role": "tool", "content": "t"}]
        self.assertEqual(self.render(messages), "[system:s][user:a\nb][assistant:][tool:t]")
        self.assertIn(":d]", self.render([{"role": "developer", "content": "d"}, ASK]))

    def test_variables_and_tools(self):
        self.assertEqual(self.render([ASK], tools=[{"type": "function"}],
                                     chat_template_kwargs={"colour": "red"}),
                         "[user:Weather?]tools 1 in red")
        status, reply = self.worker.post("/v1/chat/completions", {
            "messages": [ASK], "max_tokens": 1, "chat_template_kwargs": {"colour": "red", "x": 1}})
        self.assertEqual((status, reply["ignored"]), (200, ["chat_template_kwargs.x"]))

    def test_what_cannot_be_read_is_the_callers_mistake(self):
        image = {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}
        for message, part in ((image, "messages[1].content[0]"),
                              (self.call("{x"), "messages[1].tool_calls[0].function.arguments"),
                              (self.call("[1]"), "messages[1].tool_calls[0].function.arguments")):
            for path in ("/apply-template", "/v1/chat/completions", "/v1/jobs"):
                body = {"messages": [ASK, message]}
                if path == "/v1/jobs":
                    body["operation"] = "infer"
                status, reply = self.worker.post(path, body)
                self.assertEqual(status, 400, reply)
                self.assertIn(part, json.dumps(reply))


if __name__ == "__main__":
    unittest.main()
