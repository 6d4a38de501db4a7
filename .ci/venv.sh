#!/bin/sh
# Makes a virtual environment on a bare Debian or Ubuntu, where python3 comes without the module that makes one.
set -eu
python=$1
venv=$2
if ! command -v "$python" >/dev/null 2>&1; then
    echo "sitewatch needs Python 3.11 or newer: sudo apt-get install python3 python3-venv" >&2
    exit 1
fi
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
    echo "sitewatch needs Python 3.11 or newer; this is $("$python" --version). Name another: make PYTHON=python3.12" >&2
    exit 1
}
[ -x "$venv/bin/pip" ] && exit 0
rm -rf "$venv"
if ! "$python" -m venv "$venv" 2>/dev/null; then
    rm -rf "$venv"
    run=""
    [ "$(id -u)" = 0 ] || run=sudo
    echo "Installing python3-venv, which this system lacks" >&2
    $run apt-get install -y -qq python3-venv >/dev/null || {
        echo "Please install python3-venv (sudo apt-get install python3-venv) and call make again" >&2
        exit 1
    }
    "$python" -m venv "$venv"
fi
