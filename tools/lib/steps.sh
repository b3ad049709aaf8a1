# shellcheck shell=bash
# Shows what a script does, step by step, for a person who waits: the name of each step, what
# it is at, and the seconds that it took. Sourced by the scripts in tools/.
#
#   step "Building the server" "the server does not build; see above" cmake --build --preset release
#
# A step that fails ends the script: status 1, its last lines, and the words that say what to do.
# So a step stands alone, never before `||` or after `if`: there bash would ignore `set -e` in it.
#
# A step's output goes to $steps_log. What people see is on standard error, so that a script's
# standard output is its result. On a terminal a line is redrawn; elsewhere (CI) a line is
# printed at the start, at the end and every 30 seconds.
#
# A step runs in a process group of its own: an interrupt ends it and all that it started.

steps_log="${steps_log:-/dev/null}"
steps_pid=""
steps_columns=100
readonly steps_beat_seconds=30 steps_tail_lines=25

steps_use_log() {
	steps_log="$1"
	mkdir -p "$(dirname "$steps_log")"
	: >"$steps_log"
}

# say TEXT…: a line for the person who waits.
say() { printf '%s\n' "$*" >&2; }

# die TEXT…: what happened, to what, and what to do; then status 1.
die() {
	printf '\nerror: %s\n' "$*" >&2
	exit 1
}

steps_interrupted() {
	if [[ -n "$steps_pid" ]]; then
		kill -TERM -- "-$steps_pid" 2>/dev/null || true
		wait "$steps_pid" 2>/dev/null || true
	fi
	say ""
	say "interrupted; running it again goes on where it stopped"
	exit 130
}

# What a step is at: ninja's "[12/345]" or a percentage in the last line that it wrote.
steps_progress() {
	tail -c 400 "$steps_log" 2>/dev/null | tr '\r' '\n' | tail -n 1 |
		grep -oE '^\[[0-9]+/[0-9]+\]|[0-9]+%' | tail -n 1 || true
}

# step NAME ADVICE COMMAND…: runs it and shows it; where it fails, says why and what to do.
step() {
	local name="$1" advice="$2" began=$SECONDS status=0 beat=0 turn=0 line
	# shellcheck disable=SC1003  # a backslash, not an escape
	local -r spinner='|/-\'
	shift 2
	printf '== %s\n' "$name" >>"$steps_log"
	[[ -t 2 ]] || say "   $name …"
	trap steps_interrupted INT TERM HUP
	set -m
	("$@") >>"$steps_log" 2>&1 </dev/null &
	steps_pid=$!
	set +m
	while kill -0 "$steps_pid" 2>/dev/null; do
		if [[ -t 2 ]]; then
			line="$(printf ' %s %s  %d s  %s' "${spinner:turn++%4:1}" "$name" $((SECONDS - began)) "$(steps_progress)")"
			printf '\r\033[K%s' "${line:0:steps_columns}" >&2
		elif ((SECONDS - began >= (beat + 1) * steps_beat_seconds)); then
			beat=$(((SECONDS - began) / steps_beat_seconds))
			say "     … $((SECONDS - began)) s $(steps_progress)"
		fi
		sleep 0.2
	done
	wait "$steps_pid" || status=$?
	steps_pid=""
	trap - INT TERM HUP
	[[ -t 2 ]] && printf '\r\033[K' >&2
	if ((status == 0)); then
		say "ok $name ($((SECONDS - began)) s)"
	else
		say "failed: $name (status $status after $((SECONDS - began)) s). Its last lines:"
		tail -n "$steps_tail_lines" "$steps_log" | sed 's/^/    /' >&2
		[[ "$steps_log" == /dev/null ]] || say "    all of it: $steps_log"
		die "$advice"
	fi
}

# Where things that may be fetched or built again are kept, outside the repository.
cache_folder() {
	local base="${XDG_CACHE_HOME:-}"
	if [[ -z "$base" ]]; then
		[[ -n "${HOME:-}" ]] || die "neither XDG_CACHE_HOME nor HOME is set; set one of them"
		base="$HOME/.cache"
	fi
	printf '%s/claviger' "$base"
}
