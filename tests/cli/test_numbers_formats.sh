#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Shards of rows that are no .npy: raw, IDX, CIFAR and tokens, made by NumPy, read by run and by the loader, and read
# back by NumPy.
. "$SRC/tests/cli/common.sh"
python=$(numpy_python)
[ -n "$python" ] || { echo 'skip: no NumPy'; exit 77; }

"$python" - <<'END' || fail 'making shards'
import numpy, os, struct
rng = numpy.random.default_rng(7)
os.makedirs("in")
numpy.save("raw.npy", rng.standard_normal((50, 3, 4, 5)).astype("f4"))
numpy.load("raw.npy").tofile("in/plain.raw")
numpy.load("raw.npy").astype(">f4").tofile("in/big.dat")
with open("in/head.bin", "wb") as file:
    file.write(b"h" * 512 + numpy.load("raw.npy").tobytes())
def idx(name, code, a):
    with open(name, "wb") as file:
        file.write(bytes([0, 0, code, a.ndim]) + struct.pack(f">{a.ndim}I", *a.shape) +
                   a.astype(a.dtype.newbyteorder(">")).tobytes())
    numpy.save(name + ".npy", a)
idx("train-images-idx3-ubyte", 8, rng.integers(0, 256, (60, 28, 28), dtype="u1"))
idx("train-labels-idx1-ubyte", 8, rng.integers(0, 10, 60, dtype="u1"))
idx("floats.idx", 13, rng.standard_normal((9, 5)).astype("f4"))
idx("shorts.idx", 11, rng.integers(-30000, 30000, (9, 5), dtype="i2"))
images = rng.integers(0, 256, (40, 3072), dtype="u1")
labels = rng.integers(0, 100, (40, 2), dtype="u1")
numpy.save("cifar.npy", images.reshape(40, 3, 32, 32))
numpy.save("labels.npy", labels)
numpy.hstack([labels[:, 1:], images]).tofile("in/ten.bin")
numpy.hstack([labels, images]).tofile("in/hundred.bin")
tokens = rng.integers(0, 50257, 3000, dtype="u4")
numpy.save("tokens.npy", tokens)
def llm(name, magic, version, dtype):
    header = numpy.zeros(256, dtype="i4")
    header[:3] = magic, version, len(tokens)
    with open(name, "wb") as file:
        file.write(header.tobytes() + tokens.astype(dtype).tobytes())
llm("in/gpt2.bin", 20240520, 1, "u2")
llm("in/llama3.bin", 20240801, 7, "u4")
tokens.astype("u2").tofile("in/text.bin")
END

both() { # NAME SPEC [ARGUMENTS...]: a run into out/NAME; the loader, however many threads it has
    local name=$1 one two
    shift
    expect 0 "$MILL" run "$@" --pipe '' --out "out/$name"
    one=$("$MILL" load "$@" --pipe '' --shuffle --batch 7 --digest -q --threads 1 2>&1)
    two=$("$MILL" load "$@" --pipe '' --shuffle --batch 7 --digest -q --threads 3 --io threads 2>&1)
    [ "$one" = "$two" ] && [[ $one == digest\ * ]] || fail "the loader on $name: $one, $two"
    echo "$one" >"out/$name/digest"
}
both plain in/plain.raw --format raw:f32:3x4x5
both big in/big.dat --format raw:f32:3x4x5:order=big
both head in/head.bin --format raw:f32:3x4x5:skip=512
both images train-images-idx3-ubyte
both digits train-labels-idx1-ubyte
both floats floats.idx --format idx
both shorts shorts.idx --format idx
both ten in/ten.bin --format cifar
both hundred in/hundred.bin --format cifar:100
both gpt2 in/gpt2.bin --format tokens:T=64
both llama3 in/llama3.bin --format tokens:T=64:stride=32
both text in/text.bin --format tokens:T=100:stride=101:dtype=u16
"$python" - <<'END' || fail 'what NumPy reads back'
import glob, numpy
def out(name, part="data"):
    (path,) = glob.glob(f"out/{name}/*.{part}.npy")
    return numpy.load(path)
def same(got, want):
    assert got.dtype == want.dtype.newbyteorder("=") and got.shape == want.shape, (got.dtype, got.shape, want.shape)
    assert got.tobytes() == want.tobytes()
for name in "plain", "big", "head":
    same(out(name), numpy.load("raw.npy"))
same(out("images"), numpy.load("train-images-idx3-ubyte.npy"))
same(out("digits"), numpy.load("train-labels-idx1-ubyte.npy"))
same(out("floats"), numpy.load("floats.idx.npy"))
same(out("shorts"), numpy.load("shorts.idx.npy"))
labels = numpy.load("labels.npy")
for name in "ten", "hundred":
    same(out(name, "image"), numpy.load("cifar.npy"))
    same(out(name, "label"), labels[:, 1].astype("i8"))
tokens = numpy.load("tokens.npy")
windows = lambda t, stride: numpy.stack([tokens[i : i + t + 1] for i in range(0, len(tokens) - t, stride)])
same(out("gpt2"), windows(64, 64).astype("u2"))
same(out("llama3"), windows(64, 32))
same(out("text"), windows(100, 101).astype("u2"))
END

# Names are cut at the usual extensions, and folders are looked through for them.
[ -e out/head/head.data.npy ] || fail "$(ls out/head)"
mkdir folder && cp in/gpt2.bin folder/a.bin && cp in/gpt2.bin folder/b.bin
expect 0 "$MILL" run folder --format tokens:T=64 --pipe '' --out out/folder
[ -e out/folder/a.data.npy ] && [ -e out/folder/b.data.npy ] || fail "$(ls out/folder)"

# Other arguments are another run, and another state of a loader.
expect 2 "$MILL" run folder --format tokens:T=32 --pipe '' --out out/folder
says stderr 'format'
expect 0 "$MILL" load folder --format tokens:T=64 --pipe '' --batch 4 --max-batches 2 --state state -q
expect 2 "$MILL" load folder --format tokens:T=32 --pipe '' --batch 4 --state state -q
says stderr 'fingerprint'

# What is wrong is said.
expect 2 "$MILL" inspect in/plain.raw --format rwa:f32:3
says stderr 'rwa:f32:3'
expect 2 "$MILL" inspect in/plain.raw --format raw:f32
says stderr 'shape'
expect 2 "$MILL" run in/plain.raw --pipe '' --out out/none
says stderr 'raw:f32:3x32x32'
expect 1 "$MILL" inspect in/plain.raw --format raw:f32:7
says stdout 'no whole number of samples of 28 bytes'
expect 1 "$MILL" inspect in/gpt2.bin --format cifar
says stdout 'no whole number of samples'
expect 1 "$MILL" inspect in/text.bin --format tokens:T=64
says stdout 'dtype=u16'
finish
