# SPDX-License-Identifier: Apache-2.0
# bench/common.sh: what the benchmark scripts share; sourced, by sh or bash. Needs BUILD and SRC.
#
#   photos               prints a folder of 6 shards with 300 photographs: real ones where ../shared has them
#   synth_set NAME ARG.. prints a folder made by `synth ARG..`; it is kept in $BUILD/bench-data while ARG.. stay
#   often FROM TO        the shards of folder FROM four times over, as links in folder TO: a run long enough that its
#                        beginning and end do not count
#   bytes_of PATH..      prints the bytes of files and folders, as a plain number
#   warm PATH..          has them in the page cache as reading leaves them there: what was written in small pieces lies
#                        there in small pieces, and is copied a quarter slower
#   ratio A B            prints A / B with three digits

synth_set() {
    synth_folder=$BUILD/bench-data/$1
    shift
    if [ "$(cat "$synth_folder.made" 2>/dev/null)" != "$*" ] || [ "$BUILD/synth" -nt "$synth_folder.made" ]; then
        [ -x "$BUILD/synth" ] || {
            echo "no $BUILD/synth: make benches" >&2
            return 1
        }
        rm -rf "$synth_folder" "$synth_folder.made"
        mkdir -p "$BUILD/bench-data" && "$BUILD/synth" "$synth_folder" "$@" >&2 || return 1
        echo "$*" >"$synth_folder.made"
    fi
    echo "$synth_folder"
}

photos() {
    if [ -f "$SRC/../shared/data/imagenet-300/train-000000.tar" ]; then
        echo "$SRC/../shared/data/imagenet-300"
    else
        synth_set photos --shards 6 --samples-per-shard 50
    fi
}

often() {
    mkdir -p "$2"
    for often_time in 0 1 2 3; do
        for often_shard in "$1"/*.tar; do
            ln -s "$often_shard" "$2/$often_time-${often_shard##*/}"
        done
    done
}

bytes_of() {
    find "$@" -type f -printf '%s\n' | awk '{n += $1} END {printf "%.0f\n", n}'
}

warm() {
    find "$@" -type f -exec sync {} + -exec sh -c 'for f; do dd if="$f" iflag=nocache count=0 2>/dev/null; done' - {} + \
        -exec cat {} + >/dev/null
}

ratio() {
    awk -v a="$1" -v b="$2" 'BEGIN {if (b == 0) exit 1; printf "%.3f\n", a / b}'
}
