#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# shardmill index: what it writes is found and changes nothing but what is read; DALI's text; what gets no index.
. "$SRC/tests/cli/common.sh"
export XDG_CACHE_HOME=$PWD/cache
photos=$(photographs)
if [ -z "$photos" ]; then echo 'there are no photographs'; exit 77; fi
mkdir in
cp "$photos"/train-00000[0-2].tar in/
arrays in 1 9
P='decode | resize 16x16'

expect 0 "$MILL" index in/*.tar in/part-000.npy
silent stderr
says stdout 'in/train-000000.tar.index'
says stdout 'in/part-000.npy: 9 samples; needs no index'
says stdout '4 of 4 shards'
says stdout '3 indexes written'
[ "$(ls in/*.index | wc -l)" = 3 ] || fail "indexes are: $(ls in)"
cp in/train-000000.tar.index first
expect 0 "$MILL" index in/*.tar --json
json_holds stdout '[r["index"] for r in by("shard")] == ["in/train-00000%d.tar.index" % i for i in range(3)]'
json_holds stdout 'total["written"] == 3 and total["samples"] == sum(r["samples"] for r in by("shard")) > 0'
cmp -s first in/train-000000.tar.index || fail 'made again it differs'

# An index that is believed: the loader reads no more than the samples that it wants.
"$MILL" load in/*.tar --pipe "$P" --first 5 --batch 5 --digest --json | tail -n 1 >with
"$MILL" load in/*.tar --pipe "$P" --first 5 --batch 5 --digest --json --index none | tail -n 1 >without
json_holds with 'total["digest"] == json.loads(open("without").read())["digest"]'
"$MILL" load in/*.tar --pipe "$P" --shuffle global --digest -q >stdout
"$MILL" load in/*.tar --pipe "$P" --shuffle global --digest -q --index none | cmp -s - stdout || fail 'the index changes the order'

# ... and one that is not: cut, altered, of a shard that has changed
want=$("$MILL" load in/*.tar --pipe "$P" --digest -q --index none)
head -c 100 first >in/train-000000.tar.index
sed '3s/^[0-9]*/512/' first >in/train-000001.tar.index
: >in/train-000002.tar.index
[ "$want" = "$("$MILL" load in/*.tar --pipe "$P" --digest -q)" ] || fail 'a broken index was believed'
cp in/train-000001.tar in/train-000000.tar
cp first in/train-000000.tar.index
[ "$("$MILL" load in/*.tar --pipe "$P" --digest -q --index none)" = "$("$MILL" load in/*.tar --pipe "$P" --digest -q)" ] ||
    fail 'the index of another shard was believed'
cp "$photos/train-000000.tar" in/

# --into a folder, which load finds again
rm -f in/*.index
expect 0 "$MILL" index in/*.tar --into a/b
[ "$(ls a/b | wc -l)" = 3 ] || fail "--into holds $(ls a/b)"
ls in/*.index 2>/dev/null && fail '--into also wrote beside the shards'
[ "$want" = "$("$MILL" load in/*.tar --pipe "$P" --digest -q --index a/b)" ] || fail '--index DIR changes batches'
[ ! -e cache/shardmill ] || [ "$(find cache -type f | wc -l)" -le 3 ] || fail 'more in the cache than there are shards'

# DALI's: as wds2idx writes it, and believed
expect 0 "$MILL" index in/*.tar --dali
head -n 1 in/train-000000.idx | grep -qx "v1.2 $(sed -n 2p first | cut -d' ' -f4)" || fail "the head of DALI's is $(head -n 1 in/train-000000.idx)"
"${PYTHON:-python3}" - <<'END_PYTHON' || fail "DALI's index is not that of the tar"
import tarfile
lines = open("in/train-000000.idx").read().splitlines()[1:]
got = {}
for line in lines:
    words = line.split()
    for ext, offset, size, name in zip(*[iter(words)] * 4):
        got[name] = (int(offset), int(size))
        assert name.endswith("." + ext), (name, ext)
want = {m.name: (m.offset_data, m.size) for m in tarfile.open("in/train-000000.tar") if m.isfile()}
assert got == want, (len(got), len(want))
END_PYTHON
[ "$want" = "$("$MILL" load in/*.tar --pipe "$P" --digest -q)" ] || fail "DALI's index changes batches"
expect 2 "$MILL" index in --dali --into a
says stderr 'beside each shard'

# What is not sound gets none, and the exit code says so.
if [ -e "$SRC/data/corrupt/bad-000000.tar" ]; then
    cp "$SRC/data/corrupt/bad-000000.tar" in/
    expect 1 "$MILL" index in/bad-000000.tar
    says stdout 'not indexed'
    [ ! -e in/bad-000000.tar.index ] || fail 'a damaged shard was indexed'
fi
expect 2 "$MILL" index no-such.tar
says stderr no-such.tar
expect 2 "$MILL" index
if [ "$(id -u)" != 0 ]; then
    mkdir locked
    cp in/train-000000.tar locked
    chmod a-w locked
    expect 3 "$MILL" index locked/train-000000.tar
    says stderr 'cannot write the index'
    chmod u+w locked
fi
finish
