#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# What is named ptreclaim.* is had by MallocExtension's properties, in C and in C++; what is tcmalloc's
# own answers as it does without the library.
# shellcheck source=tclib.sh
. "$(dirname "$0")/tclib.sh"
needs tcprobe timeout
needs_tcmalloc
LIMIT=30
probe=$progs/tcprobe

# like FILE: the same names are known as there, settings are equal, sizes within what the library's own
# proof at the start takes.
like() {
	awk -v slack=$((3 << 20)) '
		NR == FNR { known[$1] = $2; value[$1] = $3; next }
		{ seen[$1] = 1 }
		$2 != known[$1] { print $1, "is known:", $2; next }
		/_count / { next } # of calls, which differ
		/max_total|aggressive|limit|nonesuch/ && $3 != value[$1] { print; next }
		{ d = $3 - value[$1]; if (d < 0) d = -d; if (d > slack) print $0, "not", value[$1] }
		END { for (n in known) if (!seen[n]) print n, "is missing" }' "$1" "$tmp/out" >"$tmp/diff"
	[ -s "$tmp/out" ] && [ ! -s "$tmp/diff" ]
}

for build in "${builds[@]}"; do
	tc_under "$build" batch_bytes:48M "$probe" ours $((48 << 20))
	verdict "$build: properties"
	[ "$(cat "$tmp/out")" = right ] || fail "$build: properties: not to the end"

	# Without the library there are none.
	tc_stock "$build" "$probe" ours 1
	[ "$status" = 5 ] || fail "$build: stock has properties of ours"

	# The debug builds hold back what was freed: how much depends on what was there before.
	setting_of default
	tc_stock "$build" "${setting[@]}" "$probe" theirs
	verdict "$build: tcmalloc's properties, stock" || continue
	cp "$tmp/out" "$tmp/stock"
	for conf in "" mode:off mode:observe batch_bytes:0 backend:remap; do
		tc_under "$build" "$conf" "${setting[@]}" "$probe" theirs
		verdict "$build: tcmalloc's properties, ${conf:-by default}" || continue
		case $build in
		*debug) cut -d' ' -f1,2 "$tmp/stock" >"$tmp/names"
			cut -d' ' -f1,2 "$tmp/out" | diff "$tmp/names" - >"$tmp/diff" ;;
		*) like "$tmp/stock" ;;
		esac || {
			cat "$tmp/diff" >>"$tmp/err"
			fail "$build: tcmalloc's properties differ, ${conf:-by default}"
		}
		# They agree with each other.
		awk '{ v[$1] = $3 } END {
			sum = v["tcmalloc.pageheap_committed_bytes"]
			sum += v["tcmalloc.pageheap_unmapped_bytes"]
			exit sum != v["generic.heap_size"] }' \
			"$tmp/out" || fail "$build: heap_size is not its parts, ${conf:-by default}"
	done
done

# --- C++

if ! have g++; then
	skip "no g++"
elif ! echo '#include <gperftools/malloc_extension.h>' | g++ -E -x c++ - >/dev/null 2>&1; then
	skip "no gperftools/malloc_extension.h (package libgoogle-perftools-dev)"
elif ! g++ -O1 -o "$tmp/tcext" "$(dirname "$0")/tcext.cc" -ltcmalloc_minimal 2>"$tmp/err"; then
	fail "tcext.cc does not compile"
else
	under "" "$tmp/tcext"
	verdict "C++, linked"
	for build in "${builds[@]}"; do
		tc_under "$build" "" "$tmp/tcext"
		verdict "C++, $build"
		[ "$(cat "$tmp/out")" = right ] || fail "C++, $build: not to the end"
	done
fi
finish
