# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
# fleetlib.sh - a fleet on one machine: hosts, each a process with a machine ID of its own, and what
# watches them; sourced behind lib.sh.
# shellcheck disable=SC2154,SC2034 # what lib.sh gives, what fleet.sh reads

fleet=$(cd "$(dirname "$0")/../../doc/fleet" && pwd) || exit 99
metrics=$tmp/metrics
hosts=50
pids=() servers=() feeder=''

# Everything that was started, by its number.
restore() {
	[ -z "$feeder" ] || kill "$feeder" 2>/dev/null
	[ ${#pids[@]} -eq 0 ] || kill "${pids[@]}" 2>/dev/null
	[ ${#servers[@]} -eq 0 ] || kill "${servers[@]}" 2>/dev/null
	wait 2>/dev/null
}

# until_true SECONDS COMMAND...: it becomes true within so many seconds, and many more than it takes.
until_true() {
	local end=$((SECONDS + $1))
	shift
	while ! "$@"; do
		[ $SECONDS -lt $end ] || return 1
		sleep 0.2
	done
}

# bucket ID: as libptreclaim(7) tells other tools to compute it, in $bucket. Shells count in 64 bits
# with a sign: shifts and the remainder are put right.
bucket() {
	local prime=$((0x100000001b3)) h=$((0xcbf29ce484222325)) c i
	h=$((h * prime)) # the zero byte behind an empty salt
	for ((i = 0; i < ${#1}; i++)); do
		printf -v c %d "'${1:i:1}"
		h=$(((h ^ c) * prime))
	done
	h=$((h ^ (h >> 33 & 0x7fffffff)))
	h=$((h * 0xff51afd7ed558ccd))
	h=$((h ^ (h >> 33 & 0x7fffffff)))
	h=$((h * 0xc4ceb9fe1a85ec53))
	h=$((h ^ (h >> 33 & 0x7fffffff)))
	bucket=$((((h >> 32 & 0xffffffff) * (4294967296 % 1000) + (h & 0xffffffff)) % 1000))
}

# knows PAIR: does this library know the key?
knows() {
	under "$1" true
	! grep -q 'unknown key' "$tmp/err"
}

# How a process comes to a host of its own: unshare, rollout_id, or not at all.
host_kind() {
	echo 0123 >"$tmp/id.0"
	# shellcheck disable=SC2016 # expanded by the inner shell
	if have unshare && [ "$(unshare -m sh -c 'mount --bind "$1" /etc/machine-id &&
		cat /etc/machine-id' sh "$tmp/id.0" 2>/dev/null)" = 0123 ]; then
		echo unshare
	elif knows rollout_id:x; then
		echo rollout_id
	fi
}

# hosts_start CONF-FUNCTION ARGUMENT...: all of them; the function prints the configuration of host $1.
hosts_start() {
	local i id conf fd into
	pids=() ins=()
	for ((i = 0; i < hosts; i++)); do
		id=${ids[i]}
		echo "$id" >"$tmp/id.$i"
		rm -f "$tmp/in.$i"
		mkfifo "$tmp/in.$i"
		conf=$(conf_of "$($1 "$i")")
		into=()
		# shellcheck disable=SC2016 # expanded by the inner shell
		case $kind in
		unshare) into=(unshare -m sh -c 'mount --bind "$1" /etc/machine-id && shift && exec "$@"'
			sh "$tmp/id.$i") ;;
		rollout_id) conf=$conf,rollout_id:$id ;;
		esac
		# What is put in front execs what follows, so this is the number of the program.
		"${into[@]}" env MALLOC_CONF=narenas:1,dirty_decay_ms:0 LD_PRELOAD="$lib" \
			PTRECLAIM_CONF="$conf" "$progs/hammer" "${@:2}" -s $((i + 1)) -I \
			<"$tmp/in.$i" >"$tmp/out.$i" 2>"$tmp/err.$i" 9>&- &
		pids+=($!)
	done
	# Only now, or each would keep the pipes of those before it open.
	for ((i = 0; i < hosts; i++)); do
		exec {fd}<>"$tmp/in.$i"
		ins+=("$fd")
	done
}

# A round on every host.
round_all() {
	local fd
	for fd in "${ins[@]}"; do
		echo >&"$fd"
	done
}

# rounds_done N: every host has told of its Nth.
# shellcheck disable=SC2317 # by until_true
rounds_done() {
	[ "$(grep -lx "round $1" "$tmp"/out.* | wc -l)" -eq $hosts ]
}

# Rounds again and again, in the background, until hosts_stop.
keep_busy() { # SECONDS-BETWEEN
	while :; do
		round_all
		sleep "$1"
	done &
	feeder=$!
}

# The end of the standard input ends a host. All bytes have to be what they were.
hosts_stop() {
	local i fd bad=0
	if [ -n "$feeder" ]; then
		kill "$feeder"
		wait "$feeder" 2>/dev/null
		feeder=''
	fi
	for fd in "${ins[@]}"; do
		exec {fd}>&-
	done
	for ((i = 0; i < hosts; i++)); do
		wait "${pids[i]}" || {
			bad=$((bad + 1))
			sed "s/^/    host $i: /" "$tmp/err.$i"
		}
	done
	pids=() ins=()
	rm -f "$metrics"/*
	[ $bad -eq 0 ] || fail "$bad of $hosts programs did not end well"
}

# server NAME COMMAND...: one that says on which port it listens, which goes to $port. It ends with the
# test, and without it too.
server() {
	local name=$1
	shift
	timeout -k 5 "$LIMIT" "$@" >"$tmp/$name.log" 2>&1 9>&- </dev/null &
	servers+=($!)
	until_true 30 grep -qs 'Listening on' "$tmp/$name.log" || {
		tail -n 5 "$tmp/$name.log"
		fail "$name does not start"
		finish
	}
	port=$(sed -n 's/.*Listening on.*address=[^ ]*:\([0-9]*\).*/\1/p' "$tmp/$name.log" | head -n 1)
}

# Debian's node_exporter and Prometheus, with our rules.
watch_fleet() {
	mkdir "$metrics" "$tmp/data" || exit 99
	chmod 777 "$metrics"
	server node_exporter prometheus-node-exporter --web.listen-address=127.0.0.1:0 \
		--collector.disable-defaults --collector.textfile \
		--collector.textfile.directory="$metrics"
	# Prometheus counts itself the rules that fail; its port is known only when it runs.
	cat >"$tmp/prometheus.yml" <<-END
		global: {scrape_interval: 2s, scrape_timeout: 2s, evaluation_interval: 1s}
		rule_files: ["$fleet/recording.yml", "$fleet/alerts.yml"]
		scrape_configs:
		  - {job_name: node, static_configs: [{targets: ["127.0.0.1:$port"]}]}
		  - {job_name: prometheus, file_sd_configs: [{files: ["$tmp/self.json"], refresh_interval: 1s}]}
	END
	server prometheus prometheus --config.file="$tmp/prometheus.yml" \
		--web.listen-address=127.0.0.1:0 --storage.tsdb.path="$tmp/data"
	prometheus=http://127.0.0.1:$port
	echo "[{\"targets\": [\"127.0.0.1:$port\"]}]" >"$tmp/self.json"
}

# query EXPRESSION: the answer as JSON, in $tmp/answer.
query() {
	promtool query instant -o json "$prometheus" "$1" >"$tmp/answer" 2>"$tmp/err"
}

# value EXPRESSION: the one value it has, as a whole number; nothing if it has none.
value() {
	query "$1" && jq -r 'if length == 1 then .[0].value[1] | tonumber | floor else empty end' "$tmp/answer"
}

# is EXPRESSION NUMBER
# shellcheck disable=SC2317 # by until_true
is() {
	[ "$(value "$1")" = "$2" ]
}
