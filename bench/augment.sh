#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# bench/augment.sh: `make bench-augment`: augmentations of one image beside Pillow and torchvision, on one core.
set -eu
. "$SRC/bench/common.sh"
"$PYTHON" -c 'import numpy, PIL' 2>/dev/null || {
    echo "skip: $PYTHON has no Pillow or no NumPy"
    exit 77
}
DATA=$(photos)
exec "$PYTHON" "$SRC/bench/augment.py" "$BUILD/bench/augment" "$DATA"/train-000000.tar
