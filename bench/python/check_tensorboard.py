"""Reads the event files of a run with TensorBoard's own reader, and compares them with the run's files.

    pip install -r bench/python/requirements.txt
    kto train kto.yaml --output_dir outputs --report_to tensorboard
    python bench/python/check_tensorboard.py outputs

Every number of metrics.jsonl and every evaluation of trainer_state.json must be there under the name that transformers' TensorBoardCallback gives it, at its
step, once, rounded to float32; and the texts of the config.
"""

import argparse
import json
import math
import pathlib
import struct
import sys

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator


def tag_of(name):
    return f"eval/{name[len('eval_'):]}" if name.startswith("eval_") else f"train/{name}"


def float32(value):
    return struct.unpack("<f", struct.pack("<f", value))[0]


def expected_scalars(run):
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    history = json.loads((run / "trainer_state.json").read_text())["log_history"]
    evaluations = [record for record in history if any(name.startswith("eval_") for name in record)]
    ends = [record for record in history if "train_runtime" in record][-1:]
    for record in lines + evaluations + ends:
        for name, value in record.items():
            if name != "step":
                yield tag_of(name), record["step"], value


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=pathlib.Path, help="the output_dir of a run")
    parser.add_argument("--logging_dir", type=pathlib.Path, help="by default the only folder in runs of it")
    args = parser.parse_args()
    folders = [args.logging_dir] if args.logging_dir else sorted((args.run / "runs").iterdir())
    if len(folders) != 1:
        sys.exit(f"expected one folder in {args.run / 'runs'}, got {len(folders)}; name one with --logging_dir")
    events = EventAccumulator(str(folders[0]), size_guidance={"scalars": 0, "tensors": 0})
    events.Reload()
    tags = events.Tags()
    read = {(tag, event.step): [] for tag in tags["scalars"] for event in events.Scalars(tag)}
    for tag in tags["scalars"]:
        for event in events.Scalars(tag):
            read[tag, event.step].append(event.value)
    wrong = []
    count = 0
    for tag, step, value in expected_scalars(args.run):
        count += 1
        values = read.get((tag, step), [])
        same = any(math.isnan(one) if value is None else one == float32(value) for one in values)
        if not same or (tag not in ("train/epoch", "eval/epoch", "train/num_tokens") and len(values) != 1):
            wrong.append(f"{tag} at step {step}: expected {value}, got {values}")
    texts = {tag: events.Tensors(tag)[-1].tensor_proto.string_val[0].decode() for tag in tags["tensors"]}
    for tag, text in texts.items():
        print(f"{tag}: {len(text.splitlines())} lines")
    print(f"{count} numbers compared under {len(tags['scalars'])} names, {len(wrong)} wrong")
    for line in wrong:
        print(line)
    sys.exit(1 if wrong or "args/text_summary" not in texts else 0)


if __name__ == "__main__":
    main()
