#!/bin/sh
# 在本文件夹里安装，不联网。
set -e
cd "$(dirname "$0")"
PYTHON=${PYTHON:-python3.11}
if ! "$PYTHON" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null; then
  echo "没有找到 Python 3.11：请先安装（或用 PYTHON=路径 指明），再运行一次。" >&2
  exit 1
fi
echo "正在安装（不联网，约需几分钟）……"
"$PYTHON" -m venv env
env/bin/python -m pip install --quiet --no-index --find-links wheels --require-hashes -r requirements-linux.txt
env/bin/python -m pip install --quiet --no-index --no-deps wheels/riskmodel-*.whl
[ -n "$RISKMODEL_NO_SHORTCUT" ] || sh ./shortcut.sh
echo "安装完成：运行 ./start.sh，或双击桌面上的“返贫监测”。"
