#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Random pipelines over random JPEGs, against Pillow where the distribution's Python has it.
[ -x /usr/bin/python3 ] || { echo "skip: no /usr/bin/python3"; exit 77; }
exec /usr/bin/python3 "$SRC/tests/oracle/oracle.py" "$MILL" "${ORACLE_CASES:-300}"
