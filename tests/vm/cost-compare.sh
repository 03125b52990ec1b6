#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# cost-compare.sh - compare two files of tests/vm/cost.sh, and judge them by what the series promises.
#
#   tests/vm/cost-compare.sh [--free-against FILE] PATCHED STOCK
#
# PATCHED and STOCK: of the same kernel line. --free-against: where the cost of an empty whole-region
# MADV_DONTNEED is taken from, if STOCK does not free tables by it (6.12: the file of 7.3-stock).
set -u
export LC_ALL=C
against=
if [ "${1:-}" = --free-against ]; then
	against=$2
	shift 2
fi
if [ $# -ne 2 ] || [ ! -r "$1" ] || [ ! -r "$2" ]; then
	echo "usage: cost-compare.sh [--free-against FILE] PATCHED STOCK" >&2
	exit 2
fi

awk -v patched="$1" -v stock="$2" -v against="${against:-$2}" '
function load(file, into,	f) {
	while ((getline line < file) > 0)
		if (split(line, f, " ") == 2)
			into[f[1]] = f[2] + 0
	close(file)
}
function judge(name, what, of, least, most,	ratio) {
	if (!what) {
		print "FAIL: " name ": not measured on the patched kernel"
		failed++
		return
	}
	if (!of) {
		print "SKIP: " name ": not measured"
		return
	}
	ratio = what / of
	printf "%s: %s: %.1f against %.1f, %.4f x", \
		(ratio >= least && ratio <= most) ? "PASS" : "FAIL", name, what, of, ratio
	if (least > 0)
		printf " (%.3f to %.3f)\n", least, most
	else
		printf " (at most %.2f)\n", most
	(ratio >= least && ratio <= most) ? passed++ : failed++
}
BEGIN {
	load(patched, p); load(stock, s); load(against, a)
	printf "%-26s %12s %12s %9s\n", "instructions", "patched", "stock", "ratio"
	while ((getline line < patched) > 0) {
		split(line, f, " ")
		if (f[1] in p)
			printf "%-26s %12.1f %12s %9s\n", f[1], p[f[1]],
				(f[1] in s) ? sprintf("%.1f", s[f[1]]) : "-",
				(f[1] in s) && s[f[1]] ? sprintf("%.4f", p[f[1]] / s[f[1]]) : "-"
	}
	judge("freeing an empty table", p["free_empty"], a["dontneed_empty"], 0, 1.0)
	# Where each range of a vector is a call of its own (6.12), the calls are most of it.
	judge("a table kept for its first page", p["kept_first"], a["dontneed_empty"], 0,
		against == stock ? 0.15 : 0.20)
	judge("a table kept for its last page", p["kept_last"], a["dontneed_empty"], 0, 0.6)
	judge("fault, write, table there", p["fault_write"], s["fault_write"], 0.995, 1.005)
	judge("fault, write, first", p["fault_write_first"], s["fault_write_first"], 0.995, 1.005)
	judge("fault, read, table there", p["fault_read"], s["fault_read"], 0.995, 1.005)
	judge("fault, read, first", p["fault_read_first"], s["fault_read_first"], 0.995, 1.005)
	exit failed ? 1 : passed ? 0 : 77
}'
