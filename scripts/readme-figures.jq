# SPDX-License-Identifier: BSD-2-Clause
# readme-figures.jq - README's tables out of a file of results. What was not measured is a dash.
include "results";

def round_to($digits): . as $v | pow(10; $digits) as $p | ($v * $p | round) / $p;
def fixed($digits): round_to($digits) | tostring | if $digits == 0 then . else
	(if test("[.]") then . else . + "." end) | until(test("[.][0-9]{\($digits)}$"); . + "0") end;
def grouped: round | tostring | explode | reverse |
	[range(0; length; 3) as $i | .[$i:$i + 3] | reverse | implode] | reverse | join(",");
def from_to(f): if .stock == null or .ours == null then null else (.stock | f) as $a | (.ours | f) as $b |
	if $a == null or $b == null then null else [$a, $b] end end;
def dash: . // "–";

# One row's stock peer and its like with ptreclaim.
def pair($peer; $profile; $touch; $fill; $threads):
	[rows[] | select(.suite == "churn" and .workload == "churn" and (.latency | not) and
			 .profile == $profile and .touch == $touch and .fill == $fill and .calls != "plain" and
			 .threads == $threads) |
	 {stock: (.peers[] | select(.peer == $peer)), ours: (.peers[] | select(.peer == $peer + "+ptreclaim"))}] |
	first // {stock: null, ours: null};

def ratio_text: .ours.ratio as $r | if $r == null then null else "x \($r.median | fixed(2))" +
	(if $r.n > 1 then " (\($r.min | fixed(2)) to \($r.max | fixed(2)))" else "" end) end;

# All bytes written where that was run, since it is what a program sees; beside it a word a page.
def line($what; $peer; $profile; $touch; $threads):
	pair($peer; $profile; $touch; "pages"; $threads) as $pages |
	pair($peer; $profile; $touch; "bytes"; $threads) as $bytes |
	(if $bytes.ours != null then $bytes else $pages end) as $shown |
	[$what,
	 ($shown | from_to(.waste_kb.median) | if . then "\(.[0] | grouped) -> \(.[1] | grouped) kB" else null end),
	 ($shown | from_to(.fork_ms.median) | if . then "\(.[0] | fixed(1)) -> \(.[1] | fixed(1)) ms" else null end),
	 ($shown | (from_to(.zap_calls.median) // ($pages | from_to(.zap_calls.median))) | if . then "\(.[0] | grouped) -> \(.[1] | grouped)" else null end),
	 ($bytes | ratio_text), ($pages | ratio_text),
	 ($shown | from_to(.peak_rss_kb.median) |
	  if . then "\(.[0] / 1024 | grouped) -> \(.[1] / 1024 | grouped) MB" else null end)] |
	"| " + (map(dash) | join(" | ")) + " |";

def head($what):
	"| \($what) | wasted tables | fork() | zapping calls | operations/s | a word a page | peak RSS |",
	"|---|---|---|---|---|---|---|";

def rounds: "\(.) round\(if . == 1 then "" else "s" end)";
def figures($name):
	if $name == "machine" then
		[.runs[] | select(.timed and .suite == "churn" and (.latency | not))] as $runs |
		"Measured on \(.cpu | gsub("\\([RrTtMm]+\\)"; "")), \(.cpus) processors, Linux \(.kernel), \(.date), " +
		"jemalloc \(.versions.jemalloc // "–" | split("-")[0]), " +
		"gperftools \(.versions.tcmalloc // "–" | split("-")[0]),",
		"\([$runs[].live_bytes // 0] | max / 1048576 | round) MiB live: medians of up to " +
		"\([$runs[].repeat + 1] | max // 0 | rounds) in turns, in brackets the least and the most",
		"(`build/bench/compare --suite goals`, `bench/results/\($ARGS.named.file)`).",
		"All bytes of a block are written and verified; in the column “a word a page” one word of each " +
		"page is,",
		"which leaves the program’s own share of the work out."
	elif $name == "jemalloc" then
		head("mixed churn, 16 B to 2 MiB"),
		line("decay 0, touched wholly"; "jemalloc-0"; "mixed"; "dense"; 1),
		line("decay 0, first 8 KiB touched"; "jemalloc-0"; "mixed"; "sparse"; 1),
		line("the same, 8 threads"; "jemalloc-0"; "mixed"; "sparse"; 8),
		line("default decay, touched wholly"; "jemalloc"; "mixed"; "dense"; 1)
	elif $name == "tcmalloc" then
		head("churn, 1 thread"),
		line("16 B to 2 MiB, touched wholly"; "tcmalloc-aggressive"; "mixed"; "dense"; 1),
		line("the same, first 8 KiB touched"; "tcmalloc-aggressive"; "mixed"; "sparse"; 1),
		line("64 KiB to 4 MiB, touched wholly"; "tcmalloc-aggressive"; "large"; "dense"; 1),
		line("the same, first 8 KiB touched"; "tcmalloc-aggressive"; "large"; "sparse"; 1)
	else error("no figures are called \($name)")
	end;
