#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# shardmill load --mix: the same batches whatever makes them, wherever they are continued, on any number of ranks;
# others for another way, ALPHA or seed; a digest that sees the shares alone; words that are wrong. What is in a
# digest is checked by test_load.sh, what is in mixed rows by test_loader_mix.
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
    [ "$1" != "$2" ] && [[ "$1" == digest\ * ]] && [[ "$2" == digest\ * ]] || fail "$3: \"$2\""
}

arrays in 3 25
plain=(in --pipe 'mul 3' --batch 10 --shuffle --epochs 2)
mixed=("${plain[@]}" --mix mixup:0.2)
want=$(digest_of "${mixed[@]}")
for way in '--threads 1' '--threads 3' '--executor loop --threads 2' '--io threads' '--prefetch 1' '--step-ms 2'; do
    same "$want" "$(digest_of "${mixed[@]}" $way)" "$way"
done
other "$want" "$(digest_of "${plain[@]}")" 'mixed and not'
other "$want" "$(digest_of "${plain[@]}" --mix mixup)" 'another ALPHA'
other "$want" "$(digest_of "${mixed[@]}" --seed 1)" 'another seed'
same "$(digest_of "${plain[@]}" --mix mixup)" "$(digest_of "${plain[@]}" --mix=mixup:1)" 'ALPHA is 1 if it is not given'
same "$(digest_of "${plain[@]}" --mix mixup:2)" "$(digest_of "${plain[@]}" --mix mixup:0.2e1)" 'ALPHA as 2 and as 0.2e1'

# where every row is zeros only the shares tell one ALPHA from another
zeros=(in --pipe 'mul 0' --batch 10)
other "$(digest_of "${zeros[@]}" --mix mixup:0.2)" "$(digest_of "${zeros[@]}" --mix mixup:0.3)" 'other shares'
# ... and a batch of one row has none but 1
same "$(digest_of in --pipe '' --batch 1 --mix mixup:0.2)" "$(digest_of in --pipe '' --batch 1 --mix mixup:0.3)" 'rows alone'

photos=$(photographs)
if [ -n "$photos" ]; then
    shards=("$photos"/train-*.tar)
    images=("${shards[@]}" --pipe 'decode | resize 32x24 | hflip' --batch 6 --first 40)
    other "$(digest_of "${images[@]}" --mix cutmix)" "$(digest_of "${images[@]}" --mix mixup)" 'cutmix and mixup'
    other "$(digest_of "${images[@]}" --mix cutmix)" "$(digest_of "${images[@]}")" 'cutmix and nothing'
    same "$(digest_of "${images[@]}" --mix cutmix:2)" "$(digest_of "${images[@]}" --mix cutmix:2 --threads 5)" 'cutmix, threads'
    planes=("${shards[@]}" --pipe 'decode | resize 32x24 | normalize imagenet | layout chw' --batch 6 --first 40)
    other "$(digest_of "${planes[@]}" --mix cutmix)" "$(digest_of "${planes[@]}")" 'cutmix of planes and nothing'
else
    echo 'there are no photographs: cutmix is left to test_loader_mix'
fi

# ---- interrupted and continued: the lines of an undisturbed run ----
"$MILL" load "${mixed[@]}" --digest=batches -q >whole || fail 'an undisturbed run'
"$MILL" load "${mixed[@]}" --digest=batches -q --state place --max-batches 5 >parts || fail 'the first part'
"$MILL" load "${mixed[@]}" --digest=batches -q --state place >>parts || fail 'the rest'
grep ^batch whole >want.lines
grep ^batch parts >got.lines
[ "$(wc -l <want.lines)" = 16 ] || fail "an undisturbed run has $(wc -l <want.lines) batches"
diff want.lines got.lines >difference || fail "a continued run differs: $(head -5 difference)"
rm place
"$MILL" load "${mixed[@]}" -q --state place --max-batches 5 || fail 'a part'
expect 2 "$MILL" load "${plain[@]}" --state place
expect 2 "$MILL" load "${plain[@]}" --state place --mix mixup:0.3

# ---- words that are wrong ----
wrong() { # wrong "text of the message" ARGUMENTS...
    local text=$1
    shift
    expect 2 "$MILL" load "$@"
    silent stdout
    says stderr "$text"
}
for words in '' mix mixu mixupp MIXUP :1 'mixup 1'; do
    wrong 'expected mixup or cutmix' in --pipe sin --mix "$words"
done
for alpha in '' 0 -1 x 1x nan inf 0x1 1001 '1 '; do
    wrong 'a number from 0.001 to 1000' in --pipe sin --mix "mixup:$alpha"
done
wrong 'needs a value' in --pipe sin --mix
expect 2 "$MILL" load in --pipe sin --mix cutmix
says stderr 'cutmix exchanges parts of images'
finish
