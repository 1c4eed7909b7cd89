# SPDX-License-Identifier: Apache-2.0
"""Whole pipelines beside other loaders: table.py MILL ENTROPY_LOOP SHARD...

All take turns, ROUNDS times; the figures are medians, the last line the least ratio to torchvision's DataLoader with
two workers (or on one core where there is but one). One core: the process is bound to it. Beside images a second stands
the CPU time of one, which other programs on the machine touch less.

One row is no loader: bench/entropy_loop only decodes the Huffman codes that the pipeline's views need, with
libjpeg-turbo's decoder. No exact loader on libjpeg-turbo's own entropy decoder can be faster; shardmill has another."""
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
         "opencv": "OpenCV (other filter) and NumPy, threads",
         "libvips": "libvips (other filter) and NumPy, threads",
         "entropy": "libjpeg-turbo, entropy decoding only"}
ROUNDS = int(os.environ.get("ROUNDS", "3"))
HERE = os.path.dirname(os.path.abspath(__file__))


def shardmill(mill, pipeline, threads, shards):
    """Of two epochs and all that comes before them, which is little."""
    command = [mill, "load", *shards, "--pipe", PIPES[pipeline], "--batch", "32", "--epochs", "2", "--threads",
               str(threads), "--json"] + (["--shuffle=window"] if pipeline == "train" else [])
    before = os.times()
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    after = os.times()
    total = json.loads(done.stdout.splitlines()[-1])
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return total["samples_per_s"], 1e6 * cpu / total["samples"]


def run(peer, tools, pipeline, threads, shards):
    """Images a second and microseconds of CPU time an image, or None where the peer is absent."""
    mill, entropy_loop = tools
    if peer == "shardmill":
        return shardmill(mill, pipeline, threads, shards)
    command = [sys.executable, os.path.join(HERE, "peer.py"), peer, pipeline, str(threads), *shards]
    if peer == "entropy":
        command = [entropy_loop, str(threads), PIPES[pipeline], *shards]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode == 77:
        return None
    if done.returncode:
        raise RuntimeError(done.stderr)
    return tuple(map(float, done.stdout.split()))


def measure(peer, tools, pipeline, threads, shards):
    mine = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(mine)[:threads])
    try:
        return run(peer, tools, pipeline, threads, shards)
    finally:
        os.sched_setaffinity(0, mine)


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


def ratio(rounds, one, other, figure):
    """The median of how many times as much the one has."""
    return statistics.median(a[figure] / b[figure] for a, b in zip(rounds[one], rounds[other]))


def show(rounds):
    for peer, label in PEERS.items():
        if peer not in rounds:
            print(f"  {label:42s} not installed")
            continue
        rate, cpu = (statistics.median(r[i] for r in rounds[peer]) for i in (0, 1))
        print(f"  {label:42s} {rate:7.1f} images/s {cpu:7.1f} us of CPU; shardmill is {ratio(rounds, 'shardmill', peer, 0):5.2f}"
              f" times as fast, {ratio(rounds, peer, 'shardmill', 1):5.2f} by CPU time")
    decoder = statistics.median(r[2] for r in rounds["entropy"])
    reached = ratio(rounds, "entropy", "shardmill", 1)
    print(f"  entropy decoding is {100 * decoder:.1f} % of that row's time; shardmill, with a decoder of its own, is at "
          f"{100 * reached:.0f} % of that bound by CPU time, {100 * ratio(rounds, 'shardmill', 'entropy', 0):.0f} % by the clock")
    if "torchvision" in rounds:
        print(f"  no exact loader on libjpeg-turbo's own entropy decoder can be faster than "
              f"{ratio(rounds, 'torchvision', 'entropy', 1):.2f} times torchvision by CPU time, "
              f"{ratio(rounds, 'entropy', 'torchvision', 0):.2f} by the clock, here", flush=True)


def main():
    tools, shards = sys.argv[1:3], sys.argv[3:]
    same_as_torchvision(tools[0], shards[0])
    ratios = {}  # to torchvision, by the number of cores
    for pipeline in PIPES:
        for threads in sorted({1, min(2, len(os.sched_getaffinity(0)))}):
            rounds = {}
            for _ in range(ROUNDS):
                for peer in PEERS:
                    figures = measure(peer, tools, pipeline, threads, shards)
                    if figures is not None:
                        rounds.setdefault(peer, []).append(figures)
            print(f"{pipeline}, {threads} core{'s' if threads > 1 else ''}", flush=True)
            show(rounds)
            if "torchvision" in rounds:
                ratios.setdefault(threads, []).append(ratio(rounds, "shardmill", "torchvision", 0))
    if not ratios:
        print("skip: torchvision is not installed")
        sys.exit(77)
    print(f"peers ratio={min(ratios[max(ratios)]):.3f} target=4.00")


main()
