# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# What the tests of the command share. Sourced by tests/cli/test_cli_*.sh, in an empty folder, with MILL and SRC set.
set -u
failures=0
fail() {
    echo "FAIL: $*"
    failures=$((failures + 1))
}
finish() {
    [ "$failures" = 0 ] || { echo "$failures failed"; exit 1; }
    exit 0
}

# expect CODE COMMAND...: the exit code; what was written lies in ./stdout and ./stderr.
expect() {
    local want=$1 got=0
    shift
    "$@" >stdout 2>stderr || got=$?
    [ "$got" = "$want" ] || fail "exit $got instead of $want: $*: $(head -c 600 stderr)"
}
# says FILE TEXT: the file holds the text.
says() {
    grep -qF -e "$2" "$1" || fail "$1 does not say \"$2\" but: $(head -c 600 "$1")"
}
silent() {
    [ ! -s "$1" ] || fail "$1 should be empty but says: $(head -c 600 "$1")"
}

# A Python that has NumPy: the one given, or the distribution's.
numpy_python() {
    local python
    for python in "${PYTHON:-python3}" /usr/bin/python3; do
        if "$python" -c 'import numpy' 2>/dev/null; then
            echo "$python"
            return
        fi
    done
}

# arrays FOLDER N ROWS: N .npy shards of ROWS f32 rows of 64, as written by no library at all.
arrays() {
    "${PYTHON:-python3}" - "$@" <<'END'
import array, os, struct, sys
folder, n, rows = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
os.makedirs(folder, exist_ok=True)
for shard in range(n):
    text = "{'descr': '<f4', 'fortran_order': False, 'shape': (%d, 64), }" % rows
    text += " " * ((-11 - len(text)) % 64) + "\n"
    values = array.array("f", ((shard * 7919 + i) % 1000 / 10 for i in range(rows * 64)))
    with open(f"{folder}/part-{shard:03}.npy", "wb") as file:
        file.write(b"\x93NUMPY\1\0" + struct.pack("<H", len(text)) + text.encode() + values.tobytes())
END
}

# photographs: prints a folder with .tar shards of JPEGs that are sound, or nothing.
photographs() {
    local folder
    for folder in "$SRC/data/demo" "$SRC/../shared/data/imagenet-300"; do
        if ls "$folder"/train-*.tar >/dev/null 2>&1; then
            echo "$folder"
            return
        fi
    done
}

# not_photographs FOLDER: tar shards, by the system's tar, whose samples are no images: 5 samples each.
not_photographs() {
    local shard i
    mkdir -p "$1" members
    for shard in 0 1; do
        for i in 1 2 3 4 5; do
            printf '<html>not an image %s</html>' $i >members/$shard-$i.jpg
            printf '%s' $i >members/$shard-$i.cls
        done
        (cd members && tar --format=ustar -cf - $shard-*) >"$1/bad-$shard.tar"
    done
}

# The lines of a file are JSON objects with a type; then the expression about the list "rows" must hold.
json_holds() {
    "${PYTHON:-python3}" - "$@" <<'END' || fail "JSON: $2"
import json, sys
with open(sys.argv[1], encoding="utf-8") as file:
    rows = [json.loads(line) for line in file]
assert rows and all(isinstance(row["type"], str) for row in rows)
by = lambda kind: [row for row in rows if row["type"] == kind]
total = rows[-1]
if not eval(sys.argv[2]):
    print("does not hold:", sys.argv[2], "; the last row:", total)
    sys.exit(1)
END
}
