# SPDX-License-Identifier: Apache-2.0
"""One peer doing one pipeline over tar shards: peer.py PEER PIPELINE THREADS SHARD...

Prints images a second and microseconds of CPU time an image, of a pass over all of them after one that warms up; 77
where the peer is not installed. Each makes batches of 32 normalised float32 tensors in channel, height, width order
out of the same JPEGs."""
import concurrent.futures
import io
import multiprocessing
import os
import random
import sys
import tarfile
import time

BATCH, SIDE = 32, 224
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class Files:
    """The JPEGs of the shards by number, in memory that the page cache holds."""

    def __init__(self, shards):
        self.places = []
        for path in shards:
            with tarfile.open(path) as tar:
                self.places += [(path, m.offset_data, m.size) for m in tar if m.name.endswith(".jpg")]

    def __len__(self):
        return len(self.places)

    def read(self, i):
        path, offset, size = self.places[i]
        with open(path, "rb") as file:
            file.seek(offset)
            return file.read(size)


def shorter_side(width, height, side=256):
    """The size at which the shorter side is that long."""
    return (side, int(side * height / width)) if width <= height else (int(side * width / height), side)


def random_box(width, height):
    """torchvision's RandomResizedCrop, for those who lack it."""
    for _ in range(10):
        area = width * height * random.uniform(0.08, 1)
        ratio = random.uniform(3 / 4, 4 / 3)
        w, h = round((area * ratio) ** 0.5), round((area / ratio) ** 0.5)
        if 0 < w <= width and 0 < h <= height:
            return random.randint(0, width - w), random.randint(0, height - h), w, h
    return 0, 0, width, height


def cpu_seconds():
    """Of this process and those that it has begun."""
    total = time.process_time()
    for child in multiprocessing.active_children():
        with open(f"/proc/{child.pid}/stat", encoding="utf-8") as file:
            user, system = file.read().rpartition(")")[2].split()[11:13]
        total += (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")
    return total


def timed(passes):
    """Of the last pass; passes() makes one and tells how many images it had."""
    passes()
    begin, cpu = time.monotonic(), cpu_seconds()
    n = passes()
    return n / (time.monotonic() - begin), 1e6 * (cpu_seconds() - cpu) / n


def torchvision_loader(files, pipeline, threads):
    import torch
    from PIL import Image
    from torchvision import transforms as t
    torch.set_num_threads(1)
    geometry = [t.RandomResizedCrop(SIDE), t.RandomHorizontalFlip()] if pipeline == "train" else [
        t.Resize(256), t.CenterCrop(SIDE)]
    chain = t.Compose(geometry + [t.ToTensor(), t.Normalize(MEAN, STD)])

    class Data(torch.utils.data.Dataset):
        def __len__(self):
            return len(files)

        def __getitem__(self, i):
            return chain(Image.open(io.BytesIO(files.read(i))).convert("RGB"))

    loader = torch.utils.data.DataLoader(Data(), batch_size=BATCH, shuffle=pipeline == "train",
                                         num_workers=threads if threads > 1 else 0, persistent_workers=threads > 1)
    return timed(lambda: sum(len(batch) for batch in loader))


def in_batches(files, threads, one):
    """A pool of threads fills batches; these peers let go of Python's lock while they work."""
    import numpy
    mean, std = (numpy.array(x, numpy.float32).reshape(3, 1, 1) for x in (MEAN, STD))

    def put(place, i):
        pixels = one(files.read(i)).transpose(2, 0, 1).astype(numpy.float32)
        pixels /= 255
        pixels -= mean
        pixels /= std
        place[:] = pixels

    def a_pass(pool):
        for first in range(0, len(files), BATCH):
            numbers = range(first, min(first + BATCH, len(files)))
            batch = numpy.empty((len(numbers), 3, SIDE, SIDE), numpy.float32)
            list(pool.map(put, batch, numbers))
        return len(files)

    with concurrent.futures.ThreadPoolExecutor(threads) as pool:
        return timed(lambda: a_pass(pool))


def pillow(files, pipeline, threads):
    import numpy
    from PIL import Image, ImageOps

    def one(data):
        picture = Image.open(io.BytesIO(data)).convert("RGB")
        w, h = picture.size
        if pipeline == "train":
            x, y, w, h = random_box(w, h)
            picture = picture.crop((x, y, x + w, y + h)).resize((SIDE, SIDE), Image.BILINEAR)
            return numpy.asarray(ImageOps.mirror(picture) if random.random() < 0.5 else picture)
        w, h = shorter_side(w, h)
        x, y = (w - SIDE) // 2, (h - SIDE) // 2
        return numpy.asarray(picture.resize((w, h), Image.BILINEAR).crop((x, y, x + SIDE, y + SIDE)))
    return in_batches(files, threads, one)


def opencv(files, pipeline, threads):
    import cv2
    import numpy
    cv2.setNumThreads(0)

    def resize(pixels, size):
        smaller = pixels.shape[1] > size[0]
        return cv2.resize(pixels, size, interpolation=cv2.INTER_AREA if smaller else cv2.INTER_LINEAR)

    def one(data):
        pixels = cv2.cvtColor(cv2.imdecode(numpy.frombuffer(data, numpy.uint8), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
        h, w = pixels.shape[:2]
        if pipeline == "train":
            x, y, w, h = random_box(w, h)
            pixels = resize(pixels[y:y + h, x:x + w], (SIDE, SIDE))
            return pixels[:, ::-1] if random.random() < 0.5 else pixels
        w, h = shorter_side(w, h)
        x, y = (w - SIDE) // 2, (h - SIDE) // 2
        return resize(pixels, (w, h))[y:y + SIDE, x:x + SIDE]
    return in_batches(files, threads, one)


def libvips(files, pipeline, threads):
    os.environ["VIPS_CONCURRENCY"] = "1"  # read when the library is loaded; the pool's threads are enough
    try:
        import pyvips
    except OSError as missing:  # the binding is there, the library is not
        raise ImportError(missing) from missing
    import numpy
    pyvips.cache_set_max(0)

    def one(data):
        if pipeline == "train":
            image = pyvips.Image.new_from_buffer(data, "", access="sequential")
            image = image.crop(*random_box(image.width, image.height)).thumbnail_image(SIDE, height=SIDE, size="force")
            return pixels(image.fliphor() if random.random() < 0.5 else image)
        header = pyvips.Image.new_from_buffer(data, "")
        w, h = shorter_side(header.width, header.height)
        image = pyvips.Image.thumbnail_buffer(data, w, height=h, size="force", no_rotate=True)
        return pixels(image.crop((w - SIDE) // 2, (h - SIDE) // 2, SIDE, SIDE))

    def pixels(image):
        array = numpy.frombuffer(image.write_to_memory(), numpy.uint8).reshape(SIDE, SIDE, image.bands)
        return array if image.bands == 3 else numpy.repeat(array[:, :, :1], 3, 2)
    return in_batches(files, threads, one)


def main():
    peers = {"torchvision": torchvision_loader, "pillow": pillow, "opencv": opencv, "libvips": libvips}
    peer, pipeline, threads, shards = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4:]
    try:
        print(*(f"{figure:.1f}" for figure in peers[peer](Files(shards), pipeline, threads)))
    except ImportError as missing:
        print(missing, file=sys.stderr)
        sys.exit(77)


if __name__ == "__main__":
    main()
