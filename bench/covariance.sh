#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# bench/covariance.sh: `make bench-covariance`: stats --covariance of 1 GB of .npy shards over a bare ssyrk loop. The
# shards are kept in $BUILD/bench-data.
set -eu
. "$SRC/bench/common.sh"
mkdir -p "$BUILD/bench-data"
"$BUILD/bench/covariance" make "$BUILD/bench-data/covariance"
# What was just made is written to disk first: not while the clock runs.
sync "$BUILD/bench-data/covariance"/*.npy
OPENBLAS_NUM_THREADS=1 "$BUILD/bench/covariance" "${ROUNDS:-9}" "$MILL" "$BUILD/bench-data/covariance" "$PWD/covariance.json"
