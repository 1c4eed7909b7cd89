#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# bench/resident.sh: `make bench-resident`: resident memory over 200 epochs of the demo data; ratio: peak over budget,
# or more than 1 if it grows.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"$BUILD/bench/resident" "${EPOCHS:-200}" "${BUDGET:-128}" "$SRC/data/demo/train-{000000..000003}.tar" "$folder"
