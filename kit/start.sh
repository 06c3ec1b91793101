#!/bin/sh
cd "$(dirname "$0")"
if [ ! -x env/bin/riskmodel ]; then
  echo "还没有安装：请先运行 ./install.sh" >&2
  exit 1
fi
export RISKMODEL_LANG=zh PYTHONUTF8=1 MLFLOW_DISABLE_TELEMETRY=true DO_NOT_TRACK=true
mkdir -p work
cd work
exec ../env/bin/riskmodel office --lang zh "$@"
