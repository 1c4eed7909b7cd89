# SPDX-License-Identifier: Apache-2.0
"""Resizing by shardmill's kernels beside Pillow's resize and what else is installed: resample.py BENCH/resample

u8 RGB 500x375 to 224x224 on one core. All take turns, ten images each; times are CPU time of the process, and ratios
are medians over the rounds. Pillow and Pillow-SIMD do exactly this work, libvips' resize the same with other rounding;
its thumbnail_image is a resize with lanczos3. OpenCV's do other work: INTER_LINEAR, INTER_CUBIC and INTER_LANCZOS4 look
at 4, 16 and 64 pixels whatever the scale, INTER_AREA is a box. libvips comes with pyvips (PyPI: pyvips[binary], or
pyvips beside the system's libvips)."""
import os
import statistics
import subprocess
import sys
import time

import numpy
from PIL import Image, __version__ as pillow

TURN, ROUNDS = 10, int(os.environ.get("ROUNDS", "80"))
WIDTH, HEIGHT, SIDE = 500, 375, 224
FILTERS = ("bilinear", "bicubic", "lanczos")


def of_pillow(pixels):
    picture = Image.fromarray(pixels)
    how = {"bilinear": Image.BILINEAR, "bicubic": Image.BICUBIC, "lanczos": Image.LANCZOS}
    return [(f"Pillow {pillow}", lambda name: picture.resize((SIDE, SIDE), how[name]))]


def of_opencv(pixels):
    import cv2
    cv2.setNumThreads(1)
    how = {"bilinear": cv2.INTER_LINEAR, "bicubic": cv2.INTER_CUBIC, "lanczos": cv2.INTER_LANCZOS4}
    name = f"OpenCV {cv2.__version__}"
    return [(f"{name} INTER_LINEAR, _CUBIC, _LANCZOS4",
             lambda filter_: cv2.resize(pixels, (SIDE, SIDE), interpolation=how[filter_])),
            (f"{name} INTER_AREA", lambda _: cv2.resize(pixels, (SIDE, SIDE), interpolation=cv2.INTER_AREA))]


def of_libvips(pixels):
    os.environ["VIPS_CONCURRENCY"] = "1"  # read when the library is loaded
    try:
        import pyvips
    except OSError as missing:  # the binding is there, the library is not
        raise ImportError(missing) from missing
    pyvips.cache_set_max(0)  # or a result would be kept
    image = pyvips.Image.new_from_array(pixels)
    how = {"bilinear": "linear", "bicubic": "cubic", "lanczos": "lanczos3"}
    name = "libvips " + ".".join(str(pyvips.version(i)) for i in range(3))
    return [(f"{name} resize", lambda filter_: image.resize(
                SIDE / WIDTH, vscale=SIDE / HEIGHT, kernel=how[filter_]).write_to_memory()),
            (f"{name} thumbnail_image", lambda _: image.thumbnail_image(
                SIDE, height=SIDE, size="force").write_to_memory())]


def turn(resize, name):
    begin = time.process_time()
    for _ in range(TURN):
        resize(name)
    return (time.process_time() - begin) / TURN


def main():
    # pylint: disable=consider-using-with
    mill = subprocess.Popen([sys.argv[1]], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
    level = mill.stdout.readline().strip()
    pixels = numpy.random.default_rng(1).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=numpy.uint8)
    peers, absent = [], []
    for name, find in (("Pillow", of_pillow), ("OpenCV", of_opencv), ("libvips", of_libvips)):
        try:
            peers += find(pixels)
        except ImportError:
            absent.append(name)
    worst = None
    for name in FILTERS:
        times = {"shardmill": []}
        for round_ in range(ROUNDS + 2):
            for label, resize in peers:
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
            if label.startswith("Pillow ") and name != "lanczos":
                worst = ratio if worst is None else min(worst, ratio)
        for label in absent:
            print(f"  {label:44s} not installed")
    mill.stdin.close()
    mill.wait()
    print(f"resample ratio={worst:.3f} target=4.00")


main()
