#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# make bench-first: time from the start of a process to its first finished sample, on a spec of 1000 shards.
set -eu
set -- "$SRC"/data/demo/train-*.tar
[ -f "$1" ] || { echo "no data/demo"; exit 77; }
mkdir shards
i=0
while [ $i -lt 1000 ]; do
    for shard; do
        ln -s "$shard" "shards/s-$(printf %04d $i).tar"
        i=$((i + 1))
    done
done
pipe="decode | resize 256 | center_crop 224 | normalize imagenet | layout chw"
"$BUILD/bench/first" "shards/s-{0000..0999}.tar" "$pipe" >braces
"$BUILD/bench/first" "shards/*.tar" "$pipe" >glob
echo "braces:"
sed '$d' braces
echo "glob:"
sed '$d' glob
awk '{ n = $1 } END { printf "first ratio=%.3f target=1.0\n", n / 100 }' braces
