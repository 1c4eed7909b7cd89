#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Arrays of every dtype, byte order and order of axes: what a run writes, NumPy reads back, and the loader gives the
# same rows as it does from the array in C order.
. "$SRC/tests/cli/common.sh"
python=$(numpy_python)
[ -n "$python" ] || { echo 'skip: no NumPy'; exit 77; }

digest_of() {
    "$MILL" load "$@" --digest -q 2>stderr || echo "exit $?: $(head -c 300 stderr)"
}

"$python" - <<'END' || fail 'making arrays'
import numpy, os
rng = numpy.random.default_rng(5)
for dtype in ("?", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f2", "f4", "f8"):
    for shape in ((37, 6, 5), (4001,), (300, 999)):
        if dtype == "?":
            a = rng.random(shape) < 0.5
        elif dtype[0] == "f":
            a = rng.standard_normal(shape).astype(dtype)
        else:
            a = rng.integers(numpy.iinfo(dtype).min, numpy.iinfo(dtype).max, shape, dtype=dtype, endpoint=True)
        name = f"{dtype.replace('?', 'b1')}-{len(shape)}"
        kinds = {"c": numpy.ascontiguousarray(a), "f": numpy.asfortranarray(a),
                 "big": numpy.ascontiguousarray(a).astype(a.dtype.newbyteorder(">")),
                 "bigf": numpy.asfortranarray(a.astype(a.dtype.newbyteorder(">")))}
        for kind, b in kinds.items():
            os.makedirs(f"{name}/{kind}", exist_ok=True)
            numpy.save(f"{name}/{kind}/part.npy", b)
END
for folder in *-?; do
    for kind in c f big bigf; do
        expect 0 "$MILL" run "$folder/$kind" --pipe '' --out "out/$folder/$kind"
    done
    want=$(cd "$folder/c" && digest_of . --pipe '' --shuffle --batch 7)
    for kind in f big bigf; do
        got=$(cd "$folder/$kind" && digest_of . --pipe '' --shuffle --batch 7)
        [ "$want" = "$got" ] && [[ $want == digest\ * ]] || fail "the loader on $folder/$kind: $got instead of $want"
    done
done
"$python" - <<'END' || fail 'what NumPy reads back'
import glob, numpy
names = sorted(glob.glob("*-?"))
assert len(names) == 36
for name in names:
    for kind in ("c", "f", "big", "bigf"):
        want, got = numpy.load(f"{name}/{kind}/part.npy"), numpy.load(f"out/{name}/{kind}/part.data.npy")
        assert got.dtype == (want.dtype.newbyteorder("=") if want.dtype != bool else "u1"), (name, kind, got.dtype)
        assert got.flags.c_contiguous and got.tobytes() == want.astype(got.dtype).tobytes(order="C"), (name, kind)
END

# Refused, and why.
"$python" - <<'END' || fail 'making arrays'
import numpy
numpy.save("scalar.npy", numpy.float32(3))
numpy.save("structured.npy", numpy.zeros(3, dtype=[("x", "f4"), ("y", "i4")]))
numpy.save("object.npy", numpy.array([{}, None], dtype=object), allow_pickle=True)
numpy.save("complex.npy", numpy.zeros(3, dtype="c8"))
END
expect 1 "$MILL" inspect scalar.npy
says stdout 'a scalar: there is no first axis to count samples'
expect 1 "$MILL" inspect structured.npy
says stdout 'structured dtype; save each of its fields on its own'
expect 1 "$MILL" inspect object.npy
says stdout 'Python objects: reading them would run code from the shard'
expect 1 "$MILL" inspect complex.npy
says stdout 'elements of type "c8"'
finish
