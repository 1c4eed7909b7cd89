#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Compare shardmill's pixels with Pillow's, byte for byte: oracle.py MILL [CASES [SEED]].

Each case is a random pipeline over a shard of random JPEGs (sizes, qualities, subsamplings, progressive,
grey, CMYK, EXIF orientations), run through the command and, step by step on whole images, through Pillow;
geometry that Pillow has no word for (shorter side, centre) follows torchvision's documentation. Files go
to the current folder. Exit status: 0 all equal, 1 not, 77 Pillow or NumPy is missing."""
import collections
import io
import os
import random
import subprocess
import sys
import tarfile

try:
    import numpy
    from PIL import Image, ImageFile, ImageOps
except ImportError as missing:
    print(f"skip: {missing} ({sys.executable})")
    sys.exit(77)

FILTERS = {"nearest": Image.NEAREST, "box": Image.BOX, "bilinear": Image.BILINEAR,
           "hamming": Image.HAMMING, "bicubic": Image.BICUBIC, "lanczos": Image.LANCZOS}
IMAGES = 4  # in a shard
SHOWN = 5  # differences
ImageFile.MAXBLOCK = 1 << 22  # else small images of high quality do not fit the buffer they are saved through


# ---- input ----

def random_pixels(rng, width, height, channels):
    """A smooth picture with noise on it: both flat areas and overshoot at edges."""
    noise = numpy.random.default_rng(rng.getrandbits(64))
    coarse = noise.integers(0, 256, (rng.randint(1, 6), rng.randint(1, 6), channels), dtype=numpy.uint8)
    planes = [Image.fromarray(coarse[:, :, c]).resize((width, height), rng.choice([Image.BICUBIC, Image.NEAREST]))
              for c in range(channels)]
    pixels = numpy.stack([numpy.asarray(plane) for plane in planes], axis=2).astype(int)
    pixels += noise.integers(-20, 21, pixels.shape)
    pixels = numpy.clip(pixels, 0, 255).astype(numpy.uint8)
    return pixels[:, :, 0] if channels == 1 else pixels


def random_side(rng):
    return 1 if rng.random() < 0.04 else rng.choice([rng.randint(1, 40), rng.randint(1, 200), rng.randint(100, 600)])


def random_jpeg(rng):
    mode = rng.choice(["RGB"] * 5 + ["L", "CMYK"])
    channels = {"RGB": 3, "L": 1, "CMYK": 4}[mode]
    picture = Image.fromarray(random_pixels(rng, random_side(rng), random_side(rng), channels), mode)
    options = {"quality": rng.choice([30, 75, 90, 100]), "progressive": rng.random() < 0.2}
    if mode == "RGB":
        options["subsampling"] = rng.randint(0, 2)
    if rng.random() < 0.5:
        exif = Image.Exif()
        exif[0x112] = rng.randint(1, 8)
        options["exif"] = exif
    out = io.BytesIO()
    picture.save(out, "JPEG", **options)
    return out.getvalue()


def write_shard(path, jpegs):
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as tar:
        for i, data in enumerate(jpegs):
            member = tarfile.TarInfo(f"{i:04d}.jpg")
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))


# ---- the steps: each gives its text and what it does to a Pillow image ----

def decode(rng):
    grey, orient = rng.random() < 0.15, rng.random() < 0.3

    def load(data):
        picture = Image.open(io.BytesIO(data))
        if grey and picture.mode in ("RGB", "L"):
            picture.draft("L", picture.size)  # the luma as stored
        if orient:
            picture = ImageOps.exif_transpose(picture)
        picture = picture.convert("RGB") if picture.mode == "CMYK" else picture
        return picture.convert("L" if grey else "RGB")
    return f"decode mode={'grey' if grey else 'rgb'} orient={'true' if orient else 'false'}", load


def crop(picture, x, y, width, height, fill=0):
    out = Image.new(picture.mode, (width, height), (fill,) * 3 if picture.mode == "RGB" else fill)
    out.paste(picture, (-x, -y))
    return out


def resize_exact(rng):
    name, width, height = rng.choice(list(FILTERS)), random_side(rng), random_side(rng)
    return (f"resize {width}x{height} filter={name}",
            lambda picture: picture.resize((width, height), FILTERS[name]))


def resize_shorter(rng):
    name, side = rng.choice(list(FILTERS)), rng.randint(1, 300)

    def apply(picture):
        w, h = picture.size
        size = (side, int(side * h / w)) if w <= h else (int(side * w / h), side)
        return picture.resize(size, FILTERS[name])
    return f"resize {side} filter={name}", apply


def resize_box(rng):
    """Pillow's box: a part of the image in fractions of pixels, with its surroundings looked at."""
    name, width, height = rng.choice(list(FILTERS)), random_side(rng), random_side(rng)
    digits = rng.choice([0, 0, 1, 3])
    left, top = round(rng.uniform(0, 30), digits), round(rng.uniform(0, 30), digits)
    right, bottom = [round(low + rng.uniform(0.5, 1) * rng.choice([4, 30, 120]) + (digits == 0), digits)
                     for low in (left, top)]

    def apply(picture):
        box = tuple(float(numpy.float32(x)) for x in (left, top, right, bottom))
        if right > picture.width or bottom > picture.height:
            raise ValueError("beyond the image")
        return picture.resize((width, height), FILTERS[name], box=box)
    return f"resize {width}x{height} filter={name} box={left:g},{top:g},{right:g},{bottom:g}", apply


def random_resized_crop(rng):
    """The one crop of torchvision's RandomResizedCrop that is no matter of chance: where no try fits."""
    name, side, ratio = rng.choice(list(FILTERS)), random_side(rng), rng.choice([0.31, 0.75, 1.0, 1.37, 3.3])

    def apply(picture):
        w, h = picture.size
        width, height = round((w * h * ratio) ** 0.5), round((w * h / ratio) ** 0.5)
        if 0 < width <= w and 0 < height <= h:
            raise ValueError("it fits, and its place is random")
        width, height = (w, int(round(w / ratio))) if w / h < ratio else (int(round(h * ratio)), h)
        if not 0 < width <= w or not 0 < height <= h:
            raise ValueError("no length")
        left, top = (w - width) // 2, (h - height) // 2
        return picture.crop((left, top, left + width, top + height)).resize((side, side), FILTERS[name])
    return f"random_resized_crop {side} scale=1,1 ratio={ratio},{ratio} filter={name}", apply


def center_crop(rng):
    width, height = random_side(rng), random_side(rng)

    def apply(picture):
        w, h = picture.size
        left = (width - w) // 2 if width > w else 0
        top = (height - h) // 2 if height > h else 0
        picture = crop(picture, -left, -top, max(w, width), max(h, height))
        w, h = picture.size
        return crop(picture, int(round((w - width) / 2.0)), int(round((h - height) / 2.0)), width, height)
    return f"center_crop {width}x{height}", apply


def pad(rng):
    sides, fill = [rng.randint(0, 30) for _ in range(4)], rng.randint(0, 255)

    def apply(picture):
        w, h = picture.size
        return crop(picture, -sides[0], -sides[1], w + sides[0] + sides[2], h + sides[1] + sides[3], fill)
    return f"pad {','.join(map(str, sides))} fill={fill}", apply


def border(rng):
    """Pillow has no word for these modes; torchvision passes them on to NumPy."""
    sides, mode = [rng.randint(0, 8) for _ in range(4)], rng.choice(["edge", "reflect", "symmetric"])

    def apply(picture):
        if max(sides) >= min(picture.size):
            raise ValueError("older releases of NumPy mirror more than once in a way of their own")
        widths = [(sides[1], sides[3]), (sides[0], sides[2])] + [(0, 0)] * (picture.mode == "RGB")
        return Image.fromarray(numpy.pad(numpy.asarray(picture), widths, mode))
    return f"pad {','.join(map(str, sides))} mode={mode}", apply


def hflip(_):
    return "hflip p=1", ImageOps.mirror


def chain(rng):
    """Decode, up to three steps of any kind, and one that fixes the size."""
    kinds = [resize_exact, resize_shorter, resize_box, random_resized_crop, center_crop, pad, border, hflip]
    steps = [decode(rng)] + [rng.choice(kinds)(rng) for _ in range(rng.randint(0, 3))]
    last = [rng.choice([resize_exact, resize_exact, resize_box, random_resized_crop, center_crop, center_crop])(rng)]
    return steps + last + ([hflip(rng)] if rng.random() < 0.2 else [])


# ---- comparing ----

def expected(steps, data):
    picture = steps[0][1](data)
    for _, apply in steps[1:]:
        picture = apply(picture)
    pixels = numpy.asarray(picture)
    return pixels[:, :, None] if pixels.ndim == 2 else pixels


def run_case(mill, rng, number, seen):
    """What is wrong, "" for nothing, None where there is nothing to compare. The steps compared go to seen."""
    shard, out = f"case-{number}.tar", f"out-{number}"
    steps = chain(rng)
    text = " | ".join(step[0] for step in steps)
    jpegs = [random_jpeg(rng) for _ in range(IMAGES)]
    try:
        wanted = [expected(steps, data) for data in jpegs]
    except ValueError:  # such as sides of no length, which are refused here and there
        return None
    seen.update({step[0].split()[0] + (" box=" if "box=" in step[0] else "") for step in steps})
    write_shard(shard, jpegs)
    done = subprocess.run([mill, "run", shard, "--pipe", text, "--out", out, "--as", "npy"],
                          capture_output=True, text=True, check=False)
    if done.returncode:
        return f"{text}: exit {done.returncode}: {done.stderr.strip()}"
    made = numpy.load(os.path.join(out, f"case-{number}.image.npy"))
    for i, pixels in enumerate(wanted):
        if made[i].shape != pixels.shape or not numpy.array_equal(made[i], pixels):
            with Image.open(io.BytesIO(jpegs[i])) as picture:
                return (f"{text}: image {i} ({picture.mode} {picture.size}) differs: "
                        f"{made[i].shape} {pixels.shape}")
    return ""


def main():
    mill = sys.argv[1]
    cases = int(sys.argv[2]) if len(sys.argv) > 2 else 100
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else 1
    compared = bad = 0
    seen = collections.Counter()
    for i in range(cases):
        problem = run_case(mill, random.Random(f"{seed}/{i}"), i, seen)
        compared += problem is not None
        bad += bool(problem)
        if problem and bad <= SHOWN:
            print(f"case {i}: {problem}")
    print("pipelines with " + ", ".join(f"{name}: {n}" for name, n in sorted(seen.items())))
    print(f"{compared} pipelines, {compared * IMAGES} images, {bad} pipelines differ from Pillow {Image.__version__}")
    return 1 if bad or not compared else 0


if __name__ == "__main__":
    sys.exit(main())
