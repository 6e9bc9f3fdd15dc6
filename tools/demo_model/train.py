"""Makes models/demo: trains the tokenizer and the demo model on generated text, from scratch.

    pip install torch transformers tokenizers safetensors
    python tools/demo_model/train.py                # writes models/demo, about 45 minutes on one core

The training has a main part on stories and chats, and a closing part with more questions and answers.
Everything is drawn from fixed seeds and one thread; the last bits of the weights may still differ
with another version of torch or another processor. A usable model is written every --save-every steps.
"""

import argparse
import json
import math
import time
from pathlib import Path
from random import Random

import torch
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import LlamaConfig, LlamaForCausalLM
from transformers.utils.logging import disable_progress_bar

from corpus import (BOS, CHAT_TEMPLATE, END_OF_TEXT, END_OF_TURN, SPECIAL_TOKENS, closing_documents,
                    documents)

VOCAB_SIZE = 2048
CONTEXT = 1024
ROPE_THETA = 10000.0
LLAMA3_SPLIT = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|"
                r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
ROW_LENGTHS = (256, 512, 1024)
TOKENS_PER_STEP = 4096


def train_tokenizer(seed: int) -> Tokenizer:
    """Byte-level BPE; the special tokens take the last ids, as in Llama 3."""
    tokenizer = Tokenizer(models.BPE(ignore_merges=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(LLAMA3_SPLIT), behavior="isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=VOCAB_SIZE - len(SPECIAL_TOKENS), min_frequency=3,
                                  initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
                                  show_progress=False)
    source = documents(seed)
    texts = ("".join(text for text, _ in next(source)) for _ in range(20000))

    def plain():
        for text in texts:
            for token in SPECIAL_TOKENS:
                text = text.replace(token, "\n")
            yield text

    tokenizer.train_from_iterator(plain(), trainer)
    tokenizer.add_special_tokens([AddedToken(t, special=True, normalized=False) for t in SPECIAL_TOKENS])
    bos = tokenizer.token_to_id(BOS)
    tokenizer.post_processor = processors.Sequence([
        processors.ByteLevel(trim_offsets=False),
        processors.TemplateProcessing(single=f"{BOS} $A", pair=f"{BOS} $A {BOS}:1 $B:1",
                                      special_tokens=[(BOS, bos)])])
    return tokenizer


def encode_document(tokenizer: Tokenizer, document) -> tuple[list[int], list[bool]]:
    ids: list[int] = []
    learn: list[bool] = []
    for text, wanted in document:
        piece = tokenizer.encode(text, add_special_tokens=False).ids
        ids += piece
        learn += [wanted] * len(piece)
    return ids[:CONTEXT], learn[:CONTEXT]


def batches(tokenizer: Tokenizer, source):
    """Rows of 256, 512 or 1024 tokens, each holding whole documents; yields lists of rows."""
    open_rows = {length: [] for length in ROW_LENGTHS}
    full_rows = {length: [] for length in ROW_LENGTHS}
    while True:
        ids, learn = encode_document(tokenizer, next(source))
        length = next(n for n in ROW_LENGTHS if len(ids) <= n)
        for row in open_rows[length]:
            if sum(len(i) for i, _ in row) + len(ids) <= length:
                row.append((ids, learn))
                break
        else:
            open_rows[length].append([(ids, learn)])
            if len(open_rows[length]) > 24:
                fullest = max(open_rows[length], key=lambda row: sum(len(i) for i, _ in row))
                open_rows[length].remove(fullest)
                full_rows[length].append(fullest)
        if len(full_rows[length]) == TOKENS_PER_STEP // length:
            yield length, full_rows[length]
            full_rows[length] = []


def to_tensors(length: int, rows):
    """Inputs, targets (-100 = not learnt), positions and a mask that keeps documents apart."""
    shape = (len(rows), length)
    inputs = torch.zeros(shape, dtype=torch.long)
    targets = torch.full(shape, -100)
    positions = torch.zeros(shape, dtype=torch.long)
    owner = torch.full(shape, -1)
    for r, row in enumerate(rows):
        at = 0
        for d, (ids, learn) in enumerate(row):
            n = len(ids)
            inputs[r, at:at + n] = torch.tensor(ids)
            positions[r, at:at + n] = torch.arange(n)
            owner[r, at:at + n] = d
            following = [i if keep else -100 for i, keep in zip(ids[1:], learn[1:])]
            targets[r, at:at + n - 1] = torch.tensor(following, dtype=torch.long)
            at += n
    causal = torch.ones(length, length).tril().bool()
    mask = (owner[:, None, :, None] == owner[:, None, None, :]) & causal
    return inputs, targets, positions, mask


def loss_of(model, batch):
    inputs, targets, positions, mask = batch
    hidden = model.model(input_ids=inputs, position_ids=positions, attention_mask=mask,
                         use_cache=False).last_hidden_state
    keep = targets != -100
    logits = torch.nn.functional.linear(hidden[keep], model.lm_head.weight)
    return torch.nn.functional.cross_entropy(logits, targets[keep])


@torch.no_grad()
def generate(model, tokenizer, text: str, temperature: float, seed: int, limit: int = 400) -> str:
    ids = tokenizer.encode(text, add_special_tokens=False).ids
    start = len(ids)
    ends = model.generation_config.eos_token_id
    generator = torch.Generator().manual_seed(seed)
    cache = None
    while len(ids) - start < limit:
        out = model(input_ids=torch.tensor([ids if cache is None else ids[-1:]]),
                    past_key_values=cache, use_cache=True)
        cache, logits = out.past_key_values, out.logits[0, -1]
        if temperature == 0:
            token = int(logits.argmax())
        else:
            token = int(torch.multinomial((logits / temperature).softmax(-1), 1, generator=generator))
        ids.append(token)
        if token in ends:
            break
    return tokenizer.decode(ids[start:], skip_special_tokens=False)


def chat_prompt(*messages: str) -> str:
    text = BOS
    for i, message in enumerate(messages):
        role = "user" if i % 2 == 0 else "assistant"
        text += f"<|start_header_id|>{role}<|end_header_id|>\n\n{message}{END_OF_TURN}"
    return text + "<|start_header_id|>assistant<|end_header_id|>\n\n"


def show_samples(directory: Path) -> None:
    """Speaks with the saved bf16 weights, the ones a user will load."""
    model = LlamaForCausalLM.from_pretrained(directory, dtype=torch.float32).eval()
    tokenizer = Tokenizer.from_file(str(directory / "tokenizer.json"))
    for temperature in (0, 0.8):
        for prompt in ["Once upon a time", "The cat sat on the mat. The cat", "One day, a brave fox"]:
            print(f"[T={temperature}] {prompt}|{generate(model, tokenizer, BOS + prompt, temperature, 1)}")
    for said in [("Hello!",), ("Hi, how are you?",), ("What is your name?",), ("What is 3 + 4?",),
                 ("Tell me a story about a dragon",), ("What is the opposite of hot?",),
                 ("What does a cow say?",), ("Thank you!",), ("bye",), ("Who is the president of France?",), ("What is the capital of Spain?",),
                 ("What color is the sky?",), ("Count to 5",),
                 ("My name is Zara.", "Nice to meet you, Zara!", "What is my name?")]:
        print(f"[chat] {said[-1]} -> {generate(model, tokenizer, chat_prompt(*said), 0, 1)}")


def save(model, tokenizer, directory: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    copy = LlamaForCausalLM(model.config).to(torch.bfloat16)
    copy.load_state_dict({k: v.to(torch.bfloat16) for k, v in model.state_dict().items()})
    copy.generation_config = model.generation_config
    copy.save_pretrained(directory)
    (directory / "model.safetensors").chmod(0o644)
    config = json.loads((directory / "config.json").read_text())
    for key in ("rope_parameters", "dtype", "transformers_version", "attention_dropout", "pretraining_tp"):
        config.pop(key, None)
    # The keys that every loader of Llama checkpoints knows, whatever this version of transformers writes.
    config.update(rope_theta=ROPE_THETA, rope_scaling=None, torch_dtype="bfloat16")
    (directory / "config.json").write_text(json.dumps(dict(sorted(config.items())), indent=2) + "\n")
    bos, ends = model.config.bos_token_id, model.generation_config.eos_token_id
    (directory / "generation_config.json").write_text(
        json.dumps({"bos_token_id": bos, "eos_token_id": ends, "do_sample": True, "temperature": 0.8}, indent=2) + "\n")
    tokenizer.save(str(directory / "tokenizer.json"), pretty=False)
    (directory / "tokenizer_config.json").write_text(json.dumps({
        "tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": CONTEXT,
        "bos_token": BOS, "eos_token": END_OF_TEXT, "clean_up_tokenization_spaces": False,
        "chat_template": CHAT_TEMPLATE}, indent=2) + "\n")


def make_model(tokenizer: Tokenizer) -> LlamaForCausalLM:
    bos, end_of_text, end_of_turn = (tokenizer.token_to_id(t) for t in (BOS, END_OF_TEXT, END_OF_TURN))
    config = LlamaConfig(
        vocab_size=VOCAB_SIZE, hidden_size=192, intermediate_size=512, num_hidden_layers=5,
        num_attention_heads=6, num_key_value_heads=2, head_dim=32, max_position_embeddings=CONTEXT,
        rms_norm_eps=1e-5, rope_parameters={"rope_type": "default", "rope_theta": ROPE_THETA},
        tie_word_embeddings=True, bos_token_id=bos, eos_token_id=end_of_text, pad_token_id=None,
        attn_implementation="sdpa")
    model = LlamaForCausalLM(config)
    model.generation_config.eos_token_id = [end_of_text, end_of_turn]
    return model


def train(model, tokenizer, source, held_out, steps: int, rates: tuple[float, float], decay: float, warm_up: int,
          save_every: int, out: Path) -> None:
    """Warm-up, plateau, then a linear fall to zero over the last `decay` of the steps."""
    matrices = [p for n, p in model.named_parameters() if p.ndim == 2 and "layers" in n]
    others = [p for n, p in model.named_parameters() if p.ndim != 2 or "layers" not in n]
    optimizers = [torch.optim.Muon(matrices, lr=rates[0], weight_decay=0.01, momentum=0.95),
                  torch.optim.AdamW(others, lr=rates[1], betas=(0.9, 0.98), weight_decay=0.0)]
    rows = batches(tokenizer, source)
    began, seen, running = time.time(), 0, 0.0
    for step in range(steps):
        scale = min(1.0, (step + 1) / warm_up, (steps - step) / (decay * steps))
        for optimizer, rate in zip(optimizers, rates):
            for group in optimizer.param_groups:
                group["lr"] = rate * scale
        batch = to_tensors(*next(rows))
        loss = loss_of(model, batch)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(others, 1.0)
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        running = loss.item() if step == 0 else 0.95 * running + 0.05 * loss.item()
        seen += int((batch[1] != -100).sum())
        if (step + 1) % 20 == 0:
            print(f"step {step + 1} loss {running:.4f} learnt {seen} tokens {time.time() - began:.0f} s", flush=True)
        if (step + 1) % save_every == 0 or step + 1 == steps:
            model.eval()
            with torch.no_grad():
                total = sum(loss_of(model, b).item() for b in held_out) / len(held_out)
            print(f"step {step + 1} held-out loss {total:.4f} ({math.exp(total):.3f} perplexity)", flush=True)
            save(model, tokenizer, out)
            show_samples(out)
            model.train()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path(__file__).resolve().parents[2] / "models/demo")
    parser.add_argument("--steps", type=int, default=1700)
    parser.add_argument("--closing-steps", type=int, default=240)
    parser.add_argument("--closing-only", action="store_true", help="start from the model that is in --out")
    parser.add_argument("--seed", type=int, default=20240607)
    parser.add_argument("--save-every", type=int, default=300)
    args = parser.parse_args()

    disable_progress_bar()
    torch.set_num_threads(1)
    torch.manual_seed(args.seed)

    def held_out(source):
        return [to_tensors(*b) for b, _ in zip(batches(tokenizer, source), range(6))]

    if not args.closing_only:
        tokenizer = train_tokenizer(args.seed)
        model = make_model(tokenizer)
        print(f"{sum(p.numel() for p in model.parameters())} parameters", flush=True)
        train(model, tokenizer, documents(args.seed + 2), held_out(documents(args.seed + 1)), args.steps,
              (0.02, 4e-3), 0.4, 40, args.save_every, args.out)
    # Goes on from the saved weights, so that it can be done again alone.
    tokenizer = Tokenizer.from_file(str(args.out / "tokenizer.json"))
    model = make_model(tokenizer)
    saved = LlamaForCausalLM.from_pretrained(args.out, dtype=torch.float32)
    model.load_state_dict(saved.state_dict())
    train(model, tokenizer, closing_documents(args.seed + 3), held_out(closing_documents(args.seed + 4)),
          args.closing_steps, (0.006, 1.2e-3), 0.8, 20, args.save_every, args.out)


if __name__ == "__main__":
    main()
