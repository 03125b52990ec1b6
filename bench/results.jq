# SPDX-License-Identifier: BSD-2-Clause
# results.jq - what a file of bench/results/ comes to: medians and spreads by row and peer. Included by
# bench/report and scripts/readme-figures (jq -L bench 'include "results"; ...'). A median here is the same
# as in compare_stats.c; a ratio is taken within each round.

def spread: map(select(. != null)) | sort | length as $n |
	if $n == 0 then null
	else {median: ((.[($n - 1) / 2 | floor] + .[$n / 2 | floor]) / 2), min: .[0], max: .[-1], n: $n}
	end;

def key: [.part, .suite, .workload, .profile, .touch, .fill, .calls, .threads, .latency];

# "mixed dense, all bytes written, 8 threads".
def row_name:
	[(if .suite == "churn" and .workload == "churn" then empty
	  elif .suite == .workload then .workload
	  else "\(if .suite == "churn" then "" else .suite + " " end)\(.workload)" end),
	 ([.profile // empty, .touch // empty] | join(" ") | select(. != "")),
	 (if .fill == "pages" then "a word a page written" elif .fill == "bytes" then "all bytes written"
	  else empty end),
	 (if .calls == "plain" then "malloc and free alone" else empty end),
	 (if (.threads // 1) > 1 then "\(.threads) threads" else empty end),
	 (if .latency then "each call timed" else empty end)] | join(", ");

def stock_of: rtrimstr("+ptreclaim");

# Of the timed runs of a row: each round's ratio of one peer to another.
def ratio($ours; $base; f):
	(map(select(.peer == $base)) | map({key: "\(.repeat)", value: f}) | from_entries) as $of |
	map(select(.peer == $ours) | (f) as $v | $of["\(.repeat)"] as $b |
	    if $v != null and $b != null and $b > 0 then $v / $b else null end) | spread;

# The members that are shown, by peer.
def members: ["ops_per_s", "churn_ops_per_s", "cpu_s", "peak_rss_kb", "trough_rss_kb", "rss_mean_kb",
	"vmpte_kb", "floor_kb", "waste_kb", "fork_ms", "minor_faults", "tlb_shootdowns",
	"malloc_p50_ns", "malloc_p99_ns", "malloc_p999_ns", "malloc_max_ns",
	"free_p50_ns", "free_p99_ns", "free_p999_ns", "free_max_ns",
	"waste_slope_kb_per_min", "waste_slope_error_kb_per_min",
	"own_kb", "wakeups"];

# All that zap: those of flushes, and those of pages that were wanted back.
def zaps: if .zap_calls == null then null else .zap_calls + (.reuse_zap_calls // 0) end;

def peer_of_row($timed; $name):
	. as $all | map(select(.peer == $name)) as $mine |
	{peer: $name} +
	([members[] as $m | {key: $m, value: ($mine | map(select(.timed) | .[$m]) | spread)}] | from_entries) +
	{
		# Stock's calls are counted in a run of their own.
		zap_calls: (($mine | map(select(.timed) | zaps) | spread) // ($mine | map(zaps) | spread)),
		ratio: (if ($name | stock_of) == $name then null
			else $timed | ratio($name; $name | stock_of; .ops_per_s) end),
		series: ([$mine[] | select(.timed | not) | .series // empty] | first)
	};

# [{name, part, ..., peers: [...]}], in the order of the file.
def rows:
	[.peers[].name] as $order |
	[.runs[] | select(.peer != null)] | to_entries | group_by(.value | key) | sort_by(.[0].key) |
	map(map(.value) | . as $runs | map(select(.timed)) as $timed |
	    (.[0] | {part, suite, workload, profile, touch, fill, calls, threads, latency, name: row_name}) +
	    {peers: [$order[] as $p | select(any($runs[]; .peer == $p)) | $p as $name |
		     $runs | peer_of_row($timed; $name)]});
