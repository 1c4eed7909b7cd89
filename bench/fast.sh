#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# bench/fast.sh: `make bench-fast`: accuracy and speed of decode scale=fast, dct=fast and upsampling=fast.
set -eu
. "$SRC/bench/common.sh"
DATA=$(photos)
exec "$BUILD/bench/fast" "$DATA"/*.tar
