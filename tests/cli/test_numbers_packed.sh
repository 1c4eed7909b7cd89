#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Gzipped shards and .npz shards, made by Python and NumPy, read by run, by the loader and by index, and read back by
# NumPy.
. "$SRC/tests/cli/common.sh"
python=$(numpy_python)
[ -n "$python" ] || { echo 'skip: no NumPy'; exit 77; }

"$python" - <<'END' || fail 'making shards'
import gzip, io, numpy, os, struct, tarfile
rng = numpy.random.default_rng(5)
os.makedirs("in")
images = numpy.minimum(rng.integers(0, 1000, (4000, 28, 28)), 255).astype("u1")
labels = rng.integers(0, 10, 4000, dtype="u1")
numpy.save("images.npy", images)
numpy.save("labels.npy", labels)
def idx(name, a):
    with gzip.open(name, "wb") as file:
        file.write(bytes([0, 0, 8, a.ndim]) + struct.pack(f">{a.ndim}I", *a.shape) + a.tobytes())
idx("in/train-images-idx3-ubyte.gz", images)
idx("in/train-labels-idx1-ubyte.gz", labels)
floats = rng.standard_normal((3000, 17)).astype("f4").round(1)
numpy.save("floats.npy", floats)
for name, a in ("native", floats), ("swapped", floats.astype(">f4")), ("fortran", numpy.asfortranarray(floats)):
    with gzip.open(f"in/{name}.npy.gz", "wb") as file:
        numpy.save(file, a)
whole = io.BytesIO()
numpy.save(whole, floats)
whole = whole.getvalue()
cuts = [0, 1, 70000, 70001, len(whole)]
with open("in/members.npy.gz", "wb") as file: # as `cat a.gz b.gz` makes it, padded with zeros as from a tape
    for a, b in zip(cuts, cuts[1:]):
        file.write(gzip.compress(whole[a:b], 1 + a % 9))
    file.write(bytes(700))
with open("in/plain.npy.gz", "wb") as file:
    file.write(gzip.compress(whole, 0))
with tarfile.open("in/files.tar.gz", "w:gz") as tar:
    for i in range(500):
        for name, data in ("txt", b"text %d" % (i * i) * 40), ("cls", b"%d" % (i % 7)):
            member = tarfile.TarInfo("%04d.%s" % (i, name))
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
with gzip.open("in/files.tar.gz") as file, open("files.tar", "wb") as out:
    out.write(file.read())
pair = dict(x=floats, y=rng.integers(0, 9, 3000))
numpy.save("y.npy", pair["y"])
numpy.savez("in/pair.npz", **pair)
numpy.savez_compressed("in/packed.npz", **pair)
numpy.savez("in/one.npz", floats)
numpy.savez_compressed("in/onepacked.npz", images)
numpy.savez("in/mixed.npz", x=numpy.asfortranarray(floats), y=pair["y"].astype(">i2").reshape(-1, 1),
            extra=numpy.arange(3000, dtype="u2"), odd=numpy.arange(9000, dtype="u1").reshape(3000, 3))
numpy.savez_compressed("in/keras.npz", x_train=images[:3500], y_train=labels[:3500], x_test=images[3500:],
                       y_test=labels[3500:])
numpy.savez("in/empty.npz", x=floats[:0], y=pair["y"][:0])
numpy.savez("in/wide.npz", x=rng.standard_normal((20, 70, 70)).astype("f4"), label=numpy.arange(20) - 1)
END

both() { # NAME SPEC [ARGUMENTS...]: a run into out/NAME, and again with little memory; the loader likewise
    local name=$1 one two
    shift
    expect 0 "$MILL" run "$@" --pipe '' --out "out/$name"
    expect 0 "$MILL" run "$@" --pipe '' --out "small/$name" --memory 24M --threads 3 --io threads
    diff -r -x manifest.json "out/$name" "small/$name" || fail "$name depends on memory"
    one=$("$MILL" load "$@" --pipe '' --shuffle --batch 150 --digest -q --threads 1 2>&1)
    two=$("$MILL" load "$@" --pipe '' --shuffle --batch 150 --digest -q --threads 3 --io threads --memory "${mem:-28M}" 2>&1)
    [ "$one" = "$two" ] && [[ $one == digest\ * ]] || fail "the loader on $name: $one, $two"
    echo "$one" >"out/$name.digest"
}
same_digest() { # NAME SPEC ...: the loader gives the same from what is not packed
    local name=$1
    shift
    [ "$("$MILL" load "$@" --pipe '' --shuffle --batch 150 --digest -q)" = "$(cat "out/$name.digest")" ] ||
        fail "the loader gives other rows from $name than from $1"
}
both images in/train-images-idx3-ubyte.gz
same_digest images images.npy
both labels in/train-labels-idx1-ubyte.gz
for name in native swapped fortran members plain; do
    both $name in/$name.npy.gz
    same_digest $name floats.npy
done
both pair in/pair.npz
both packed in/packed.npz
both one in/one.npz
same_digest one floats.npy
both onepacked in/onepacked.npz
same_digest onepacked images.npy
both mixed in/mixed.npz
both keras in/keras.npz --format npz:data=x_train:label=y_train
both test in/keras.npz --format npz:data=x_test:label=none
mem=48M both wide in/wide.npz
[ "$(cat out/pair.digest)" = "$(cat out/packed.digest)" ] || fail 'stored and compressed members differ'
expect 0 "$MILL" run in/empty.npz --pipe '' --out out/empty
"$python" - <<'END' || fail 'what NumPy reads back'
import glob, numpy
def out(name, part="data"):
    (path,) = glob.glob(f"out/{name}/*.{part}.npy")
    return numpy.load(path)
def same(got, want):
    assert got.dtype == want.dtype and got.shape == want.shape, (got.dtype, got.shape, want.dtype, want.shape)
    assert got.tobytes() == want.tobytes()
images, labels, floats, y = (numpy.load(name + ".npy") for name in ("images", "labels", "floats", "y"))
same(out("images"), images)
same(out("labels"), labels)
for name in "native", "swapped", "fortran", "members", "plain", "pair", "packed", "one", "mixed":
    same(out(name), floats)
for name in "pair", "packed", "mixed":
    same(out(name, "label"), y)
same(out("onepacked"), images)
same(out("keras"), images[:3500])
same(out("keras", "label"), labels[:3500].astype("i8"))
same(out("test"), images[3500:])
assert not glob.glob("out/test/*.label.npy")
same(out("empty"), floats[:0])
same(out("wide"), numpy.load("in/wide.npz")["x"])
same(out("wide", "label"), numpy.arange(20) - 1)
END

# Samples of named fields: tar.gz, also by an index; and what a .npz has besides.
expect 0 "$MILL" run in/files.tar.gz --pipe '' --as tar --out out/files
expect 0 "$MILL" run files.tar --pipe '' --as tar --out out/plainfiles
cmp out/files/files.tar out/plainfiles/files.tar || fail 'tar.gz and tar differ'
[ "$("$MILL" load in/files.tar.gz --pipe '' --shuffle --batch 7 --digest -q)" = \
    "$("$MILL" load files.tar --pipe '' --shuffle --batch 7 --digest -q)" ] || fail 'the loader on tar.gz'
expect 0 "$MILL" index in/files.tar.gz
[ -e in/files.tar.gz.index ] || [ -e in/files.tar.index ] || ls in
expect 0 "$MILL" inspect in/mixed.npz --json
says stdout '"samples":3000'

# A finished shard is not inflated to find that out; one that has changed is made again.
expect 0 "$MILL" run in/native.npy.gz --pipe '' --out out/native --json
says stdout '"shards_kept":1'
touch in/native.npy.gz
expect 0 "$MILL" run in/native.npy.gz --pipe '' --out out/native --json
says stdout '"shards_kept":0'

# Folders are looked through for packed shards too, and names are cut.
mkdir folder && cp in/native.npy.gz folder/a.npy.gz && cp floats.npy folder/b.npy && cp in/one.npz folder/c.npz
expect 0 "$MILL" run folder --pipe '' --out out/folder
[ -e out/folder/a.data.npy ] && [ -e out/folder/b.data.npy ] && [ -e out/folder/c.data.npy ] || fail "$(ls out/folder)"

# What is wrong is said.
expect 1 "$MILL" inspect in/keras.npz
says stdout 'npz:data=NAME'
expect 2 "$MILL" inspect in/pair.npz --format npz:dta=x
expect 1 "$MILL" inspect in/pair.npz --format npz:data=z
says stdout 'no array "z" in it; there are: x, y'
expect 1 "$MILL" inspect in/pair.npz --format npz:data=y:label=x
says stdout 'vector of integers'
expect 1 "$MILL" run in/pair.npz --format npz:data=z --pipe '' --out out/none
says stderr 'there are: x, y'
finish
