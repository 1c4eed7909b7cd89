#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The examples that are scripts: they end, and what they make is what they say: whitened patches are white, and three
# columns tell what the table was made of.
. "$SRC/tests/cli/common.sh"
python=$(numpy_python)
[ -n "$python" ] || { echo 'skip: no Python with NumPy'; exit 77; }
for transform in whiten project; do
    "$MILL" transforms $transform >/dev/null 2>&1 || { echo "skip: there is no transform $transform"; exit 77; }
done
export MILL PYTHON="$python"

expect 0 sh "$SRC/examples/project_table.sh" table
silent stderr
"$python" - <<'END' || fail 'project_table.sh'
import json
import numpy as np
y = np.concatenate([np.load(f"table/reduced/part-{i}.data.npy") for i in range(8)]).astype("f8")
model, causes = json.load(open("table/pca.json")), np.load("table/causes.npy")
assert y.shape == (80000, 3) and model["components"] == 24
variances = np.array(model["explained_variance"])
assert np.abs(np.cov(y, rowvar=False) - np.diag(variances[:3])).max() < 1e-4 * variances[0]
assert variances[2] > 5 * variances[3]
rest = causes - y @ np.linalg.lstsq(y, causes, rcond=None)[0]
assert (rest.var(0) < 0.05 * causes.var(0)).all(), rest.var(0)
END

if [ ! -e "$SRC/data/demo/train-000003.tar" ]; then
    echo 'whiten_patches.sh was not tried: the demo data are not there'
    finish
fi
expect 0 sh "$SRC/examples/whiten_patches.sh" "$SRC/data/demo/train-{000000..000003}.tar" patches
"$python" - <<'END' || fail 'whiten_patches.sh'
import glob, json
import numpy as np
y = np.concatenate([np.load(f) for f in sorted(glob.glob("patches/patches/*.data.npy"))]).astype("f8")
assert y.shape == (96, 144, 256), y.shape
y = y.reshape(-1, 256)
model = json.load(open("patches/whiten.json"))
l, e = np.array(model["explained_variance"]), model["regularisation"]
assert np.abs(y.mean(0)).max() < 1e-3
got = np.linalg.eigvalsh(np.cov(y, rowvar=False))[::-1]
want = np.sort(l / (l + e))[::-1]
assert np.abs(got - want).max() < 1e-3, np.abs(got - want).max()
assert (want > 0.5).sum() > 100
END
for picture in patches/before/000000.jpg patches/after/000000.jpg patches/variances.svg patches/index.html; do
    [ -s "$picture" ] || fail "there is no $picture"
done
# both of these are the same image: the squares that were cut were put together again in the right order
cmp -s patches/before/000000.jpg patches/after/000000.jpg && fail 'whitening changed nothing'
finish
