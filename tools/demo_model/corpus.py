"""The training text of the demo model: documents drawn from the grammars, without end.

A document is a list of (text, learn) pieces; `learn` is false for text that a person would type in a
chat (it is read but not predicted). Special tokens are written out in the text.

    python corpus.py [--count N] [--seed S]     prints sample documents
"""

import argparse
from random import Random
from typing import Iterator

from chat import make_chat, make_drill
from chat_facts import make_fact
from stories import make_simple_sentences, make_story

BOS, END_OF_TEXT = "<|begin_of_text|>", "<|end_of_text|>"
START_HEADER, END_HEADER, END_OF_TURN = "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"
SPECIAL_TOKENS = [BOS, END_OF_TEXT, START_HEADER, END_HEADER, END_OF_TURN]

CHAT_TEMPLATE = (
    "{{- bos_token }}{%- for message in messages %}"
    "{{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n' + message['content'] | trim"
    " + '<|eot_id|>' }}{%- endfor %}"
    "{%- if add_generation_prompt %}{{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}{%- endif %}")

Document = list[tuple[str, bool]]


def plain_document(text: str) -> Document:
    return [(BOS, False), (text + END_OF_TEXT, True)]


def chat_document(messages: list[tuple[str, str]]) -> Document:
    document: Document = [(BOS, False)]
    for role, content in messages:
        header = f"{START_HEADER}{role}{END_HEADER}\n\n"
        if role == "assistant":
            document += [(header, False), (content + END_OF_TURN, True)]
        else:
            document += [(header + content + END_OF_TURN, False)]
    return document


def documents(seed: int) -> Iterator[Document]:
    """Endless and deterministic: the same seed gives the same documents."""
    rng = Random(seed)
    while True:
        kind = rng.random()
        if kind < 0.44:
            yield plain_document(make_story(rng))
        elif kind < 0.50:
            yield plain_document(make_simple_sentences(rng))
        elif kind < 0.515:
            pairs = [make_fact(rng) for _ in range(rng.randint(1, 3))]
            yield plain_document("\n\n".join(f"Question: {q}\nAnswer: {a}" for q, a in pairs))
        elif kind < 0.525:
            yield plain_document("\n\n".join(make_story(rng) for _ in range(2)))
        elif kind < 0.97:
            yield chat_document(make_chat(rng))
        else:
            yield chat_document(make_chat(rng, turns=rng.randint(5, 14)))


def closing_documents(seed: int) -> Iterator[Document]:
    """The mix of the last part of the training: more questions and answers, more ways to begin a text."""
    rng = Random(seed)
    while True:
        kind = rng.random()
        if kind < 0.16:
            yield plain_document(make_story(rng))
        elif kind < 0.32:
            yield plain_document(make_story(rng, varied=True))
        elif kind < 0.42:
            yield plain_document(make_simple_sentences(rng))
        elif kind < 0.46:
            pairs = [make_fact(rng) for _ in range(rng.randint(1, 3))]
            yield plain_document("\n\n".join(f"Question: {q}\nAnswer: {a}" for q, a in pairs))
        elif kind < 0.70:
            yield chat_document(make_chat(rng))
        else:
            yield chat_document(make_drill(rng))


def main() -> None:
    parser = argparse.ArgumentParser(description="Print sample documents.")
    parser.add_argument("--count", type=int, default=5)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    source = documents(args.seed)
    for _ in range(args.count):
        print("".join(text for text, _ in next(source)), end="\n----\n")


if __name__ == "__main__":
    main()
