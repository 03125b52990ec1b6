#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Programs whose habits were dangerous: memory that an arena leaves to its owner, and calloc of much
# with touch of little.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
needs owner timeout
owner=$progs/owner

stock "$owner" pool
verdict "pool, without preload"
for backend in auto dontneed remap none; do
	under backend:$backend "$owner" pool
	verdict "pool, $backend"
done

# A large calloc must not make its pages resident that stock leaves alone: 64 MiB and 2% is what
# batch_bytes and keep_bytes may hold.
for decay in default 0; do
	malloc_conf=
	[ $decay = default ] || malloc_conf=dirty_decay_ms:$decay
	export MALLOC_CONF=$malloc_conf
	stock "$owner" sparse
	verdict "sparse, decay $decay, without preload" || continue
	least=$(cat "$tmp/out")
	for conf in mode:on mode:observe; do
		under $conf "$owner" sparse
		verdict "sparse, decay $decay, $conf" || continue
		if [ "$(cat "$tmp/out")" -gt $((least + least / 50 + 65536)) ]; then
			fail "sparse, decay $decay, $conf: $(cat "$tmp/out") kB at the peak, stock $least kB"
		fi
	done
done
finish
