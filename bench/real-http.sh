# shellcheck shell=bash disable=SC2034,SC2154 # they are those of bench/real
# SPDX-License-Identifier: BSD-2-Clause
# real-http.sh - varnishd, a cache for HTTP, under h2load; sourced by bench/real. Objects of 2 to
# 320 KB come into its malloc storage, are read, and all but every 49th are purged, three times over.
# It makes them itself, from a text of each size and their own name, so nothing else has to serve them.
http_objects=$((8000 * scale / 100))
http_objects=$((http_objects < 200 ? 200 : http_objects))
http_rounds=3
http_clients=4
http_sizes=(2 4 8 16 24 40 64 96 160 320) # KB, by the last digit of the name
http_keep=49

http_needs() {
	needs varnishd varnish
	needs varnishadm varnish
	needs h2load nghttp2-client
	needs curl curl
}

# VCL: what a request does. /drop/X purges /o/X.
http_vcl() {
	local i
	cat <<'V'
vcl 4.1;
import std;
backend none none;
sub vcl_recv {
	if (req.url ~ "^/drop/") {
		set req.url = regsub(req.url, "^/drop/", "/o/");
		return (purge);
	}
	return (hash);
}
sub vcl_backend_fetch {
	return (error(200));
}
sub vcl_backend_error {
	set beresp.ttl = 1h;
	set beresp.http.Content-Type = "text/plain";
V
	for i in "${!http_sizes[@]}"; do
		echo "	if (bereq.url ~ \"$i\$\") {"
		echo "		set beresp.body = bereq.url + \" \" + std.fileread(\"$tmp/body.$i\");"
		echo "	}"
	done
	echo "	return (deliver);"
	echo "}"
}

http_adm() {
	bounded varnishadm -n "$tmp/work" "$@" </dev/null
}

http_start() {
	local i
	for i in "${!http_sizes[@]}"; do
		awk -v size="${http_sizes[i]}" 'BEGIN {
			s = sprintf("a text of %d KB; ", size)
			while (length(s) < size * 1024) s = s s
			printf "%s\n", substr(s, 1, size * 1024 - 1)
		}' >"$tmp/body.$i"
	done
	http_vcl >"$tmp/real.vcl"
	"${run_program[@]}" varnishd -F -j none -n "$tmp/work" -a "$tmp/socket" -f "$tmp/real.vcl" \
		-s malloc,4G -p thread_pools=1 -p thread_pool_min=10 >"$tmp/log" 2>&1 </dev/null &
	server=$! pid=''
	within 60 http_ready || return 1
	# The manager only looks after it.
	pid=$(http_adm pid | awk '$1 == "Worker:" { print $2 }')
	[ -n "$pid" ]
}

http_ready() {
	http_adm status | grep -q 'state running' && http_get /o/0/0
}

http_get() { # PATH
	bounded curl -sf --unix-socket "$tmp/socket" "http://localhost$1"
}

# load PREFIX PASSES [N]: every object of a prefix, or all but every Nth. Each client has a share.
http_load() {
	local prefix=$1 passes=$2 without=${3-0} client clients=() rc=0 count
	for ((client = 0; client < http_clients; client++)); do
		awk -v prefix="http://localhost$prefix" -v client=$client -v clients=$http_clients \
			-v objects=$http_objects -v without="$without" 'BEGIN {
			for (n = client; n < objects; n += clients)
				if (!without || n % without) print prefix n
		}' >"$tmp/uris.$client"
	done
	for ((client = 0; client < http_clients; client++)); do
		count=$(($(wc -l <"$tmp/uris.$client") * passes))
		bounded h2load --h1 -c 1 -m 4 -n "$count" -i "$tmp/uris.$client" -B "unix:$tmp/socket" \
			>"$tmp/out.$client" 2>&1 </dev/null &
		clients+=($!)
	done
	for client in "${!clients[@]}"; do
		wait "${clients[client]}" || rc=1
		count=$(($(wc -l <"$tmp/uris.$client") * passes))
		grep -q "^status codes: $count 2xx, 0 3xx" "$tmp/out.$client" || rc=1
	done
	[ $rc -eq 0 ] && return 0
	say "http: h2load failed: $(grep -h '^status codes' "$tmp"/out.* | tr '\n' ' ')"
	return 1
}

http_work() {
	local round kept=$(((http_objects + http_keep - 1) / http_keep))
	for ((round = 0; round < http_rounds; round++)); do
		timed $http_objects http_load "/o/$round/" 1 &&
			timed $((http_objects * 3)) http_load "/o/$round/" 3 &&
			timed $((http_objects - kept)) http_load "/drop/$round/" 1 $http_keep || return 1
	done
}

# Some traffic on small objects.
http_tick() {
	bounded h2load --h1 -c $http_clients -m 4 -n 400 -B "unix:$tmp/socket" \
		http://localhost/o/0/0 http://localhost/o/9/0 http://localhost/o/9/1 </dev/null 2>&1 |
		grep -q '^status codes: 400 2xx'
}

# Those that were kept, and one of ten of the last round that were not.
http_names() {
	awk -v rounds=$http_rounds -v objects=$http_objects -v keep=$http_keep 'BEGIN {
		for (r = 0; r < rounds; r++)
			for (n = 0; n < objects; n++)
				if (n % keep == 0 || (r == rounds - 1 && n % 97 == 5)) print "/o/" r "/" n
	}'
}

http_answers() {
	local wanted got
	wanted=$(http_names | while read -r name; do
		printf '%s ' "$name"
		cat "$tmp/body.${name: -1}"
	done | sha256sum)
	got=$(http_names | sed 's|.*|url = "http://localhost&"|' |
		bounded curl -sf --unix-socket "$tmp/socket" -K - | sha256sum)
	[ "$wanted" = "$got" ] || die 3 "http: the objects are not those that were made"
	echo "${got%% *}"
}

http_end() {
	kill "$server"
}
