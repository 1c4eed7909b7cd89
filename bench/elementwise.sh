#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# bench/elementwise.sh: `make bench-elementwise`: standardize and sin over .npy shards that lie in the page cache, to
# batches, over the loop that one would write oneself with gcc -O3 -ffast-math -march=native -fopenmp, from an array in
# memory to another; 2 threads each, in turns. ratio: the worse of the two. Beside it what reading and the kernel take
# without any loader: the most that can be had of files that are read.
set -eu
. "$SRC/bench/common.sh"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
gcc -O3 -ffast-math -march=native -fopenmp "$SRC/bench/peers/elementwise.c" -o "$folder/bare" -lm
"$BUILD/bench/elementwise" make "$folder"
one() { # TRANSFORM PIPE: the median of the rounds' ratios
    for i in $(seq "${ROUNDS:-5}"); do
        ours=$("$BUILD/bench/elementwise" load "$folder" "$2" 5)
        bare=$("$folder/bare" "$1" 604 5 2>/dev/null)
        most=$("$BUILD/bench/elementwise" reads "$folder" "$1" 5)
        echo "$ours $bare $(ratio "$ours" "$bare") $most"
    done | sort -k3 -n | awk -v name="$1" '{a[NR] = $0} END {split(a[int((NR + 1) / 2)], m, " ")
        printf "%s: %.2f GB/s; reads and the kernel alone %.2f; bare loop %.2f, ratio %.3f\n", name, m[1], m[4], m[2], m[3]}'
}
{
    one standardize 'standardize mean=0.5 std=2'
    one sin sin
} | tee "$folder/lines"
awk '{print $NF}' "$folder/lines" | sort -n | head -1 | sed 's/.*/elementwise ratio=& target=0.85/'
