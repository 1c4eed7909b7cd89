#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# data/page.sh OUT: prints the page of the demo, one self-contained HTML file, from what data/demo.sh left in OUT.
set -eu
out=$1
here=$(dirname "$0")
pictures='000000 000004 000006 000010 000024 000033 000043 000051 000063 000076 000081 000087'

work=$out/.page
rm -rf "$work"
for set in in crops epoch-0 epoch-1 epoch-2; do
    mkdir -p "$work/$set"
    from=$out/$set
    [ $set != in ] || from=$here/demo
    for shard in "$from"/train-*.tar; do tar -xf "$shard" -C "$work/$set"; done
done

escape() { sed 's/&/\&amp;/g; s/</\&lt;/g; s/>/\&gt;/g'; }
image() { printf '<img alt="%s" src="data:image/jpeg;base64,%s">' "$2" "$(base64 -w 0 "$1")"; }
about() { sed -n "s/.*\"$2\": \"\{0,1\}\([^,\"}]*\).*/\1/p" "$work/in/$1.json"; }

cat <<'END'
<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>shardmill: the demo</title>
<style>
:root { color-scheme: light dark; --line: #8884; --faint: #888; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 1180px; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.7rem; margin: 0; } h2 { font-size: 1.2rem; margin: 2.5rem 0 .5rem; }
p { max-width: 46rem; } .scroll { overflow-x: auto; }
table { border-collapse: collapse; table-layout: fixed; width: 1120px; } col { width: 198px; } col:first-child { width: 120px; } th { text-align: left; font-weight: 600; font-size: .85rem; vertical-align: bottom; }
th, td { padding: .4rem .7rem .4rem 0; } td { vertical-align: middle; border-top: 1px solid var(--line); }
th code { display: block; font-weight: 400; color: var(--faint); }
td img { display: block; width: 176px; height: 176px; } td.in img { object-fit: contain; }
td.in { border-right: 1px solid var(--line); } td.in + td, th.out { padding-left: .7rem; }
.note { font-size: .8rem; color: var(--faint); line-height: 1.35; }
pre { background: #8881; border: 1px solid var(--line); border-radius: 6px; padding: 1rem; white-space: pre-wrap; font-size: .8rem; line-height: 1.45; }
svg { width: 100%; height: auto; display: block; } svg text { font: 12px system-ui, sans-serif; fill: currentColor; }
</style></head><body>
<h1>shardmill: what went in, what came out</h1>
<p>Made by <code>make demo</code>. The pictures are drawn by a generator from a seed (<code>data/synth.c</code>), with the statistics of photographs.
The left column is in the shards; the others are what training code would see. Random crops differ from epoch to epoch and are
the same in every run with the same seed, on any number of threads.</p>
<div class="scroll"><table>
<col><col><col><col><col><col>
<tr><th></th><th>in the shard</th><th class="out">for an evaluation<code>resize 256 | center_crop 224</code></th>
<th>for training, epoch 0<code>random_resized_crop 224 | hflip</code></th><th>epoch 1</th><th>epoch 2</th></tr>
END
for key in $pictures; do
    size="$(about $key width)x$(about $key height)"
    turned=
    [ "$(about $key orientation)" = 1 ] || turned="<br>EXIF orientation $(about $key orientation)"
    [ "$(about $key progressive)" = false ] || turned="$turned<br>progressive"
    printf '<tr><td class="note">%s<br>class %s<br>%s<br>quality %s, %s%s</td>' $key "$(cat "$work/in/$key.cls")" "$size" \
        "$(about $key quality)" "$(about $key subsampling)" "$turned"
    printf '<td class="in">%s</td>' "$(image "$work/in/$key.jpg" "sample $key")"
    for set in crops epoch-0 epoch-1 epoch-2; do
        printf '<td>%s</td>' "$(image "$work/$set/$key.jpg" "sample $key, $set")"
    done
    echo '</tr>'
done
echo '</table></div>'
echo '<h2>What each thread did</h2>'
echo '<p>The run of step 2, from its <code>--trace</code>: reads are asynchronous and hold no compute thread; samples of a shard become tasks as soon as its bytes are there.</p>'
awk -f "$here/trace.awk" "$out/trace.json"
echo '<h2>The commands, and what they said</h2>'
printf '<pre>'
escape <"$out/transcript.txt"
echo '</pre></body></html>'
rm -rf "$work"
