#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# mm-compare.sh - compare two files of tests/vm/mm-selftests.sh: the series must change no result.
#
#   tests/vm/mm-compare.sh PATCHED STOCK
set -u
export LC_ALL=C
if [ $# -ne 2 ] || [ ! -r "$1" ] || [ ! -r "$2" ]; then
	echo "usage: mm-compare.sh PATCHED STOCK" >&2
	exit 2
fi
# A program that ran out of time has no results to compare. If it did so without the series too, that
# is the machine's doing.
late_in() {
	sed -n 's/: exit status time is up$//p' "$1" | sort
}
late=$(late_in "$1" | sort - <(late_in "$2") | uniq)
bad=0
while IFS= read -r name; do
	case $name in
	'') ;;
	*)
		if grep -qxF "$name: exit status time is up" "$2"; then
			echo "SKIP: mm selftests: $name: it ran out of time on the unpatched kernel"
		else
			echo "FAIL: mm selftests: $name: it ran out of time on the patched kernel alone"
			bad=1
		fi
		;;
	esac
done <<<"$late"
without_late() {
	awk -v late="$late" 'BEGIN { n = split(late, name, "\n") }
		{ for (i = 1; i <= n; i++) if (index($0, name[i] ": ") == 1) next; print }' "$1"
}
if difference=$(diff <(without_late "$2") <(without_late "$1")); then
	echo "PASS: mm selftests: $(without_late "$1" | grep -c ': exit status') programs," \
		"$(without_late "$1" | grep -cE ': (not )?ok ') results, the same"
else
	echo "FAIL: mm selftests: results differ (< unpatched, > patched)"
	echo "    | ${difference//$'\n'/$'\n'    | }"
	exit 1
fi
exit $bad
