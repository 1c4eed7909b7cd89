#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What pipelines make of data/demo has the checksums that Pillow's results have (data/golden.txt).
. "$SRC/tests/cli/common.sh"

# pixels FILE.npy: what stands behind the header, whose length is at byte 8.
pixels() {
    local length
    length=$(od -An -tu2 -j8 -N2 "$1")
    tail -c +$((10 + length + 1)) "$1"
}

compared=0
while read -r wanted pipeline; do
    [ "$wanted" != '#' ] || continue
    rm -rf out
    expect 0 "$MILL" run "$SRC/data/demo/train-{000000..000003}.tar" --pipe "$pipeline" --out out
    got=$(for file in out/*.image.npy; do pixels "$file"; done | sha256sum)
    [ "${got%% *}" = "$wanted" ] || fail "other pixels than Pillow's: $pipeline"
    compared=$((compared + 1))
done <"$SRC/data/golden.txt"
[ $compared -ge 20 ] || fail "only $compared pipelines were compared"
echo "$compared pipelines over data/demo are those of data/golden.txt"
finish
