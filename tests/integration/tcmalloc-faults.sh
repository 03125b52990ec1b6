#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# What the kernel refuses while tcmalloc is served: the program goes on, and its data is right.
# shellcheck source=tclib.sh
. "$(dirname "$0")/tclib.sh"
needs tchammer timeout
needs_tcmalloc
LIMIT=60
hammer=$progs/tchammer
setting_of aggressive

# works WHAT BUILD CONF [NAME=VALUE...] COMMAND...: ends well, with statistics.
works() {
	local name="$2: $1" build=$2 conf=$3
	shift 3
	tc_under "$build" "$conf${conf:+,}stats_print:true" "${setting[@]}" "$@"
	verdict "$name"
}

for build in "${builds[@]}"; do
	for backend in auto remap; do
		for sbrk in 0 1; do
			memory=TCMALLOC_SKIP_SBRK=$sbrk
			# --- memory that is locked, or short
			name="mlockall, $backend, $memory"
			if works "$name" "$build" backend:$backend $memory \
				"$hammer" -L -t 4 -n 150 -b 50; then
				expect "$build: $name" released -gt 0
				[ $backend != auto ] || expect "$build: $name" failed -gt 0
			fi
			# --- mappings nearly used up
			name="max_map_count nearly reached, $backend, $memory"
			works "$name" "$build" backend:$backend $memory \
				"$hammer" -M -F -t 4 -n 150 -b 50 &&
				expect "$build: $name" released -gt 0
		done
	done
	# Room for little more than the start.
	case $build in
	*debug) sizes="" ;; # they end the program when there is no memory
	*) sizes="500000 250000 150000" ;;
	esac
	for kb in $sizes; do
		for conf in "" batch_bytes:256M; do
			works "RLIMIT_AS of $kb kB, $conf" "$build" "$conf" \
				prlimit --as=$((kb * 1024)) \
				"$hammer" -F -t 2 -n 600 -b 300 -k 500
		done
	done
	echo "$build: $SECONDS s"
done

# --- system calls that are refused

build=${builds[0]}
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
	for call in process_madvise mincore psi pidfd_open "process_madvise EPERM pidfd_open" prctl; do
		for error in EPERM ENOSYS; do
			name="$call $error"
			# shellcheck disable=SC2086 # words on purpose
			works "$name" "$build" "" "$progs/refuse" $call $error -- \
				"$hammer" -t 4 -n 150 -b 50 || continue
			expect "$name" zapped -gt 0
			expect "$name" failed -eq 0
		done
	done
	# tcmalloc itself cannot release: it is left to itself.
	for name in "${builds[@]}"; do
		works "madvise EPERM" "$name" "" "$progs/refuse" madvise EPERM process_madvise EPERM -- \
			"$hammer" -t 4 -n 150 -b 50 && expect "$name: madvise EPERM" deferred -eq 0
	done
fi

# --- system calls that fail now and then, or from some time on

if have strace && timeout 20 strace -qq -o /dev/null -e inject=madvise:error=ENOMEM:when=1 true \
	2>"$tmp/err"; then
	injected() { # WHAT CONF STRACE-OPTION...: calls are counted by thread
		local name=$1 conf=$2
		shift 2
		stock strace -f -qq -o /dev/null -E LD_PRELOAD="$lib:$(file_of "$build")" \
			-E PTRECLAIM_CONF="$(conf_of "$conf,stats_print:true")" -E "${setting[0]}" \
			-e trace=madvise,process_madvise,mmap "$@" "$hammer" -t 4 -n 600 -b 50
		verdict "$name"
	}
	for error in EPERM ENOMEM EINVAL; do
		# By then the proof at the start has passed, after probes of each backend.
		injected "zaps fail with $error from some time on" batch_bytes:1M \
			-e inject=madvise:error=$error:when=32+ \
			-e inject=process_madvise:error=$error:when=1+ &&
			expect "zaps fail with $error from some time on" failed -gt 0
	done
	for when in 3+7 40+2; do
		injected "zaps fail now and then, when=$when" batch_bytes:4M \
			-e inject=process_madvise:error=EAGAIN:when=$when \
			-e inject=madvise:error=EAGAIN:when=5+9
	done
	# Replacing a mapping fails; growing the heap as well, for which brk is left.
	injected "mmap fails" backend:remap -E TCMALLOC_SKIP_SBRK=1 \
		-e inject=mmap:error=ENOMEM:when=80+3
else
	skip "strace cannot inject: $(tail -n 1 "$tmp/err")"
fi
echo "$SECONDS s"
finish
