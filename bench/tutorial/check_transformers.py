"""Checks a four-bit (or --plain) checkpoint of write-checkpoint.ts against what transformers and bitsandbytes make of it.

  python3 check_transformers.py FOLDER [--reference NF4_FOLDER] [--data train.parquet] [--scores scores.jsonl] [--device cuda]

Always: names, dtypes and shapes of all tensors, quant_state, config and tokenizer. With --reference: the same companions as in a checkpoint that
transformers saved. With --data: token ids of the chat template (needs pyarrow). With --scores, the output of `kto score` on this folder: log-probabilities
of a float32 model that holds the dequantised weights. Where bitsandbytes can be imported, its own dequantised weights must be equal bit for bit.
Needs torch, transformers, safetensors.
"""

import argparse
import hashlib
import importlib.util
import json
import os
import sys

import torch
from safetensors import safe_open
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

NF4_SHA256 = "8501941daa1b8a90ad1bbfeb632e5101b5dddbc4bb52d6e55abcfd777e60c06a"
SIGNED_MAP_SHA256 = "e732639a65f497b4ad684bb166a4467708255edd5207757de8b8f0c7e1fda89c"
STATE = "quant_state.bitsandbytes__nf4"
STATE_KEYS = ["quant_type", "blocksize", "dtype", "shape", "nested_blocksize", "nested_dtype", "nested_offset"]

parser = argparse.ArgumentParser()
parser.add_argument("folder")
parser.add_argument("--reference")
parser.add_argument("--data")
parser.add_argument("--scores")
parser.add_argument("--rows", type=int, default=8, help="rows of --data and --scores to compare")
parser.add_argument("--tolerance", type=float, default=5e-3, help="mean absolute difference of a token's log-probability")
parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
args = parser.parse_args()
failures = 0


def check(what, ok, detail=""):
    global failures
    failures += not ok
    print(f"{'ok  ' if ok else 'FAIL'} {what}{': ' + str(detail) if detail != '' else ''}", flush=True)


class Checkpoint:
    def __init__(self, folder):
        self.folder = folder
        self.config = json.load(open(os.path.join(folder, "config.json")))
        self.file = safe_open(os.path.join(folder, "model.safetensors"), "pt")
        self.layout = {}
        for name in self.file.keys():
            part = self.file.get_slice(name)
            self.layout[name] = (part.get_dtype(), tuple(part.get_shape()))

    def quantised(self):
        return [name[: -len(STATE) - 1] for name in self.layout if name.endswith(STATE)]

    def get(self, name):
        return self.file.get_tensor(name)

    def state(self, weight):
        return json.loads(bytes(self.get(f"{weight}.{STATE}").tolist()))

    def dequantise(self, weight, device):
        """w = T(f32(nf4[code] * absmax)), absmax = f32(f32(map[code] * nested) + offset)."""
        get = lambda part: self.get(f"{weight}.{part}").to(device)
        state = self.state(weight)
        nested = get("nested_absmax").repeat_interleave(256)
        codes = get("absmax").long()
        absmax = get("nested_quant_map")[codes] * nested[: len(codes)] + torch.tensor(state["nested_offset"], dtype=torch.float32, device=device)
        packed = self.get(weight).to(device).flatten()
        pairs = torch.stack([packed >> 4, packed & 15], dim=1).flatten().long()
        count = state["shape"][0] * state["shape"][1]
        values = get("quant_map")[pairs[:count]] * absmax.repeat_interleave(64)[:count]
        return values.to(getattr(torch, state["dtype"])).view(state["shape"])


def expected_layout(config, quantised):
    """Every tensor of a Qwen2 checkpoint, with companions for the weights in `quantised`; quant_state's length is left open."""
    h, i, v = config["hidden_size"], config["intermediate_size"], config["vocab_size"]
    kv = config["num_key_value_heads"] * h // config["num_attention_heads"]
    layout = {"model.embed_tokens.weight": (v, h), "lm_head.weight": (v, h), "model.norm.weight": (h,)}
    for l in range(config["num_hidden_layers"]):
        at = f"model.layers.{l}"
        layout |= {f"{at}.{norm}_layernorm.weight": (h,) for norm in ("input", "post_attention")}
        for name, rows, columns in (("q", h, h), ("k", kv, h), ("v", kv, h), ("o", h, h)):
            layout[f"{at}.self_attn.{name}_proj.weight"] = (rows, columns)
            if name != "o":
                layout[f"{at}.self_attn.{name}_proj.bias"] = (rows,)
        layout |= {f"{at}.mlp.{name}_proj.weight": (i, h) for name in ("gate", "up")}
        layout[f"{at}.mlp.down_proj.weight"] = (h, i)
    result = {}
    for name, shape in layout.items():
        if name not in quantised:
            result[name] = ("BF16", shape)
            continue
        count = shape[0] * shape[1]
        blocks = -(-count // 64)
        result[name] = ("U8", (-(-count // 2), 1))
        result[f"{name}.absmax"] = ("U8", (blocks,))
        result[f"{name}.nested_absmax"] = ("F32", (-(-blocks // 256),))
        result[f"{name}.quant_map"] = ("F32", (16,))
        result[f"{name}.nested_quant_map"] = ("F32", (256,))
        result[f"{name}.{STATE}"] = ("U8", None)
    return result, layout


def check_layout(ours):
    skips = (ours.config.get("quantization_config") or {}).get("llm_int8_skip_modules") or []
    _, plain = expected_layout(ours.config, set())
    linears = {name for name in plain if name.endswith("_proj.weight")}
    expected_quantised = {name for name in linears if not any(f"{skip}." in name for skip in skips)} if skips else set()
    quantised = set(ours.quantised())
    check("the skip list says which linears are in 16 bits", quantised == expected_quantised, f"{len(quantised)} of {len(linears)} in four bits")
    expected, _ = expected_layout(ours.config, quantised)
    wrong = [name for name in expected.keys() | ours.layout.keys() if not same(expected.get(name), ours.layout.get(name))]
    check("names, dtypes and shapes", not wrong, f"{len(ours.layout)} tensors{', wrong: ' + str(wrong[:5]) if wrong else ''}")
    check("metadata", ours.file.metadata() == {"format": "pt"}, ours.file.metadata())
    for weight in sorted(quantised)[:: max(1, len(quantised) // 8)]:
        state = ours.state(weight)
        hashes = [hashlib.sha256(ours.get(f"{weight}.{part}").numpy().tobytes()).hexdigest() for part in ("quant_map", "nested_quant_map")]
        fine = list(state) == STATE_KEYS and tuple(state["shape"]) == plain[weight] and state["dtype"] == "bfloat16" and state["blocksize"] == 64
        check(f"quant_state and maps of {weight}", fine and hashes == [NF4_SHA256, SIGNED_MAP_SHA256], json.dumps(state))


def same(expected, got):
    return expected is not None and got is not None and expected[0] == got[0] and expected[1] in (None, got[1])


def check_reference(ours, reference):
    kinds = lambda checkpoint: {
        (name.split("_proj.")[1], dtype, len(shape))
        for name, (dtype, shape) in checkpoint.layout.items()
        if any(name.startswith(weight) for weight in checkpoint.quantised())
    }
    check("companions as in the reference", kinds(ours) == kinds(reference), sorted(kinds(ours) ^ kinds(reference)) or "")
    check("quant_state as in the reference", list(ours.state(ours.quantised()[0])) == list(reference.state(reference.quantised()[0])))
    ours_config, theirs = ours.config["quantization_config"], reference.config["quantization_config"]
    skip = "llm_int8_skip_modules"
    differ = [key for key in ours_config.keys() | theirs.keys() if key != skip and ours_config.get(key) != theirs.get(key)]
    check("quantization_config as in the reference", list(ours_config) == list(theirs) and not differ, differ or "")


def check_tokenizer(folder):
    tokenizer = AutoTokenizer.from_pretrained(folder)
    check("BOS, EOS and pad", (tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.pad_token_id) == (151646, 151643, 151654))
    rendered = tokenizer.apply_chat_template([{"role": "user", "content": "Hi"}], tokenize=False, add_generation_prompt=True)
    check("chat template", hashlib.sha256(rendered.encode()).hexdigest()[:16] == "a4e497ba98ff1c06", rendered.replace("\n", "\\n"))
    check("BOS before a text", tokenizer("Hello world").input_ids == [151646, 9707, 1879], tokenizer("Hello world").input_ids)
    return tokenizer


def check_ids(tokenizer, data, scores):
    import pyarrow.parquet

    rows = pyarrow.parquet.read_table(data).to_pylist()
    for index, (row, score) in enumerate(zip(rows, scores)):
        if "dropped" in score:
            continue
        text = tokenizer.apply_chat_template(row["prompt"] + row["completion"], tokenize=False)
        ids = tokenizer(text, add_special_tokens=False).input_ids
        ours = score["prompt_ids"] + score["completion_ids"]
        check(f"ids of row {index}", ids[: len(ours)] == ours, f"{len(ours)} of {len(ids)} tokens")


def check_bitsandbytes(ours):
    if importlib.util.find_spec("bitsandbytes") is None:
        print("SKIP bitsandbytes is not installed: its own dequantisation is not compared")
        return
    import bitsandbytes.functional as functional

    model = AutoModelForCausalLM.from_pretrained(ours.folder, dtype=torch.bfloat16, device_map=args.device)
    modules = dict(model.named_modules())
    exact = total = 0
    for weight in ours.quantised():
        parameter = modules[weight[: -len(".weight")]].weight
        theirs = functional.dequantize_4bit(parameter.data, parameter.quant_state)
        exact += int(torch.equal(theirs.cpu(), ours.dequantise(weight, "cpu")))
        total += 1
    check("weights as bitsandbytes dequantises them", exact == total, f"{exact} of {total} tensors equal")
    ids = torch.tensor([[151646, 9707, 1879]], device=args.device)
    check("bitsandbytes' logits are finite", bool(model(ids).logits.isfinite().all()))


def float32_model(ours):
    config = AutoConfig.from_pretrained(ours.folder)
    if hasattr(config, "quantization_config"):
        del config.quantization_config
    config.dtype = torch.float32
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    quantised = set(ours.quantised())
    _, plain = expected_layout(ours.config, quantised)
    weights = {
        name: (ours.dequantise(name, args.device) if name in quantised else ours.get(name).to(args.device)).float() for name in plain
    }
    model.load_state_dict(weights, strict=True, assign=True)
    model.model.rotary_emb = type(model.model.rotary_emb)(config=config).to(args.device)
    return model.eval()


@torch.no_grad()
def check_scores(ours, scores):
    model = float32_model(ours)
    differences, sums = [], []
    for score in scores:
        if "dropped" in score:
            continue
        ids = torch.tensor([score["prompt_ids"] + score["completion_ids"]], device=args.device)
        start = len(score["prompt_ids"])
        logits = model(ids).logits[0, start - 1 : -1].double()
        log_probs = logits.log_softmax(-1).gather(1, ids[0, start:, None])[:, 0].cpu()
        differences.append((log_probs - torch.tensor(score["token_logps"], dtype=torch.float64)).abs())
        sums.append(abs(float(log_probs.sum()) - score["logps"]))
    difference = torch.cat(differences)
    detail = f"mean {difference.mean():.2e}, largest {difference.max():.2e} of {len(difference)} tokens; sums differ by at most {max(sums):.3f}"
    check("log-probabilities of kto score", float(difference.mean()) <= args.tolerance, detail)


checkpoint = Checkpoint(args.folder)
scores = [json.loads(line) for line in open(args.scores)][: args.rows] if args.scores else []
check("transformers reads the config", AutoConfig.from_pretrained(args.folder).model_type == "qwen2")
check_layout(checkpoint)
if args.reference and checkpoint.quantised():
    check_reference(checkpoint, Checkpoint(args.reference))
tokenizer = check_tokenizer(args.folder)
if args.data and scores:
    check_ids(tokenizer, args.data, scores)
if checkpoint.quantised():
    check_bitsandbytes(checkpoint)
if scores:
    check_scores(checkpoint, scores)
print(f"{failures} failed")
sys.exit(failures > 0)
