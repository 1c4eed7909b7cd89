#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Compare shardmill's augmentations with Pillow's and torchvision's: augment.py MILL [CASES [SEED]].

Each case is one augmentation behind an exact resize, over a shard of random JPEGs. Its amounts are fixed, so
that Pillow can be asked the same; where the order or the choice stays random, the result must be one of all
possible ones. Everything is compared to the byte but gaussian_blur, which is compared with the exact sum: the
rounded sum may differ where the sum is within 1e-3 of a half. What torchvision does with Pillow's images it
does by the calls below; where torchvision is installed and TORCHVISION=1 is set its own functions are asked.
Files go to the current folder. Exit status: 0 all equal, 1 not, 77 Pillow or NumPy is missing."""
import itertools
import math
import os
import random
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import oracle
from oracle import numpy, Image, ImageOps
from PIL import ImageEnhance

FILTERS = {"nearest": Image.NEAREST, "bilinear": Image.BILINEAR}
torch_functional = None
if os.environ.get("TORCHVISION") == "1":
    import torchvision.transforms.functional as torch_functional


# ---- what torchvision asks Pillow for ----

def turn_hue(picture, turn):
    if picture.mode == "L":
        return picture
    hue, saturation, value = picture.convert("HSV").split()
    turned = numpy.asarray(hue).astype(int) + int(turn * 255)
    hue = Image.fromarray((turned % 256).astype(numpy.uint8), "L")
    return Image.merge("HSV", (hue, saturation, value)).convert("RGB")


def affine(picture, degrees, move, scale, shear, resample, fill, center=None):
    width, height = picture.size
    if torch_functional:
        return torch_functional.affine(picture, degrees, list(move), scale, list(shear),
                                       torch_functional._interpolation_modes_from_int(resample), fill, center)
    x, y = center or (width * 0.5, height * 0.5)
    turn, sx, sy = math.radians(degrees), math.radians(shear[0]), math.radians(shear[1])
    a = math.cos(turn - sy) / math.cos(sy)
    b = -math.cos(turn - sy) * math.tan(sx) / math.cos(sy) - math.sin(turn)
    c = math.sin(turn - sy) / math.cos(sy)
    d = -math.sin(turn - sy) * math.tan(sx) / math.cos(sy) + math.cos(turn)
    m = [v / scale for v in (d, -b, 0, -c, a, 0)]
    m[2] += m[0] * (-x - move[0]) + m[1] * (-y - move[1])
    m[5] += m[3] * (-x - move[0]) + m[4] * (-y - move[1])
    m[2] += x
    m[5] += y
    return picture.transform(picture.size, Image.AFFINE, m, resample, fillcolor=colour(picture, fill))


def colour(picture, fill):
    return (fill,) * 3 if picture.mode == "RGB" else fill


def brightness(picture, factor):
    return ImageEnhance.Brightness(picture).enhance(factor)


def contrast(picture, factor):
    return ImageEnhance.Contrast(picture).enhance(factor)


def saturation(picture, factor):
    return ImageEnhance.Color(picture).enhance(factor)


def sharpness(picture, factor):
    return ImageEnhance.Sharpness(picture).enhance(factor)


if torch_functional:
    turn_hue = torch_functional.adjust_hue
    brightness = torch_functional.adjust_brightness
    contrast = torch_functional.adjust_contrast
    saturation = torch_functional.adjust_saturation
    sharpness = torch_functional.adjust_sharpness


# ---- cases: text, and what may come out ----

def some_factor(rng):
    return rng.choice([0, 1, round(rng.uniform(0, 1), 3), round(rng.uniform(0, 3), 3), round(rng.uniform(1, 20), 2)])


def grayscale(rng):
    channels = rng.choice([1, 3])
    return (f"grayscale {channels}",
            lambda p: [p.convert("L") if channels == 1 else p.convert("L").convert("RGB")])


def invert(rng):
    return "invert", lambda p: [ImageOps.invert(p)]


def maybe_invert(rng):
    return "invert p=0.5", lambda p: [p, ImageOps.invert(p)]


def solarize(rng):
    threshold = rng.choice([0, 256, rng.randint(0, 256), round(rng.uniform(0, 256), 2)])
    return f"solarize {threshold}", lambda p: [ImageOps.solarize(p, threshold)]


def posterize(rng):
    bits = rng.randint(1, 8)
    return f"posterize {bits}", lambda p: [ImageOps.posterize(p, bits)]


def pointwise_chain(rng):
    bits, threshold = rng.randint(1, 8), rng.randint(0, 256)
    return (f"posterize {bits} p=0.5 | solarize {threshold} | invert",
            lambda p: [ImageOps.invert(ImageOps.solarize(q, threshold)) for q in (p, ImageOps.posterize(p, bits))])


def autocontrast(rng):
    return "autocontrast", lambda p: [ImageOps.autocontrast(p)]


def equalize(rng):
    return "equalize", lambda p: [ImageOps.equalize(p)]


def narrow(rng):
    """Few values: autocontrast and equalize then have much to do."""
    low, bits, name = rng.randint(0, 256), rng.randint(1, 4), rng.choice(["autocontrast", "equalize"])
    return (f"posterize {bits} | solarize {low} | {name}",
            lambda p: [getattr(ImageOps, name)(ImageOps.solarize(ImageOps.posterize(p, bits), low))])


def sharpen(rng):
    factor = some_factor(rng)
    return f"sharpness {factor}", lambda p: [sharpness(p, factor)]


def jitter(rng):
    names = ["brightness", "contrast", "saturation", "hue"]
    steps = [brightness, contrast, saturation, turn_hue]
    used = rng.sample(range(4), rng.choice([1, 1, 2, 3, 4]))
    amounts = {i: round(rng.uniform(-0.5, 0.5), 3) if i == 3 else some_factor(rng) for i in used}
    used = [i for i in used if amounts[i] != (0 if i == 3 else 1)]

    def apply(p):
        results = []
        for order in itertools.permutations(used):
            q = p
            for i in order:
                q = steps[i](q, amounts[i])
            results.append(q)
        return results
    return "color_jitter " + " ".join(f"{names[i]}={v},{v}" for i, v in amounts.items()), apply


def some_angle(rng):
    return rng.choice([0, 90, 180, 270, -90, 360, 720, round(rng.uniform(-180, 180), 2), rng.uniform(-400, 400)])


def rotate(rng):
    degrees, name, fill = some_angle(rng), rng.choice(list(FILTERS)), rng.choice([0, rng.randint(0, 255)])
    return (f"rotate {degrees!r},{degrees!r} filter={name} fill={fill}",
            lambda p: [p.rotate(degrees, FILTERS[name], fillcolor=colour(p, fill))])


def expand(rng):
    """The output has the size that holds all; it is fixed where the angle is."""
    degrees, name, fill = some_angle(rng), rng.choice(list(FILTERS)), rng.choice([0, rng.randint(0, 255)])
    return (f"rotate {degrees!r},{degrees!r} filter={name} fill={fill} expand=true",
            lambda p: [turned(p, degrees, FILTERS[name], fill)])


def expand_some(rng):
    """Images of two sizes, which a resize or a crop then makes alike."""
    degrees, name, side = some_angle(rng), rng.choice(list(FILTERS)), rng.randint(1, 80)

    def apply(p):
        results = [p, turned(p, degrees, FILTERS[name], 0)]
        return [q.resize((side, 30), Image.BICUBIC) for q in results]
    return f"rotate {degrees!r},{degrees!r} filter={name} expand=true p=0.5 | resize {side}x30 filter=bicubic", apply


def turned(picture, degrees, resample, fill):
    if torch_functional:
        return torch_functional.rotate(picture, degrees, torch_functional._interpolation_modes_from_int(resample),
                                       True, fill=fill)
    return picture.rotate(degrees, resample, expand=True, fillcolor=colour(picture, fill))


def random_affine(rng):
    plain = rng.random() < 0.3  # only scaled: Pillow has a way of its own for that
    degrees = 0 if plain else some_angle(rng)
    scale = rng.choice([1, round(rng.uniform(0.3, 3), 3), round(rng.uniform(0.9, 1.1), 3), 0.002, 100])
    shear = (0, 0) if plain else (round(rng.uniform(-60, 60), 1), rng.choice([0, round(rng.uniform(-60, 60), 1)]))
    name, fill = rng.choice(list(FILTERS)), rng.choice([0, rng.randint(0, 255)])
    text = (f"affine {degrees!r},{degrees!r} scale={scale},{scale} shear={shear[0]},{shear[0]},{shear[1]},{shear[1]} "
            f"filter={name} fill={fill}")
    return text, lambda p: [affine(p, degrees, (0, 0), scale, shear, FILTERS[name], fill)]


def moved(rng):
    """Every whole move that the range allows."""
    share, name = 3.4 / 64, rng.choice(list(FILTERS))
    return (f"resize 64x64 | affine 0 translate={share},{share} filter={name}",
            lambda p: [affine(q, 0, (x, y), 1, (0, 0), FILTERS[name], 0)
                       for q in [p.resize((64, 64), Image.BILINEAR)] for x in range(-4, 5) for y in range(-4, 5)])


class Blurred:
    """Sums in double; equal to bytes that are rounded sums."""

    def __init__(self, picture, size, sigma):
        pixels = numpy.asarray(picture).astype(float)
        pixels = pixels[:, :, None] if pixels.ndim == 2 else pixels
        for axis, length in ((0, size[1]), (1, size[0])):
            reach = length // 2
            weights = numpy.exp(-0.5 * ((numpy.arange(length) - reach) / sigma) ** 2)
            weights /= weights.sum()
            n = pixels.shape[axis]
            places = numpy.abs((numpy.arange(-reach, n + reach) + n - 1) % max(2 * n - 2, 1) - (n - 1))
            padded = numpy.take(pixels, places, axis)
            pixels = sum(w * numpy.take(padded, range(i, i + n), axis) for i, w in enumerate(weights))
        self.sums = pixels

    def equals(self, made):
        return made.shape == self.sums.shape and numpy.abs(made - self.sums).max() <= 0.501


def gaussian_blur(rng):
    size = (rng.choice([1, 3, 5, 23, 2 * rng.randint(0, 40) + 1]), rng.choice([1, 3, 5, 23, 2 * rng.randint(0, 40) + 1]))
    sigma = round(rng.uniform(0.1, 6), 3)
    return f"gaussian_blur {size[0]}x{size[1]} sigma={sigma}", lambda p: [Blurred(p, size, sigma)]


def spaced(first, last, bins):
    """torch.linspace in float."""
    first, last = numpy.float32(first), numpy.float32(last)
    step = (last - first) / numpy.float32(bins - 1)
    return [float(first + step * numpy.float32(i) if i < bins // 2 else last - step * numpy.float32(bins - i - 1))
            for i in range(bins)]


SIGNED = ["ShearX", "ShearY", "TranslateX", "TranslateY", "Rotate", "Brightness", "Color", "Contrast", "Sharpness"]


def policy_space(wide, bins, size):
    """Magnitudes of each operation, by torchvision's tables."""
    if torch_functional:
        from torchvision.transforms import autoaugment
        space = (autoaugment.TrivialAugmentWide()._augmentation_space(bins) if wide else
                 autoaugment.RandAugment()._augmentation_space(bins, size[::-1]))
        return {name: [float(m) for m in values] if values.ndim else [0.0] for name, (values, _) in space.items()}
    most = {"ShearX": (0.3, 0.99), "ShearY": (0.3, 0.99), "TranslateX": (150.0 / 331.0 * size[0], 32),
            "TranslateY": (150.0 / 331.0 * size[1], 32), "Rotate": (30, 135), "Brightness": (0.9, 0.99),
            "Color": (0.9, 0.99), "Contrast": (0.9, 0.99), "Sharpness": (0.9, 0.99)}
    space = {name: spaced(0, pair[wide], bins) for name, pair in most.items()}
    steps = numpy.arange(bins, dtype=numpy.float32) / numpy.float32((bins - 1) / (6 if wide else 4))
    space["Posterize"] = [float(8 - m) for m in numpy.rint(steps)]
    space["Solarize"] = spaced(255, 0, bins)
    return {**space, "Identity": [0.0], "AutoContrast": [0.0], "Equalize": [0.0]}


def policy_op(p, name, m, resample, fill):
    if torch_functional:
        from torchvision.transforms import autoaugment
        return autoaugment._apply_op(p, name, m, torch_functional._interpolation_modes_from_int(resample), fill)
    if name in ("ShearX", "ShearY"):
        angle = math.degrees(math.atan(m))
        shear = (angle, 0) if name == "ShearX" else (0, angle)
        return affine(p, 0, (0, 0), 1, shear, resample, fill, (0, 0))
    if name in ("TranslateX", "TranslateY"):
        return affine(p, 0, (int(m), 0) if name == "TranslateX" else (0, int(m)), 1, (0, 0), resample, fill)
    if name == "Rotate":
        return p.rotate(m, resample, fillcolor=colour(p, fill))
    plain = {"Brightness": brightness, "Color": saturation, "Contrast": contrast, "Sharpness": sharpness}
    if name in plain:
        return plain[name](p, 1.0 + m)
    if name == "Posterize":
        return ImageOps.posterize(p, int(m))
    if name == "Solarize":
        return ImageOps.solarize(p, m)
    return {"AutoContrast": ImageOps.autocontrast, "Equalize": ImageOps.equalize, "Identity": lambda q: q}[name](p)


def policy_results(p, wide, bins, chosen, resample, fill):
    """After one operation, with either sign; each result once."""
    results = {}
    for name, values in policy_space(wide, bins, p.size).items():
        for m in values if chosen is None or len(values) == 1 else [values[chosen]]:
            for sign in (1, -1) if name in SIGNED else (1,):
                q = policy_op(p, name, sign * m, resample, fill)
                results[q.tobytes()] = q
    return list(results.values())


def rand_augment(rng):
    n, bins = rng.choice([1, 1, 2]), rng.choice([31, 31, 10, 5])
    magnitude, name, fill = rng.randrange(bins), rng.choice(list(FILTERS)), rng.choice([0, 128])

    def apply(p):
        results = [p]
        for _ in range(n):
            results = [r for q in results for r in policy_results(q, False, bins, magnitude, FILTERS[name], fill)]
        return results
    return (f"resize 40x30 | rand_augment n={n} magnitude={magnitude} bins={bins} filter={name} fill={fill}",
            lambda p: apply(p.resize((40, 30), Image.BILINEAR)))


def trivial_augment(rng):
    bins, name, fill = rng.choice([31, 7]), rng.choice(list(FILTERS)), rng.choice([0, 128])
    return (f"trivial_augment bins={bins} filter={name} fill={fill}",
            lambda p: policy_results(p, True, bins, None, FILTERS[name], fill))


KINDS = [grayscale, invert, maybe_invert, solarize, posterize, pointwise_chain, autocontrast, equalize, narrow, sharpen,
         jitter, jitter, rotate, rotate, expand, expand_some, random_affine, random_affine, moved, gaussian_blur,
         rand_augment, rand_augment, trivial_augment]


# ---- comparing ----

def same(made, wanted):
    if isinstance(wanted, Blurred):
        return wanted.equals(made)
    pixels = numpy.asarray(wanted)
    pixels = pixels[:, :, None] if pixels.ndim == 2 else pixels
    return made.shape == pixels.shape and numpy.array_equal(made, pixels)


def run_case(mill, rng, number):
    """What is wrong, "" for nothing."""
    shard, out = f"case-{number}.tar", f"out-{number}"
    grey = rng.random() < 0.2
    width, height = oracle.random_side(rng) % 160 + 1, oracle.random_side(rng) % 160 + 1
    if rng.random() < 0.3:
        height = width
    step, allowed = KINDS[number % len(KINDS)](rng)
    text = f"decode mode={'grey' if grey else 'rgb'} | resize {width}x{height} | {step}"
    jpegs = [oracle.random_jpeg(rng) for _ in range(oracle.IMAGES)]
    oracle.write_shard(shard, jpegs)
    done = subprocess.run([mill, "run", shard, "--pipe", text, "--out", out, "--as", "npy"],
                          capture_output=True, text=True, check=False)
    if done.returncode:
        return f"{text}: exit {done.returncode}: {done.stderr.strip()}"
    made = numpy.load(os.path.join(out, f"case-{number}.image.npy"))
    for i, data in enumerate(jpegs):
        with Image.open(oracle.io.BytesIO(data)) as picture:
            if grey and picture.mode in ("RGB", "L"):
                picture.draft("L", picture.size)
            picture = picture.convert("RGB") if picture.mode == "CMYK" else picture
            picture = picture.convert("L" if grey else "RGB").resize((width, height), Image.BILINEAR)
        if not any(same(made[i], wanted) for wanted in allowed(picture)):
            return f"{text}: image {i} differs"
    return ""


def main():
    mill = sys.argv[1]
    cases = int(sys.argv[2]) if len(sys.argv) > 2 else 5 * len(KINDS)
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else 1
    bad = 0
    for i in range(cases):
        problem = run_case(mill, random.Random(f"{seed}/{i}"), i)
        bad += bool(problem)
        if problem and bad <= int(os.environ.get("SHOWN", oracle.SHOWN)):
            print(f"case {i}: {problem}")
    print(f"{cases} augmentations, {cases * oracle.IMAGES} images, {bad} differ from Pillow {oracle.Image.__version__}")
    return 1 if bad or not cases else 0


if __name__ == "__main__":
    sys.exit(main())
