#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# load --state: what is stopped after any batch, by --max-batches or by a signal, and continued, has the batches of an
# undisturbed run; also with other threads and another number of ranks. States that are wrong are refused untouched.
. "$SRC/tests/cli/common.sh"
export XDG_CACHE_HOME=$PWD/cache
photos=$(photographs)
if [ -n "$photos" ]; then
    set -- "$photos"/train-*.tar --pipe 'decode | random_resized_crop 32 | hflip | normalize imagenet' --first 40 --index "$PWD/index"
else
    arrays in 4 10
    set -- in --pipe 'sin | mul 3'
    echo 'there are no photographs: arrays instead'
fi
batches() { grep '^batch ' "$1"; }

for order in '' '--shuffle --seed 7' '--shuffle global --repeat 2'; do
    words="$order --batch 8 --epochs 2"
    expect 0 "$MILL" load "$@" $words --digest=batches -q
    batches stdout >whole
    n=$(wc -l <whole)
    for ((cut = 1; cut <= n; cut++)); do
        rm -f state
        "$MILL" load "$@" $words --digest=batches -q --state state --max-batches $cut >first 2>stderr || fail "$order: first $cut: $(cat stderr)"
        "$MILL" load "$@" $words --digest=batches -q --state state --threads $((1 + cut % 3)) >second 2>stderr ||
            fail "$order: after $cut: $(cat stderr)"
        [ "$(batches first | wc -l)" = $cut ] || fail "$order: --max-batches $cut gave $(batches first | wc -l)"
        batches first | cat - <(batches second) | cmp -s - whole || fail "$order: cut after $cut of $n batches, the rest differs"
    done
    # in single batches
    rm -f state
    : >parts
    for ((i = 0; i < n; i++)); do
        "$MILL" load "$@" $words --digest=batches -q --state state --max-batches 1 >>parts 2>stderr || fail "$order: batch $i: $(cat stderr)"
    done
    batches parts | cmp -s - whole || fail "$order: batch by batch differs"
    # another number of ranks with the same global batch
    for rank in 0 1; do
        "$MILL" load "$@" $order --batch 4 --epochs 2 --rank $rank --world-size 2 --digest=batches -q >half 2>stderr || fail "half: $(cat stderr)"
        rm -f state
        "$MILL" load "$@" $words -q --state state --max-batches 3 >stdout 2>stderr || fail "first 3: $(cat stderr)"
        "$MILL" load "$@" $order --batch 4 --epochs 2 --rank $rank --world-size 2 --digest=batches -q --state state >rest 2>stderr ||
            fail "$order: two ranks go on: $(cat stderr)"
        cmp -s <(batches half | tail -n +4) <(batches rest) || fail "$order: rank $rank of 2 goes on differently"
    done
done

# ---- signals ----
for number in TERM INT HUP; do
    rm -f state
    : >parts
    code=75
    for _ in 1 2 3 4 5 6 7 8 9; do
        # Python, because a shell's background jobs ignore SIGINT
        code=$("${PYTHON:-python3}" - SIG$number "$MILL" load "$@" --shuffle --batch 4 --epochs 2 --step-ms 20 --digest=batches -q --state state <<'END_PYTHON'
import signal, subprocess, sys, time
with open("part", "w") as out, open("part.err", "w") as err:
    child = subprocess.Popen(sys.argv[2:], stdout=out, stderr=err)
    time.sleep(0.25)
    child.send_signal(getattr(signal, sys.argv[1]))
    child.send_signal(getattr(signal, sys.argv[1])) # batch systems do that; it is one request
    print(child.wait())
END_PYTHON
        )
        cat part >>parts
        [ "$code" = 75 ] || break
        says part.err 'the same command goes on'
    done
    [ "$code" = 0 ] || "$MILL" load "$@" --shuffle --batch 4 --epochs 2 --digest=batches -q --state state >>parts
    "$MILL" load "$@" --shuffle --batch 4 --epochs 2 --digest=batches -q >whole
    cmp -s <(batches parts) <(batches whole) || fail "SIG$number: the parts are not the whole: exit $code, $(cat part.err)"
    grep -q '^digest' part || fail "SIG$number: no digest"
done
[ -z "$(find . -name 'state.*')" ] || fail "left behind: $(ls state.*)"
expect 0 "$MILL" load "$@" --shuffle --batch 4 --epochs 2 --state state --json
says stderr 'nothing is left to do'
json_holds stdout 'total["batches"] == 0 and total["wait_share"] is None'
expect 0 "$MILL" load "$@" --shuffle --batch 4 --epochs 3 --state state --json
json_holds stdout 'total["batches"] == 10 and total["epochs"] == 1 and [r["epoch"] for r in by("epoch")] == [2]'

# ---- what is refused, and stays as it was ----
before=$(cat state)
refused() { # CODE TEXT ARGUMENTS...
    local code=$1 text=$2
    shift 2
    expect "$code" "$MILL" load "$@"
    says stderr "$text"
    [ "$before" = "$(cat state)" ] || fail "a refused state was changed: $*"
}
refused 2 'another data set, pipeline, seed or order' "$@" --shuffle --batch 4 --epochs 4 --state state --seed 1
refused 2 'another data set, pipeline, seed or order' "$@" --batch 4 --epochs 4 --state state
refused 2 'keep the product' "$@" --shuffle --batch 5 --epochs 4 --state state
echo 'no state at all' >garbage
refused 2 'is no state' "$@" --state garbage
head -c 3000 /dev/zero >zeros
refused 2 'holds no state' "$@" --state zeros
refused 3 'cannot write the state' "$@" --state no/such/folder/state
refused 3 'cannot read the state' "$@" --state .

# ---- a failure keeps the place before the batch that was not given ----
bad=$SRC/data/corrupt/bad-000000.tar
if [ -e "$bad" ]; then
    rm -f state
    expect 1 "$MILL" load "$bad" --pipe 'decode | resize 8x8' --batch 1 --state state
    says state 'epoch 0 step 0 '
fi
finish
