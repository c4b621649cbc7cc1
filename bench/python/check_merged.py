"""Opens a model that `kto merge` wrote with transformers, and compares it with what peft makes of the same base and adapters.

    pip install -r bench/python/requirements.txt
    kto merge --model MODEL --adapter ADAPTER --out merged --dtype bfloat16
    python bench/python/check_merged.py --model MODEL --adapter ADAPTER --merged merged

Three things are told, and the first two must hold:
  weights  every tensor equals peft's merge_and_unload in float32, rounded once to the dtype of the file: by at most one unit in the last place, since
           sums of products in another order differ in the last place before they are rounded
  logits   in float32 the merged model's are those of peft's merged weights, rounded alike
  adapter  how far rounding the weights moved the logits from those with the adapter on, in float32
"""

import argparse
import sys

import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

PROMPT = "Question: what is 34 + 35? Answer:"
UNITS = {torch.float32: 2.0**-23, torch.bfloat16: 2.0**-7, torch.float16: 2.0**-10}
# The largest entry of a weight sets how much a sum of products may differ in float32 before it is rounded.
FLOAT32_SUM = 2e-6


def load(path, dtype):
    return AutoModelForCausalLM.from_pretrained(path, dtype=dtype).eval()


def with_adapters(base, places, weights):
    """The base with its adapters on: one, or several as peft's combination_type cat."""
    model = PeftModel.from_pretrained(base, places[0], adapter_name="adapter-0")
    for index, place in enumerate(places[1:], start=1):
        model.load_adapter(place, adapter_name=f"adapter-{index}")
    if len(places) > 1 or weights != [1.0]:
        names = [f"adapter-{index}" for index in range(len(places))]
        model.add_weighted_adapter(names, weights, adapter_name="all", combination_type="cat")
        model.set_adapter("all")
    return model.eval()


@torch.no_grad()
def logits_of(model, ids):
    return model(input_ids=ids).logits.float()


def compare_weights(ours, reference, dtype):
    """Shares and the worst of the tensors of two state dicts in one dtype."""
    unit, worst, different, total = UNITS[dtype], (0.0, ""), 0, 0
    names = set(ours) ^ set(reference)
    if names:
        raise SystemExit(f"weights: tensors differ; expected the same names, got {sorted(names)[:5]} in one of them alone")
    for name, expected in reference.items():
        a, b = ours[name].double(), expected.to(dtype).double()
        if a.shape != b.shape:
            raise SystemExit(f"weights: {name}: expected {tuple(b.shape)}, got {tuple(a.shape)}")
        difference = (a - b).abs()
        allowed = unit * torch.maximum(a.abs(), b.abs()) + FLOAT32_SUM
        excess = (difference / allowed).max().item()
        worst = max(worst, (excess, name))
        different += (difference > 0).sum().item()
        total += difference.numel()
    return worst, different, total


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True, help="the base, in 16 or 32 bits; of a merge with --base, that one")
    parser.add_argument("--adapter", required=True, action="append")
    parser.add_argument("--weights", help="as for kto merge: 0.7,0.3")
    parser.add_argument("--merged", required=True)
    args = parser.parse_args()
    weights = [float(weight) for weight in args.weights.split(",")] if args.weights else [1.0] * len(args.adapter)

    merged = load(args.merged, "auto")
    dtype = merged.dtype
    adapted = with_adapters(load(args.model, torch.float32), args.adapter, weights)
    tokenizer = AutoTokenizer.from_pretrained(args.merged)
    ids = tokenizer(PROMPT, return_tensors="pt").input_ids
    on = logits_of(adapted, ids)

    reference = adapted.merge_and_unload()
    (worst, name), different, total = compare_weights(merged.state_dict(), reference.state_dict(), dtype)
    print(f"weights: {different} of {total} differ from peft's in {dtype}, by at most {worst:.3f} of what is allowed ({name})")

    ours = logits_of(merged.float(), ids)
    peft = logits_of(reference.to(dtype).float(), ids)
    difference = (ours - peft).abs().max().item()
    print(f"logits:  at most {difference:.3e} from peft's merged model, of values up to {peft.abs().max().item():.2f}")
    print(f"adapter: at most {(ours - on).abs().max().item():.3e} from the adapter on in float32")
    same = (ours.argmax(-1) == on.argmax(-1)).float().mean().item()
    print(f"         {100 * same:.1f} % of the most likely tokens are the same")

    limit = 1e-3 * peft.abs().max().item() if dtype is torch.float32 else 4 * UNITS[dtype] * peft.abs().max().item()
    if worst > 1 or not difference <= limit:
        sys.exit(f"failed: expected weights within 1 and logits within {limit:.3e}")
    print("ok")


if __name__ == "__main__":
    main()
