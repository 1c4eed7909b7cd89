#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# bench/resample.sh: `make bench-resample`: the resample passes alone beside Pillow's resize, on one core.
set -eu
"$PYTHON" -c 'import numpy, PIL' 2>/dev/null || {
    echo "skip: $PYTHON has no Pillow or no NumPy"
    exit 77
}
exec "$PYTHON" "$SRC/bench/resample.py" "$BUILD/bench/resample"
