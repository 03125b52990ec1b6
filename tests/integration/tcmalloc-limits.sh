#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# A heap limit holds for resident memory, whatever is pending; a program that reaches it survives.
# What is asked for by ReleaseFreeMemory is gone on return.
# shellcheck source=tclib.sh
. "$(dirname "$0")/tclib.sh"
needs tcprobe timeout
needs_tcmalloc
LIMIT=60
probe=$progs/tcprobe

# field NAME: the first number behind it that the program printed.
field() {
	sed -n "s/.*\\<$1 \\([0-9]*\\).*/\\1/p" "$tmp/out" | head -n 1
}

# --- the limit

mb=64
slack_kb=2048  # the library's own memory, and what threads do in another order
flight_kb=4096 # what the flusher has in hand is neither pending nor gone

reached() { # WHAT
	verdict "$1" || return 1
	most=$(field most_kb)
	[ "$(field live_kb)" -ge $((mb * 1024 * 6 / 10)) ] ||
		fail "$1: only $(field live_kb) kB were ever in use"
}

for build in "${plain_builds[@]}"; do
	have_build "$build" || continue
	for how in aggressive rate10 default; do
		setting_of $how
		for threads in 1 4; do
			# The full build differs in what is hooked only.
			[[ $build != full || $how,$threads = aggressive,4 ]] || continue
			# By the environment from the start, or by property.
			for by in TCMALLOC_HEAP_LIMIT_MB=$mb TCMALLOC_NO_SUCH=1; do
				name="limit, $build, $how, $threads threads, $by"
				tc_stock "$build" "${setting[@]}" "$by" "$probe" limit $mb $threads
				reached "stock, $name" || continue
				stock_most=$most
				for conf in "" batch_bytes:1G,batch_ms:10000; do
					tc_under "$build" "stats_print:true${conf:+,}$conf" \
						"${setting[@]}" "$by" "$probe" limit $mb $threads
					reached "$name, $conf" || continue
					expect "$name" deferred -gt 0
					echo "$name ${conf:-by default}: $most kB, stock $stock_most kB"
					[ "$most" -le $((stock_most + slack_kb + flight_kb)) ] ||
						fail "$name: $most kB resident, stock has $stock_most kB"
					[ "$most" -le $((mb * 1024 + slack_kb)) ] ||
						fail "$name: $most kB resident above the limit"
				done
			done
		done
	done
	tc_under "$build" backend:remap,stats_print:true "${setting[@]}" TCMALLOC_SKIP_SBRK=1 \
		TCMALLOC_HEAP_LIMIT_MB=$mb "$probe" limit $mb 4
	reached "limit, $build, remap"
	echo "$build: $SECONDS s"
done
# At the limit the debug builds crash without us: malloc_debug does not expect it.

# --- ReleaseFreeMemory: by chance of addresses stock differs by 2 MiB from run to run

for build in "${builds[@]}"; do
	for how in aggressive default rate10; do
		name="ReleaseFreeMemory, $build, $how"
		setting_of $how
		tc_stock "$build" "${setting[@]}" "$probe" release
		verdict "stock, $name" || continue
		stock_after=$(field after_kb)
		for conf in backend:auto backend:none; do
			# Nothing goes by its age or amount.
			tc_under "$build" batch_ms:10000,batch_bytes:1G,$conf "${setting[@]}" \
				"$probe" release
			verdict "$name, $conf" || continue
			used=$(field used_kb) before=$(field before_kb) after=$(field after_kb)
			echo "$name, $conf: of $used kB $before resident, then $after; stock $stock_after"
			[ "$before" -ge $((used * 3 / 4)) ] ||
				fail "$name, $conf: nothing was pending"
			[ "$after" -le $((stock_after + slack_kb + 2048)) ] ||
				fail "$name, $conf: $after kB stay resident, $stock_after without us"
		done
	done
done
echo "$SECONDS s"
finish
