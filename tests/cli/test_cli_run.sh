#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# run: what it writes, says and answers, on good and bad data.
. "$SRC/tests/cli/common.sh"
arrays in 3 40
not_photographs bad
printf '\223NUMPY\1\0broken' >in-broken.npy
P='decode | resize 32x32'

# Sound data.
expect 0 "$MILL" run 'in/part-{000..002}.npy' --pipe 'scale 0.5 | add 1' --out out --as npy -v
for i in 0 1 2; do
    for file in out/part-00$i.data.npy out/part-00$i.keys.txt; do [ -s $file ] || fail "$file is missing"; done
done
[ -s out/manifest.json ] || fail 'manifest.json is missing'
says stdout '120 samples = 120 written + 0 skipped'
says stderr 'threads: '
says stderr 'memory: '
python=$(numpy_python)
if [ -n "$python" ]; then
    "$python" - <<'END' || fail 'the numbers are wrong'
import numpy
for i in range(3):
    a = numpy.load(f"in/part-{i:03}.npy")
    b = numpy.load(f"out/part-{i:03}.data.npy", mmap_mode="r")
    assert (a * numpy.float32(0.5) + numpy.float32(1) == b).all()
END
fi

# The same from several operands, from a folder, with other machinery: the same bytes.
expect 0 "$MILL" run in/part-000.npy in/part-001.npy in/part-002.npy --pipe 'scale 0.5 | add 1' --out o2 --threads 3 --io threads
expect 0 "$MILL" run in --pipe 'scale 0.5 | add 1' --out o3 --executor loop --io-depth 1 --memory 32M -q
silent stdout
silent stderr
for i in 0 1 2; do
    for o in o2 o3; do
        cmp out/part-00$i.data.npy $o/part-00$i.data.npy || fail "$o differs"
    done
done

# JSON.
expect 0 "$MILL" run in --pipe sin --out j --json --trace trace.json
silent stderr
json_holds stdout 'total["type"] == "total" and total["status"] == "ok" and total["exit"] == 0 and total["error"] is None'
json_holds stdout 'total["samples"] == 120 == total["written"] and total["skipped"] == 0 and total["shards"] == 3 == total["shards_done"]'
json_holds stdout "total['bytes_in'] == $(cat in/*.npy | wc -c) and total['bytes_out'] > 0"
"${PYTHON:-python3}" - <<'END' || fail 'the trace'
import json
events = json.load(open("trace.json"))["traceEvents"]
assert any(e["ph"] == "X" and e["name"] == "read" for e in events) and any(e["ph"] == "C" for e in events)
END

# The null sink needs no folder and leaves nothing.
mkdir empty
expect 0 sh -c 'cd empty && exec "$1" run ../in --pipe sin --as null' sh "$MILL"
[ -z "$(ls empty)" ] || fail "--as null left $(ls empty)"

# Bad data: fail.
expect 1 "$MILL" run bad --pipe "$P" --out f
says stderr 'bad-0.tar: sample 0-1'
says stderr 'HTML'
says stderr 'note: --on-error skip'
expect 1 "$MILL" run bad --pipe "$P" --out f2 --json
json_holds stdout 'total["exit"] == 1 and total["error"]["shard"] and total["error"]["key"] == "0-1"'

# Skip: totals add up, and the report has one line for each.
expect 0 "$MILL" run bad --pipe "$P" --out s --on-error skip --report report.jsonl
says stdout '10 samples = 0 written + 10 skipped'
says stderr '10 issues written to report.jsonl'
json_holds report.jsonl 'len(rows) == 10 == len({(r["shard"], r["key"]) for r in rows})'
json_holds report.jsonl 'all(r["type"] == "issue" and r["severity"] == "error" and r["kind"] == "decode" and r["reason"] and r["offset"] >= 0 for r in rows)'
json_holds report.jsonl '[r["key"] for r in rows] == ["%d-%d" % (s, i) for s in (0, 1) for i in range(1, 6)]'
# Without a report they are shown, with it they are not.
[ "$(grep -c '^error: ' stderr)" = 0 ] || fail 'issues are shown beside the report'
expect 0 "$MILL" run bad --pipe "$P" --as null --on-error skip
[ "$(grep -c '^error: ' stderr)" = 10 ] || fail "$(grep -c '^error: ' stderr) issues are shown instead of 10"

# Many: the first are shown, and how to see the others.
for i in 2 3 4 5; do cp bad/bad-0.tar bad/bad-$i.tar; done
expect 0 "$MILL" run bad --pipe "$P" --as null --on-error skip
[ "$(grep -c '^error: ' stderr)" = 20 ] || fail 'not 20 issues are shown'
says stderr '10 more issues are not shown; --report FILE'
expect 0 "$MILL" run bad --pipe "$P" --as null --on-error skip -v
[ "$(grep -c '^error: ' stderr)" = 30 ] || fail '-v does not show all issues'
expect 0 "$MILL" run bad --pipe "$P" --as null --on-error skip --json
json_holds stdout 'len(by("issue")) == 30 == total["skipped"] == total["samples"] == total["errors"] and total["written"] == 0'

# Substitute.
expect 0 "$MILL" run bad --pipe "$P" --out z --on-error substitute --json
json_holds stdout 'total["samples"] == 30 == total["written"] == total["substituted"] and total["skipped"] == 0'
[ -s z/bad-0.mask.npy ] || fail 'no mask'
expect 2 "$MILL" run bad --pipe "$P" --out zt --as tar --on-error substitute
says stderr '--as tar cannot mark'

# Budgets.
expect 1 "$MILL" run bad --pipe "$P" --as null --on-error skip --max-errors 29
says stderr 'note: allow more by --max-errors'
expect 0 "$MILL" run bad --pipe "$P" --as null --on-error skip --max-errors 30
expect 1 "$MILL" run bad --pipe "$P" --as null --on-error skip --max-errors 99%
expect 0 "$MILL" run bad --pipe "$P" --as null --on-error skip --max-errors 100%

# What ends a run is said once, and what to do.
expect 1 "$MILL" run bad --pipe "$P" --as null
[ "$(grep -c 'sample 0-1' stderr)" = 1 ] || fail "the bad sample is shown $(grep -c 'sample 0-1' stderr) times"
expect 2 "$MILL" run in --pipe sin --as null --memory 1M
says stderr 'note: --memory sets the budget'

# The operating system refuses: 3.
expect 3 "$MILL" run in --pipe sin --as null --report no/such/folder
says stderr 'no/such/folder'
expect 3 "$MILL" run in --pipe sin --as null --trace no/such/folder
says stderr 'no/such/folder'
expect 3 "$MILL" run in --pipe sin --out in/part-000.npy/x
says stderr 'in/part-000.npy/x'
if [ -c /dev/full ]; then
    expect 3 "$MILL" run bad --pipe "$P" --as null --on-error skip -q --report /dev/full
    says stderr 'No space left'
    for words in 'run in --pipe sin --as null' 'run in --pipe sin --as null --json' 'inspect in' 'inspect in --json' 'transforms' '--help'; do
        code=0
        "$MILL" $words >/dev/full 2>stderr || code=$?
        [ $code = 3 ] || fail "exit $code instead of 3 on a full device: $words"
        says stderr 'standard output'
    done
fi

# The reader goes away: quiet, and a run still does its work.
("$MILL" run bad --pipe "$P" --out pipe --on-error skip --json 2>stderr; echo $? >code) | head -n 1 >first
[ "$(cat code)" = 0 ] || fail "exit $(cat code) when the reader went away"
silent stderr
[ -s pipe/manifest.json ] || fail 'the run did not do its work'
("$MILL" transforms 2>stderr) | head -n 1 >first
silent stderr
[ -s first ] || fail 'nothing was read'

# Photographs.
photos=$(photographs)
if [ -n "$photos" ]; then
    set -- $(ls "$photos"/train-*.tar | head -2)
    expect 0 "$MILL" run "$@" --pipe 'decode | resize 64 | center_crop 56 | normalize imagenet | layout chw' --out photo --json
    json_holds stdout 'total["samples"] > 0 and total["samples"] == total["written"]'
    expect 0 "$MILL" run "$@" --pipe 'decode | resize 48' --out phototar --as tar --jpeg-quality 80 --jpeg-subsampling 444
    for shard in "$@"; do
        tar -tf "phototar/$(basename "$shard")" >members.txt || fail "GNU tar cannot read phototar/$(basename "$shard")"
        [ "$(grep -c 'jpg$' members.txt)" = "$(tar -tf "$shard" | grep -c 'jpg$')" ] || fail 'images are lost'
    done
    if [ -n "$python" ]; then
        "$python" "$SRC/tests/cli/readback.py" photo --complete || fail 'readback of photo'
        "$python" "$SRC/tests/cli/readback.py" phototar --complete || fail 'readback of phototar'
    fi
fi
finish
