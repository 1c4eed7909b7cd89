#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Augmentations of random JPEGs, against Pillow where the distribution's Python has it.
[ -x /usr/bin/python3 ] || { echo "skip: no /usr/bin/python3"; exit 77; }
exec /usr/bin/python3 "$SRC/tests/oracle/augment.py" "$MILL" "${ORACLE_CASES:-80}"
