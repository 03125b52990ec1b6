#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Programs with extent hooks of their own, and arenas of their own: chained, not overruled.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
needs hammer apphooks latehooks firstfree timeout
LIMIT=60

for decay in 0 50; do
	export MALLOC_CONF=narenas:4,dirty_decay_ms:$decay
	stock "$progs/apphooks"
	verdict "without preload, decay $decay"
	for conf in "" backend:remap batch_bytes:0 batch_bytes:1M,keep_bytes:0 mode:observe; do
		name="decay $decay, ${conf:-by default}"
		under "$conf" "$progs/apphooks"
		verdict "$name"
		for option in -B -C "-B -C -A"; do
			# shellcheck disable=SC2086 # words on purpose
			under "$conf" "$progs/hammer" $option -t 3 -n 300
			verdict "$name, hammer $option" || continue
			# Hooks that come late meet memory enough from before.
			case $option in
			-B*) grep -q 'called [1-9]' "$tmp/out" ||
				fail "$name, hammer $option: its own hook was never called" ;;
			esac
		done
	done
done

# The library comes later than the hooks: these are not taken for jemalloc's. With one arena there is none
# to come, and a new one tells.
for arenas in 1 4 64; do
	export MALLOC_CONF=narenas:$arenas
	for conf in mode:off mode:off,backend:remap mode:observe; do
		under "$conf" "$progs/latehooks" 0
		verdict "hooks before the library, $arenas arenas, $conf"
	done
done

# Nor while it is being installed. That takes a moment, which is to be met.
export MALLOC_CONF=narenas:16
for ((i = 0; i < 60; i++)); do
	under mode:off "$progs/latehooks" 15 -r
	[ "$status" = 0 ] || break
done
verdict "hooks before the library, calloc all the while"
# A library that jemalloc was linked into clears memory that is none of jemalloc's.
bundle=$progs/.libs/bundle.so
if [ -e "$bundle" ]; then
	for conf in "" mode:observe; do
		stock env LD_PRELOAD="$lib:$bundle" PTRECLAIM_CONF="$(conf_of "verbose:true${conf:+,$conf}")" \
			"$progs/wiper"
		verdict "jemalloc as a part of a library, ${conf:-by default}"
		says "jemalloc as a part of a library, ${conf:-by default}" "jemalloc 5"
	done
else
	skip "no jemalloc here that could be linked into a library"
fi

# A thread that begins by freeing.
LIMIT=10
for decay in 0 50 10000; do
	export MALLOC_CONF=narenas:1,dirty_decay_ms:$decay
	stock "$progs/firstfree"
	verdict "threads that begin with free, stock, decay $decay"
	for conf in "" backend:remap batch_bytes:0 mode:observe; do
		under "$conf" "$progs/firstfree"
		verdict "threads that begin with free, decay $decay, ${conf:-by default}"
	done
done
LIMIT=60

# Where jemalloc stands first, mallctl is its own and does not come by the library.
export MALLOC_CONF=narenas:4,dirty_decay_ms:0
jemalloc=$(ldd "$progs/apphooks" | awk '/libjemalloc/ { print $3; exit }')
if [ -n "$jemalloc" ]; then
	# The library says so and stays away: the program would see hooks that are not its own.
	for option in -B -C; do
		PRELOAD=$jemalloc under "" "$progs/hammer" $option -A -t 3 -n 400
		verdict "jemalloc preloaded first, hammer $option"
		says "jemalloc preloaded first, hammer $option" "left alone"
	done
else
	skip "cannot tell where libjemalloc is"
fi
finish
