# SPDX-License-Identifier: BSD-2-Clause
# report.jq - the parts of bench/report's page: HTML, and gnuplot's commands. The input is a file of results
# with the rows of results.jq in place of its runs.

def esc: tostring | @html;
def round_to($digits): . as $v | pow(10; $digits) as $p | ($v * $p | round) / $p;
# 1234567 -> 1,234,567
def grouped:
	round | tostring | if startswith("-") then "-" + (.[1:] | grouped) else
	explode | reverse | [range(0; length; 3) as $i | .[$i:$i + 3] | reverse | implode] |
	reverse | join(",") end;
def fixed($digits): round_to($digits) | tostring | if test("[.]") then . else . + "." end |
	until(test("[.][0-9]{\($digits)}$"); . + "0");
# With as many digits as have a meaning.
def plain:
	if . == null then "–" elif (. | fabs) >= 1000 then grouped elif (. | fabs) >= 100 then round | tostring
	elif (. | fabs) >= 10 then round_to(1) | tostring else round_to(2) | tostring end;
# As a limit is looked at: 0.997 is not 1.
def exact: if . != null and (. | fabs) < 10 then fixed(3) else plain end;
def ptreclaim: endswith("+ptreclaim");

def heading:
	"<h1>ptreclaim: allocators side by side</h1>",
	"<p>\(.cpu | esc), \(.cpus) processors, \(.memory_kb / 1048576 | round) GiB; Linux \(.kernel | esc); " +
	"\(.date); commit \(.commit // "unknown" | esc).<br>" +
	([.versions | to_entries[] | "\(.key) \(.value)"] | join(", ") | esc) + ".</p>",
	"<p class=small>Peers take turns on one machine, the order rotating. Figures are medians of the " +
	"rounds; what stands in brackets is the least and the most. Ratios are taken within a round. " +
	"“A word a page written” leaves the program’s own share of the work out: it is the allocator and " +
	"the kernel that are compared. “All bytes written” is what a program sees.</p>",
	"<details><summary>The peers, and how they are set</summary><table><tr><th>name</th>" +
	"<th class=text>LD_PRELOAD</th><th class=text>environment</th></tr>",
	(.peers[] | "<tr\(if .ptreclaim then " class=ours" else "" end)><td>\(.name | esc)</td>" +
	 "<td class=text>\(.preload | esc)</td><td class=text>" +
	 ([.environment | to_entries[] | "\(.key)=\(.value)"] | join(" ") | esc) + "</td></tr>"),
	"</table></details>";

def goals_table:
	if (.goals | length) == 0 then empty else
	"<h2>Goals</h2><p>\([.goals[] | select(.met and .value != null)] | length) met, " +
	"\([.goals[] | select((.met | not) and .value != null)] | length) missed, " +
	"\([.goals[] | select(.value == null)] | length) not measured.</p>",
	"<div class=wide><table><tr><th>goal</th><th>measured</th><th>wanted</th><th class=text></th>" +
	"<th class=text>note</th></tr>",
	(.goals[] | "<tr><td class=text>\(.name | esc)</td><td>\(.value | exact)</td>" +
	 "<td>\(if .at_least then "≥" else "≤" end) \(.limit | plain)</td>" +
	 (if .value == null then "<td class=\"text none\">–</td>"
	  elif .met then "<td class=\"text met\">met</td>"
	  else "<td class=\"text missed\">missed</td>" end) +
	 "<td class=text><small>\(.note | esc)</small></td></tr>"),
	"</table></div>" end;

# A colour for each allocator, a shape for each setting of it: open for stock, filled for ptreclaim.
def colour:
	{"jemalloc": "#0072B2", "tcmalloc": "#D55E00", "mimalloc": "#009E73", "glibc": "#555555"}[.] // "#AA3377";
def looks:
	[.peers[] | . + {stock: (.name | rtrimstr("+ptreclaim"))}] | . as $all |
	[$all[] | . as $p |
	 ([$all[] | select(.allocator == $p.allocator) | .stock] | unique_by(.) ) as $u |
	 ([$all[] | select(.allocator == $p.allocator) | .stock] | reduce .[] as $s ([];
		if index($s) then . else . + [$s] end)) as $settings |
	 {key: .name, value: {colour: (.allocator | colour),
			      pt: ([6, 4, 8, 12, 10][($settings | index($p.stock)) % 5] +
				   (if (.name | ptreclaim) then 1 else 0 end))}}] | from_entries;

def quoted: gsub("[\"\\\\`]"; "") | "\"\(.)\"";

# Tables over time: the pairs that were watched.
def pairs_over_time:
	[.rows[] | . as $row | .peers[] | select(.series and (.peer | ptreclaim)) | . as $ours |
	 ($row.peers[] | select(.peer == ($ours.peer | rtrimstr("+ptreclaim")) and .series)) as $stock |
	 # The page is about those that give back at once; a local build stands for itself.
	 select($ours.peer | test("^(jemalloc-0|tcmalloc-aggressive)[+]") or
		(test("^(jemalloc|tcmalloc|mimalloc)") | not)) |
	 {row: $row, ours: $ours, stock: $stock}];
def about_over_time:
	"<p class=small>Solid: page tables (VmPTE). Dashed: the floor, the least that the pages in use need. " +
	"What lies between is waste. Each line ends when its program does.</p>";
def line($member): [.series[] | select(.[$member] != null) | "\(.t_ms / 1000) \(.[$member])"] | join("\n") + "\ne";
def over_time:
	[pairs_over_time[] |
	 "set title \("\(.stock.peer): \(.row.name)" | quoted) noenhanced\n" +
	 "set xlabel 'time, s'\nset ylabel 'page tables, kB'\nset yrange [0:*]\nset xrange [0:*]\n" +
	 "set key outside right center Left reverse samplen 3 spacing 1.3\n" +
	 "plot '-' with lines lw 2.2 lc rgb '#D55E00' title 'stock, VmPTE', " +
	 "'-' with lines lw 1.6 dt (6,5) lc rgb '#D55E00' title 'stock, floor', " +
	 "'-' with lines lw 2.2 lc rgb '#0072B2' title 'ptreclaim, VmPTE', " +
	 "'-' with lines lw 1.6 dt (2,4) lc rgb '#0072B2' title 'ptreclaim, floor'\n" +
	 ([.stock, .ours] | map(line("vmpte_kb") + "\n" + line("floor_kb")) | join("\n"))];

# Throughput against memory.
def about_scatter:
	"<p class=small>Up and left is better: nobody wins by hoarding. Open: stock; filled: with ptreclaim; " +
	"a grey line joins the two. Bars are the least and the most of the rounds.</p>";
def xy: {x: (.peak_rss_kb.median / 1024), y: .ops_per_s.median, low: .ops_per_s.min, high: .ops_per_s.max};
def scatter:
	looks as $looks |
	[.rows[] | select(.latency | not) |
	 . + {peers: [.peers[] | select(.ops_per_s and .peak_rss_kb)]} | select(.peers | length > 1) |
	 . as $row | [.peers[] | {key: .peer, value: xy}] as $list | ($list | from_entries) as $at |
	 ([$list[].value.high] | max) as $top |
	 (if $top >= 2000 then {by: 1000, unit: "thousand operations a second"}
	  else {by: 1, unit: "operations a second"} end) as $unit |
	 "set title \(.name | quoted) noenhanced\nset xlabel 'peak RSS, MB'\nset ylabel '\($unit.unit)'\n" +
	 "set xrange [0:\(([$list[].value.x] | max) * 1.08)]\nset yrange [0:\($top / $unit.by * 1.1)]\n" +
	 "set key outside right center Left reverse noenhanced spacing 1.25\n" +
	 ([$list[] | .value as $v | $at[.key + "+ptreclaim"] | select(.) |
	   "set arrow from \($v.x),\($v.y / $unit.by) to \(.x),\(.y / $unit.by) nohead back lc rgb '#999999' lw 1.2\n"]
	  | join("")) +
	 "plot " + ([$row.peers[].peer | $looks[.] as $l |
		"'-' using 1:2:3:4 with yerrorbars pt \($l.pt) ps 1.1 lw 1.6 lc rgb '\($l.colour)' title \(quoted)"]
		| join(", ")) + "\n" +
	 ([$row.peers[].peer | $at[.] | "\(.x) \(.y / $unit.by) \(.low / $unit.by) \(.high / $unit.by)\ne"]
	  | join("\n"))];

# Tail latency: rows in which each call was timed.
def about_tail_latency:
	"<p class=small>Each call is timed. The scale is logarithmic: a step is ten times as long. Lower is " +
	"better.</p>";
def tail_latency:
	[("malloc", "free") as $call | .rows[] | select(.latency) |
	 . + {peers: [.peers[] | select(.[$call + "_p50_ns"])]} | select(.peers | length > 0) |
	 "set title \("\($call)(): \(.name | sub(", each call timed"; ""))" | quoted) noenhanced\n" +
	 "set ylabel 'time of a call'\nset logscale y\nset yrange [50:*]\n" +
	 "set ytics ('100 ns' 100, '1 µs' 1e3, '10 µs' 1e4, '100 µs' 1e5, '1 ms' 1e6, '10 ms' 1e7, '100 ms' 1e8)\n" +
	 "set xrange [-0.6:\((.peers | length) - 0.4)]\nset xtics rotate by -35 noenhanced\n" +
	 "set key outside right center Left reverse spacing 1.4\nset bmargin 8\n" +
	 "plot '-' using 1:2:3:xticlabels(4) with vectors nohead lw 1.2 lc rgb '#aaaaaa' notitle, " +
	 "'-' with points pt 7 ps 0.9 lc rgb '#222222' title 'p50', " +
	 "'-' with points pt 5 ps 0.9 lc rgb '#009E73' title 'p99', " +
	 "'-' with points pt 9 ps 1.1 lc rgb '#0072B2' title 'p99.9', " +
	 "'-' with points pt 2 ps 1.0 lw 2 lc rgb '#D55E00' title 'max'\n" | gsub("using 1:2:3:xticlabels\\(4\\)";
	 "using 1:2:(0):3:xticlabels(4)")] as $heads |
	[("malloc", "free") as $call | .rows[] | select(.latency) |
	 [.peers[] | select(.[$call + "_p50_ns"])] | select(length > 0) | to_entries as $e |
	 ([$e[] | (.value[$call + "_p50_ns"].median) as $low | (.value[$call + "_max_ns"].median) as $high |
	   "\(.key) \($low) \($high - $low) \(.value.peer | quoted)"] | join("\n")) + "\ne\n" +
	 (["_p50_ns", "_p99_ns", "_p999_ns", "_max_ns"] | map(. as $m |
	  ([$e[] | "\(.key) \(.value[$call + $m].median)"] | join("\n")) + "\ne") | join("\n"))] as $data |
	[range($heads | length) as $i | $heads[$i] + $data[$i]];

# The tables: those columns that anybody has.
def columns: [
	["operations/s", "ops_per_s", 1], ["CPU, s", "cpu_s", 1], ["peak RSS, MB", "peak_rss_kb", 1024],
	["RSS at trough, MB", "trough_rss_kb", 1024], ["VmPTE, kB", "vmpte_kb", 1], ["floor, kB", "floor_kb", 1],
	["wasted, kB", "waste_kb", 1], ["fork(), ms", "fork_ms", 1], ["zapping calls", "zap_calls", 1],
	["page faults", "minor_faults", 1],
	["TLB shootdowns", "tlb_shootdowns", 1],
	["slope, kB/min", "waste_slope_kb_per_min", 1], ["±", "waste_slope_error_kb_per_min", 1],
	["own memory, kB", "own_kb", 1], ["wake-ups", "wakeups", 1]];
def latency_columns: [["operations/s", "ops_per_s", 1]] +
	[("malloc", "free") as $c | ("p50", "p99", "p999", "max") as $q |
	 ["\($c)() \($q | sub("999"; "99.9")), µs", "\($c)_\($q)_ns", 1000]];
def cell($c): .[$c[1]] as $s | "<td>" + (if $s == null then "–" else ($s.median / $c[2] | plain) end) +
	(if $c[1] == "ops_per_s" and $s and $s.n > 1
	 then " <small>(\($s.min | plain) to \($s.max | plain))</small>" else "" end) + "</td>";
def ratio_cell: "<td>" + (if .ratio then "\(.ratio.median | fixed(2))" +
	(if .ratio.n > 1 then " <small>(\(.ratio.min | fixed(2)) to \(.ratio.max | fixed(2)))</small>" else "" end)
	else "" end) + "</td>";
def row_table:
	(if .latency then latency_columns else columns end) as $all | .peers as $peers |
	[$all[] | . as $c | select(any($peers[]; .[$c[1]] != null))] as $shown |
	any($peers[]; .ratio) as $ratios | ([$peers[].ops_per_s // empty | .n] | max) as $n |
	"<h3>\(.part | esc): \(.name | esc)\(if $n then ", \($n) round\(if $n > 1 then "s" else "" end)" else "" end)</h3>" +
	"<div class=wide><table><tr><th></th>" + (if $ratios then "<th>operations/s, times stock’s</th>" else "" end) +
	([$shown[] | "<th>\(.[0])</th>"] | join("")) + "</tr>" +
	([$peers[] | "<tr\(if (.peer | ptreclaim) then " class=ours" else "" end)><td>\(.peer | esc)</td>" +
	  (if $ratios then ratio_cell else "" end) + ([. as $p | $shown[] as $c | $p | cell($c)] | join("")) + "</tr>"]
	 | join("\n")) + "</table></div>";
def row_tables: .rows[] | select(any(.peers[]; .ops_per_s or .own_kb or .waste_slope_kb_per_min or .wakeups)) |
	row_table;
