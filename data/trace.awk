# SPDX-License-Identifier: Apache-2.0
# data/trace.awk: a trace of shardmill (--trace FILE, one event a line) as a timeline in SVG.
function field(name,    at, text) {
    at = index($0, "\"" name "\":")
    if (!at)
        return ""
    text = substr($0, at + length(name) + 3)
    sub(/^"/, "", text)
    sub(/["},].*/, "", text)
    return text
}
/"ph":"M"/ {
    name = $0
    sub(/.*"args":\{"name":"/, "", name)
    sub(/".*/, "", name)
    thread[field("tid")] = name
}
/"ph":"X"/ {
    n++
    kind[n] = field("name")
    tid[n] = field("tid")
    begin[n] = field("ts") + 0
    duration[n] = field("dur") + 0
    if (kind[n] == "transform")
        computes[tid[n]] = 1
    process = field("pid")
    if (n == 1 || begin[n] < first)
        first = begin[n]
    if (begin[n] + duration[n] > last)
        last = begin[n] + duration[n]
    if (!(tid[n] in row)) {
        row[tid[n]] = rows++
        of_row[rows - 1] = tid[n]
    }
    if (!(kind[n] in colour)) {
        colour[kind[n]] = substr("#4e79a7#f28e2b#59a14f#b07aa1#e15759#76b7b2#edc948#9c755f", 1 + 7 * (kinds % 8), 7)
        of_kind[kinds++] = kind[n]
    }
}
END {
    left = 130
    width = 1140 - left
    scale = last > first ? width / (last - first) : 1
    printf "<svg viewBox=\"0 0 1150 %d\" role=\"img\" aria-label=\"timeline of threads\">\n", rows * 24 + 60
    for (r = 0; r < rows; r++) {
        label = of_row[r] in thread ? thread[of_row[r]] : of_row[r] == process ? "main" : of_row[r]
        if (of_row[r] in computes)
            label = label == of_row[r] ? "compute" : label ", compute"
        printf "<text x=\"0\" y=\"%d\">%s</text>\n", r * 24 + 17, label
        printf "<line x1=\"%d\" x2=\"%d\" y1=\"%d\" y2=\"%d\" stroke=\"#8884\"/>\n", left, left + width, r * 24 + 24, r * 24 + 24
    }
    for (i = 1; i <= n; i++) {
        w = duration[i] * scale
        printf "<rect x=\"%.1f\" y=\"%d\" width=\"%.1f\" height=\"18\" fill=\"%s\"><title>%s, %.2f ms</title></rect>\n", left + (begin[i] - first) * scale, row[tid[i]] * 24 + 3, w < 1 ? 1 : w, colour[kind[i]], kind[i], duration[i] / 1000
    }
    for (k = 0; k <= 4; k++)
        printf "<text x=\"%.1f\" y=\"%d\" text-anchor=\"%s\">%.0f ms</text>\n", left + k * width / 4, rows * 24 + 18, k == 4 ? "end" : "middle", k * (last - first) / 4000
    x = left
    for (k = 0; k < kinds; k++) {
        printf "<rect x=\"%d\" y=\"%d\" width=\"12\" height=\"12\" fill=\"%s\"/><text x=\"%d\" y=\"%d\">%s</text>\n", x, rows * 24 + 36, colour[of_kind[k]], x + 17, rows * 24 + 46, of_kind[k]
        x += 40 + 7 * length(of_kind[k])
    }
    print "</svg>"
}
