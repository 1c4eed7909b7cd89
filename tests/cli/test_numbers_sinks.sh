#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What --as npz and --as raw write: read by NumPy and by shardmill itself; killed and run again, byte by byte the same.
. "$SRC/tests/cli/common.sh"
python=$(numpy_python)
[ -n "$python" ] || { echo 'skip: no NumPy'; exit 77; }

"$python" - <<'END' || fail 'making shards'
import numpy, os
rng = numpy.random.default_rng(13)
os.makedirs("in")
for dtype in "u1", "i2", "f2", "f4", "f8":
    numpy.save(f"in/{dtype}.npy", (rng.standard_normal((23, 5, 3)) * 50).astype(dtype))
numpy.save("in/scalars.npy", numpy.arange(7, dtype="i8"))
numpy.save("in/none.npy", numpy.zeros((0, 3), "f4"))
images, labels = rng.integers(0, 256, (900, 3072), dtype="u1"), rng.integers(0, 10, (900, 1), dtype="u1")
numpy.hstack([labels, images]).tofile("cifar.bin")
numpy.save("digits.npy", numpy.array([1, 2, 10, 3]))
os.makedirs("many")
for i in range(12):
    numpy.save(f"many/{i:02}.npy", rng.standard_normal((4000, 64)).astype("f4"))
END
for sink in npz raw npy; do
    for shard in in/*.npy; do
        expect 0 "$MILL" run "$shard" --pipe '' --as $sink --out out/$sink
        rm out/$sink/manifest.json
    done
    expect 0 "$MILL" run cifar.bin --format cifar --pipe '' --as $sink --out out/$sink
    expect 0 "$MILL" run digits.npy --pipe 'onehot 10' --as $sink --on-error substitute --out masked/$sink
    expect 2 "$MILL" run "$SRC/data/demo/train-*.tar" --pipe '' --as $sink --out none
    says stderr "--as $sink needs tensors"
done
"$python" - <<'END' || fail 'what NumPy reads back'
import glob, json, numpy, os, zipfile
def raw(folder, name):
    with open(f"{folder}/{name}.raw.json") as file:
        told = json.load(file)
    rows = told.pop("rows")
    for part, array in told.items():
        assert array["shape"][0] == rows
        dtype = {"bf16": "<u2"}.get(array["dtype"], "<" + array["dtype"][0] + str(int(array["dtype"][1:]) // 8))
        yield part, numpy.fromfile(f"{folder}/{name}.{part}.raw", dtype).reshape(array["shape"])
def same(got, want):
    assert set(got) == set(want), (set(got), set(want))
    for part in want:
        a, b = got[part], want[part]
        assert a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes(), part
n = 0
for folder in "out", "masked":
    for path in glob.glob(f"{folder}/npz/*.npz"):
        name = os.path.basename(path)[:-4]
        want = {p[len(f"{folder}/npy/{name}."):-4]: numpy.load(p) for p in glob.glob(f"{folder}/npy/{name}.*.npy")}
        assert want and zipfile.ZipFile(path).testzip() is None
        if not len(next(iter(want.values()))):
            want = {part: a for part, a in want.items() if part in ("data", "image")}
        same(dict(numpy.load(path)), want)
        same(dict(raw(f"{folder}/raw", name)), want)
        for sink in "npz", "raw":
            assert open(f"{folder}/{sink}/{name}.keys.txt").read() == open(f"{folder}/npy/{name}.keys.txt").read()
        n += 1
assert n == 9
END

# Read again by what the description says, and by the extension.
format_of() { sed -n 's/.*"'$2'":{[^}]*"format":"\([^"]*\)".*/\1/p' "$1"; }
for name in f4 scalars u1; do
    expect 0 "$MILL" run out/raw/$name.data.raw --format "$(format_of out/raw/$name.raw.json data)" --pipe '' --out again
    cmp out/npy/$name.data.npy again/$name.data.data.npy || [ $name = scalars ] || fail "$name by its format"
    rm again/manifest.json
    expect 0 "$MILL" run out/npz/$name.npz --pipe '' --out again
    cmp out/npy/$name.data.npy again/$name.data.npy || fail "$name from .npz"
    rm again/manifest.json
done
format=$(format_of out/raw/cifar.raw.json image)
[ "$format" = raw:u8:3x32x32:layout=chw ] || fail "$format"
expect 0 "$MILL" run out/raw/cifar.image.raw --format "$format" --pipe '' --out again
cmp out/npy/cifar.image.npy again/cifar.image.image.npy || fail 'images by their format'
rm again/manifest.json
expect 0 "$MILL" run out/npz/cifar.npz --pipe '' --out again
cmp out/npy/cifar.label.npy again/cifar.label.npy || fail 'labels from .npz'

# kill -9 at random moments, then to the end: nothing half bears a final name, and in the end all bytes are the same.
RANDOM=${SEED:=$$}
for sink in npz raw; do
    command=("$MILL" run many --pipe 'standardize mean=0.5 std=2' --as $sink -q)
    begin=$(date +%s%N)
    "${command[@]}" --out whole-$sink || fail "an undisturbed run into $sink"
    span=$((($(date +%s%N) - begin) / 1000))
    kills=0
    for attempt in {1..40}; do
        [ $kills -lt 6 ] || break
        rm -rf part
        "${command[@]}" --out part 2>error &
        child=$!
        moment=$(((RANDOM * 32768 + RANDOM) % (span + 1)))
        sleep "$(printf '%d.%06d' $((moment / 1000000)) $((moment % 1000000)))"
        kill -9 $child 2>/dev/null
        code=0
        wait $child 2>/dev/null || code=$?
        for file in part/*; do
            name=${file##*/}
            case $name in *.partial | manifest.* | '*') continue ;; esac
            cmp -s "$file" "whole-$sink/$name" || fail "seed $SEED: $file is not whole after a kill"
        done
        [ $code = 137 ] && kills=$((kills + 1)) || span=$((span * 3 / 4))
        "${command[@]}" --out part || fail "seed $SEED: the run after the kill"
        diff -r whole-$sink part >difference || fail "seed $SEED: $(head -3 difference)"
    done
    [ $kills -ge 4 ] || fail "only $kills runs into $sink were killed in time"
done
finish
