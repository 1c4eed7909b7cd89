#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# bench/firstbatch.sh: `make bench-firstbatch`: the first batch of 64 on 1000 shards of 50 photographs, beyond the time
# of making 64 samples; ratio: the worst over 100 ms. The shards are hard links of a few files: the names and the
# indexes are 1000, the page cache stays warm.
set -eu
. "$SRC/bench/common.sh"
data=$(photos)
folder=$(mktemp -d "$BUILD/firstbatch.XXXXXX")
trap 'rm -rf "$folder"' EXIT
mkdir "$folder/files" "$folder/set"
cp "$data"/*.tar "$folder/files"
set -- "$folder"/files/*.tar
i=0
while [ $i -lt 1000 ]; do
    ln "$1" "$folder/set/train-$(printf %04d $i).tar"
    set -- "$@" "$1"
    shift
    i=$((i + 1))
done
"$MILL" index "$folder/set/train-{0000..0999}.tar" --into "$folder/index" | tail -n 1
"$BUILD/bench/firstbatch" "$folder/set/train-{0000..0999}.tar" "$folder/index" "${ROUNDS:-5}"
