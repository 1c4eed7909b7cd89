#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# bench/utilisation.sh: `make bench-utilisation`: accelerator utilisation (see shardmill load --help) when the emulated
# step uses 80 % of what the cores can feed; ratio: the median of rounds. What they can feed is measured beside it.
# strict: without what the sleeps took too long.
set -eu
. "$SRC/bench/common.sh"
data=$(photos)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
warm "$data"/*.tar
batch=64
load() {
    "$MILL" load "$data"/*.tar --index "$folder" --shuffle --batch $batch --drop-last --json "$@" \
        --pipe 'decode | random_resized_crop 224 | hflip | normalize imagenet | layout chw' | tail -n 1
}
field() { sed 's/.*"'"$1"'":\([^,}]*\).*/\1/'; }

load --epochs 1 >/dev/null
printf '%8s %16s %10s %12s %8s %8s %10s\n' round 'can feed, /s' 'step, ms' utilisation strict wait bound
round=0
while [ $round -lt "${ROUNDS:-5}" ]; do
    round=$((round + 1))
    before=$(load --epochs 4 | field steady_samples_per_s)
    step=$(awk -v r="$before" -v b=$batch 'BEGIN {printf "%.2f", 1000 * b / (0.8 * r)}')
    load --epochs "${EPOCHS:-15}" --step-ms "$step" >"$folder/line"
    field utilisation <"$folder/line" >>"$folder/all"
    printf '%8s %16.0f %10s %12.3f %8.3f %8.3f %10s\n' $round "$before" "$step" \
        "$(field utilisation <"$folder/line")" "$(field utilisation_strict <"$folder/line")" \
        "$(field wait_share <"$folder/line")" "$(field bound <"$folder/line" | tr -d '"')"
done
sort -n "$folder/all" | awk '{v[NR] = $1} END {printf "utilisation ratio=%.3f target=0.97\n", v[int((NR + 1) / 2)]}'
