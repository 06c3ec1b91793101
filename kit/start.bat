@echo off
chcp 65001 >nul
setlocal
cd /d "%~dp0"
if not exist env\Scripts\riskmodel.exe (
  echo 还没有安装：请先双击 install.bat。
  pause
  exit /b 1
)
set RISKMODEL_LANG=zh
set PYTHONUTF8=1
set MLFLOW_DISABLE_TELEMETRY=true
set DO_NOT_TRACK=true
if not exist work mkdir work
cd work
title 返贫致贫监测（关闭本窗口即结束程序）
..\env\Scripts\riskmodel.exe office --lang zh %*
if errorlevel 1 pause
