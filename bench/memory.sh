#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# make bench-memory: the most memory resident over a budget of 64 MiB, the whole process counted. 2 GB of tensors
# that exist in no file, and photographs: the same shards linked again and again (PHOTO_MB, default 256; the
# command does the work).
set -eu
BUDGET=64
worst=0
note() { # name, peak in KiB
    worst=$(awk -v a="$worst" -v p="$2" -v b=$BUDGET 'BEGIN { r = p / 1024 / b; printf "%.3f", (r > a ? r : a) }')
    awk -v n="$1" -v p="$2" -v b=$BUDGET 'BEGIN { printf "%-44s %6.1f MiB of %d\n", n, p / 1024, b }'
}

peak_of() { # command and arguments; prints its peak in KiB
    "$BUILD/bench/peak" "$@" 2>peak.log >peak.out || { cat peak.out peak.log >&2; exit 1; }
    tail -n 1 peak.log
}

for threads in 2 8; do
    peak=$(OMP_NUM_THREADS=$threads peak_of "$BUILD/bench/memory" $BUDGET)
    note "2 GB of tensors, $threads threads" "$peak"
done

set -- "$SRC"/data/demo/train-*.tar
if [ -x "${MILL:-}" ] && [ -f "$1" ]; then
    mkdir links
    made=0
    round=100
    while [ $made -lt $((${PHOTO_MB:-256} * 1048576)) ]; do
        for shard; do
            ln -s "$shard" "links/$round-${shard##*/}"
            made=$((made + $(wc -c <"$shard")))
        done
        round=$((round + 1))
    done
    for as in npy tar; do
        peak=$(peak_of "$MILL" run "links/*.tar" --pipe "decode | resize 48x48" --out "out-$as" --as $as \
            --memory ${BUDGET}M --threads 2)
        note "$((made / 1048576)) MB of photographs to $as" "$peak"
        rm -rf "out-$as"
    done
else
    echo "no command or no data/demo: photographs are not measured"
fi
echo "memory ratio=$worst target=1.0"
