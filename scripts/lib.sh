# SPDX-License-Identifier: BSD-2-Clause-Patent
# Shared by scripts/run and scripts/stop: where things are, and how they are started and ended.
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build=$(cd "$top" && realpath -m "${BUILD:-build}")
state=$(realpath -m "${DAOS_RUN_DIR:-$top/run}")
port=${DAOS_RUN_PORT:-10001}            # of the first server; the others count on
fabric_port=${DAOS_RUN_FABRIC_PORT:-31416}
mnt=$state/mnt
export PATH=$build/bin:$PATH
export DAOS_AGENT_DRPC_DIR=$state/agent
dmg=(dmg -o "$state/dmg.yml")

fail() { echo "make run: $*" >&2; exit 1; }
# alive PID: it runs; one that ended and was not waited for by its parent does not.
alive() {
	local stat
	[ -n "${1:-}" ] && { read -r stat <"/proc/$1/stat"; } 2>/dev/null || return 1
	stat=${stat##*) }
	[ "${stat:0:1}" != Z ]
}
pid_of() { cat "$state/pid/$1" 2>/dev/null || true; }
mounted() { mountpoint -q "$mnt" 2>/dev/null; }

# start NAME LOG COMMAND...: in the background, its pid in pid/NAME.
start() {
	local name=$1 log=$2
	shift 2
	setsid "$@" >"$log" 2>&1 </dev/null &
	echo $! >"$state/pid/$name"
}

# end NAME: SIGTERM, then wait for its end, at most 30 s, then SIGKILL.
end() {
	local pid tries
	pid=$(pid_of "$1")
	if alive "$pid"; then
		kill "$pid" 2>/dev/null
		for ((tries = 0; tries < 1500; tries++)); do
			alive "$pid" || break
			read -rt 0.02 <> <(:) || :
		done
		[ "$tries" -lt 1500 ] || kill -9 "$pid" 2>/dev/null
	fi
	rm -f "$state/pid/$1"
}

stop_all() {
	if mounted; then
		fusermount3 -u "$mnt" 2>/dev/null || umount "$mnt" 2>/dev/null || umount -l "$mnt" 2>/dev/null || true
	fi
	local f
	for f in "$state"/pid/dfuse "$state"/pid/agent "$state"/pid/server*; do
		[ -e "$f" ] && end "$(basename "$f")"
	done
	return 0
}
