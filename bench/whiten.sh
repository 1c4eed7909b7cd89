#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# make bench-whiten: whitening .npy shards beside NumPy, scikit-learn (where installed) and a bare loop of products.
set -eu
. "$SRC/bench/common.sh"
data=$BUILD/bench-data/whiten
if [ ! -f "$data/made" ]; then
    rm -rf "$data"
    mkdir -p "$data"
    "$BUILD/bench/whiten" make "$data"
    touch "$data/made"
fi
warm "$data"
OMP_NUM_THREADS=2 OPENBLAS_NUM_THREADS=2 "$PYTHON" "$SRC/bench/whiten.py" "$data" || echo "NumPy           not installed"
exec "$BUILD/bench/whiten" measure "$data"
