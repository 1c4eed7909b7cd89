#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# bench/peers.sh: `make bench-peers`: whole pipelines beside torchvision, Pillow, OpenCV and libvips, those that are
# installed (Debian: python3-torchvision, python3-pil, python3-opencv; PyPI: pyvips[binary]), and beside the entropy
# decoding that none of them can do without. The shards come four times over, so that a pass is long enough.
set -eu
. "$SRC/bench/common.sh"
DATA=$(photos)
OUT=$(mktemp -d)
trap 'rm -rf "$OUT"' EXIT
warm "$DATA"
often "$DATA" "$OUT"
"$PYTHON" "$SRC/bench/peers/table.py" "$MILL" "$BUILD/bench/entropy_loop" "$OUT"/*.tar
