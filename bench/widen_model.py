"""A Llama checkpoint whose rows are padded with zeros to a multiple of 256, so that every block type fits.

    python bench/widen_model.py models/demo OUT

Hidden states get elements that are always 0, and each group of query heads one more, which nobody looks at;
norms are made smaller by as much as their mean is over more elements. So the wider model computes what the
narrow one does (but for the rounding of norms to the checkpoint's bf16), with trained weights in all blocks.
Standard library only; bf16, one file, tied embeddings.
"""

import json
import math
import pathlib
import shutil
import struct
import sys


def read_tensors(path):
    """name -> (shape, bytes)"""
    data = path.read_bytes()
    (size,) = struct.unpack_from("<Q", data)
    header = json.loads(data[8:8 + size])
    tensors = {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        if entry["dtype"] != "BF16":
            raise ValueError(f"{name}: {entry['dtype']}, expected BF16")
        begin, end = (8 + size + offset for offset in entry["data_offsets"])
        tensors[name] = (entry["shape"], data[begin:end])
    return tensors


def write_tensors(path, tensors):
    header, offset = {"__metadata__": {"format": "pt"}}, 0
    for name, (shape, data) in tensors.items():
        header[name] = {"dtype": "BF16", "shape": shape, "data_offsets": [offset, offset + len(data)]}
        offset += len(data)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for _, data in tensors.values():
            file.write(data)


def widened(shape, data, rows=None, cols=None):
    """The matrix with more rows and columns of zeros."""
    n_rows, n_cols = shape
    rows, cols = rows or n_rows, cols or n_cols
    old, new = 2 * n_cols, 2 * cols
    out = b"".join(data[r * old:(r + 1) * old].ljust(new, b"\0") for r in range(n_rows))
    return [rows, cols], out.ljust(rows * new, b"\0")


def scaled_norm(data, factor, width):
    values = struct.unpack(f"<{len(data) // 2}H", data)
    out = []
    for bits in values:
        (value,) = struct.unpack("<f", struct.pack("<I", bits << 16))
        (scaled,) = struct.unpack("<I", struct.pack("<f", value * factor))
        out.append((scaled + 0x7FFF + (scaled >> 16 & 1)) >> 16)
    return [width], struct.pack(f"<{len(out)}H", *out).ljust(2 * width, b"\0")


def by_columns(shape, data):
    """The transposed matrix."""
    rows, cols = shape
    values = memoryview(data).cast("H")
    out = b"".join(struct.pack(f"<{rows}H", *values[c::cols]) for c in range(cols))
    return [cols, rows], out


def widen_model(source, target):
    source, target = pathlib.Path(source), pathlib.Path(target)
    config = json.loads((source / "config.json").read_text())
    hidden, ffn = config["hidden_size"], config["intermediate_size"]
    heads, kv_heads, head = (config[key] for key in
                             ("num_attention_heads", "num_key_value_heads", "head_dim"))
    group = heads // kv_heads
    new_group = group
    while new_group * kv_heads * head % 256:
        new_group += 1
    new_hidden, new_ffn = -(-hidden // 256) * 256, -(-ffn // 256) * 256

    def grouped(shape, data, cols):
        """Rows of query heads, each group of them filled up."""
        size = 2 * shape[1] * head * group
        parts = [widened([head * group, shape[1]], data[n * size:(n + 1) * size], head * new_group, cols)[1]
                 for n in range(kv_heads)]
        return [head * new_group * kv_heads, cols], b"".join(parts)

    def change(name, shape, data):
        if len(shape) == 1:
            return scaled_norm(data, math.sqrt(hidden / new_hidden), new_hidden)
        if "q_proj" in name:
            return grouped(shape, data, new_hidden)
        if "o_proj" in name:
            return by_columns(*grouped(*by_columns(shape, data), new_hidden))
        if "down_proj" in name:
            return widened(shape, data, new_hidden, new_ffn)
        if "gate_proj" in name or "up_proj" in name:
            return widened(shape, data, new_ffn, new_hidden)
        return widened(shape, data, None, new_hidden)  # k, v and embedding

    tensors = {name: change(name, *tensor)
               for name, tensor in read_tensors(source / "model.safetensors").items()}
    config.update(hidden_size=new_hidden, intermediate_size=new_ffn,
                  num_attention_heads=new_group * kv_heads)
    # The mean of squares is over more elements, and so must be what is added to it.
    config["rms_norm_eps"] *= hidden / new_hidden
    target.mkdir(parents=True, exist_ok=True)
    for file in source.glob("*.json"):
        shutil.copy(file, target)
    (target / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    write_tensors(target / "model.safetensors", tensors)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    widen_model(sys.argv[1], sys.argv[2])
