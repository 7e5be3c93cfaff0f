#!/bin/sh
# The engine of a test printer: ippeveprinter -c runs it for each job. $1 is the
# document, in a file whose name begins with the job's number. It writes one line
# for each side that comes out ("copy page[,page]") to out/<job>, tells
# ippeveprinter as a real engine does, and fails as ctl/fault says:
#   silent | slow SECONDS | jam N | empty N | hold N | abort N     (N: side, from 1)
# jam, empty and hold wait before that side until ctl/go says "go" or "abort".
set -eu
dir=${0%/*}
name=${1##*/}
job=${name%%-*}
out=$dir/out/$job
: >"$out"

tell() { printf '%s\n' "$*" >&2; }
finish() {
	printf '%s\n' "$1" >"$out.tmp"
	mv "$out.tmp" "$out.end"
	[ "$1" = printed ] || exit 1
	exit 0
}

fault=ok at=0
[ -e "$dir/ctl/fault" ] && read -r fault at <"$dir/ctl/fault"

pages=1
if [ "${CONTENT_TYPE:-}" = application/pdf ]; then
	pages=$(pdfinfo "$1" 2>/dev/null | awk '/^Pages:/ {print $2}')
	[ -n "$pages" ] || { tell "ERROR: no page can be read"; finish unreadable; }
fi

# The pages that are wanted, "1-3,5".
wanted=
if [ -n "${IPP_PAGE_RANGES:-}" ]; then
	for part in $(printf '%s' "$IPP_PAGE_RANGES" | tr ',' ' '); do
		p=${part%-*}
		while [ "$p" -le "${part#*-}" ] && [ "$p" -le "$pages" ]; do wanted="$wanted $p" p=$((p + 1)); done
	done
else
	p=1
	while [ "$p" -le "$pages" ]; do wanted="$wanted $p" p=$((p + 1)); done
fi

wait_for_somebody() {
	: >"$dir/ctl/waiting"
	while [ ! -e "$dir/ctl/go" ]; do
		[ -d "$dir/ctl" ] || exit 1 # nobody will come
		sleep 0.02
	done
	read -r verb <"$dir/ctl/go"
	rm -f "$dir/ctl/go" "$dir/ctl/waiting"
	[ "$verb" = go ]
}

up=${IPP_NUMBER_UP:-1}
copies=${IPP_COPIES:-1}
side=0
before() { # what happens before a side comes out
	case $fault in
	slow) sleep "$at" ;;
	abort) [ "$side" -ne "$at" ] || finish aborted ;;
	hold) [ "$side" -ne "$at" ] || wait_for_somebody || finish aborted ;;
	jam | empty)
		[ "$side" -eq "$at" ] || return 0
		tell "STATE: +media-$fault-error"
		ok=yes
		wait_for_somebody || ok=no
		tell "STATE: -media-$fault-error"
		[ $ok = yes ] || finish aborted
		;;
	esac
}

copy=1
while [ "$copy" -le "$copies" ]; do
	on= n=0
	for p in $wanted end; do
		if [ "$p" != end ]; then
			on=${on:+$on,}$p n=$((n + 1))
			[ "$n" -eq "$up" ] || continue
		fi
		[ -n "$on" ] || continue
		side=$((side + 1))
		before
		printf '%s %s\n' "$copy" "$on" >>"$out"
		on= n=0
		[ "$fault" = silent ] || tell "ATTR: job-impressions-completed=$side"
	done
	copy=$((copy + 1))
done
finish printed
