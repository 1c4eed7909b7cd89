#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# kill -9 at random moments, on photographs, into both sinks, up to four times before a run is let through: nothing half
# bears a final name, and in the end the folder has the bytes of an undisturbed run.
. "$SRC/tests/cli/common.sh"
ls "$SRC"/data/demo/*.tar >/dev/null 2>&1 || { echo 'skip: no demo data set'; exit 77; }
mkdir in
for i in 0 1 2 3; do
    for shard in "$SRC"/data/demo/*.tar; do cp "$shard" "in/$i-${shard##*/}"; done
done
RANDOM=${SEED:=$$}

set_command() { # SINK FOLDER
    if [ "$1" = npy ]; then
        command=("$MILL" run in --pipe 'decode | random_resized_crop 96 | hflip' --seed 7 --out "$2" --as npy --threads 2 -q)
    else
        command=("$MILL" run in --pipe 'decode | resize 128 filter=lanczos | center_crop 120' --out "$2" --as tar -q)
    fi
}
for sink in npy tar; do
    begin=$(date +%s%N)
    set_command $sink whole-$sink
    "${command[@]}" || fail "an undisturbed run into $sink"
    span=$((($(date +%s%N) - begin) / 1000))
    [ -z "$(find whole-$sink -name '*.partial' -o -name '*.journal')" ] || fail "leftovers: $(ls whole-$sink)"
done

# A kill that comes too late makes the next ones come sooner, so that they hit however busy the machine is.
kills=0
late=0
while [ $kills -lt 24 ] && [ $late -lt 60 ]; do
    for sink in npy tar; do
        part=part-$sink
        set_command $sink $part
        rm -rf $part
        for attempt in 1 2 3 4; do
            "${command[@]}" 2>error &
            child=$!
            moment=$(((RANDOM * 32768 + RANDOM) % (span + 1)))
            sleep "$(printf '%d.%06d' $((moment / 1000000)) $((moment % 1000000)))"
            kill -9 $child 2>/dev/null
            code=0
            wait $child 2>/dev/null || code=$?
            [ ! -s error ] || fail "seed $SEED: $(cat error)"
            for file in $part/*; do
                name=${file##*/}
                case $name in *.partial | manifest.* | '*') continue ;; esac
                cmp -s "$file" "whole-$sink/$name" || fail "seed $SEED: $file is not whole after a kill"
            done
            if [ $code = 137 ]; then
                kills=$((kills + 1))
            else
                late=$((late + 1))
                span=$((span * 3 / 4))
                break
            fi
        done
        "${command[@]}" || fail "seed $SEED: the run after the kills"
        diff -r whole-$sink $part >difference || fail "seed $SEED: $(head -3 difference)"
    done
done
echo "$kills runs killed, $late kills too late"
[ $kills -ge 20 ] || fail "only $kills runs were killed in time"
finish
