#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Transforms that rearrange tensors, against NumPy.
. "$SRC/tests/cli/common.sh"
python=$(numpy_python)
[ -n "$python" ] || { echo 'skip: no NumPy'; exit 77; }

"$python" - <<'END' || fail 'making arrays'
import numpy
rng = numpy.random.default_rng(3)
numpy.save("a.npy", rng.standard_normal((100, 12, 7)).astype("f4"))
numpy.save("digits.npy", rng.integers(0, 10, 200))
numpy.save("bad.npy", numpy.array([1, 2, 10, 3]))
numpy.save("flat.npy", rng.integers(0, 256, (20, 784), dtype="u1"))
END
try() { # NAME ARRAY PIPELINE NUMPY
    expect 0 "$MILL" run "$2.npy" --pipe "$3" --out "$1"
    "$python" - "$1/$2" "$2.npy" "$4" <<'END' || fail "$1: $3"
import glob, sys, numpy
(path,) = glob.glob(sys.argv[1] + ".*.npy")
a, got = numpy.load(sys.argv[2]), numpy.load(path)
want = numpy.ascontiguousarray(eval(sys.argv[3]))
assert got.shape == want.shape and got.dtype == want.dtype, (got.shape, got.dtype, want.shape, want.dtype)
assert got.tobytes() == want.tobytes()
END
}
try columns a 'select 0,2,4:7,-1' 'a[:, :, [0, 2, 4, 5, 6, -1]]'
try rows a 'select ::-2 axis=0' 'a[:, ::-2]'
try swapped a 'transpose' 'a.transpose(0, 2, 1)'
try flat a 'reshape ?' 'a.reshape(100, -1)'
try windows a 'window 4 stride=3' 'numpy.stack([a[:, i:i + 4] for i in (0, 3, 6)], 1)'
try chain a 'transpose | select :3 axis=0 | scale 2 | reshape 6x6' '(2 * a.transpose(0, 2, 1)[:, :3]).reshape(100, 6, 6)'
try onehot digits 'onehot 10' 'numpy.eye(10, dtype="f4")[a]'
try bytes digits 'cast u8 | onehot 10 dtype=u8' 'numpy.eye(10, dtype="u1")[a]'
try image flat 'reshape 28x28x1 layout=hwc | center_crop 20 | layout chw' 'a.reshape(20, 1, 28, 28)[:, :, 4:24, 4:24]'

# A class that there is not is a bad sample, not a failure of the others.
expect 1 "$MILL" run bad.npy --pipe 'onehot 10' --out bad
says stderr 'element 0 is 10, which is none of 10 classes'
expect 0 "$MILL" run bad.npy --pipe 'onehot 10' --out skipped --on-error skip
"$python" -c 'import numpy; assert len(numpy.load("skipped/bad.data.npy")) == 3' || fail 'skipped'
expect 2 "$MILL" run a.npy --pipe 'select 7' --out none
says stderr 'does not name places of an axis of 7'
finish
