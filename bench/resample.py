# SPDX-License-Identifier: Apache-2.0
"""Resizing by shardmill's kernels beside Pillow's resize and what else is installed: resample.py BENCH/resample

u8 RGB 500x375 to 224x224 on one core. All take turns, ten images each; times are CPU time of the thread, and ratios
are medians over the rounds. Pillow and Pillow-SIMD do exactly this work. OpenCV's do other work: INTER_LINEAR looks at
four pixels whatever the scale, INTER_AREA is a box."""
import statistics
import subprocess
import sys
import time

import numpy
from PIL import Image, __version__ as pillow

TURN, ROUNDS = 10, 80


def peers(pixels):
    picture = Image.fromarray(pixels)
    how = {"bilinear": Image.BILINEAR, "bicubic": Image.BICUBIC}
    yield f"Pillow {pillow}", lambda name: picture.resize((224, 224), how[name])
    try:
        import cv2
    except ImportError:
        return
    cv2.setNumThreads(1)
    yield f"OpenCV {cv2.__version__} INTER_LINEAR or INTER_CUBIC", lambda name: cv2.resize(
        pixels, (224, 224), interpolation=cv2.INTER_LINEAR if name == "bilinear" else cv2.INTER_CUBIC)
    yield f"OpenCV {cv2.__version__} INTER_AREA", lambda name: cv2.resize(
        pixels, (224, 224), interpolation=cv2.INTER_AREA)


def turn(resize, name):
    begin = time.thread_time()
    for _ in range(TURN):
        resize(name)
    return (time.thread_time() - begin) / TURN


def main():
    # pylint: disable=consider-using-with
    mill = subprocess.Popen([sys.argv[1]], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
    level = mill.stdout.readline().strip()
    pixels = numpy.random.default_rng(1).integers(0, 256, (375, 500, 3), dtype=numpy.uint8)
    others = list(peers(pixels))
    worst = None
    for name in ("bilinear", "bicubic"):
        times = {"shardmill": []}
        for round_ in range(ROUNDS + 2):
            for label, resize in others:
                times.setdefault(label, []).append(turn(resize, name))
            mill.stdin.write(f"{name} {TURN}\n")
            times["shardmill"].append(float(mill.stdout.readline()))
            if round_ == 1:  # the first ones warm up
                times = {label: [] for label in times}
        ours = times["shardmill"]
        print(f"{name}, kernels of level {level}")
        for label, theirs in times.items():
            ratio = statistics.median(b / a for a, b in zip(ours, theirs))
            print(f"  {label:44s} {1e6 * statistics.median(theirs):8.1f} us an image, {ratio:6.2f} times shardmill's")
            if label.startswith("Pillow "):
                worst = ratio if worst is None else min(worst, ratio)
    mill.stdin.close()
    mill.wait()
    print(f"resample ratio={worst:.3f} target=4.00")


main()
