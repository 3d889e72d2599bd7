#!/bin/sh
# Runs tests while two processes keep the machine busy, over and over: what passes here does not depend on its speed.
#
#     tests/stress.sh [TIMES [PYTEST ARGUMENTS...]]      (or: make stress TIMES=5 ARGS=tests/gateway)
#
# TIMES is 3 unless given; without arguments the folders run that wait for other processes, sockets or clocks. The busy
# processes end with the script, however it ends, and after an hour at the latest. Exit code 1 when a run failed.

cd "$(dirname "$0")/.." || exit 2
python=${PYTHON:-.venv/bin/python}
times=${1:-3}
[ $# -gt 0 ] && shift
[ $# -gt 0 ] || set -- tests/gateway tests/ib tests/runtime tests/operator tests/command tests/system

busy='import os, time
parent, end = os.getppid(), time.monotonic() + 3600
while os.getppid() == parent and time.monotonic() < end: pass'
"$python" -c "$busy" & one=$!
"$python" -c "$busy" & two=$!
trap 'kill $one $two 2>/dev/null' EXIT
trap 'exit 130' INT TERM

failed=0
run=1
while [ "$run" -le "$times" ]; do
    echo "run $run of $times: $*"
    "$python" -m pytest -q -n 0 "$@" || failed=$((failed + 1))
    run=$((run + 1))
done
echo "$failed of $times runs failed"
[ "$failed" -eq 0 ]
