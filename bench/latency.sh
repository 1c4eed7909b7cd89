#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# bench/latency.sh: `make bench-latency`: compute threads' busy share with 5, 20 and 100 ms in every read; ratio: the
# worst.
set -eu
. "$SRC/bench/common.sh"
data=$(photos)
"$BUILD/bench/latency" "${EPOCHS:-6}" "$data"/*.tar
