#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# shardmill load: its digest is what is documented and does not depend on how batches are made; ranks, order, bad
# samples, figures and words that are wrong.
. "$SRC/tests/cli/common.sh"
export XDG_CACHE_HOME=$PWD/cache
unset RANK WORLD_SIZE OMPI_COMM_WORLD_RANK PMIX_RANK PMI_RANK SLURM_PROCID SHARDMILL_RANK

digest_of() { # ARGUMENTS...: the digest of a run
    "$MILL" load "$@" --digest -q 2>stderr || echo "exit $?: $(head -c 300 stderr)"
}
same() { # WANT GOT WHAT
    [ "$1" = "$2" ] && [[ "$1" == digest\ * ]] || fail "$3: \"$2\" instead of \"$1\""
}
other() { # ONE ANOTHER WHAT
    [ "$1" != "$2" ] && [[ "$2" == digest\ * ]] || fail "$3: \"$2\""
}

# ---- the digest by another hand: XXH64 over the bytes of batches that Python puts together ----
arrays in 3 25
"$MILL" inspect in --samples --json >samples
"${PYTHON:-python3}" - <<'END_PYTHON' >want || fail 'the digest by Python'
import json, struct, sys
P = [0x9e3779b185ebca87, 0xc2b2ae3d27d4eb4f, 0x165667b19e3779f9, 0x85ebca77c2b2ae63, 0x27d4eb2f165667c5]
M = 2**64 - 1
rot = lambda x, n: (x << n | x >> (64 - n)) & M
lane = lambda acc, x: rot((acc + x * P[1]) & M, 31) * P[0] & M
def xxh64(data):
    at = 0
    if len(data) >= 32:
        v = [(P[0] + P[1]) & M, P[1], 0, -P[0] & M]
        while at + 32 <= len(data):
            v = [lane(v[i], w) for i, w in enumerate(struct.unpack_from("<4Q", data, at))]
            at += 32
        h = (rot(v[0], 1) + rot(v[1], 7) + rot(v[2], 12) + rot(v[3], 18)) & M
        for x in v:
            h = ((h ^ lane(0, x)) * P[0] + P[3]) & M
    else:
        h = P[4]
    h = (h + len(data)) & M
    while at + 8 <= len(data):
        h = (rot(h ^ lane(0, struct.unpack_from("<Q", data, at)[0]), 27) * P[0] + P[3]) & M
        at += 8
    if at + 4 <= len(data):
        h = (rot(h ^ struct.unpack_from("<I", data, at)[0] * P[0] & M, 23) * P[1] + P[2]) & M
        at += 4
    for byte in data[at:]:
        h = rot(h ^ byte * P[4] & M, 11) * P[0] & M
    h = (h ^ h >> 33) * P[1] & M
    h = (h ^ h >> 29) * P[2] & M
    return h ^ h >> 32
assert xxh64(b"") == 0xef46db3751d8e999
rows = []
for row in map(json.loads, open("samples")):
    if row["type"] == "sample":
        data = open(row["shard"], "rb").read()[128 + row["sample"] * 256:][:256]
        rows.append((data, row["shard"], row["sample"], row["key"].encode()))
shards = sorted({row[1] for row in rows})
i64 = lambda values: b"".join(struct.pack("<q", v) for v in values)
def tell(size, mixed, file):
    all_batches = b""
    for begin in range(0, len(rows), size):
        batch = rows[begin:begin + size]
        own = b"".join(r[0] for r in batch) + i64([-1] * len(batch)) + b"\1" * len(batch)
        own += i64(shards.index(r[1]) for r in batch) + i64(r[2] for r in batch)
        if mixed:
            own += i64([-1] * len(batch)) + struct.pack("<f", 1) * len(batch)
        own += b"".join(r[3] + b"\0" + i64([-1]) for r in batch)
        all_batches += struct.pack(">Q", xxh64(own))
        print(f"batch 0 {begin // size} rows {len(batch)} digest {xxh64(own):016x}", file=file)
    print(f"digest {xxh64(all_batches):016x} of {len(all_batches) // 8} batches", file=file)
tell(7, False, sys.stdout)
tell(1, True, open("want.alone", "w")) # a row alone is mixed with none
END_PYTHON
"$MILL" load in --pipe '' --batch 7 --digest=batches -q >got 2>stderr || fail "load of arrays: $(cat stderr)"
diff want got >difference || fail "digests are not what is documented: $(head -5 difference)"
"$MILL" load in --pipe '' --batch 1 --mix mixup --digest=batches -q >got 2>stderr || fail "load --mix: $(cat stderr)"
diff want.alone got >difference || fail "digests of mixed batches are not what is documented: $(head -5 difference)"
"$MILL" load in --pipe '' -b7 --digest=batches --json >got.json || fail 'load --json'
json_holds got.json '[r["digest"] for r in by("batch")] == [l.split()[-1] for l in open("want")][:-1]'
json_holds got.json 'total["digest"] == open("want").readlines()[-1].split()[1]'
json_holds got.json 'total["samples"] == 75 and total["batches"] == 11 and total["epochs"] == 1 and len(by("epoch")) == 1'

# ---- the same whatever makes it; another where it should be ----
photos=$(photographs)
if [ -n "$photos" ]; then
    set -- "$photos"/train-*.tar --pipe 'decode | random_resized_crop 48 | hflip | normalize imagenet' --batch 10 --first 60 --epochs 2
else
    set -- in --pipe 'sin | mul 3' --batch 10 --epochs 2
    echo 'there are no photographs: arrays instead'
fi
for order in '' '--shuffle' '--shuffle global'; do
    want=$(digest_of "$@" $order)
    for way in '--threads 1' '--threads 3' '--threads 8 --io-depth 1' '--executor loop' '--executor loop --threads 1' \
        '--io threads' '--prefetch 1' '--prefetch 9 --io-depth 64' '--memory 64M' '--step-ms 3' '--index none' "--index $PWD/index"; do
        same "$want" "$(digest_of "$@" $order $way)" "$order $way"
    done
    same "$want" "$(OMP_NUM_THREADS=5 digest_of "$@" $order)" "$order with OMP_NUM_THREADS"
    other "$want" "$(digest_of "$@" $order --batch 11)" "$order, other batches"
done
plain=$(digest_of "$@") shuffled=$(digest_of "$@" --shuffle)
other "$plain" "$shuffled" 'shuffled and not'
other "$shuffled" "$(digest_of "$@" --shuffle --seed 1)" 'another seed'
narrow=$(digest_of "$@" --shuffle --window 4)
other "$shuffled" "$narrow" 'another window'
other "$narrow" "$(digest_of "$@" --shuffle global)" 'another way to shuffle'
for words in '--shuffle window' '--shuffle=window' '--shuffle --window 8192'; do
    same "$shuffled" "$(digest_of "$@" $words)" "$words"
done
same "$(digest_of in --pipe sin --shuffle)" "$(digest_of --shuffle in --pipe sin)" '--shuffle before an operand'
# a digest that leaves nothing out sees one changed byte
before=$(digest_of in --pipe '')
cp -r in changed
printf '\1' | dd of=changed/part-001.npy bs=1 seek=3000 conv=notrunc 2>/dev/null
other "$before" "$(digest_of changed --pipe '')" 'a changed byte'

# ---- ranks: as many batches each, every sample once ----
for world in 1 2 3 5; do
    : >ranks
    for ((rank = 0; rank < world; rank++)); do
        "$MILL" load in --pipe '' --batch 4 --shuffle --rank $rank --world-size $world --json | tail -n 1 >>ranks
    done
    json_holds ranks "len(rows) == $world and len({r['batches'] for r in rows}) == 1 and sum(r['samples'] for r in rows) == 75"
    json_holds ranks "all(r['world_size'] == $world and r['rank'] == i for i, r in enumerate(rows))"
done
given=$(digest_of in --pipe '' --rank 1 --world-size 2)
same "$given" "$(RANK=1 WORLD_SIZE=2 digest_of in --pipe '')" 'ranks by the environment'
same "$given" "$(SLURM_PROCID=1 SLURM_STEP_NUM_TASKS=2 SLURM_STEP_ID=0 digest_of in --pipe '')" 'ranks by Slurm'
RANK=1 WORLD_SIZE=2 "$MILL" load in --pipe '' -v >stdout 2>stderr || fail 'load -v'
says stderr 'ranks: rank 1 of 2, by RANK and WORLD_SIZE'
says stderr 'compute threads, by'
says stderr 'executor: '

# ---- the figures ----
expect 0 "$MILL" load in --pipe sin --batch 5 --epochs 2 --step-ms 2 --json
json_holds stdout 'total["batches"] == 30 and total["elapsed_s"] >= 30 * 0.002 and 0 < total["utilisation_strict"] <= total["utilisation"] <= 1'
json_holds stdout '0 < total["utilisation_with_first"] < 1 and 0 < total["first_batch_s"] < total["elapsed_s"]'
json_holds stdout 'total["bound"] in ("step", "digest", "compute", "reads", "memory", "unknown") and total["next"]'
json_holds stdout '0 <= total["wait_share"] <= 1 and total["status"] == "ok" and total["exit"] == 0'
expect 0 "$MILL" load in --pipe sin --batch 5 --epochs 2 --step-ms 2
for word in 'utilisation' 'samples/s' 'spent waiting' 'bound' 'next' 'first ' 'in place of an accelerator'; do
    says stdout "$word"
done
expect 0 "$MILL" load in --pipe sin --max-batches 3 --batch 2 --json
json_holds stdout 'total["batches"] == 3 and total["samples"] == 6 and total["epochs"] == 0'
expect 0 "$MILL" load in --pipe sin --batch 50 --drop-last --repeat 3 --json
json_holds stdout 'total["batches"] == 4 and total["samples"] == 200'
expect 0 "$MILL" load in --pipe sin -q
silent stdout
silent stderr
expect 0 "$MILL" load in --pipe sin --trace trace.json -q
grep -q transform trace.json || fail 'the trace does not show transforms'

# ---- bad samples ----
bad=$SRC/data/corrupt/bad-000000.tar
if [ -e "$bad" ]; then
    expect 1 "$MILL" load "$bad" --pipe 'decode | resize 32x32' --batch 2
    says stderr 'error: '
    expect 0 "$MILL" load "$bad" --pipe 'decode | resize 32x32' --on-error skip --batch 2 --json
    json_holds stdout 'total["skipped"] > 0 and total["substituted"] == 0 and by("issue")'
    expect 0 "$MILL" load "$bad" --pipe 'decode | resize 32x32' --on-error substitute --batch 2 --json
    json_holds stdout 'total["substituted"] > 0 and total["skipped"] == 0'
    expect 1 "$MILL" load "$bad" --pipe 'decode | resize 32x32' --on-error skip --max-errors 1
    for policy in skip substitute; do
        want=$(digest_of "$bad" --pipe 'decode | resize 32x32' --shuffle --batch 3 --on-error $policy --epochs 3)
        same "$want" "$(digest_of "$bad" --pipe 'decode | resize 32x32' --shuffle --batch 3 --on-error $policy --epochs 3 --threads 1 --executor loop)" \
            "$policy in another executor"
    done
fi

# ---- words that are wrong ----
wrong() { # wrong "text of the message" ARGUMENTS...
    local text=$1
    shift
    expect 2 "$MILL" "$@"
    silent stdout
    says stderr "$text"
}
wrong 'needs SPEC' load --pipe sin
wrong 'needs --pipe' load in
wrong '--rank needs --world-size' load in --pipe sin --rank 1
wrong '--world-size needs --rank' load in --pipe sin --world-size 2
wrong '--max-errors needs' load in --pipe sin --max-errors 2
wrong '--window needs' load in --pipe sin --window 2
wrong '--shuffle is "all"' load in --pipe sin --shuffle=all
wrong '--step-ms is "-1"' load in --pipe sin --step-ms -1
wrong '--step-ms is "fast"' load in --pipe sin --step-ms fast
wrong '--batch is "0"' load in --pipe sin --batch 0
wrong '--epochs is "0"' load in --pipe sin --epochs 0
wrong 'did you mean --shuffle?' load in --pipe sin --shufle
wrong '         ^' load in --pipe 'sin | scal 2'
expect 2 "$MILL" load in --pipe sin --rank 2 --world-size 2
says stderr 'rank 2 of 2'
expect 2 "$MILL" load no-such.tar --pipe sin
says stderr no-such.tar
finish
