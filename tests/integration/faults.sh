#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# What the kernel refuses, and what jemalloc is told: the program goes on, and its data is right.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
needs hammer timeout
LIMIT=60
hammer=$progs/hammer
malloc=dirty_decay_ms:0,narenas:4

# works WHAT CONF COMMAND...: ends well, with statistics.
works() {
	local name=$1 conf=$2
	shift 2
	MALLOC_CONF=${MALLOC-$malloc} under "$conf${conf:+,}stats_print:true" "$@"
	verdict "$name"
}

# --- memory that is locked, or short

for backend in auto remap; do
	works "mlockall, $backend" backend:$backend "$hammer" -L -t 4 -n 150 -m 300000 -A &&
		expect "mlockall, $backend" released -gt 0
	if [ $backend = auto ] && [ "$status" = 0 ]; then
		expect "mlockall" failed -gt 0
	fi
	# Room for little more than the start.
	for kb in 400000 200000 120000; do
		MALLOC=narenas:2,dirty_decay_ms:0 works "RLIMIT_AS of $kb kB, $backend" \
			backend:$backend prlimit --as=$((kb * 1024)) \
			"$hammer" -F -t 2 -n 1500 -b 300 -A
	done
done

# --- system calls that are refused

if [ -x "$progs/refuse" ]; then
	timeout 10 "$progs/refuse" mincore EPERM -- true 2>"$tmp/err"
	refuses=$?
else
	refuses=77
	echo "no libseccomp when this was built" >"$tmp/err"
fi
if [ $refuses = 77 ]; then
	skip "seccomp: $(tail -n 1 "$tmp/err")"
else
	for call in process_madvise mincore psi pidfd_open "process_madvise EPERM pidfd_open" \
		prctl; do
		for error in EPERM ENOSYS; do
			for backend in auto remap; do
				name="$call $error, $backend"
				# shellcheck disable=SC2086 # words on purpose
				works "$name" backend:$backend "$progs/refuse" $call $error -- \
					"$hammer" -t 4 -n 500 -A || continue
				expect "$name" zapped -gt 0
				expect "$name" failed -eq 0
			done
		done
	done
	# Nothing works any more: what jemalloc gave up has to read zero all the same.
	for error in EPERM ENOMEM EAGAIN EINVAL; do
		works "madvise $error" "" "$progs/refuse" madvise $error process_madvise $error -- \
			"$hammer" -t 4 -n 300 -A
	done
fi

# --- system calls that fail now and then

if have strace && timeout 20 strace -qq -o /dev/null -e inject=madvise:error=ENOMEM:when=1 true \
	2>"$tmp/err"; then
	for error in ENOMEM EAGAIN EINVAL; do
		for when in 1+ 3+7 40+2; do
			name="madvise fails with $error, when=$when"
			works "$name" batch_bytes:4M strace -f -qq -o /dev/null \
				-e trace=madvise -e inject=madvise:error=$error:when=$when \
				"$hammer" -t 4 -n 200
			name="process_madvise fails with $error, when=$when"
			works "$name" batch_bytes:4M strace -f -qq -o /dev/null \
				-e trace=process_madvise,madvise \
				-e inject=process_madvise:error=$error:when=$when \
				-e inject=madvise:error=$error:when=5+9 "$hammer" -t 4 -n 200
		done
	done
	# From some time on no mapping can be replaced or made.
	works "mmap fails, remap" backend:remap strace -f -qq -o /dev/null -e trace=mmap \
		-e inject=mmap:error=ENOMEM:when=400+ "$hammer" -F -t 1 -n 1000 -m 400000
else
	skip "strace cannot inject: $(tail -n 1 "$tmp/err")"
fi

# --- mappings nearly used up

for backend in remap auto; do
	works "max_map_count nearly reached, $backend" backend:$backend \
		"$hammer" -M -F -t 4 -n 500 -A &&
		expect "max_map_count nearly reached, $backend" zapped -gt 0
done
echo "up to max_map_count: $SECONDS s"

# --- what jemalloc can be told

for option in narenas:256 percpu_arena:percpu percpu_arena:phycpu retain:false dss:primary \
	oversize_threshold:0 lg_extent_max_active_fit:0 thp:always metadata_thp:auto tcache:false \
	muzzy_decay_ms:50 muzzy_decay_ms:-1 confirm_conf:false; do
	for conf in "" backend:remap; do
		MALLOC=dirty_decay_ms:0,$option works "$option ${conf:-by default}" "$conf" \
			"$hammer" -t 8 -n 300 -A || continue
		[ $option = retain:false ] || expect "$option" deferred -gt 0
	done
done
MALLOC=dirty_decay_ms:50,muzzy_decay_ms:50 works "muzzy and dirty decay" "" "$hammer" -t 4 -n 2000

MALLOC_CONF=hpa:true,dirty_decay_ms:0 under "" "$hammer" -t 4 -n 300
verdict "hpa:true"
says "hpa:true" "opt.hpa"

# Extents with guards survive no hooks: the library stays away, and says why.
for option in san_guard_small:1 san_guard_large:1 san_guard_small:4,san_guard_large:4; do
	MALLOC_CONF=$option,dirty_decay_ms:0 under "" "$hammer" -t 2 -n 200
	verdict $option
	says $option san_guard
done

# --- no jemalloc

under "" true
verdict "no allocator"
silent "no allocator"
under verbose:true true
verdict "no jemalloc, verbose"
says "no jemalloc, verbose" "no allocator"
echo "$SECONDS s"
finish
