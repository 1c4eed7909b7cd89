#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# bench/eval.sh: `make bench-eval`: resize 256, crop 224, normalised f32, against a loop that only decodes.
set -eu
. "$SRC/bench/common.sh"
DATA=$(photos)
OUT=$(mktemp -d)
trap 'rm -rf "$OUT"' EXIT
warm "$DATA"
often "$DATA" "$OUT/in"
"$BUILD/bench/eval_cost" "$DATA"/*.tar
"$BUILD/bench/eval" "${ROUNDS:-9}" "$OUT" "$OUT"/in/*.tar
