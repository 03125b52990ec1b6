#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The version matrix: each allocator that is around, in each release, with its own C library, has the
# library preloaded. No byte is lost; what was counted is looked at where the allocator is served.
# A release that is not installed is fetched once (see fetch); one that cannot be had is skipped.
# shellcheck source=../integration/lib.sh
. "$(dirname "$0")/../integration/lib.sh"
needs hammer-plain readelf timeout
fetch=$(cd "$(dirname "$0")" && pwd)/fetch
LIMIT=60
plain=$progs/hammer-plain
seed=${PTR_SEED:-$$}
echo "seed $seed"

# --- one cell ------------------------------------------------------------------------------------

name='' version='' # of the cell: "jemalloc", "5.3.1"
root='' loader=()  # where it is, and what starts a program there; nothing if it is installed
also=              # the allocator's library, where the program is not linked with it
with=()            # the environment
what=              # what was run last

# place: finds the cell's allocator. $reason: why it cannot.
place() {
	local interpreter dirs
	loader=()
	if ! root=$("$fetch" "$name" "$version" 2>"$tmp/why"); then
		reason=$(tail -n 1 "$tmp/why")
		return 1
	fi
	[ "$root" != / ] || return 0
	interpreter=$(readelf -lW "$plain" | sed -n 's/.*interpreter: \(.*\)]$/\1/p')
	dirs=$(echo "$root"/lib/*-linux-gnu "$root"/usr/lib/*-linux-gnu | tr ' ' :)
	loader=("$root$interpreter" --library-path "$dirs")
	# Programs that were built here may ask for a newer C library than it has.
	stock "${loader[@]}" "$plain" -n 1
	if [ "$status" -ne 0 ]; then
		reason="this build does not run with its C library: $(head -n 1 "$tmp/err")"
		return 1
	fi
}

# library SONAME: of the cell; a name alone is looked for by the loader.
library() {
	if [ "$root" = / ]; then
		echo "$1"
	else
		find "$root"/usr/lib -name "$1" | head -n 1
	fi
}

# part WHAT CONF COMMAND...: one program under preload; false if it did not end well.
part() {
	local conf list=$lib${also:+:$also}
	what="$name $version, $1"
	conf=$(conf_of "stats_print:true${2:+,$2}")
	shift 2
	if [ "$root" = / ]; then
		stock env "${with[@]}" LD_PRELOAD="$list" PTRECLAIM_CONF="$conf" "$@"
	else
		# For the program itself: its children, if any, have the system's C library.
		stock env "${with[@]}" PTRECLAIM_CONF="$conf" "${loader[@]}" --preload "$list" "$@"
	fi
	if grep -q 'cannot be preloaded' "$tmp/err"; then
		fail "$what: not preloaded"
		return 1
	fi
	verdict "$what"
}

# hammer WHAT CONF THREADS OPTION...: on jemalloc, or on whatever $also is.
hammer() {
	local program=$progs/hammer ops=${ops:-1000}
	[ -z "$also" ] || program=$plain
	seed=$((seed + 1))
	part "$1${2:+, $2}, $3 threads, seed $seed" "$2" "$program" -t "$3" -n $((ops / $3)) \
		-b $((400 / $3)) -s "$seed" "${@:4}"
}

# served: do the statistics of the last program name the cell's allocator? If they name none, not a
# word may have been said.
served() {
	local shown
	shown=$(sed -n 's/^ptreclaim .*, allocator //p' "$tmp/err" | head -n 1)
	case $shown in
	"$name $version"*) return 0 ;;
	"") silent "$what" ;;
	*) fail "$what: it took the allocator for $shown" ;;
	esac
	return 1
}

# counted EAGER CONF: what the library has to have done for an allocator that is served. EAGER: does it
# give up each page as soon as it can: yes, so that much is taken back; no; or never, as far as is known.
counted() {
	# Of tcmalloc's memory only what is given up untouched is known to be fresh.
	if [ "$name" != gperftools ] || [ "$1" = yes ]; then
		expect "$what" mapped -gt 0
	fi
	expect "$what" failed -eq 0
	expect "$what" cancelled -le "$(counter released)"
	[ "$1" != never ] || return 0
	expect "$what" released -gt 0
	# What is released last may not have come to it.
	[ "$1" = no ] || expect "$what" zapped -gt 0
	case $2 in
	*batch_bytes:0*) expect "$what" deferred -eq 0 ;;
	*)
		# Releases of more than half of batch_bytes are not put off.
		[ "$1" = no ] || expect "$what" deferred -gt 0
		[ "$1" = no ] || expect "$what" cancelled -gt 0
		;;
	esac
}

# waste: once a churn is over, VmPTE comes to its floor.
waste() {
	local threads
	[ -r /proc/self/pagemap ] || return 0
	for threads in 1 8; do
		ops=6000 hammer "waste" "" $threads -W &&
			sed -n "s/^left nothing:/$name $version, $threads threads: left:/p" "$tmp/out"
	done
}

# --- jemalloc ------------------------------------------------------------------------------------

on_jemalloc() {
	local decay threads conf option
	local -A eager=([0]=yes [default]=never)
	if [ ! -x "$progs/hammer" ]; then
		skip "$name $version: hammer was not built"
		return
	fi
	also=
	for decay in 0 default; do
		with=(MALLOC_CONF=narenas:4)
		[ $decay = default ] || with=("MALLOC_CONF=narenas:4,dirty_decay_ms:$decay")
		for conf in "" backend:remap batch_bytes:0; do
			for threads in 1 8; do
				hammer "decay $decay" "$conf" $threads -A || continue
				served && counted "${eager[$decay]}" "$conf"
			done
		done
	done
	with=("MALLOC_CONF=narenas:4,dirty_decay_ms:0,background_thread:true")
	hammer "background_thread" "" 8 -A && served && counted yes ""
	with=("MALLOC_CONF=narenas:4,dirty_decay_ms:0")
	for option in -B -C "-B -C -A"; do
		# shellcheck disable=SC2086 # words on purpose
		hammer "hammer $option" "" 3 $option && served && expect "$what" released -gt 0
	done
	with=(MALLOC_CONF=dirty_decay_ms:0)
	waste
	part "fork" "" "$progs/forker" fork 20
	part "vfork" "" "$progs/forker" vfork 10
	part "pthread_exit of main" "" "$progs/forker" mainexit
	vectors
	# A program that was not linked with it.
	also=$(library libjemalloc.so.2)
	hammer "preloaded" "" 4 && served && counted yes ""
}

# One call for many ranges, which a release may know, and a build of it have left out.
vectors() {
	local option=process_madvise_max_batch limit conf
	with=("MALLOC_CONF=dirty_decay_ms:0,$option:128,stats_print:true")
	hammer "$option" "" 4 -A || return
	limit=$(sed -n "s/^ *opt\.$option: //p" "$tmp/err")
	case $limit in
	"") ;; # unheard of
	0) skip "$name $version: this build is without $option" ;;
	*)
		with=("MALLOC_CONF=dirty_decay_ms:0,$option:128")
		for conf in "" batch_bytes:0; do
			hammer "$option" "$conf" 4 -A && served && counted yes "$conf"
		done
		;;
	esac
}

# watched ZAPS: what the library may have done for one that only the madvise adapter sees: nothing. ZAPS: is
# something zapped for sure?
watched() {
	local counter
	for counter in released zapped sys_madvise sys_process_madvise sys_remap; do
		expect "$what" $counter -eq 0
	done
	[ "$1" = no ] || expect "$what" zapped_by_others -gt 0
}

# --- tcmalloc ------------------------------------------------------------------------------------

# Threads, does it give up eagerly, setting, more options. Without the first setting nothing is given up
# before 2 GiB have been freed, which the last one does.
settings="
1 yes   AGGRESSIVE_DECOMMIT=1
8 yes   AGGRESSIVE_DECOMMIT=1
8 never AGGRESSIVE_DECOMMIT=0
8 no    RELEASE_RATE=10 -n 125 -b 5 -m 33554432"

on_gperftools() {
	local build conf threads eager setting options serves=yes ops
	for build in "" _minimal _debug; do
		also=$(library "libtcmalloc$build.so.4")
		ops=2000
		[ "$build" != _debug ] || ops=600 # each block is looked at when it is freed
		while read -r threads eager setting options; do
			with=("TCMALLOC_$setting")
			# shellcheck disable=SC2086 # words on purpose
			hammer "libtcmalloc$build, $setting" "" "$threads" $options || continue
			if served; then
				counted "$eager" ""
			else
				serves=no
			fi
		done <<<"${settings#?}"
		[ $serves = yes ] || continue
		with=(TCMALLOC_AGGRESSIVE_DECOMMIT=1)
		for conf in backend:remap batch_bytes:0; do
			hammer "libtcmalloc$build" $conf 8 && served && counted yes $conf
		done
		[ "$build" = _debug ] || waste
	done
	[ $serves = yes ] || skip "$name $version is not served: only its bytes were looked at"
}

# --- mimalloc ------------------------------------------------------------------------------------

on_mimalloc() {
	local threads delay ops=2000
	also=$(library "libmimalloc.so.${version%%.*}")
	for delay in 0 10 default; do
		with=()
		# The one of 2.1 and later, and what it was before.
		[ $delay = default ] || with=("MIMALLOC_PURGE_DELAY=$delay" "MIMALLOC_DECOMMIT_DELAY=$delay")
		for threads in 1 8; do
			# Without the library it did so in 4 of 165 runs.
			if [ "$version $threads" = "3.0.1 8" ]; then
				skip "mimalloc 3.0.1, 8 threads: it loses bytes by itself"
				continue
			fi
			hammer "delay $delay" "" $threads || continue
			if served; then
				# A short program may not come to it later.
				if [ $delay = 0 ]; then
					watched yes
				else
					watched no
				fi
			else
				fail "$what: the adapter is not there"
			fi
		done
	done
}

# -------------------------------------------------------------------------------------------------

cell() { # NAME VERSION
	local before=$failed parts=$passed start=$SECONDS
	name=$1 version=$2
	if ! place; then
		skip "$name $version: $reason"
		return
	fi
	case $name in
	jemalloc) on_jemalloc ;;
	gperftools) on_gperftools ;;
	mimalloc) on_mimalloc ;;
	esac
	if [ $failed -eq "$before" ]; then
		echo "$name $version: passed, $((passed - parts)) parts, $((SECONDS - start)) s"
	else
		echo "$name $version: failed"
	fi
}

for v in 5.3.0 5.3.1; do
	cell jemalloc $v
done
for v in 2.10 2.16 2.18.1; do
	cell gperftools $v
done
for v in 2.0.9 3.0.1 3.6.0; do
	cell mimalloc $v
done
finish
