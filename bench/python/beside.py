"""What PyTorch needs for the same as `kto bench kernels step`: cuBLAS products at the sizes of a model's layers, and a KTO update in 16 bits.

    pip install -r bench/python/requirements.txt
    python bench/python/beside.py --shape 1.5b > beside.json
    kto bench kernels step --shape 1.5b --beside beside.json

Weights are random; an adapter of rank 16 lies on all linear layers. An update is two micro-batches of four rows of 512 tokens, half of each its prompt: policy and
reference on the rows and on their mismatched ones, one backward pass each, AdamW. Every time is the median of the repeats after a third of a second of the same
work. Without CUDA, or with --shape tiny, everything is small, and its times say nothing about GPUs.
"""

import argparse
import datetime
import json
import statistics
import sys
import time

import torch

SHAPES = {
    "tiny": dict(vocab=512, hidden=64, intermediate=128, layers=2, heads=4, kv_heads=2),
    "1.5b": dict(vocab=151_936, hidden=1536, intermediate=8960, layers=28, heads=12, kv_heads=2),
    "7b": dict(vocab=152_064, hidden=3584, intermediate=18_944, layers=28, heads=28, kv_heads=4),
}


def seconds(run, device, warm_up, repeats=7):
    """Median seconds of a run, many runs together where one is short."""

    def timed(count):
        start = time.perf_counter()
        for _ in range(count):
            run()
        if device.type == "cuda":
            torch.cuda.synchronize()
        return (time.perf_counter() - start) / count

    count, start = 1, time.perf_counter()
    while True:
        once = timed(count)
        if once * count < 0.02:
            count = min(2 * count, 200)
        if time.perf_counter() - start >= warm_up:
            break
    return statistics.median(timed(count) for _ in range(repeats))


def products(shape, tokens, device, dtype, warm_up):
    """x·Wᵀ and dy·W for each matrix of a layer, in milliseconds, under the names of `kto bench`."""
    hidden, intermediate = shape["hidden"], shape["intermediate"]
    kv = shape["kv_heads"] * hidden // shape["heads"]
    found = {}
    for out, inner in [(hidden, hidden), (kv, hidden), (intermediate, hidden), (hidden, intermediate)]:
        x = torch.randn(tokens, inner, device=device, dtype=dtype)
        dy = torch.randn(tokens, out, device=device, dtype=dtype)
        w = torch.randn(out, inner, device=device, dtype=dtype)
        for name, run in [("x·Wᵀ", lambda: x @ w.T), ("dy·W", lambda: dy @ w)]:
            found[f"{name} {tokens} × {out} × {inner}"] = 1000 * seconds(run, device, warm_up)
    return found


def make_model(shape, device, dtype):
    from peft import LoraConfig, get_peft_model
    from transformers import Qwen2Config, Qwen2ForCausalLM

    config = Qwen2Config(
        vocab_size=shape["vocab"],
        hidden_size=shape["hidden"],
        intermediate_size=shape["intermediate"],
        num_hidden_layers=shape["layers"],
        num_attention_heads=shape["heads"],
        num_key_value_heads=shape["kv_heads"],
        tie_word_embeddings=False,
    )
    with torch.device(device):
        model = Qwen2ForCausalLM(config).to(dtype)
    model.config.use_cache = False
    return get_peft_model(model, LoraConfig(r=16, lora_alpha=16, target_modules="all-linear", task_type="CAUSAL_LM"))


def log_probs(model, ids, prompt):
    """Sum over the completion, [rows] float32, nats."""
    hidden = model.get_base_model().model(ids).last_hidden_state[:, prompt - 1 : -1]
    logits = model.get_base_model().lm_head(hidden).float()
    return torch.gather(logits.log_softmax(-1), 2, ids[:, prompt:, None]).sum((1, 2))


def update(model, optimizer, batches, prompt, beta=0.1):
    for ids, mismatched, labels in batches:
        with torch.no_grad():
            kl_policy = log_probs(model, mismatched, prompt)
            with model.disable_adapter():
                reference, kl_reference = log_probs(model, ids, prompt), log_probs(model, mismatched, prompt)
        kl = (kl_policy - kl_reference).mean().clamp(min=0)
        ratio = log_probs(model, ids, prompt) - reference
        loss = (1 - torch.sigmoid(beta * labels * (ratio - kl))).mean() / len(batches)
        loss.backward()
    torch.nn.utils.clip_grad_norm_([p for p in model.parameters() if p.requires_grad], 1.0)
    optimizer.step()
    optimizer.zero_grad()


def steps(shape, device, dtype, warm_up, rows, accumulate, tokens):
    """A KTO update with activations kept and run again, in milliseconds, and the most bytes that each allocated."""
    found, memory = {}, {}
    for again, how in [(False, "activations kept"), (True, "every layer run again")]:
        model = make_model(shape, device, dtype)
        if again:
            model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
            model.enable_input_require_grads()
        model.train()
        optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-5)
        labels = torch.tensor([1.0 if row % 2 == 0 else -1.0 for row in range(rows)], device=device)
        batches = []
        for _ in range(accumulate):
            ids = torch.randint(shape["vocab"], (rows, tokens), device=device)
            mismatched = torch.cat([ids[:, : tokens // 2], ids.roll(1, 0)[:, tokens // 2 :]], 1)
            batches.append((ids, mismatched, labels))
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats()
        name = f"{rows} × {accumulate} rows of {tokens}, {how}"
        found[name] = 1000 * seconds(lambda: update(model, optimizer, batches, tokens // 2), device, warm_up, repeats=5)
        if device.type == "cuda":
            memory[name] = torch.cuda.max_memory_allocated() / 2**20
            del model, optimizer, batches
            torch.cuda.empty_cache()
    return found, memory


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", choices=list(SHAPES), help="default: 1.5b with CUDA, tiny without")
    parser.add_argument("--only", choices=["kernels", "step"], help="default: both")
    args = parser.parse_args()
    has_cuda = torch.cuda.is_available()
    name = args.shape or ("1.5b" if has_cuda else "tiny")
    shape, device = SHAPES[name], torch.device("cuda" if has_cuda else "cpu")
    dtype, warm_up = (torch.bfloat16, 0.35) if has_cuda else (torch.float32, 0)
    found, memory = {}, {}
    if args.only != "step":
        for tokens in [64] if name == "tiny" else [2048, 4096]:
            found.update(products(shape, tokens, device, dtype, warm_up))
    if args.only != "kernels":
        rows, accumulate, tokens = (2, 1, 32) if name == "tiny" else (4, 2, 512)
        times, memory = steps(shape, device, dtype, warm_up, rows, accumulate, tokens)
        found.update(times)
    json.dump(
        {
            "program": f"PyTorch {torch.__version__} in {str(dtype).removeprefix('torch.')}",
            "device": torch.cuda.get_device_name() if has_cuda else "cpu",
            "date": datetime.date.today().isoformat(),
            "milliseconds": found,
            "mebibytes": memory,
        },
        sys.stdout,
        indent=1,
        ensure_ascii=False,
    )
    print()


if __name__ == "__main__":
    main()
