# SPDX-License-Identifier: Apache-2.0
"""Whole pipelines beside other loaders: table.py MILL SHARD...

All take turns, ROUNDS times; the figures are medians, the last line the least ratio to torchvision's DataLoader with
two workers (or on one core where there is but one). One core: the process is bound to it."""
import json
import os
import statistics
import subprocess
import sys

PIPES = {"train": "decode | random_resized_crop 224 | hflip | normalize imagenet | layout chw",
         "eval": "decode | resize 256 | center_crop 224 | normalize imagenet | layout chw"}
PEERS = {"shardmill": "shardmill load",
         "torchvision": "torchvision (Pillow), DataLoader",
         "pillow": "Pillow and NumPy, threads",
         "opencv": "OpenCV (other filter) and NumPy, threads"}
ROUNDS = int(os.environ.get("ROUNDS", "3"))
HERE = os.path.dirname(os.path.abspath(__file__))


def shardmill(mill, pipeline, threads, shards):
    command = [mill, "load", *shards, "--pipe", PIPES[pipeline], "--batch", "32", "--epochs", "2", "--threads",
               str(threads), "--json"] + (["--shuffle=window"] if pipeline == "train" else [])
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])["samples_per_s"]


def measure(mill, peer, pipeline, threads, shards):
    """Images a second, or None where the peer is absent."""
    mine = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(mine)[:threads])
    try:
        if peer == "shardmill":
            return shardmill(mill, pipeline, threads, shards)
        done = subprocess.run([sys.executable, os.path.join(HERE, "peer.py"), peer, pipeline, str(threads), *shards],
                              capture_output=True, text=True, check=False)
    finally:
        os.sched_setaffinity(0, mine)
    if done.returncode == 77:
        return None
    if done.returncode:
        raise RuntimeError(done.stderr)
    return float(done.stdout)


def same_as_torchvision(mill, shard):
    """Are the tensors of the evaluation pipeline torchvision's, bit for bit?"""
    import io
    import tarfile
    import tempfile
    try:
        import numpy
        from PIL import Image
        from torchvision import transforms as t
    except ImportError:
        return
    chain = t.Compose([t.Resize(256), t.CenterCrop(224), t.ToTensor(),
                       t.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))])
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([mill, "run", shard, "--pipe", PIPES["eval"], "--out", folder], capture_output=True, check=True)
        made = numpy.load(os.path.join(folder, os.path.basename(shard)[:-4] + ".image.npy"))
    with tarfile.open(shard) as tar:
        files = [tar.extractfile(m).read() for m in tar if m.name.endswith(".jpg")]
    equal = sum(numpy.array_equal(made[i], chain(Image.open(io.BytesIO(data)).convert("RGB")).numpy())
                for i, data in enumerate(files))
    print(f"evaluation: {equal} of {len(files)} tensors are torchvision's, bit for bit")


def main():
    mill, shards = sys.argv[1], sys.argv[2:]
    same_as_torchvision(mill, shards[0])
    ratios = {}  # to torchvision, by the number of cores
    for pipeline in PIPES:
        for threads in sorted({1, min(2, len(os.sched_getaffinity(0)))}):
            rates = {}
            for _ in range(ROUNDS):
                for peer in PEERS:
                    rate = measure(mill, peer, pipeline, threads, shards)
                    if rate is not None:
                        rates.setdefault(peer, []).append(rate)
            print(f"{pipeline}, {threads} core{'s' if threads > 1 else ''}", flush=True)
            for peer, label in PEERS.items():
                if peer not in rates:
                    print(f"  {label:44s} not installed")
                    continue
                ratio = statistics.median(a / b for a, b in zip(rates["shardmill"], rates[peer]))
                print(f"  {label:44s} {statistics.median(rates[peer]):8.1f} images/s; shardmill is {ratio:5.2f} times as fast",
                      flush=True)
                if peer == "torchvision":
                    ratios.setdefault(threads, []).append(ratio)
    if not ratios:
        print("skip: torchvision is not installed")
        sys.exit(77)
    print(f"peers ratio={min(ratios[max(ratios)]):.3f} target=4.00")


main()
