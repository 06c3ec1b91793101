@echo off
chcp 65001 >nul
setlocal
cd /d "%~dp0"
echo 正在安装“返贫致贫监测 · 县级办公室”（不联网，约需几分钟）……
set "PY="
py -3.11 -c "" >nul 2>nul && set "PY=py -3.11"
if not defined PY (
  for %%I in (python\python-3.11*amd64.exe) do (
    echo 正在安装 Python 3.11（随包附带）……
    "%%I" /passive InstallAllUsers=0 Include_launcher=1 PrependPath=0
  )
  py -3.11 -c "" >nul 2>nul && set "PY=py -3.11"
)
if not defined PY (
  python -c "import sys; sys.exit(sys.version_info[:2] != (3, 11))" >nul 2>nul && set "PY=python"
)
if not defined PY (
  echo.
  echo 没有找到 Python 3.11（64 位）。请把 Python 官方的 3.11 64 位安装程序放进本文件夹的 python 子文件夹，再运行一次。
  pause
  exit /b 1
)
%PY% -m venv env || goto failed
env\Scripts\python -m pip install --quiet --no-index --find-links wheels --require-hashes -r requirements-windows.txt || goto failed
for %%W in (wheels\riskmodel-*.whl) do env\Scripts\python -m pip install --quiet --no-index --no-deps "%%W" || goto failed
powershell -NoProfile -ExecutionPolicy Bypass -File shortcut.ps1
echo.
echo 安装完成。双击桌面上的“返贫监测”，或本文件夹里的 start.bat，即可打开。
pause
exit /b 0
:failed
echo.
echo 安装没有完成。请把上面的文字拍照，交给管理人员。
pause
exit /b 1
