#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# inspect: what is there and what is wrong, for people and for machines.
. "$SRC/tests/cli/common.sh"
arrays in 2 10
not_photographs bad

expect 0 "$MILL" inspect in
silent stderr
says stdout 'in/part-000.npy: npy, '
says stdout '10 samples; sound'
says stdout 'f32 (64,)'
says stdout '2 of 2 shards'
expect 0 "$MILL" inspect in --json --samples
json_holds stdout 'len(by("sample")) == 20 and len(by("shard")) == 2 and total["type"] == "total"'
json_holds stdout 'by("sample")[0]["dtype"] == "f32" and by("sample")[0]["shape"] == [64]'
json_holds stdout "sum(s['nbytes_walked'] for s in by('shard')) == $(cat in/*.npy | wc -c) == total['nbytes_walked']"
json_holds stdout 'all(s["nbytes"] == s["nbytes_walked"] for s in by("shard"))'
expect 0 "$MILL" inspect in -q
silent stdout

# Samples that are no images.
expect 1 "$MILL" inspect bad
[ "$(grep -c '^error: bad/bad-[01].tar: sample [01]-[1-5], byte [0-9]*: decode: ' stdout)" = 10 ] || fail 'not one line for each bad sample'
says stdout '10 samples, 10 bad; 10 errors, 0 warnings'
expect 1 "$MILL" inspect bad --json
json_holds stdout 'len(by("issue")) == 10 and total["bad_samples"] == 10 == total["errors"] and total["exit"] == 1 and total["status"] == "ok"'
json_holds stdout 'all(i["shard"] and i["key"] and i["kind"] and i["reason"] and i["offset"] > 0 and i["severity"] == "error" for i in by("issue"))'
json_holds stdout '[f["name"] for f in by("shard")[0]["fields"]] == ["cls", "jpg"] and by("shard")[0]["fields"][0]["nbytes"] == 5'

# Shards that are damaged: one finding names the place; the rest of the data set is still looked at.
cp in/part-000.npy cut.npy
truncate -s 1000 cut.npy
cp bad/bad-0.tar torn.tar
truncate -s 3000 torn.tar
: >empty.tar
expect 1 "$MILL" inspect cut.npy torn.tar empty.tar in/part-001.npy --json
json_holds stdout '{i["shard"] for i in by("issue")} == {"cut.npy", "torn.tar", "empty.tar"}'
json_holds stdout '[s["shard"] for s in by("shard")] == ["cut.npy", "torn.tar", "empty.tar", "in/part-001.npy"] and by("shard")[3]["samples"] == 10'
json_holds stdout '"truncated" in [i["kind"] for i in by("issue")]'
# A warning is a finding too: here the zero blocks at the end are missing.
mkdir text
printf 'x' >text/a.txt
tar --format=ustar -C text -b 1 -cf whole.tar a.txt
head -c 1024 whole.tar >marker.tar
expect 0 "$MILL" inspect whole.tar
expect 1 "$MILL" inspect marker.tar
says stdout 'warning: marker.tar: byte 1024: eof: '
expect 2 "$MILL" inspect missing.tar in
says stderr missing.tar

# Shards whose outputs would have the same name can be looked at together; they cannot be processed together.
cp cut.npy twin.npy
cp bad/bad-0.tar twin.tar
expect 1 "$MILL" inspect twin.npy twin.tar twin.tar --json
json_holds stdout '[s["shard"] for s in by("shard")] == ["twin.npy", "twin.tar", "twin.tar"]'
expect 2 "$MILL" run twin.npy twin.tar --pipe '' --out twins --as tar
says stderr 'output of the same name'

# Names with what JSON and terminals mind: quotes, a control character, no UTF-8.
mkdir names
printf 'x' >names/"$(printf 'a"b\\c\001d\377.jpg')"
(cd names && tar --format=ustar -cf ../names.tar -- *)
expect 1 "$MILL" inspect names.tar --json --samples
json_holds stdout 'by("sample")[0]["key"] == "a\"b\\c\u0001d\ufffd"'
expect 1 "$MILL" inspect names.tar --samples
says stdout 'a"b\c?d?'

# The shard that is corrupt on purpose, in a data set of several formats: data/README.md says what is wrong with it.
if [ -e "$SRC/data/corrupt/bad-000000.tar" ]; then
    expect 0 "$MILL" inspect "$SRC/data/demo" --deep --json --samples
    json_holds stdout '{(t["dtype"], tuple(t["shape"])) for t in total["tensors"]} == {("f32", (16,))} and total["tensors"][0]["samples"] == 200'
    json_holds stdout 'all(("dtype" in s) == s["shard"].endswith(".npy") and ("width" in s) != ("dtype" in s) for s in by("sample"))'
    json_holds stdout 'sum(s["samples"] for s in by("shard")) == total["samples"] == 296 == len(by("sample"))'
    expect 1 "$MILL" inspect "$SRC/data/demo" "$SRC/data/corrupt" --deep --json
    json_holds stdout 'total["bad_samples"] == 6 and {i["key"] for i in by("issue") if i["key"]} == {"00000%d" % k for k in range(1, 7)}'
    json_holds stdout '[i["offset"] for i in by("issue") if i["kind"] == "checksum"] == [34304]'
fi
# Arrays that differ: each kind is counted on its own.
printf '\223NUMPY\1\0\166\0%-117s\n' "{'descr': '|u1', 'fortran_order': False, 'shape': (4, 2), }" >small.npy
printf 'abcdefgh' >>small.npy
expect 0 "$MILL" inspect small.npy in --json
json_holds stdout '[(t["dtype"], t["shape"], t["samples"]) for t in total["tensors"]] == [("u8", [2], 4), ("f32", [64], 20)]'
expect 0 "$MILL" inspect small.npy in
says stdout '4 of u8 (2,)'

# Photographs.
photos=$(photographs)
if [ -n "$photos" ]; then
    shard=$(ls "$photos"/train-*.tar | head -1)
    n=$(tar -tf "$shard" | grep -c 'jpe*g$')
    for deep in '' --deep; do
        expect 0 "$MILL" inspect "$shard" --json --samples $deep
        json_holds stdout "total['images']['samples'] == $n == len(by('sample')) and total['images']['width']['min'] > 0"
        json_holds stdout 'sorted(s["width"] for s in by("sample"))[(total["samples"] - 1) // 2] == total["images"]["width"]["median"]'
        json_holds stdout 'max(s["height"] for s in by("sample")) == total["images"]["height"]["max"]'
    done
    # half of an image's bytes overwritten: its header is sound, so only --deep can see it
    cp "$shard" hurt.tar
    chmod u+w hurt.tar
    at=$("${PYTHON:-python3}" -c '
import json, sys
samples = [r for r in map(json.loads, open("stdout")) if r["type"] == "sample"]
field = max((f for f in samples[0]["fields"] if f["name"].startswith("jp")), key=lambda f: f["nbytes"])
print(field["offset"] + field["nbytes"] // 2, field["nbytes"] - field["nbytes"] // 2)')
    set -- $at
    dd if=/dev/zero of=hurt.tar bs=1 seek="$1" count="$2" conv=notrunc 2>/dev/null
    expect 0 "$MILL" inspect hurt.tar
    expect 1 "$MILL" inspect hurt.tar --deep --json
    json_holds stdout 'len(by("issue")) == 1 == total["bad_samples"] and by("issue")[0]["kind"] == "decode"'
fi
finish
