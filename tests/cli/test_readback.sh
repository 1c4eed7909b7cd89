#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What every sink writes, on the demo data set and on broken shards, read back by programs that share no code with it:
# NumPy and Python's tarfile (readback.py), and the system's tar.
. "$SRC/tests/cli/common.sh"
ls "$SRC"/data/demo/*.tar >/dev/null 2>&1 || { echo 'skip: no demo data set'; exit 77; }
python=$(numpy_python)
[ -n "$python" ] || { echo 'skip: no NumPy'; exit 77; }
GOOD="$SRC/data/demo/train-*.tar"
BAD="$SRC/data/demo/train-000000.tar $SRC/data/corrupt/*.tar"

read_back() { # FOLDER...
    local folder
    for folder; do
        "$python" "$SRC/tests/cli/readback.py" "$folder" --complete >checked || fail "$folder: $(cat checked)"
        says checked ' 0 errors'
    done
}

# Tensors: every policy, dtype and layout that has a NumPy name.
expect 0 "$MILL" run "$GOOD" --pipe 'decode | resize 64 | center_crop 56' --out u8
expect 0 "$MILL" run "$GOOD" --pipe 'decode | resize 40x48 | normalize imagenet | layout chw' --out f32
expect 0 "$MILL" run "$GOOD" --pipe 'decode | resize 33x17 | cast f16' --out f16
expect 0 "$MILL" run "$GOOD" --pipe 'decode grey | resize 16x16' --out grey
expect 0 "$MILL" run "$BAD" --pipe 'decode | resize 24x24' --out skip --on-error skip
expect 0 "$MILL" run "$BAD" --pipe 'decode | resize 24x24' --out substitute --on-error substitute
expect 0 "$MILL" run "$SRC/data/demo/*.npy" --pipe 'add 1 | log1p' --out numbers
read_back u8 f32 f16 grey skip substitute numbers
"$python" - <<'END' || fail 'shapes, dtypes or values'
import glob, json, numpy
def all_of(folder, field):
    return [numpy.load(name, mmap_mode="r") for name in sorted(glob.glob(f"{folder}/*.{field}.npy"))]
for folder, dtype, shape in (("u8", "u1", (56, 56, 3)), ("f32", "<f4", (3, 48, 40)), ("f16", "<f2", (17, 33, 3)),
                             ("grey", "u1", (16, 16, 1))):
    arrays = all_of(folder, "image")
    assert len(arrays) == 4 and sum(len(a) for a in arrays) == 96
    assert all(a.dtype == dtype and a.shape[1:] == shape for a in arrays), (folder, arrays[0].dtype, arrays[0].shape)
    assert all(numpy.isfinite(a).all() and a.astype("f4").std() > 0 for a in arrays)
    labels = numpy.concatenate(all_of(folder, "label"))
    assert labels.dtype == "<i8" and set(labels.tolist()) == {0, 1, 2, 3}
    for name in glob.glob(f"{folder}/*.json.jsonl"):
        assert all(isinstance(json.loads(line), dict) for line in open(name, encoding="utf-8"))
    assert len(glob.glob(f"{folder}/*.json.jsonl")) == 4
masks = numpy.concatenate(all_of("substitute", "mask"))
assert masks.tolist().count(0) == json.load(open("substitute/manifest.json"))["shards"][1]["substituted"] > 0
END

# WebDataset: made anew as JPEG, and kept as they are. The system's tar lists and unpacks them.
expect 0 "$MILL" run "$GOOD" --pipe 'decode | resize 100 | center_crop 90x80' --out jpeg --as tar
expect 0 "$MILL" run "$GOOD" --pipe '' --out kept --as tar
expect 0 "$MILL" run "$BAD" --pipe 'decode' --out good --as tar --on-error skip
read_back jpeg kept good
for folder in jpeg kept good; do
    for shard in $folder/*.tar; do
        mkdir -p out/$folder
        tar tvf "$shard" >list 2>error || fail "tar does not list $shard: $(cat error)"
        silent error
        tar xf "$shard" -C out/$folder 2>error || fail "tar does not unpack $shard: $(cat error)"
        silent error
    done
done
# Every member but the remade pictures has the bytes it came with.
mkdir from
for shard in $GOOD; do tar xf "$shard" -C from; done
(cd from && find . -type f | sort) >names
(cd out/kept && find . -type f | sort) | cmp -s - names || fail 'members are missing, or there are others'
(cd out/jpeg && find . -type f | sort) | cmp -s - names || fail 'members are missing, or there are others'
diff -r from out/kept >difference || fail "kept: $(head -3 difference)"
for name in $(grep -v 'jpg$' names); do
    cmp -s "from/$name" "out/jpeg/$name" || fail "$name was not carried through"
done
for name in $(grep 'jpg$' names); do
    [ "$(head -c 3 "out/jpeg/$name" | od -An -tx1 | tr -d ' \n')" = ffd8ff ] || fail "$name is no JPEG"
done

# The command reads its own shards; once more through the same pipeline costs no field.
expect 0 "$MILL" inspect 'kept/*.tar' 'jpeg/*.tar' --json
expect 0 "$MILL" run 'jpeg/*.tar' --pipe 'decode' --out again --as tar
read_back again

# The checksums are those of any XXH3 program.
if command -v xxhsum >/dev/null && xxhsum --help 2>&1 | grep -q XXH3; then
    for file in u8/*.npy jpeg/*.tar; do
        sum=$(xxhsum -H3 "$file" 2>/dev/null | grep -oE '[0-9a-f]{16}' | head -1)
        grep -q "\"xxh3\": \"$sum\"" "${file%/*}/manifest.json" || fail "$file: $sum is not in the manifest"
    done
fi

# A folder of classes becomes shards with a class in each sample.
mkdir -p photos/cat photos/dog
first=$(grep 'jpg$' names | head -1)
second=$(grep 'jpg$' names | tail -1)
cp "from/$first" photos/cat/a.jpg && cp "from/$second" photos/dog/b.jpg && cp "from/$first" photos/dog/c.jpeg
expect 0 "$MILL" run photos --pipe '' --out classes --as tar
read_back classes
[ "$(tar xOf classes/dog.tar b.cls c.cls)" = 11 ] && [ "$(tar xOf classes/cat.tar a.cls)" = 0 ] || fail 'the class of a folder is lost'
finish
