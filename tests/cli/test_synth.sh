#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The generator: the committed data are what it makes, byte for byte; other readers read it; each option does
# what it says.
set -eu
fail() { echo "FAIL: $*"; exit 1; }
synth=$BUILD/synth

sh "$SRC/data/generate.sh" "$synth" again >summary
[ "$(grep -c '^synth: .* samples, ' summary)" = 3 ] || fail 'not one line of summary a run'
for folder in demo corrupt; do
    diff -r "$SRC/data/$folder" "again/$folder" || fail "data/$folder is not what the generator makes"
done
[ "$(du -sk --apparent-size "$SRC/data" | cut -f 1)" -lt 4096 ] || fail 'data/ is 4 MB or more'

mkdir files
for tar in again/demo/*.tar; do
    tar -xf "$tar" -C files || fail "GNU tar on $tar"
    [ "$(tar -tf "$tar" | wc -l)" = 72 ] || fail "members of $tar"
done
[ "$(find files -type f | wc -l)" = 288 ] || fail 'files in the demo shards'
[ "$(cat files/*.cls | fold -w 1 | sort -u | tr -d '\n')" = 0123 ] || fail 'classes of the demo shards'
for jpeg in files/*.jpg; do
    [ "$(head -c 2 "$jpeg" | od -An -tx1)$(tail -c 2 "$jpeg" | od -An -tx1)" = ' ff d8 ff d9' ] || fail "$jpeg is no JPEG"
done
tar -tvf again/demo/train-000000.tar | grep -v -- '^-r--r--r-- 0/0 .* 1970-01-01 ' && fail 'mode, owner or time of a member'

# README.md says where the damage is.
sed -n 's/^| \(00000[0-9]\) | \([0-9]*\) |.*/\1 \2/p' "$SRC/data/README.md" >damage
[ "$(wc -l <damage)" = 6 ] || fail 'damage told in data/README.md'
while read -r key offset; do
    name=$(dd if="$SRC/data/corrupt/bad-000000.tar" bs=1 skip="$offset" count=6 status=none)
    [ "$name" = "$key" ] || fail "data/README.md: no header of $key at $offset"
done <damage
if tar -tf "$SRC/data/corrupt/bad-000000.tar" >names 2>errors; then fail 'GNU tar finds the corrupt shard sound'; fi
[ "$(grep -c . names)" = 22 ] || fail 'members that GNU tar finds in the corrupt shard'

small='--shards 2 --samples-per-shard 6 --size 80x60'
"$synth" one $small >/dev/null
"$synth" two $small --seed 2 >/dev/null
cmp -s one/train-000000.tar two/train-000000.tar && fail 'another seed, the same bytes'
"$synth" three --shards 1 --samples-per-shard 12 --size 80x60 >/dev/null
tar -xf three/train-000000.tar -C three && mkdir one/x && cat one/train-*.tar | tar -xif - -C one/x
rm three/train-000000.tar
diff -r three one/x || fail 'samples depend on how they are put into shards'
"$synth" four $small --reuse 3 --prefix val --digits 2 >/dev/null
mkdir four/x && cat four/val-0[01].tar | tar -xif - -C four/x || fail 'names of shards'
[ "$(cat four/x/*.jpg | wc -c)" -gt 0 ] && [ "$(md5sum four/x/*.jpg | cut -d ' ' -f 1 | sort -u | wc -l)" = 3 ] ||
    fail 'pictures with --reuse 3'
"$synth" flat $small --pattern flat >/dev/null
"$synth" noise $small --pattern noise >/dev/null
[ "$(cat noise/*.tar | wc -c)" -gt "$(cat one/*.tar | wc -c)" ] && [ "$(cat flat/*.tar | wc -c)" -lt "$(cat one/*.tar | wc -c)" ] ||
    fail 'noise is not larger, or flat not smaller, than photographs'

refused() { "$synth" "$@" >/dev/null 2>message && status=0 || status=$?; }
for wrong in '' 'a b' 'a --size 12' 'a --shards 0' 'a --seed -1' 'a --pattern plaid' 'a --npy 3x' 'a --what'; do
    refused $wrong
    [ $status = 2 ] && grep -q '^synth: ' message || fail "exit $status for wrong arguments: $wrong"
done
refused /proc/nowhere/data
[ $status = 3 ] || fail "exit $status where nothing can be written"
"$synth" --help | grep -q '^example: synth ' || fail 'no example in --help'

if ! "$PYTHON" -c 'import numpy' 2>/dev/null; then
    echo "the .npy files and picture sizes: skipped, $PYTHON has no numpy"
    exit 0
fi
"$synth" npy --npy 3x4x5 --shards 2 --samples-per-shard 7 --prefix rows >/dev/null
"$synth" fixed --fixed --size 64x48 --shards 1 --samples-per-shard 60 >/dev/null
mkdir fixed/x && tar -xf fixed/train-000000.tar -C fixed/x
"$PYTHON" - <<'END'
import glob, json, numpy
a, b = (numpy.load("npy/rows-00000%d.npy" % i, allow_pickle=False) for i in (0, 1))
assert a.dtype == b.dtype == numpy.float32 and a.shape == b.shape == (7, 3, 4, 5), (a.dtype, a.shape)
assert numpy.isfinite(a).all() and a.std() > 0.5 and not (a == b).all()

def stored_size(path):
    data = open(path, "rb").read()
    at = 2
    while data[at + 1] not in (0xC0, 0xC2):
        at += 2 + int.from_bytes(data[at + 2:at + 4], "big")
    return int.from_bytes(data[at + 7:at + 9], "big"), int.from_bytes(data[at + 5:at + 7], "big"), data[at + 1] == 0xC2

seen = {"subsampling": set(), "progressive": set(), "orientation": set()}
for path in glob.glob("files/*.json") + glob.glob("fixed/x/*.json"):
    told = json.load(open(path))
    assert (told["width"], told["height"], told["progressive"]) == stored_size(path[:-4] + "jpg"), path
    assert told["class"] == int(open(path[:-4] + "cls").read()), path
    if path.startswith("fixed"):
        upright = (48, 64) if told["orientation"] >= 5 else (64, 48)
        assert (told["width"], told["height"]) == upright, told
    for name in seen:
        seen[name].add(told[name])
assert {"4:2:0", "4:2:2", "4:4:4", "grey"} <= seen["subsampling"], seen
assert seen["progressive"] == {False, True} and len(seen["orientation"]) > 2, seen
END
