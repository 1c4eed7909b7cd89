#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Checksums of what pipelines must make of data/demo, computed by Pillow and NumPy: golden.py DEMO > data/golden.txt

For machines that have neither: tests/cli/test_golden.sh compares them with what shardmill makes."""
import glob
import hashlib
import io
import os
import sys
import tarfile

import numpy
from PIL import Image, ImageOps

MEAN = numpy.array([0.485, 0.456, 0.406], numpy.float32)
STD = numpy.array([0.229, 0.224, 0.225], numpy.float32)
FILTERS = {"nearest": Image.NEAREST, "box": Image.BOX, "bilinear": Image.BILINEAR,
           "hamming": Image.HAMMING, "bicubic": Image.BICUBIC, "lanczos": Image.LANCZOS}


def decode(data, orient=False):
    picture = Image.open(io.BytesIO(data))
    return (ImageOps.exif_transpose(picture) if orient else picture).convert("RGB")


def grey(data):
    picture = Image.open(io.BytesIO(data))
    picture.draft("L", picture.size)
    return picture.convert("L")


def center(picture, side):
    left, top = (int(round((n - side) / 2.0)) for n in picture.size)
    return picture.crop((left, top, left + side, top + side))


def shorter(picture, side, how):
    w, h = picture.size
    return picture.resize((side, int(side * h / w)) if w <= h else (int(side * w / h), side), how)


def normalized(picture):
    pixels = numpy.asarray(picture).astype(numpy.float32) / numpy.float32(255)
    return ((pixels - MEAN) / STD).transpose(2, 0, 1)


def pixels(picture):
    return numpy.asarray(picture)


def pipelines():
    yield "decode | center_crop 43", lambda data: pixels(center(decode(data), 43))
    yield "decode orient=true | resize 97x61 filter=box", lambda data: pixels(
        decode(data, True).resize((97, 61), Image.BOX))
    yield "decode mode=grey | resize 50x80", lambda data: pixels(grey(data).resize((50, 80), Image.BILINEAR))
    for name, how in FILTERS.items():
        yield f"decode | resize 131x77 filter={name}", lambda data, how=how: pixels(decode(data).resize((131, 77), how))
        yield f"decode | resize 500x431 filter={name}", lambda data, how=how: pixels(decode(data).resize((500, 431), how))
        yield f"decode | resize 40x31 filter={name} box=10.5,3,47.25,41.125", lambda data, how=how: pixels(
            decode(data).resize((40, 31), how, box=(10.5, 3, 47.25, 41.125)))
    yield "decode | resize 1x1 | resize 5x3 filter=lanczos", lambda data: pixels(
        decode(data).resize((1, 1), Image.BILINEAR).resize((5, 3), Image.LANCZOS))
    yield "decode | center_crop 41 | resize 64x64 filter=bicubic | hflip p=1", lambda data: pixels(
        ImageOps.mirror(center(decode(data), 41).resize((64, 64), Image.BICUBIC)))
    yield "decode | resize 256 | center_crop 224 | normalize imagenet | layout chw", lambda data: normalized(
        center(shorter(decode(data), 256, Image.BILINEAR), 224))
    yield "decode | resize 112 filter=bicubic | center_crop 96 | normalize imagenet | layout chw | cast f16", \
        lambda data: normalized(center(shorter(decode(data), 112, Image.BICUBIC), 96)).astype(numpy.float16)
    for degrees, name in ((90, "nearest"), (33, "nearest"), (-121.5, "bilinear")):
        yield f"decode | rotate {degrees},{degrees} filter={name} fill=7 expand=true | resize 60x50", \
            lambda data, degrees=degrees, name=name: pixels(
                decode(data).rotate(degrees, FILTERS[name], expand=True, fillcolor=(7, 7, 7)).resize(
                    (60, 50), Image.BILINEAR))


def main():
    images = []
    for shard in sorted(glob.glob(os.path.join(sys.argv[1], "train-*.tar"))):
        with tarfile.open(shard) as tar:
            images += [tar.extractfile(m).read() for m in tar if m.name.endswith(".jpg")]
    print(f"# SHA-256 of the pixels of the {len(images)} images of data/demo, one after the other, by")
    print("# tests/oracle/golden.py with Pillow and NumPy, and the pipeline that must make the same of them")
    for text, make in pipelines():
        digest = hashlib.sha256()
        for data in images:
            digest.update(numpy.ascontiguousarray(make(data)).tobytes())
        print(digest.hexdigest(), "", text)


if __name__ == "__main__":
    main()
