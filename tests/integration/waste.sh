#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# What the library is for: once a churn is over, VmPTE is at its floor within a second, and the
# mappings are no more than they were.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
needs hammer timeout
LIMIT=60
[ -r /proc/self/pagemap ] || skip_all "/proc/self/pagemap cannot be read"
export MALLOC_CONF=dirty_decay_ms:0

mappings() {
	sed -n 's/^left nothing: .*mappings \([0-9]*\),.*/\1/p' "$tmp/out"
}

for threads in 1 8; do
	churn=("$progs/hammer" -t "$threads" -n $((6000 / threads)) -b $((1200 / threads)) -W)
	stock "${churn[@]}"
	echo "stock, $threads threads: $(grep ^left "$tmp/out" | head -n 1)"
	for backend in dontneed remap pt_reclaim auto; do
		if [ $backend != auto ] && ! backend_works $backend; then
			skip "$backend does nothing on this kernel"
			continue
		fi
		for more in "" ,keep_bytes:0 ,batch_bytes:1M ,batch_bytes:0; do
			name="backend $backend$more, $threads threads"
			under "backend:$backend$more" "${churn[@]}"
			if [ "$status" = 4 ]; then
				fail "$name: waste does not go"
				continue
			fi
			verdict "$name" || continue
			[ -n "$more" ] || grep ^left "$tmp/out" | sed "s/^left/$name:/"
		done
		# Growth that is aligned leaves gaps between heads, of which there is a handful.
		under "backend:$backend" "$progs/hammer" -t $threads -n 100 -W
		first=$(mappings)
		under "backend:$backend" "${churn[@]}"
		last=$(mappings)
		if [ -z "$first" ] || [ -z "$last" ] || [ "$last" -gt $((first + 40)) ]; then
			fail "$backend, $threads threads: ${last:-?} mappings, ${first:-?} at the start"
		fi
	done
done
finish
