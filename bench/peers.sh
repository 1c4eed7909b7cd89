#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# bench/peers.sh: `make bench-peers`: whole pipelines beside torchvision, Pillow and OpenCV, those that are installed
# (Debian: python3-torchvision, python3-pil, python3-opencv).
set -eu
. "$SRC/bench/common.sh"
DATA=$(photos)
warm "$DATA"
exec "$PYTHON" "$SRC/bench/peers/table.py" "$MILL" "$DATA"/*.tar
