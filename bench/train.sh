#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# bench/train.sh: `make bench-train`: random crops, mirrored, normalised f32, against a loop that only decodes.
set -eu
. "$SRC/bench/common.sh"
DATA=$(photos)
OUT=$(mktemp -d)
trap 'rm -rf "$OUT"' EXIT
warm "$DATA"
often "$DATA" "$OUT/in"
"$BUILD/bench/train" "${ROUNDS:-9}" "$OUT" "$OUT"/in/*.tar
