#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# bench/eval.sh: `make bench-eval`. Photographs from ../shared where they are, else made by $BUILD/synth.
# The page cache is warm: bench/eval reads every shard before it measures.
set -eu
DATA=$SRC/../shared/data/imagenet-300
if ! ls "$DATA"/*.tar >/dev/null 2>&1; then
    DATA=$PWD/synth
    if [ ! -x "$BUILD/synth" ]; then
        echo "neither ../shared/data/imagenet-300 nor \$BUILD/synth is there"
        exit 77
    fi
    [ -d "$DATA" ] || "$BUILD/synth" "$DATA" --shards 6 --samples-per-shard 50 >/dev/null
fi
echo "data: $DATA"
OUT=$(mktemp -d)
trap 'rm -rf "$OUT"' EXIT
"$BUILD/bench/eval_cost" "$DATA"/*.tar
"$BUILD/bench/eval" "${THREADS:-2}" "${ROUNDS:-9}" "$OUT" "$DATA"/*.tar
