# SPDX-License-Identifier: Apache-2.0
"""Augmentations beside Pillow's and torchvision's of the same name and amounts: augment.py BENCH/augment SHARD.tar

One photograph of 224 x 224 pixels on one core, another random amount in each turn. All take turns, a few images each;
times are CPU time of the thread, ratios are medians over the rounds. torchvision's transforms work on Pillow's images
here, random_erasing on a tensor."""
import io
import math
import os
import random
import statistics
import subprocess
import sys
import tarfile
import time

import numpy
from PIL import Image, ImageEnhance, ImageOps, __version__ as pillow

SIDE, ROUNDS, WARM = 224, int(os.environ.get("ROUNDS", "25")), 2
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
NEAREST, BILINEAR = Image.NEAREST, Image.BILINEAR
rng = random.Random(1)


def photograph(shard):
    with tarfile.open(shard) as tar:
        data = next(tar.extractfile(m).read() for m in tar if m.name.endswith(".jpg"))
    return Image.open(io.BytesIO(data)).convert("RGB").resize((SIDE, SIDE), BILINEAR)


# ---- what the peers do: each takes a picture, or what torchvision's transform takes ----

def factor(amount):
    return rng.uniform(1 - amount, 1 + amount)


def hue(picture, amount):
    parts = picture.convert("HSV").split()
    with_turn = numpy.array(parts[0], dtype=numpy.uint8)
    with_turn += numpy.uint8(int(rng.uniform(-amount, amount) * 255) % 256)
    return Image.merge("HSV", (Image.fromarray(with_turn, "L"), *parts[1:])).convert("RGB")


def affine(picture, resample):
    """Turned by up to 30 degrees and scaled about the centre."""
    angle, scale = math.radians(rng.uniform(-30, 30)), rng.uniform(0.8, 1.2)
    c, s, middle = math.cos(angle) / scale, math.sin(angle) / scale, SIDE / 2
    matrix = (c, s, middle - c * middle - s * middle, -s, c, middle + s * middle - c * middle)
    return picture.transform(picture.size, Image.AFFINE, matrix, resample, fillcolor=(0, 0, 0))


def jitter(picture):
    steps = [lambda p: ImageEnhance.Brightness(p).enhance(factor(0.4)),
             lambda p: ImageEnhance.Contrast(p).enhance(factor(0.4)),
             lambda p: ImageEnhance.Color(p).enhance(factor(0.4)), lambda p: hue(p, 0.1)]
    rng.shuffle(steps)
    for step in steps:
        picture = step(picture)
    return picture


def turned(resample, expand=False):
    return lambda p: p.rotate(rng.uniform(-30, 30), resample, expand, fillcolor=(0, 0, 0))


def center(picture):
    left, top = ((n - SIDE) // 2 for n in picture.size)
    return picture.crop((left, top, left + SIDE, top + SIDE))


PILLOW = {
    "grayscale 1": lambda p: p.convert("L"),
    "grayscale 3": lambda p: p.convert("L").convert("RGB"),
    "invert": ImageOps.invert,
    "posterize 4": lambda p: ImageOps.posterize(p, 4),
    "solarize 128": lambda p: ImageOps.solarize(p, 128),
    "autocontrast": ImageOps.autocontrast,
    "equalize": ImageOps.equalize,
    "color_jitter brightness=0.4": lambda p: ImageEnhance.Brightness(p).enhance(factor(0.4)),
    "color_jitter contrast=0.4": lambda p: ImageEnhance.Contrast(p).enhance(factor(0.4)),
    "color_jitter saturation=0.4": lambda p: ImageEnhance.Color(p).enhance(factor(0.4)),
    "color_jitter hue=0.1": lambda p: hue(p, 0.1),
    "color_jitter 0.4 0.4 0.4 0.1": jitter,
    "sharpness 0,2": lambda p: ImageEnhance.Sharpness(p).enhance(factor(1)),
    "rotate 30": turned(NEAREST),
    "rotate 30 filter=bilinear": turned(BILINEAR),
    f"rotate 30 expand=true | center_crop {SIDE}": lambda p: center(turned(NEAREST, True)(p)),
    "affine 30 scale=0.8,1.2": lambda p: affine(p, NEAREST),
    "affine 30 scale=0.8,1.2 filter=bilinear": lambda p: affine(p, BILINEAR),
}


def of_torchvision():
    """By the pipeline's text; nothing where it is not installed."""
    try:
        import torch
        from torchvision import transforms as t
    except ImportError:
        return {}
    torch.set_num_threads(1)
    return {"gaussian_blur 5": t.GaussianBlur(5), "gaussian_blur 23": t.GaussianBlur(23),
            "rand_augment": t.RandAugment(), "trivial_augment": t.TrivialAugmentWide(),
            "random_erasing p=1": t.RandomErasing(p=1), "random_erasing p=1 noise=true": t.RandomErasing(p=1, value="random")}


# ---- in turns ----

class Mill:
    """bench/augment over one image."""

    def __init__(self, program, elements, dtype):
        with open(f"image.{dtype}", "wb") as file:
            file.write(elements.tobytes())
        # pylint: disable=consider-using-with
        self.process = subprocess.Popen([program, f"image.{dtype}", str(SIDE), str(SIDE), dtype], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True, bufsize=1)
        self.level = self.process.stdout.readline().strip()

    def turn(self, text, n):
        self.process.stdin.write(f"{n} {text}\n")
        return float(self.process.stdout.readline())


def turn(peer, what, n):
    begin = time.thread_time()
    for _ in range(n):
        peer(what)
    return (time.thread_time() - begin) / n


def compare(mill, peer, what, text):
    """Microseconds of both, and how many times as fast ours is."""
    turn(peer, what, 1)
    n = max(2, min(40, int(0.004 / turn(peer, what, 1))))
    ours, theirs = [], []
    for _ in range(ROUNDS + WARM):
        theirs.append(1e6 * turn(peer, what, n))
        ours.append(1e6 * mill.turn(text, max(n, 20)))
    ours, theirs = ours[WARM:], theirs[WARM:]
    return statistics.median(ours), statistics.median(theirs), statistics.median(b / a for a, b in zip(ours, theirs))


def main():
    picture = photograph(sys.argv[2])
    pixels = numpy.asarray(picture)
    planes = ((pixels / 255 - MEAN) / STD).transpose(2, 0, 1).astype(numpy.float32)
    u8, f32 = Mill(sys.argv[1], pixels, "u8"), Mill(sys.argv[1], planes, "f32")
    torchvision = of_torchvision()
    print(f"microseconds an image of {SIDE}x{SIDE}; kernels of level {u8.level}; Pillow {pillow}")
    print(f"{'transform':44s} {'shardmill':>9s} {'peer':>9s} {'ratio':>6s}")
    worst = None
    for text, peer in {**PILLOW, **torchvision}.items():
        erases = text.startswith("random_erasing")
        what = picture
        if erases:
            import torch
            what = torch.from_numpy(planes)
        ours, theirs, ratio = compare(f32 if erases else u8, peer, what, text)
        name = "torchvision" if text in torchvision else "Pillow"
        print(f"{text:44s} {ours:9.1f} {theirs:9.1f} {ratio:6.2f} {name}", flush=True)
        worst = ratio if worst is None else min(worst, ratio)
    if not torchvision:
        print("torchvision: not installed")
    print(f"augment ratio={worst:.3f} target=1.00")


main()
