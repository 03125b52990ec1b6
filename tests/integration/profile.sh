#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# bench/profile puts every sample where it belongs and reckons with it as it says: told by a perf that
# makes its samples up. Then with the real one. No time is judged.
# shellcheck source=tests/integration/lib.sh
. "$(dirname "$0")/lib.sh"
needs jq timeout
profile=$(realpath "$(dirname "$0")/../../bench/profile")
[ -x "$top/bench/churn" ] || skip_all "bench/churn is not built"

# Folders of its own, to see what is left in them.
mkdir "$tmp/left" "$tmp/bin" || exit 99
export TMPDIR=$tmp/left

run() { # ARGUMENT...
	stock env PATH="$path" "$profile" --build "$top" "$@" 9>&-
}

# that WHAT FILTER: true of the report.
that() {
	if jq -e "$2" "$tmp/out" >/dev/null 2>&1; then
		ok
	else
		fail "$1"
	fi
}

# refused STATUS TEXT ARGUMENT...: one line with TEXT, and nothing else.
refused() {
	run "${@:3}"
	if [ $status -eq "$1" ] && [ ! -s "$tmp/out" ] && [ "$(wc -l <"$tmp/err")" = 1 ] &&
		grep -qF -- "$2" "$tmp/err"; then
		ok
	else
		fail "'${*:3}': status $status, not $1 and a line with '$2'"
	fi
}

path=$PATH
refused 2 "unknown option" --bogus
refused 2 "unknown allocator" --allocator glibc
refused 2 "--rounds wants" --rounds 0
refused 2 "--decay wants" --decay soon
refused 2 "wants a value" --conf

# --- made up ------------------------------------------------------------------------------------

path=$tmp/bin:$PATH
printf '#!/bin/sh\necho "No permission." >&2\nexit 1\n' >"$tmp/bin/perf"
chmod +x "$tmp/bin/perf"
if LD_PRELOAD=libjemalloc.so.2 "$top/bench/churn" --help 2>&1 | grep -q 'cannot be preloaded'; then
	skip_all "libjemalloc.so.2 cannot be preloaded"
fi
refused 77 "perf cannot record here: No permission."

# A second each; what is not to be counted takes a hundred.
cat >"$tmp/samples" <<'END'
10/11    1000000000 
	            4d6f check_fill (/b/bench/churn)
	            58c6 worker_phase (/b/bench/churn)

10/11    1000000000 
	          16db75 __memmove_avx512_unaligned_erms (/usr/lib/libc.so.6)
	            58c6 worker_phase (/b/bench/churn)

10/11    1000000000 
	          16e0ba __memset_avx512_unaligned_erms (/usr/lib/libc.so.6)
	            58c6 worker_phase (/b/bench/churn)

10/12    1000000000 
	           8d236 pthread_mutex_trylock@@GLIBC_2.34 (/usr/lib/libc.so.6)
	           a9772 [unknown] (/usr/lib/libjemalloc.so.2)
	            58c6 worker_phase (/b/bench/churn)

10/12    1000000000 
	           165fd std::tree<A, b<void> >::insert(A const&) (/usr/lib/libtcmalloc_minimal.so.4.5.10)

10/11    1000000000 
	           1e262 region_count_kept (/b/hooks/.libs/libptreclaim.so.0.0.0)
	           a9772 [unknown] (/usr/lib/libjemalloc.so.2)

10/11    1000000000 
	          16e0ba __memset_avx512_unaligned_erms (/usr/lib/libc.so.6)
	           143df keep (/b/hooks/.libs/libptreclaim.so.0.0.0)

10/11    1000000000 
	          16e0ba __memset_avx512_unaligned_erms (/usr/lib/libc.so.6)
	           43bde [unknown] (/usr/lib/libjemalloc.so.2)
	            58c6 worker_phase (/b/bench/churn)

10/11    1000000000 
	ffffffff82203877 clear_page_erms ([kernel.kallsyms])
	ffffffff815ebf76 do_anonymous_page ([kernel.kallsyms])
	ffffffff821f51c6 exc_page_fault ([kernel.kallsyms])
	ffffffff81000c82 asm_exc_page_fault ([kernel.kallsyms])
	          16e0ba __memset_avx512_unaligned_erms (/usr/lib/libc.so.6)
	           143df keep (/b/hooks/.libs/libptreclaim.so.0.0.0)

10/11    1000000000 
	ffffffff81000c82 asm_exc_page_fault ([kernel.kallsyms])
	            4d6f check_fill (/b/bench/churn)

10/11    1000000000 
	ffffffff815ebf76 do_anonymous_page ([kernel.kallsyms])
	ffffffff815ebf77 __get_user_pages ([kernel.kallsyms])
	ffffffff815ebf78 faultin_page_range ([kernel.kallsyms])
	ffffffff815ebf79 do_madvise ([kernel.kallsyms])
	ffffffff815ebf7a __x64_sys_madvise ([kernel.kallsyms])
	ffffffff821ef691 do_syscall_64 ([kernel.kallsyms])
	           1a2a3 linux_madvise (/b/hooks/.libs/libptreclaim.so.0.0.0)

10/11    1000000000 
	ffffffff82203877 _raw_spin_unlock_irqrestore ([kernel.kallsyms])
	ffffffff815ebf76 tlb_finish_mmu ([kernel.kallsyms])
	ffffffff815ebf7a __x64_sys_process_madvise ([kernel.kallsyms])
	ffffffff821ef691 do_syscall_64 ([kernel.kallsyms])
	           1a2a3 syscall (/usr/lib/libc.so.6)

10/11    1000000000 
	ffffffff81000130 entry_SYSCALL_64_after_hwframe ([kernel.kallsyms])
	           f82ec __madvise (/usr/lib/libc.so.6)
	           a9772 [unknown] (/usr/lib/libjemalloc.so.2)

10/11    1000000000 
	ffffffff82203877 unmap_page_range ([kernel.kallsyms])
	ffffffff815ebf76 __vm_munmap ([kernel.kallsyms])

10/11    1000000000 
	ffffffff82203877 futex_wake ([kernel.kallsyms])
	ffffffff821ef691 do_syscall_64 ([kernel.kallsyms])
	ffffffff81000130 entry_SYSCALL_64_after_hwframe ([kernel.kallsyms])
	           f82ec pthread_mutex_unlock (/usr/lib/libc.so.6)

10/11    1000000000 
	ffffffff82203877 handle_softirqs ([kernel.kallsyms])
	ffffffff81000c82 asm_sysvec_apic_timer_interrupt ([kernel.kallsyms])
	ffffffff81000c83 asm_exc_page_fault ([kernel.kallsyms])
	            4d6f check_fill (/b/bench/churn)

10/10    100000000000 
	            4d6f check_fill (/b/bench/churn)

END
cat >"$tmp/bin/perf" <<END
#!/bin/bash
case \$1 in
record)
	while [ "\$1" != -- ]; do shift; done
	shift
	exec "\$@"
	;;
evlist) echo cpu-clock ;;
script) cat '$tmp/samples' ;;
esac
END
small=(--live 8M --ops 100 --trough-ms 0)
run --json --rounds 2 --ceiling -- "${small[@]}"
if [ $status -eq 77 ]; then
	skip "samples made up: $(tail -n 1 "$tmp/err")"
else
	verdict "samples made up"
	that "every category" '.sides.stock.seconds == {program: 3, allocator: 2, ptreclaim: 1, zeroing: 2,
		faults: 2, populate: 1, zapping: 3, syscalls: 1, kernel: 1}'
	that "their sum" 'all(.sides[]; .total_s == 16 and .clear_s == 1 and .samples == 16)'
	that "ceilings" '.ceilings.no_zapping == 1.333 and .ceilings.only_clearing == 2'
	that "three sides, of which two have ratios" '(.sides | keys) == ["never", "ptreclaim", "stock"] and
		(.ratios | keys) == ["never", "ptreclaim"] and all(.ratios[]; .ops_per_s > 0)'
	that "what churn tells" 'all(.sides[]; .peak_rss_kb > 0 and .minor_faults > 0)'
	run -- "${small[@]}"
	verdict "the table"
	if grep -qE '^  zapping +3\.000 +18\.8% +3\.000 +18\.8%$' "$tmp/out" &&
		grep -q 'were free: 1\.33 x$' "$tmp/out"; then
		ok
	else
		fail "the table is not what it was made of"
	fi
	run -- --profile none
	if [ $status -eq 1 ] && tail -n 1 "$tmp/err" | grep -q 'churn on stock ended with status 2$'; then
		ok
	else
		fail "a churn that fails: status $status"
	fi
fi

# --- the real one -------------------------------------------------------------------------------

path=$PATH
real() { # ALLOCATOR
	run --json --allocator "$1" --frequency 1999 -- --live 64M --ops 2000
	if [ $status -eq 77 ]; then
		skip "$1: $(tail -n 1 "$tmp/err")"
		return
	fi
	verdict "$1"
	that "$1: samples" 'all(.sides[]; .samples > 0 and .total_s > 0)'
	that "$1: the program and the kernel's part are told apart" '.sides.stock.seconds |
		.program > 0 and .faults + .zapping > 0'
	that "$1: nothing of ptreclaim on stock" '.sides.stock.seconds.ptreclaim == 0'
}
real jemalloc
real tcmalloc

if [ -z "$(ls -A "$TMPDIR")" ]; then
	ok
else
	fail "files stay behind: $(ls "$TMPDIR")"
fi
finish
