#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Allocators without hooks, by their madvise: what they zap is counted, whichever way they call it, what
# could be won is counted exactly, and nothing is done to them. And several allocators in one process.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
needs arena several timeout
LIMIT=60
arena=$progs/arena
page=$(getconf PAGESIZE)

# said NAME: the number behind NAME in what the program said.
said() {
	awk -v name="$1" '$1 == name { print $2 }' "$tmp/out"
}

# Does a zap of a whole region free its table here, and is there no better way? Then the program can find
# out what it has; and the library, what it could win.
exact=yes
backend_works pt_reclaim && exact=
backend_works dontneed || exact=

# --- each way to zap, and what may become of the memory afterwards

as_the_program_says() { # NAME
	expect "$1" zapped_by_others -eq "$(said zapped)"
	expect "$1" released -eq 0
	expect "$1" zapped -eq 0
	expect "$1" regions_swept -eq 0
	expect "$1" sys_madvise -eq 0
	expect "$1" sys_process_madvise -eq 0
	[ -z "$exact" ] || expect "$1" reclaimable -eq $(($(said tables) * page))
}

for way in madvise locked free process syscall process-syscall odd-length; do
	stock "$arena" zap $way
	if [ $status = 77 ]; then
		skip "$way: this kernel does not do that"
		continue
	fi
	verdict "$way, without preload" || continue
	cp "$tmp/out" "$tmp/stock"
	for mode in on observe; do
		under mode:$mode,stats_print:true "$arena" zap $way
		verdict "$way, mode $mode" || continue
		cmp -s "$tmp/out" "$tmp/stock" || fail "$way, mode $mode: the program says otherwise"
		as_the_program_says "$way, mode $mode"
	done
done

if [ -z "$exact" ]; then
	skip "how many tables are empty cannot be found out on this kernel, or they are freed"
else
	under stats_print:true "$arena" zap madvise
	most=$(counter reclaimable)
	[ "${most:-0}" -gt 0 ] || fail "nothing is reclaimable"
	for then in munmap munmap-syscall munmap-part shrink move-over move-away move-off map-over \
		touch whole; do
		under stats_print:true "$arena" zap madvise $then
		verdict "madvise, then $then" || continue
		tables=$(said tables)
		# The program frees tables by zaps to count them, which the hole in that region forbids; the
		# advice would free it.
		[ $then != munmap-part ] || tables=$((tables + 1))
		expect "madvise, then $then" reclaimable -eq $((tables * page))
		case $then in
		move-over | move-away | munmap-part) ;;
		*) expect "madvise, then $then" reclaimable -lt "$most" ;;
		esac
	done
fi

# --- the program's calls are all the calls there are

if ! have strace || ! strace -f true 2>/dev/null; then
	skip "no strace here, or it may not trace"
else
	# calls FILE: how often each is called while the program zaps.
	calls() {
		awk '/write\(2, "begin/ { on = 1; next } /write\(2, "end/ { on = 0 }
			on { sub(/^[0-9]+ +/, ""); sub(/\(.*/, ""); n[$0]++ }
			END { for (c in n) print c, n[c] }' "$1" | sort
	}
	for way in madvise syscall process; do
		stock strace -f -o "$tmp/stock" "$arena" zap $way move-over
		[ $status = 77 ] && continue
		verdict "$way, traced" || continue
		calls "$tmp/stock" >"$tmp/stock.calls"
		[ -s "$tmp/stock.calls" ] || fail "$way: nothing was traced"
		for conf in "" backend:remap backend:none mode:observe; do
			stock strace -f -o "$tmp/ours" -E LD_PRELOAD="$lib" \
				-E PTRECLAIM_CONF="$(conf_of "$conf")" "$arena" zap $way move-over
			verdict "$way, traced, ${conf:-by default}" || continue
			calls "$tmp/ours" >"$tmp/ours.calls"
			# A vector's descriptor is looked at once; own records are mapped.
			if diff <(grep -E 'madvise|mremap|munmap' "$tmp/stock.calls") \
				<(grep -E 'madvise|mremap|munmap' "$tmp/ours.calls") >"$tmp/out" &&
				! awk '/write\(2, "begin/ { on = 1 } on' "$tmp/ours" |
					grep -E 'mmap\(.*MAP_FIXED[^_]'; then
				ok
			else
				fail "$way, ${conf:-by default}: calls that the program did not make"
			fi
		done
	done
fi

# --- what passes through is as it was

for conf in mode:on mode:off mode:observe; do
	under $conf "$arena" syscall
	verdict "syscall(2), $conf"
done
stock "$arena" syscall
verdict "syscall(2), without preload"

# --- where there is only counting to be done no thread is made; off is off

for conf in mode:on mode:observe mode:off; do
	[ $conf != mode:on ] || [ -n "$exact" ] || continue
	under $conf,stats_print:true "$arena" threads
	verdict "threads, $conf" || continue
	[ "$(said threads)" = 1 ] || fail "threads, $conf: $(said threads)"
	[ $conf != mode:off ] || silent "threads, $conf"
done

# --- an allocator that comes late

plugin=$progs/.libs/plugin.so
export MALLOC_CONF=dirty_decay_ms:0,narenas:1
# Debian's jemalloc wants more of the loader than most that come late.
export GLIBC_TUNABLES=glibc.rtld.optional_static_tls=8192
if [ ! -e "$plugin" ]; then
	skip "no plugin was built"
else
	under stats_print:true "$progs/plughost" "$plugin"
	if [ $status = 77 ]; then
		skip "a plugin that zaps: it cannot be loaded"
	elif verdict "a plugin that zaps"; then
		expect "a plugin that zaps" zapped_by_others -gt 0
		expect "a plugin that zaps" zapped -eq 0
		grep -q 'others' "$tmp/err" || fail "a plugin that zaps: it has no name"
		under mode:off,stats_print:true "$progs/plughost" "$plugin"
		verdict "a plugin that zaps, mode:off" && silent "a plugin that zaps, mode:off"
	fi
fi

# --- mimalloc

# find_library NAME: where the loader would find it.
find_library() {
	{ ldconfig -p || /sbin/ldconfig -p; } 2>/dev/null |
		awk -v name="$1" '$1 == name { print $NF; exit }'
}

mimalloc=$(find_library libmimalloc.so.2)
if [ -z "$mimalloc" ]; then
	skip "no mimalloc here"
else
	export MIMALLOC_PAGE_RESET=1 MIMALLOC_RESET_DELAY=0 MIMALLOC_DECOMMIT_DELAY=0
	stock env LD_PRELOAD="$mimalloc" "$progs/several" -t 4
	verdict "mimalloc, without preload of ours" && for conf in mode:on backend:none mode:observe; do
		stock env LD_PRELOAD="$lib:$mimalloc" \
			PTRECLAIM_CONF="$(conf_of $conf,stats_print:true)" "$progs/several" -t 4
		verdict "mimalloc, $conf" || continue
		grep -qE 'mimalloc [0-9]+\.[0-9]+\.[0-9]+' "$tmp/err" || fail "mimalloc, $conf: no name"
		expect "mimalloc, $conf" zapped_by_others -gt 0
		expect "mimalloc, $conf" zapped -eq 0
		expect "mimalloc, $conf" released -eq 0
		expect "mimalloc, $conf" sys_madvise -eq 0
	done
	unset MIMALLOC_PAGE_RESET MIMALLOC_RESET_DELAY MIMALLOC_DECOMMIT_DELAY
fi

# --- tcmalloc for malloc, jemalloc in a plugin, glibc beside

tcmalloc=$(find_library libtcmalloc_minimal.so.4)
if [ -z "$tcmalloc" ] || [ ! -e "$plugin" ]; then
	skip "no tcmalloc here, or no plugin"
else
	for release in "" TCMALLOC_AGGRESSIVE_DECOMMIT=1; do
		for conf in backend:auto backend:none batch_bytes:0 batch_bytes:1M,keep_bytes:0; do
			name="three allocators, ${release:-by default}, $conf"
			# shellcheck disable=SC2086 # none or one word
			stock env $release LD_PRELOAD="$lib:$tcmalloc" \
				PTRECLAIM_CONF="$(conf_of $conf,stats_print:true)" \
				"$progs/several" -t 3 -n 8000 -p "$plugin" -g
			if [ $status = 77 ]; then
				skip "$name: glibc keeps its malloc to itself, or there is no plugin"
				continue
			fi
			verdict "$name" || continue
			grep -q 'gperftools [0-9]' "$tmp/err" || fail "$name: tcmalloc is not served"
			# jemalloc's, which came too late to be served.
			expect "$name" zapped_by_others -gt 0
			[ -z "$release" ] || expect "$name" released -gt 0
			[ "$conf" = batch_bytes:0 ] || [ -z "$release" ] ||
				expect "$name" cancelled -gt 0
		done
	done
	# jemalloc is there from the start: both are served.
	jemalloc=$(ldd "$plugin" 2>/dev/null | awk '/libjemalloc/ { print $3; exit }')
	if [ -n "$jemalloc" ]; then
		stock env TCMALLOC_AGGRESSIVE_DECOMMIT=1 LD_PRELOAD="$lib:$tcmalloc:$jemalloc" \
			PTRECLAIM_CONF="$(conf_of stats_print:true)" \
			"$progs/several" -t 3 -n 8000 -p "$plugin" -g
		if [ $status != 77 ] && verdict "both preloaded"; then
			grep -q 'jemalloc [0-9].*gperftools [0-9]' "$tmp/err" ||
				fail "both preloaded: not both are served"
			expect "both preloaded" mapped -gt 0
			expect "both preloaded" deferred -gt 0
		fi
	fi
fi
finish
