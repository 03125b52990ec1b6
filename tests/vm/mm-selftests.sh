#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# mm-selftests.sh - run the kernel's own mm selftests, as kernel-patch/selftests built them, and keep
# the result of each test in them for mm-compare.sh: a patched kernel has to give the same results.
#
#   tests/vm/mm-selftests.sh [--full] FOLDER     as root in a guest; writes PTR_SCRATCH/mm.KERNEL
#
# FOLDER: where kernel-patch/selftests put them. The short list is what touches page tables and ends
# in seconds, also under emulation; --full is everything that can be run. No test fails here: whether
# a result is right is not for this project to say. Each has LIMIT seconds (60; --full: 300).
#
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

full=no
if [ "${1:-}" = --full ]; then
	full=yes
	shift
fi
folder=${1:-${PTR_SELFTESTS:-}}
if [ -z "$folder" ] || [ ! -d "$folder/mm" ]; then
	skip_all mm-selftests "'$folder' is not what kernel-patch/selftests made"
fi
limit=${LIMIT:-60}
[ $full = no ] || limit=${LIMIT:-300}
scratch=${PTR_SCRATCH:-/tmp/scratch}
[ -d "$scratch" ] || scratch=$tmp
out=$scratch/mm.${kernel:-$(uname -r)}
: >"$out" || skip_all mm-selftests "$out cannot be written"

# Some write beside themselves.
cp -r "$folder/mm" "$tmp/mm" && cd "$tmp/mm" || exit 1

# What run_vmtests.sh prepares: huge pages, and what they may overcommit.
sysctl() { # NAME VALUE
	[ ! -e "/proc/sys/vm/$1" ] || echo "$2" >"/proc/sys/vm/$1"
}
sysctl nr_hugepages "${HUGEPAGES:-64}" 2>/dev/null
sysctl unprivileged_userfaultfd 1 2>/dev/null

# One line for the program, one for each test that it reports by itself. What differs from run to
# run is taken out: numbers, addresses, times.
results() { # NAME STATUS LOG
	echo "$1: exit status $2"
	sed -n -E '
		s/\x1b\[[0-9;]*m//g
		s/^[[:space:]#]*(ok|not ok) [0-9]+[[:space:]]*-?[[:space:]]*(.*)$/\1 \2/
		t keep
		s/^# (Totals:.*)$/\1/
		t keep
		# Older ones have words of their own, and dots for the time that something took.
		s/^(.*[^.])\.{3,} *(OK|Fail|done|failed|skipped.*)[[:space:]]*$/\1: \2/
		t keep
		s/^(Run test: .*)$/\1/
		t keep
		d
		:keep
		s/0x[0-9a-fA-F]+/ADDRESS/g
		s/\r//g
		p' "$3" | sed "s|^|$1: |"
}

run() { # PROGRAM ARGUMENT...
	local name=$* status start=$SECONDS
	if [ ! -x "./$1" ]; then
		echo "$name: not built" >>"$out"
		return
	fi
	timeout -k 5 "$limit" "./$1" "${@:2}" >"$tmp/log" 2>&1 </dev/null
	status=$?
	case $status in
	124 | 137) status="time is up" ;;
	esac
	results "$name" "$status" "$tmp/log" >>"$out"
	printf '%-44s %-12s %4s ok %4s not ok %4s s\n' "$name" "$status" \
		"$(grep -cE '^[[:space:]#]*ok [0-9]' "$tmp/log")" \
		"$(grep -cE '^[[:space:]#]*not ok [0-9]' "$tmp/log")" $((SECONDS - start))
	[ "$status" = 0 ] || [ "$status" = 4 ] || tail -n 3 "$tmp/log" | cut -c 1-150 | sed 's/^/    | /'
	cp "$tmp/log" "$scratch/mm.${kernel:-$(uname -r)}.$(tr -c 'A-Za-z0-9\n' _ <<<"$name").log" \
		2>/dev/null
}

run guard-regions
run madv_populate
run process_madv
run merge
run mremap_test
run mremap_dontunmap
run mseal_test
limit=$((limit * 3)) run uffd-unit-tests # more than a hundred of them
run uffd-stress anon 16 4
run uffd-stress shmem 16 4
run uffd-stress shmem-private 16 4
run uffd-wp-mremap
run soft-dirty
run pagemap_ioctl
run cow
run khugepaged
run khugepaged all:shmem
run split_huge_page_test
run ksm_functional_tests
run ksm_tests -M -p 10
run ksm_tests -U
run mkdirty
run mdwe_test
run map_fixed_noreplace
run map_populate
run droppable
run mlock2-tests
run mlock-random-test
run mrelease_test
run memfd_secret
run pfnmap
run rmap
run prctl_thp_disable
run thuge-gen
run hugetlb-madvise
run hugetlb-mmap
run hugetlb-mremap
run hugetlb-shm
run hugetlb_madv_vs_map
run gup_longterm
run on-fault-limit
if [ $full = yes ]; then
	run uffd-stress anon 64 16
	run uffd-stress hugetlb 64 16
	run uffd-stress hugetlb-private 64 16
	run khugepaged -s 2
	run khugepaged -s 4 all:shmem
	run khugepaged -c 4 mthp_khugepaged:anon
	run ksm_tests -H -s 100
	run ksm_tests -P -s 100
	run ksm_tests -Z -p 10 -z 0
	run ksm_tests -Z -p 10 -z 1
	run ksm_tests -N -m 1
	run ksm_tests -N -m 0
	run hugetlb_dio
	run hugetlb_fault_after_madv
	run migration
	run compaction_test
	run transhuge-stress -d 20
	run folio_split_race_test
	run protection_keys_64
	run pkey_sighandler_tests_64
	run va_high_addr_switch
	run memory-failure
	run gup_test -u -n 1
	run gup_test -a -n 1
	run gup_test -ct -F 0x1 0 19 0x1000
	run hmm-tests
fi
pass "mm-selftests: $(grep -c ': exit status' "$out") programs, $(grep -c ': ok ' "$out") tests ok," \
	"$(grep -c ': not ok ' "$out") not, $(grep -c 'time is up' "$out") ran out of time"
finish
