#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# examples/train_softmax: learns; stopped anywhere, by request, signal or kill, and resumed with other threads, it ends
# with the checkpoint of an undisturbed job, byte for byte, and so with the same loss.
. "$SRC/tests/cli/common.sh"
export XDG_CACHE_HOME=$PWD/cache
train=$BUILD/examples/train_softmax
if [ ! -x "$train" ]; then echo "no $train: make examples"; exit 77; fi
if [ ! -e "$SRC/data/demo/train-000003.tar" ]; then echo 'the demo data are not there'; exit 77; fi
epochs=6 # of 6 batches

expect 0 "$train" --epochs $epochs --checkpoint whole
cp stdout whole.out
[ "$(grep -c '^epoch' whole.out)" = $epochs ] || fail "$(cat whole.out)"
awk 'NR == 1 {first = $4} {last = $4} END {exit !(last < first / 2)}' whole.out ||
    fail "the loss does not fall to half: $(cat whole.out)"
awk 'END {exit !($7 > 60)}' whole.out || fail "it does not learn: $(tail -n 1 whole.out)"
lines() { sed -n 's/\(.*\) samples.*/\1/p' "$@" | sed 's/ *[0-9]*$//'; } # without the figures that vary

ended_alike() { # WHAT
    cmp -s whole part || fail "$1: the checkpoint differs"
    cmp -s <(lines whole.out | tail -n 1) <(lines stdout | tail -n 1) || fail "$1: \"$(tail -n 1 stdout)\" instead of \"$(tail -n 1 whole.out)\""
}
for stop in 1 5 6 7 17; do
    rm -f part
    expect 0 "$train" --epochs $epochs --checkpoint part --stop-after $stop
    says stdout '--resume goes on'
    expect 0 "$train" --epochs $epochs --checkpoint part --resume --threads $((1 + stop % 3))
    ended_alike "stopped after $stop"
done
rm -f part
for ((i = 0; i < epochs * 6; i++)); do # every batch by another process
    expect 0 "$train" --epochs $epochs --checkpoint part --stop-after 1 $([ $i = 0 ] || echo --resume) --threads $((1 + i % 2))
done
expect 0 "$train" --epochs $epochs --checkpoint part --resume
ended_alike 'batch by batch'
OMP_NUM_THREADS=3 expect 0 "$train" --epochs $epochs --checkpoint part
ended_alike 'three threads'

# Signals come at any moment, too early or too late as it happens: resumed until all is done, it must end alike.
for number in TERM KILL; do
    rm -f part
    resume=
    for i in 1 2 3 4 5 6 7 8 9 10 11 12; do
        "$train" --epochs $epochs --checkpoint part $resume >stdout 2>stderr &
        sleep 0.0$((3 + i % 7))
        kill -$number $! 2>/dev/null
        code=0
        wait $! 2>/dev/null || code=$?
        case $number$code in
        *0) break ;;
        TERM75) says stdout 'stopped' ;;
        TERM143 | KILL137) ;; # before the handler was there
        *) fail "SIG$number: exit $code: $(cat stderr)" ;;
        esac
        resume=$([ ! -e part ] || echo --resume)
    done
    expect 0 "$train" --epochs $epochs --checkpoint part $([ ! -e part ] || echo --resume)
    cmp -s whole part || fail "SIG$number: the checkpoint differs"
done

expect 0 "$train" --epochs $epochs --checkpoint part --resume
says stdout 'are done'
head -c 100 whole >broken
expect 1 "$train" --epochs $epochs --checkpoint broken --resume
says stderr 'no checkpoint'
expect 1 "$train" --epochs $epochs --data "$SRC/data/demo/train-000000.tar" --checkpoint whole --resume
says stderr 'another data set'
SRC=$PWD expect 0 "$train"
says stdout 'nothing was trained'
expect 2 "$train" --resume
finish
