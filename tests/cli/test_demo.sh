#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The demo runs from end to end, and what it leaves is what it says: tensors, crops, a trace, a page of pictures.
set -eu
fail() { echo "FAIL: $*"; exit 1; }

git -C "$SRC" status --porcelain >before 2>/dev/null || echo 'not a clone' >before
DEMO_OUT=$PWD/demo NO_COLOR=1 sh "$SRC/data/demo.sh" >shown || { cat shown; fail "exit status $?"; }
git -C "$SRC" status --porcelain >after 2>/dev/null || echo 'not a clone' >after
cmp before after || fail 'the demo touched the repository'

for step in 1 2 3 4 5; do grep -q "^$step\. " shown || fail "step $step is not shown"; done
grep -q 'byte for byte the same' shown || fail 'the run that was killed is not shown to end the same'
grep -q '8 samples = 2 written + 6 skipped' shown || fail 'totals of the damaged shard'
for key in 1 2 3 4 5 6; do grep -q "^error: .*bad-000000.tar: sample 00000$key, byte " shown || fail "sample 00000$key is not named"; done
[ "$(tar -tf demo/rescued/bad-000000.tar | sed 's/\..*//' | sort -u | tr '\n' ' ')" = '000000 000007 ' ] || fail 'what was rescued'
for folder in crops epoch-0 epoch-1 epoch-2; do
    for shard in 0 1 2 3; do
        [ "$(tar -tf demo/$folder/train-00000$shard.tar | wc -l)" = 72 ] || fail "members of $folder/train-00000$shard.tar"
    done
done
cmp -s demo/epoch-0/train-000000.tar demo/epoch-1/train-000000.tar && fail 'two epochs have the same crops'
[ -z "$(ls -d demo/more demo/resumed demo/undisturbed demo/.[a-z]* 2>/dev/null)" ] || fail 'scratch files are left'

if ! "$PYTHON" -c 'import numpy' 2>/dev/null; then
    echo "tensors, trace and page: skipped, $PYTHON has no numpy"
    exit 0
fi
for folder in tensors crops rescued; do "$PYTHON" "$SRC/tests/cli/readback.py" --complete demo/$folder; done
SRC=$SRC "$PYTHON" - <<'END'
import base64, html.parser, json, os, tarfile
import numpy

for shard in range(4):
    name = "train-%06d" % shard
    image = numpy.load(f"demo/tensors/{name}.image.npy", mmap_mode="r")
    label = numpy.load(f"demo/tensors/{name}.label.npy")
    keys = open(f"demo/tensors/{name}.keys.txt").read().split()
    with tarfile.open(f"{os.environ['SRC']}/data/demo/{name}.tar") as tar:
        classes = {m.name[:-4]: int(tar.extractfile(m).read()) for m in tar if m.name.endswith(".cls")}
    assert image.shape == (24, 3, 224, 224) and image.dtype == numpy.float32, (image.shape, image.dtype)
    assert keys == list(classes) and label.tolist() == list(classes.values()), name
    # normalised pixels: 0 and 255 under the mean and deviation of ImageNet
    assert image.min() >= -2.2 and image.max() <= 2.7 and image.std() > 0.5, (image.min(), image.max())

events = json.load(open("demo/trace.json"))["traceEvents"]
names = {e["name"] for e in events if e["ph"] == "X"}
assert {"read", "transform", "write"} <= names, names
spans = sum(e["ph"] == "X" for e in events)

class Page(html.parser.HTMLParser):
    images, rectangles, stack = [], 0, []
    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        assert not any(str(v).startswith(("http:", "https:", "//")) for v in attributes.values()), attributes
        if tag == "img":
            self.images.append(attributes["src"])
        self.rectangles += tag == "rect"
        if tag not in ("img", "meta", "col", "br", "line", "rect"):
            self.stack.append(tag)
    def handle_startendtag(self, tag, attributes):
        self.rectangles += tag == "rect"
    def handle_endtag(self, tag):
        if tag in ("rect", "line"):
            return
        assert self.stack.pop() == tag, tag

page = Page()
page.feed(open("demo/index.html").read())
assert not page.stack, page.stack
assert len(page.images) == 12 * 5, len(page.images)
assert page.rectangles >= spans, (page.rectangles, spans)
for source in page.images:
    kind, data = source.split(",")
    jpeg = base64.b64decode(data, validate=True)
    assert kind == "data:image/jpeg;base64" and jpeg[:2] == b"\xff\xd8" and jpeg[-2:] == b"\xff\xd9"
END
