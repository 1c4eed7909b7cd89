#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What --as safetensors writes, read by the format's description with json and NumPy, and by the safetensors package
# where there is one.
. "$SRC/tests/cli/common.sh"
python=$(numpy_python)
[ -n "$python" ] || { echo 'skip: no NumPy'; exit 77; }

"$python" - <<'END' || fail 'making shards'
import numpy
rng = numpy.random.default_rng(11)
for dtype in "u1", "i2", "f4", "f8":
    numpy.save(f"{dtype}.npy", (rng.standard_normal((23, 5, 3)) * 50).astype(dtype))
images, labels = rng.integers(0, 256, (9, 3072), dtype="u1"), rng.integers(0, 10, (9, 1), dtype="u1")
numpy.hstack([labels, images]).tofile("cifar.bin")
numpy.save("digits.npy", numpy.array([1, 2, 10, 3]))
END
for dtype in u1 i2 f4 f8; do
    expect 0 "$MILL" run $dtype.npy --pipe '' --as safetensors --out out
    rm out/manifest.json
done
expect 0 "$MILL" run cifar.bin --format cifar --pipe '' --as safetensors --out out
expect 0 "$MILL" run digits.npy --pipe 'onehot 10' --as safetensors --on-error substitute --out masked
expect 2 "$MILL" run "$SRC/data/demo/train-*.tar" --pipe '' --as safetensors --out none
says stderr 'needs tensors'
"$python" - <<'END' || fail 'what is read back'
import json, numpy
dtypes = {"U8": "u1", "I16": "<i2", "I64": "<i8", "F32": "<f4", "F64": "<f8"}
def load(path):
    data = open(path, "rb").read()
    n = int.from_bytes(data[:8], "little")
    header, data, end = json.loads(data[8 : 8 + n]), data[8 + n :], 0
    out = {}
    for name, t in header.items():
        begin, stop = t["data_offsets"]
        assert begin == end, "a hole"
        end = stop
        out[name] = numpy.frombuffer(data[begin:stop], dtypes[t["dtype"]]).reshape(t["shape"])
    assert end == len(data)
    try:
        import safetensors.numpy
    except ImportError:
        pass
    else:
        theirs = safetensors.numpy.load_file(path)
        assert set(theirs) == set(out) and all((theirs[k] == out[k]).all() for k in out)
    return out
for dtype in "u1", "i2", "f4", "f8":
    want, got = numpy.load(f"{dtype}.npy"), load(f"out/{dtype}.safetensors")
    assert list(got) == ["data"] and got["data"].dtype == want.dtype and (got["data"] == want).all()
raw, got = numpy.fromfile("cifar.bin", "u1").reshape(9, 3073), load("out/cifar.safetensors")
assert (got["image"].reshape(9, -1) == raw[:, 1:]).all() and got["image"].shape == (9, 3, 32, 32)
assert (got["label"] == raw[:, 0]).all()
assert open("out/cifar.keys.txt").read().split() == ["%06d" % i for i in range(9)]
got = load("masked/digits.safetensors")
assert got["mask"].tolist() == [1, 1, 0, 1] and got["data"].argmax(1).tolist() == [1, 2, 0, 3] and not got["data"][2].any()
END
finish
