#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# bench/loader.sh: `make bench-loader`: batches over offline throughput, and the time of next(). ratio: the worse of
# in order and shuffled. The page cache is warm.
set -eu
. "$SRC/bench/common.sh"
data=$(photos)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
warm "$data"/*.tar
"$BUILD/bench/loader" "$data/*.tar" "$folder" "${ROUNDS:-5}"
