#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# OpenBLAS comes with threads of its own, with OpenMP's, and with none: under each that is installed the models are the
# same but for rounding, the setting of its threads is left alone (test_fit.c asks), and so with any number of them.
. "$SRC/tests/cli/common.sh"
python=$(numpy_python)
[ -n "$python" ] || { echo 'skip: no Python with NumPy'; exit 77; }
[ -z "${SAN:-}" ] || { echo 'skip: an OpenBLAS with threads is not built for sanitizers'; exit 77; }

"$python" - <<'END'
import numpy as np
r = np.random.default_rng(3)
mix = r.normal(size=(300, 300)) * np.logspace(0, -2, 300)  # large enough for threads to be used
for part in "ab":
    np.save(f"x-{part}.npy", (r.normal(size=(700, 300)) @ mix).astype("f4"))
END

# folder_of FLAVOUR: where its library is: Debian's alternatives, or the folder next to that of the one in use.
folder_of() {
    local folder
    for folder in /usr/lib/*/openblas-"$1" /usr/lib/openblas-"$1" /usr/lib64/openblas-"$1"; do
        if ls "$folder"/libopenblas.so* >/dev/null 2>&1; then
            echo "$folder"
            return
        fi
    done
}

compare() { # A B: models, the same but for rounding
    "$python" - "$@" <<'END' || fail "$1 and $2 differ"
import json, sys
import numpy as np
a, b = (json.load(open(f)) for f in sys.argv[1:])
assert a["mean"] == b["mean"] and a["samples"] == b["samples"] == 1400
l, n, k = np.array(a["explained_variance"]), a["features"], a["components"]
assert np.abs(l - b["explained_variance"]).max() <= 1e-13 * l[0]
x, y = (np.array(m["matrix"]).reshape(k, n) for m in (a, b))
error = np.abs(x - y).max(1) / np.abs(x).max(1)
if a["model"] == "pca":  # how far a vector may turn follows from the gap to its neighbours
    gap = np.abs(np.diff(l))
    gap = np.minimum(np.r_[l[0], gap], np.r_[gap, l[0]])
    assert (error <= 1e-12 * l[0] / gap).all(), (error * gap / l[0]).max()
else:  # the least variance is known but to rounding of the largest
    assert error.max() <= 1e-14 * l[0] / l[-1], error.max() * l[-1] / l[0]
END
}

first= tried=
for flavour in pthread openmp serial; do
    folder=$(folder_of $flavour)
    if [ -z "$folder" ]; then
        echo "skip: OpenBLAS of flavour $flavour is not installed"
        continue
    fi
    # OpenBLAS is loaded when a model is fitted, and not before: a job that only loads data gets none of its threads.
    LD_LIBRARY_PATH=$folder LD_DEBUG=libs "$MILL" fit pca x-a.npy --out loaded.json -q 2>said
    grep -qF "calling init: $folder/libopenblas" said || fail "fit does not take its OpenBLAS from $folder"
    LD_LIBRARY_PATH=$folder LD_DEBUG=libs "$MILL" run x-a.npy --pipe 'scale 2' --as null -q 2>said
    grep -q 'calling init: .*blas' said && fail 'a run loads a BLAS'
    tried="$tried $flavour"
    for threads in 1 3; do
        export OPENBLAS_NUM_THREADS=$threads OMP_NUM_THREADS=$threads
        for model in pca whiten; do
            name=$flavour-$threads-$model.json
            expect 0 env LD_LIBRARY_PATH="$folder" "$MILL" fit $model 'x-*.npy' --out "$name" -q
            [ -n "$first" ] && compare "$first-$model.json" "$name"
        done
        first=${first:-$flavour-$threads}
        # every unit test that asks for the setting
        for source in $(grep -lE 'openblas_get_num_threads' "$SRC"/tests/unit/test_*.c); do
            test=$BUILD/tests/$(basename "$source" .c)
            [ -x "$test" ] || continue
            (unset OMP_NUM_THREADS && LD_LIBRARY_PATH=$folder "$test") >said 2>&1 ||
                fail "$test with $flavour, $threads threads: $(tail -n 3 said)"
        done
    done
done
[ -n "$tried" ] || { echo 'skip: no flavour of OpenBLAS was found in a folder of its own'; exit 77; }
echo "tried:$tried"
finish
